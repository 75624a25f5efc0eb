//! Whether and how one order is billed. Pure.

use chrono::{Days, NaiveDate};

use super::conditions::{has_collected, is_charged, may_be_billed, unready};
use super::page::{self, Page, PageSeen};
use crate::config::settings::InvoiceSettings;
use crate::domain::consequence::Consequence;
use crate::domain::entry::{Entry, EntryStatus};
use crate::domain::exception::{About, ExceptionDraft, ExceptionKind};
use crate::domain::id::AssignmentKey;
use crate::domain::invoice::letter::correction_letter;
use crate::domain::invoice::pricing::{self, PricedLine};
use crate::domain::invoice::sheet::{Parties, Seller};
use crate::domain::invoice::{EntryChoice, InvoiceDraft, SheetDraft, Tie};
use crate::domain::money::{Amount, MoneyError};
use crate::domain::movement::Movement;
use crate::domain::payment::Payment;
use crate::ledger::{BillingCase, PaidEntry, UnsentInvoice};
use crate::task::{Frame, Step, order_name};

/// Why an order is not billed now.
pub(super) enum Obstacle {
    /// Nothing is wrong: it never will be its turn.
    Wait(String),
    /// Nothing is wrong: something has to happen first.
    Unready(String),
    /// A person must look.
    Person(ExceptionKind, String),
}

pub(super) type Billing<T> = Result<T, Obstacle>;

pub(super) fn plan(case: &BillingCase, seen: &[PageSeen], frame: &Frame<'_>) -> Result<Vec<Step>, MoneyError> {
    let about = order_name(&case.order);
    let mut steps = Vec::new();
    for unsent in &case.unsent {
        steps.extend(send(case, unsent, seen, frame)?);
    }
    if case.is_invoiced && !steps.is_empty() {
        return Ok(steps);
    }
    let billed = bill(case, frame)?.map_err(|obstacle| match obstacle {
        Obstacle::Unready(why) => unready(case, frame, why),
        Obstacle::Wait(_) | Obstacle::Person(..) => obstacle,
    });
    steps.push(match billed {
        Ok(draft) => {
            let reason = said(case, &draft)?;
            Step::record(about, reason, Consequence::Invoice(Box::new(draft)))
        }
        Err(Obstacle::Wait(why) | Obstacle::Unready(why)) => Step::leave(about, why),
        Err(Obstacle::Person(kind, message)) => {
            let about_order = About { order: Some(case.order.id), ..About::default() };
            Step::raise(ExceptionDraft { kind, subject: about, message, about: about_order }, None)
        }
    });
    Ok(steps)
}

fn bill(case: &BillingCase, frame: &Frame<'_>) -> Result<Billing<InvoiceDraft>, MoneyError> {
    let settings = &frame.settings.invoices;
    let dated = frame.now.with_timezone(&frame.settings.time_zone).date_naive();
    // Its entries were cancelled with it: whatever is wrong with its key is nobody's concern before it is back.
    if case.is_going {
        let why = "it is deleted because nobody had paid it; `payjournal restore` puts it back";
        return Ok(Err(Obstacle::Wait(why.to_owned())));
    }
    let key = match settled_key(case) {
        Ok(key) => key,
        Err(obstacle) => return Ok(Err(obstacle)),
    };
    let total = case.order.total;
    let ties = ties(case, &key, total)?;
    // Money under a key that does not fit would wait for ever, whether or not the order is ready.
    let waits = if has_collected(case, &key) { fits(case, &key) } else { Ok(()) };
    let ready = may_be_billed(case, frame, &key, &ties)?;
    let judged = waits.and(ready).and_then(|()| fits(case, &key)).and_then(|()| known(case, settings, dated));
    if let Err(obstacle) = judged {
        return Ok(Err(obstacle));
    }
    let lines = match priced(case, settings)? {
        Ok(lines) => lines,
        Err(obstacle) => return Ok(Err(obstacle)),
    };
    let is_charged = is_charged(case, frame, &ties)?;
    let ties = if is_charged { ties } else { with_free_balances(case, settings, &key, ties)? };
    let (entry, page) = match key {
        Key::Entry(paid) => (EntryChoice::Existing(paid.entry.id), paid.page.clone()),
        Key::Payment(key) => (EntryChoice::New { payment_key: Some(key.clone()) }, None),
        Key::Again(before) => (EntryChoice::Again { key: before.key.clone(), before: before.id }, None),
        Key::Neither => match &case.before {
            Some(before) => (EntryChoice::Again { key: None, before: before.id }, None),
            None => (EntryChoice::New { payment_key: None }, None),
        },
    };
    Ok(Ok(InvoiceDraft {
        order: case.order.id,
        bill_to: case.order.bill_to.clone(),
        dated,
        total,
        lines,
        range: settings.invoice_numbers.clone(),
        sheet: SheetDraft {
            parties: parties(case, settings, &frame.settings.seller),
            prices: settings.pricing.prices,
            due_on: due_days(case, settings).and_then(|days| dated.checked_add_days(Days::new(u64::from(days)))),
            // Of one that is mailed it is seen then.
            payment_url: page.filter(|_| !settings.mail),
            is_charged,
            is_mailed: settings.mail,
        },
        entry,
        ties,
    }))
}

/// The customer's own, else those of the config: what is set is never overwritten.
fn due_days(case: &BillingCase, settings: &InvoiceSettings) -> Option<u32> {
    case.customer.as_ref().and_then(|customer| customer.due_days).or(settings.due_days)
}

/// Seller and customer as they are now. What the customer leaves open comes from the config; what nobody knows is left out.
fn parties(case: &BillingCase, settings: &InvoiceSettings, seller: &Seller) -> Parties {
    let customer = case.customer.as_ref();
    let mut address = customer.map(|customer| customer.address.clone()).unwrap_or_default();
    address.country = address.country.or_else(|| settings.country.clone());
    Parties {
        seller: seller.clone(),
        customer_number: case.order.bill_to.to_string(),
        customer_name: customer.map_or_else(|| case.order.bill_to.to_string(), |customer| customer.name.clone()),
        customer_address: address,
        customer_vat_id: customer.and_then(|customer| customer.vat_id.clone()),
        customer_email: customer.and_then(|customer| customer.email.clone()),
        language: customer.and_then(|customer| customer.language).unwrap_or(settings.language),
    }
}

/// The mail that brings a final invoice to its customer, as soon as there is an address.
fn send(
    case: &BillingCase,
    unsent: &UnsentInvoice,
    seen: &[PageSeen],
    frame: &Frame<'_>,
) -> Result<Vec<Step>, MoneyError> {
    let texts = &frame.settings.invoice_texts;
    let kind = match &unsent.sheet.corrects {
        None => "invoice",
        Some(corrected) if corrected.is_cancelled => "cancellation",
        Some(_) => "credit note",
    };
    let about = format!("{kind} {} of {}", unsent.sheet.number, order_name(&case.order));
    let address = case.customer.as_ref().and_then(|customer| customer.email.as_ref());
    let (Some(address), Some(text)) = (address, texts.get(&unsent.sheet.parties.language)) else {
        let message = format!(
            "customer {} has no `email`, and the {kind} was not sent; `payjournal import customers FILE` with it, and the next run sends it",
            case.order.bill_to
        );
        let about_it = About { order: Some(case.order.id), document: Some(unsent.document), ..About::default() };
        let draft = ExceptionDraft { kind: ExceptionKind::InvoiceNotSent, subject: about, message, about: about_it };
        return Ok(vec![Step::raise(draft, None)]);
    };
    let mut steps = Vec::new();
    let mut sheet = unsent.sheet.clone();
    if let Some(paid) = page::paid_since(unsent)? {
        sheet.paid = paid;
        let says = format!("{paid} of it are paid by now");
        steps.push(Step::record(about.clone(), says, Consequence::InvoicePaid { document: unsent.document, paid }));
    }
    let how = match page::page(unsent, seen, frame) {
        Page::NotWanted => String::new(),
        Page::Put(draft) => {
            sheet.payment_url = Some(draft.url.clone());
            let can_be_paid = format!("it can be paid on {}", draft.url);
            steps.push(Step::record(about.clone(), can_be_paid, Consequence::InvoicePage(draft)));
            String::new()
        }
        Page::WouldBeMade => ", with a payment page".to_owned(),
        Page::Without(why) => format!(" without a payment page: {why}"),
        Page::Awaited(why) => {
            return Ok(vec![Step::unreachable(about, format!("its mail waits for its payment page: {why}"))]);
        }
    };
    let letter = match &sheet.corrects {
        Some(corrected) => correction_letter(&unsent.key, address, &sheet, corrected),
        None => text.letter(&unsent.key, address, &sheet, page::open_now(unsent)?)?,
    };
    let reason = format!("it goes to {address}{how}");
    steps.push(Step::record(about, reason, Consequence::InvoiceMail { document: unsent.document, letter }));
    Ok(steps)
}

/// What the order's key leads to.
pub(super) enum Key<'a> {
    Entry(&'a PaidEntry),
    /// Its entry went with the invoice that was cancelled; another takes its place, with the same key.
    Again(&'a Entry),
    Payment(&'a AssignmentKey),
    Neither,
}

/// A key used twice, or one that nothing has, matches nothing (traps T40 and T42). An entry that was made for the order is its
/// entry also where nobody gave the order its key.
fn settled_key(case: &BillingCase) -> Billing<Key<'_>> {
    if case.is_invoiced {
        return Err(invoiced());
    }
    let live = || case.entries.iter().filter(|paid| paid.entry.status != EntryStatus::Cancelled);
    let has_key = |paid: &&PaidEntry| case.keys.entry.is_some() && paid.entry.key == case.keys.entry;
    let made_for_it: Vec<&PaidEntry> = live().filter(|paid| !has_key(paid)).collect();
    let (field, key) = match (&case.keys.entry, &case.keys.payment) {
        (Some(key), _) => ("entry_assignment_key", key),
        (None, Some(key)) => ("payment_assignment_key", key),
        (None, None) => {
            return only(&made_for_it, "entries were made for it").map(|found| found.map_or(Key::Neither, Key::Entry));
        }
    };
    if !case.rivals.is_empty() {
        let others = case.rivals.join(", ");
        return Err(Obstacle::Person(
            ExceptionKind::KeyCollides,
            format!(
                "shares its `{field}` `{key}` with order {others}; nothing is billed by a key that is used twice. Give one of them another key"
            ),
        ));
    }
    if let Some(other) = made_for_it.first() {
        let name = other.entry.name();
        return Err(Obstacle::Person(
            ExceptionKind::KeyMismatch,
            format!(
                "has the `{field}` `{key}`, and {name} was made for it, which has another; cancel the entry, or give the order its key"
            ),
        ));
    }
    if case.keys.entry.is_none() {
        return key_of_payment(case, field, key);
    }
    match only(&live().filter(has_key).collect::<Vec<_>>(), &format!("entries have its `{field}` `{key}`"))? {
        Some(paid) => Ok(Key::Entry(paid)),
        None if case.before.as_ref().is_some_and(|before| before.key == case.keys.entry) => {
            Ok(case.before.as_ref().map_or(Key::Neither, Key::Again))
        }
        None if case.entries.is_empty() => Err(Obstacle::Unready(format!(
            "no entry has its `{field}` `{key}` yet; `payjournal import entries` brings it in"
        ))),
        None => Err(Obstacle::Person(
            ExceptionKind::KeyMismatch,
            format!("its `{field}` `{key}` is that of a cancelled entry; give the order another key, or none"),
        )),
    }
}

/// The only one of several entries, or a person must say which is meant.
fn only<'a>(entries: &[&'a PaidEntry], what: &str) -> Billing<Option<&'a PaidEntry>> {
    match entries {
        [] => Ok(None),
        [only] => Ok(Some(only)),
        several => {
            let names: Vec<String> = several.iter().map(|paid| paid.entry.name()).collect();
            let message = format!("several {what}: {}; cancel the one that is not meant", names.join(" and "));
            Err(Obstacle::Person(ExceptionKind::KeyCollides, message))
        }
    }
}

fn key_of_payment<'a>(case: &'a BillingCase, field: &str, key: &'a AssignmentKey) -> Billing<Key<'a>> {
    if case.payments.len() < 2 {
        return Ok(Key::Payment(key));
    }
    let names: Vec<String> = case.payments.iter().map(|payment| payment.transaction.to_string()).collect();
    let message = format!(
        "its `{field}` `{key}` is that of payments {}; give the order a key that only one has, or none",
        names.join(", ")
    );
    Err(Obstacle::Person(ExceptionKind::KeyCollides, message))
}

fn invoiced() -> Obstacle {
    Obstacle::Wait("it has its invoice".to_owned())
}

/// What the invoice cannot be without: its customer, if it is mailed, and a number that fits.
fn known(case: &BillingCase, settings: &InvoiceSettings, dated: NaiveDate) -> Billing<()> {
    let customer = &case.order.bill_to;
    let blocked = |message: String| Err(Obstacle::Person(ExceptionKind::NotBillable, message));
    if settings.mail && case.customer.is_none() {
        return blocked(format!(
            "customer {customer} is not known, and an invoice that is mailed needs a name and an address; `payjournal import customers FILE` brings them in"
        ));
    }
    // As long as any number will be.
    match settings.invoice_numbers.number(dated, customer, 999_999_999_999) {
        Ok(_) => Ok(()),
        Err(error) => blocked(format!("no number can be made by `invoices.number`: {error}")),
    }
}

/// The money that is there for the invoice: that of its key first, then what a cancelled invoice gave back, then what the order's
/// own payments have free (rule 10).
fn ties(case: &BillingCase, key: &Key<'_>, total: Amount) -> Result<Vec<Tie>, MoneyError> {
    let mut ties = match key {
        Key::Entry(paid) => ties_of_entry(paid, total)?,
        Key::Payment(_) => ties_of_captures(&case.captures, total)?,
        Key::Again(_) | Key::Neither => Vec::new(),
    };
    for more in [&case.given_back, &case.own_captures] {
        let so_far = Amount::sum(total.currency(), ties.iter().map(|tie| tie.amount))?;
        ties.extend(ties_of_captures(more, total.checked_sub(so_far)?)?);
    }
    Ok(ties)
}

/// What is open on a plain invoice is paid by free balances of the customer, the oldest first (trap T46); not where the customer is
/// just paying it. They pay what is billed, and are no reason to bill it.
fn with_free_balances(
    case: &BillingCase,
    settings: &InvoiceSettings,
    key: &Key<'_>,
    mut ties: Vec<Tie>,
) -> Result<Vec<Tie>, MoneyError> {
    let is_paying = |payment: &Payment| !payment.status.is_final();
    let is_plain = matches!(key, Key::Neither) && !case.own.iter().any(is_paying);
    if !is_plain || !settings.assign_free_balances {
        return Ok(ties);
    }
    let total = case.order.total;
    let open = total.checked_sub(Amount::sum(total.currency(), ties.iter().map(|tie| tie.amount))?)?;
    let unused: Vec<Movement> =
        case.free.iter().filter(|capture| ties.iter().all(|tie| tie.movement != capture.id)).cloned().collect();
    let free = ties_of_captures(&unused, open)?;
    ties.extend(free.into_iter().map(|tie| Tie { is_free: true, ..tie }));
    Ok(ties)
}

/// The lines as they are billed: they must come to what the order costs, to the cent.
fn priced(case: &BillingCase, settings: &InvoiceSettings) -> Result<Billing<Vec<PricedLine>>, MoneyError> {
    let blocked = |message: String| Ok(Err(Obstacle::Person(ExceptionKind::NotBillable, message)));
    let total = case.order.total;
    let lines = match settings.pricing.price(&case.lines, total.currency()) {
        Ok(lines) => lines,
        Err(error) => return blocked(error.to_string()),
    };
    let sum = pricing::total(&lines, total.currency())?;
    if sum == total {
        return Ok(Ok(lines));
    }
    let prices = settings.pricing.prices.as_str();
    blocked(format!(
        "its {} lines come to {sum} with tax ({prices} prices), and the order's total is {total}; correct the lines or the order",
        lines.len()
    ))
}

/// What has the key must be the customer's, in the currency, and over the same amount (trap T43).
fn fits(case: &BillingCase, key: &Key<'_>) -> Billing<()> {
    let order = &case.order;
    let mismatch = |what: String| Err(Obstacle::Person(ExceptionKind::KeyMismatch, what));
    match key {
        Key::Entry(PaidEntry { entry, .. }) => {
            let Entry { customer, initial, .. } = entry;
            let name = entry.name();
            if entry.document.is_some() {
                return mismatch(format!("{name}, which has its key, belongs to another invoice already"));
            }
            if *customer != order.bill_to {
                return mismatch(format!(
                    "is billed to customer {}, and {name}, which has its key, is of customer {customer}",
                    order.bill_to
                ));
            }
            if *initial != order.total {
                return mismatch(format!("is over {}, and {name}, which has its key, over {initial}", order.total));
            }
            Ok(())
        }
        Key::Payment(key) => match case.payments.first() {
            Some(payment) => payment_fits(case, key, payment),
            // Paid later: the payment finds the invoice's entry by the key.
            None => Ok(()),
        },
        Key::Again(_) | Key::Neither => Ok(()),
    }
}

fn payment_fits(case: &BillingCase, key: &AssignmentKey, payment: &Payment) -> Billing<()> {
    let order = &case.order;
    let mismatch = |what: String| Err(Obstacle::Person(ExceptionKind::KeyMismatch, what));
    let currency = payment.authorised.currency();
    if currency != order.total.currency() {
        return mismatch(format!(
            "is in {}, and payment {}, which has its key `{key}`, in {currency}",
            order.total.currency(),
            payment.transaction
        ));
    }
    if payment.order.is_some_and(|other| other != order.id) {
        return mismatch(format!("payment {}, which has its key `{key}`, is for another order", payment.transaction));
    }
    Ok(())
}

/// Exactly what paid the entry (trap T47); what was paid back of it is not there any more.
fn ties_of_entry(paid: &PaidEntry, total: Amount) -> Result<Vec<Tie>, MoneyError> {
    let mut left = paid.entry.assigned.at_most(total)?;
    let mut ties = Vec::new();
    for (capture, assigned) in &paid.paid_by {
        let amount = left.at_most(*assigned)?.at_most(capture.untied)?;
        if amount.is_positive() {
            ties.push(Tie { movement: capture.id, amount, is_free: false });
            left = left.checked_sub(amount)?;
        }
    }
    Ok(ties)
}

/// The oldest first (trap T46); more than the invoice costs stays free (trap T45).
fn ties_of_captures(captures: &[Movement], total: Amount) -> Result<Vec<Tie>, MoneyError> {
    let mut left = total;
    let mut ties = Vec::new();
    for capture in captures.iter().filter(|capture| capture.untied.currency() == total.currency()) {
        let amount = left.at_most(capture.untied)?;
        if amount.is_positive() {
            ties.push(Tie { movement: capture.id, amount, is_free: false });
            left = left.checked_sub(amount)?;
        }
    }
    Ok(ties)
}

fn said(case: &BillingCase, draft: &InvoiceDraft) -> Result<String, MoneyError> {
    let open = draft.open()?;
    let free = Amount::sum(draft.total.currency(), draft.ties.iter().filter(|tie| tie.is_free).map(|tie| tie.amount))?;
    let paid = draft.total.checked_sub(open)?.checked_sub(free)?;
    let by = match (&draft.entry, &case.keys.payment) {
        (EntryChoice::Existing(_), _) => format!("{paid} of its entry"),
        (EntryChoice::Again { .. }, _) => format!("{paid} of what paid its cancelled invoice"),
        (EntryChoice::New { .. }, Some(key)) => format!("{paid} of the payment with key `{key}`"),
        (EntryChoice::New { .. }, None) => format!("{paid} of its own payments"),
    };
    let lines = draft.lines.len();
    let lines = if lines == 1 { "1 line".to_owned() } else { format!("{lines} lines") };
    let rest = match (open.is_zero(), draft.sheet.is_charged) {
        (true, _) => "paid".to_owned(),
        (false, true) => format!("{open} authorised, which is captured for it"),
        (false, false) => format!("{open} open"),
    };
    if free.is_positive() {
        // Another order of the customer may take it first.
        return Ok(format!("{lines}, {by} tied to it, and free balances up to {free}"));
    }
    Ok(format!("{lines}, {by} tied to it: {rest}"))
}
