//! What a portal asks for, as JSON: an order with its lines and customer, or entries that are there already. Each part has the
//! fields of the import of its kind, and is checked like a row of it.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::domain::customer::Customer;
use crate::domain::id::{AssignmentKey, EntryReference, MethodName, ProviderName};
use crate::domain::invoice::OrderKeys;
use crate::domain::order::Cancellation;
use crate::exchange::import::{
    EntryRecord, ImportDefaults, ImportKind, InputFormat, Objection, OrderLineRecord, OrderRecord, Row, Rows, customer,
};

/// The document, its parts not read yet.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    order: Option<Box<RawValue>>,
    #[serde(default)]
    lines: Vec<Box<RawValue>>,
    customer: Option<Box<RawValue>>,
    /// References of entries that are there already, in place of an order.
    #[serde(default)]
    entries: Vec<String>,
    assignment_key: Option<String>,
    title: Option<String>,
    due_on: Option<String>,
    provider: Option<String>,
    method: Option<String>,
    return_url: Option<String>,
    cancel_url: Option<String>,
}

#[derive(Debug)]
pub(super) struct CheckoutRequest {
    pub(super) what: Asked,
    /// The only one of the config, if not given.
    pub(super) provider: Option<ProviderName>,
    pub(super) method: MethodName,
    pub(super) return_url: Option<String>,
    pub(super) cancel_url: Option<String>,
}

#[derive(Debug)]
pub(super) enum Asked {
    Order(Box<OrderAsked>),
    Entries(Vec<EntryReference>),
}

#[derive(Debug)]
pub(super) struct OrderAsked {
    pub(super) order: OrderRecord,
    pub(super) lines: Vec<OrderLineRecord>,
    pub(super) customer: Option<Customer>,
    pub(super) entry: EntryRecord,
}

/// A problem with a part: `order.total`, `lines[2].quantity`.
pub(super) type Problems = Vec<String>;

impl CheckoutRequest {
    pub(super) fn read(text: &[u8], defaults: &ImportDefaults) -> Result<Self, Problems> {
        if text.trim_ascii_start().first() != Some(&b'{') {
            return Err(vec!["the request is no JSON object".to_owned()]);
        }
        let document: Document = serde_json::from_slice(text)
            .map_err(|error| vec![format!("the request is not as it should be: {error}")])?;
        let mut problems = Vec::new();
        let provider = parsed(document.provider.as_deref(), "provider", ProviderName::parse, &mut problems);
        let method = document.method.as_deref().unwrap_or(METHOD);
        let method = parsed(Some(method), "method", MethodName::parse, &mut problems);
        for (name, url) in [("return_url", &document.return_url), ("cancel_url", &document.cancel_url)] {
            if url.as_deref().is_some_and(|url| !is_web_address(url)) {
                problems.push(format!("{name} is not an address that begins with https:// or http://"));
            }
        }
        let what = document.asked(defaults, &mut problems);
        match (what, method) {
            (Some(what), Some(method)) if problems.is_empty() => {
                let Document { return_url, cancel_url, .. } = document;
                Ok(Self { what, provider, method, return_url, cancel_url })
            }
            _ => Err(problems),
        }
    }

    /// A request for an order or entries that the ledger has.
    pub(super) fn of(entries: Vec<EntryReference>) -> Result<Self, Problems> {
        let method = MethodName::parse(METHOD).map_err(|error| vec![error.to_string()])?;
        Ok(Self { what: Asked::Entries(entries), provider: None, method, return_url: None, cancel_url: None })
    }
}

/// Of payments made on a page: the PSP captures them by itself.
const METHOD: &str = crate::config::settings::CHECKOUT_METHOD;

impl Document {
    fn entries_asked(&self, problems: &mut Problems) -> Option<Asked> {
        let given = [("lines", !self.lines.is_empty()), ("customer", self.customer.is_some())];
        problems.extend(
            given.iter().filter(|(_, is)| *is).map(|(name, _)| format!("{name} is only for requests with an order")),
        );
        if self.entries.is_empty() {
            problems.push("order or entries is required".to_owned());
        }
        let entries: Option<Vec<EntryReference>> =
            self.entries.iter().map(|text| parsed(Some(text), "entries", EntryReference::parse, problems)).collect();
        entries.map(Asked::Entries)
    }

    fn asked(&self, defaults: &ImportDefaults, problems: &mut Problems) -> Option<Asked> {
        let Some(order) = &self.order else { return self.entries_asked(problems) };
        if !self.entries.is_empty() {
            problems.push("entries is only for requests without an order".to_owned());
        }
        let read = |row: &Row| OrderRecord::read(row, defaults);
        let mut order = part("order", ImportKind::Orders, order.get(), read, problems)?;
        let number = json!(order.number.as_str()).to_string();
        let shop = json!(order.shop.as_str()).to_string();
        let mut lines = Vec::new();
        for (at, line) in (1..).zip(&self.lines) {
            let own = with_members(line.get(), &format!("\"order\":{number},\"shop\":{shop}"));
            let read = |row: &Row| OrderLineRecord::read(row, defaults);
            lines.extend(part(&format!("lines[{at}]"), ImportKind::OrderLines, &own, read, problems));
        }
        if self.lines.is_empty() {
            problems.push("lines is required: what the invoice will say is sold".to_owned());
        }
        let customer = self.customer.as_ref().and_then(|text| {
            let named = order.bill_to.as_ref().filter(|_| !text.get().contains("\"customer\""));
            let own = match named {
                Some(number) => with_members(text.get(), &format!("\"customer\":{}", json!(number.as_str()))),
                None => text.get().to_owned(),
            };
            part("customer", ImportKind::Customers, &own, |row| customer::read(row, defaults), problems)
        });
        if let Some(customer) = &customer {
            if order.bill_to.as_ref().is_some_and(|bill_to| *bill_to != customer.number) {
                problems.push(format!("customer.customer `{}` is not the order's `bill_to`", customer.number));
            }
            order.bill_to = Some(customer.number.clone());
        }
        if order.cancelled.is_some_and(|cancelled| cancelled != Cancellation::None) {
            problems.push("order: cancelled: it is cancelled, and nothing is to be paid for it".to_owned());
        }
        if order.keys != OrderKeys::default() {
            problems.push("order: the keys of an order are given by `assignment_key`".to_owned());
        }
        let key = self.assignment_key.as_deref().unwrap_or(order.number.as_str());
        let key = parsed(Some(key), "assignment_key", AssignmentKey::parse, problems)?;
        order.keys.entry = Some(key.clone());
        // In another shop the same number is another order's.
        let name = if order.shop == defaults.shop {
            order.number.to_string()
        } else {
            format!("{}/{}", order.shop, order.number)
        };
        let entry = object([
            ("entry", json!(name)),
            ("shop", json!(order.shop)),
            ("order", json!(order.number)),
            ("assignment_key", json!(key)),
            ("customer", json!(order.bill_to)),
            ("currency", json!(order.total.currency().code())),
            ("amount", json!(order.total.decimal())),
            ("title", json!(self.title)),
            ("due_on", json!(self.due_on)),
        ]);
        let read = |row: &Row| EntryRecord::read(row, defaults);
        let entry = part("the request", ImportKind::Entries, &entry.to_string(), read, problems)?;
        Some(Asked::Order(Box::new(OrderAsked { order, lines, customer, entry })))
    }
}

/// An object without the members that say nothing: an import takes no `null`.
fn object(members: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    members.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.to_owned(), value)).collect()
}

/// One part, read like the row of an import.
fn part<T>(
    name: &str,
    kind: ImportKind,
    text: &str,
    read: impl Fn(&Row) -> Result<T, Vec<Objection>>,
    problems: &mut Problems,
) -> Option<T> {
    // In JSON a line can only end between members.
    let line = text.replace(['\n', '\r'], " ");
    let row = Rows::open(InputFormat::Ndjson, kind, line.as_bytes()).ok()?.next()?.ok()?;
    read(&row).map_err(|objections| problems.extend(told(name, &objections))).ok()
}

/// Objections to a part, as the answer names them.
pub(super) fn told<'a>(part: &'a str, objections: &'a [Objection]) -> impl Iterator<Item = String> + 'a {
    objections.iter().map(move |objection| format!("{part}: {objection}"))
}

/// A JSON object with members in front of its own.
fn with_members(object: &str, members: &str) -> String {
    match object.trim_start().strip_prefix('{') {
        Some(rest) if rest.trim_start().starts_with('}') => format!("{{{members}{rest}"),
        Some(rest) => format!("{{{members},{rest}"),
        // What is no object is told as that.
        None => object.to_owned(),
    }
}

fn parsed<T, E: std::fmt::Display>(
    text: Option<&str>,
    name: &str,
    parse: impl Fn(&str) -> Result<T, E>,
    problems: &mut Problems,
) -> Option<T> {
    parse(text?).map_err(|error| problems.push(format!("{name} `{}`: {error}", text.unwrap_or_default()))).ok()
}

fn is_web_address(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_go_in_front_of_an_object_s_own() {
        assert_eq!(with_members(" {\"a\":1}", "\"b\":2"), "{\"b\":2,\"a\":1}");
        assert_eq!(with_members("{ }", "\"b\":2"), "{\"b\":2 }");
        assert_eq!(with_members("[1]", "\"b\":2"), "[1]");
    }

    #[test]
    fn an_address_of_a_page_is_one() {
        assert!(is_web_address("https://shop.example/thanks?o=1"));
        for bad in ["shop.example", "https://", "javascript:alert(1)", "https://a b"] {
            assert!(!is_web_address(bad), "{bad}");
        }
    }
}
