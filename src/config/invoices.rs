//! `[invoices]`: how orders are billed, as typed and as resolved.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::problem::Position;
use super::resolve::Resolver;
use super::seller::country;
use super::settings::{InvoiceSettings, ProviderKind, ProviderSettings};
use super::table::{Given, Place, Table};
use super::toml_text::{TomlText, quoted};
use super::value::{choice, choices, flag, id, list, number, text};
use crate::domain::customer::Language;
use crate::domain::id::ProviderName;
use crate::domain::invoice::BillWhen;
use crate::domain::invoice::number::{NumberRange, NumberTemplate, Reset};
use crate::domain::invoice::pricing::{Prices, Pricing, Rounding};

#[derive(Debug)]
pub(super) struct InvoicesTable {
    place: Place,
    enabled: Given<bool>,
    bill_when: Given<Vec<BillWhen>>,
    assign_free_balances: Given<bool>,
    prices: Given<Prices>,
    tax_rates: Given<Vec<TaxRate>>,
    rounding: Given<Rounding>,
    number: Given<NumberTemplate>,
    number_reset: Given<Reset>,
    number_start: Given<u32>,
    cancellation_number: Given<NumberTemplate>,
    credit_note_number: Given<NumberTemplate>,
    mail: Given<bool>,
    payment_page: Given<ProviderName>,
    language: Given<Language>,
    country: Given<String>,
    due_days: Given<u32>,
}

/// Percent, at most 2 decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TaxRate(Decimal);

impl InvoicesTable {
    pub(super) fn read(table: &mut Table<'_, '_>) -> Self {
        Self {
            place: table.place().clone(),
            enabled: table.take("enabled", flag),
            bill_when: table.take("bill_when", choices),
            assign_free_balances: table.take("assign_free_balances", flag),
            prices: table.take("prices", choice),
            tax_rates: table.take("tax_rates", list(tax_rate, "[\"0\", \"7\", \"19\"]")),
            rounding: table.take("rounding", choice),
            number: table.take("number", text(NumberTemplate::parse, "RE-[Year]-{00000}")),
            number_reset: table.take("number_reset", choice),
            number_start: table.take("number_start", number(0..=1_000_000_000)),
            cancellation_number: table.take("cancellation_number", text(NumberTemplate::parse, "ST-[Year]-{00000}")),
            credit_note_number: table.take("credit_note_number", text(NumberTemplate::parse, "GS-[Year]-{00000}")),
            mail: table.take("mail", flag),
            payment_page: table.take("payment_page", id(ProviderName::parse)),
            language: table.take("language", choice),
            country: table.take("country", text(country, "DE")),
            due_days: table.take("due_days", number(0..=365)),
        }
    }

    pub(super) fn resolve(self, receivables: &str, all: &mut Resolver<'_, '_>) -> InvoiceSettings {
        let Self {
            place,
            enabled,
            bill_when,
            assign_free_balances,
            prices,
            tax_rates,
            rounding,
            number,
            number_reset,
            number_start,
            cancellation_number,
            credit_note_number,
            mail,
            payment_page,
            language,
            country,
            due_days,
        } = self;
        let numbers_place = number_reset.as_ref().map(|given| given.place.clone());
        let numbers_place = number.as_ref().map(|given| given.place.clone()).or(numbers_place).unwrap_or(place);
        let enabled_place = enabled.as_ref().map(|given| given.place.clone());
        let enabled = all.or("invoices", "enabled", enabled, false);
        let bill_when = all.or("invoices", "bill_when", bill_when, vec![BillWhen::OrderPaid]);
        let assign_free_balances = all.or("invoices", "assign_free_balances", assign_free_balances, true);
        let prices = all.or("invoices", "prices", prices, Prices::Gross);
        let rates = [Decimal::ZERO, Decimal::from(7), Decimal::from(19)].map(TaxRate).to_vec();
        let tax_rates = all.or("invoices", "tax_rates", tax_rates, rates);
        let rounding = all.or("invoices", "rounding", rounding, Rounding::HalfUp);
        let template = all.or("invoices", "number", number, NumberTemplate::default());
        let reset = all.or("invoices", "number_reset", number_reset, Reset::Yearly);
        let start = all.or("invoices", "number_start", number_start, 0);
        let corrections = |key, given, built_in, all: &mut Resolver<'_, '_>| {
            corrections_numbered(key, given, built_in, reset, &numbers_place, all)
        };
        let built_in = NumberTemplate::of_cancellations();
        let cancellation_numbers = corrections("cancellation_number", cancellation_number, built_in, all);
        let built_in = NumberTemplate::of_credit_notes();
        let credit_note_numbers = corrections("credit_note_number", credit_note_number, built_in, all);
        let mail = all.or("invoices", "mail", mail, true);
        let payment_page = all.without_default(payment_page);
        let language = all.or("invoices", "language", language, Language::En);
        let country = all.without_default(country);
        let due_days = all.without_default(due_days);
        let invoice_numbers = NumberRange { template, reset, start };
        if let Some(fault) = invoice_numbers.fault().filter(|_| !all.reading.is_wrong("invoices.number")) {
            all.reading.problem_at(&numbers_place, &fault);
        }
        if let Some(place) = enabled_place.filter(|_| enabled) {
            refuse_provider_in(receivables, &place, all);
        }
        let tax_rates = tax_rates.into_iter().map(|TaxRate(rate)| rate).collect();
        let pricing = Pricing { prices, rounding, tax_rates };
        InvoiceSettings {
            enabled,
            bill_when,
            assign_free_balances,
            pricing,
            invoice_numbers,
            cancellation_numbers,
            credit_note_numbers,
            mail,
            payment_page,
            language,
            country,
            due_days,
        }
    }

    pub(super) fn page_position(&self) -> Position {
        self.payment_page.as_ref().map_or(Position::START, |given| given.place.position)
    }
}

/// Only a provider that has payment pages makes one, and only the mail brings it to the customer.
pub(super) fn check_page(
    invoices: &InvoiceSettings,
    position: Position,
    providers: &BTreeMap<ProviderName, ProviderSettings>,
    all: &Resolver<'_, '_>,
) {
    let Some(name) = &invoices.payment_page else { return };
    let why = match providers.get(name).map(|provider| &provider.kind) {
        None if all.reading.is_wrong_in(&format!("provider.{name}")) => return,
        None => format!("provider `{name}` is not configured; `[provider.{name}]` would be its table"),
        Some(ProviderKind::Reports) => format!("provider `{name}` makes no payment pages: it only has reports"),
        Some(ProviderKind::Sandbox(_)) if invoices.mail => return,
        Some(ProviderKind::Sandbox(_)) => {
            "a payment page is made for the mail of an invoice, and `invoices.mail` is false".to_owned()
        }
    };
    all.reading.problem(position, "invoices.payment_page", format!("`invoices.payment_page`: {why}"));
}

/// An invoice has no provider.
fn refuse_provider_in(receivables: &str, place: &Place, all: &Resolver<'_, '_>) {
    if let Some(part) = ["{provider}", "{merchant_account}"].into_iter().find(|part| receivables.contains(part)) {
        let why = format!(
            "an invoice has no provider, and `accounts.receivables` is \"{receivables}\"; write it without {part}"
        );
        all.reading.problem_at(place, &why);
    }
}

/// How what takes invoices back is numbered: a counter of its own, which starts anew when that of invoices does.
fn corrections_numbered(
    key: &'static str,
    given: Given<NumberTemplate>,
    built_in: NumberTemplate,
    reset: Reset,
    reset_place: &Place,
    all: &mut Resolver<'_, '_>,
) -> NumberRange {
    let place = given.as_ref().map_or_else(|| reset_place.clone(), |given| given.place.clone());
    let range = NumberRange { template: all.or("invoices", key, given, built_in), reset, start: 0 };
    if let Some(fault) = range.fault().filter(|_| !all.reading.is_wrong(&format!("invoices.{key}"))) {
        all.reading.problem_at(&place, &fault);
    }
    range
}

fn tax_rate(text: &str) -> Result<TaxRate, String> {
    let rate = text.parse().ok().filter(|rate: &Decimal| {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        is_plain && *rate <= Decimal::ONE_HUNDRED && rate.scale() <= 2
    });
    // One rate, one number: "19.00" is 19.
    let rate = rate.map(|rate| TaxRate(rate.normalize()));
    rate.ok_or_else(|| "not a percentage from 0 to 100 with at most 2 decimals".to_owned())
}

impl TomlText for Vec<TaxRate> {
    fn toml_text(&self) -> String {
        let rates: Vec<String> = self.iter().map(|TaxRate(rate)| quoted(&rate.to_string())).collect();
        format!("[{}]", rates.join(", "))
    }
}

impl TomlText for NumberTemplate {
    fn toml_text(&self) -> String {
        quoted(&self.to_string())
    }
}
