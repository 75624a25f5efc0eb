//! Invoices for the tests.

use chrono::NaiveDate;
use rust_decimal::Decimal;

use crate::domain::customer::{Address, Language};
use crate::domain::id::DocumentNumber;
use crate::domain::invoice::pricing::{OrderLine, Prices, Pricing, Rounding, total};
use crate::domain::invoice::sheet::{InvoiceSheet, Parties, Seller};
use crate::domain::money::{Amount, Currency};

pub(super) fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn address(street: &str, postcode: &str, city: &str, country: &str) -> Address {
    let some = |text: &str| Some(text.to_owned());
    Address { street: some(street), postcode: some(postcode), city: some(city), country: some(country) }
}

fn parties() -> Parties {
    let some = |text: &str| Some(text.to_owned());
    Parties {
        seller: Seller {
            name: "Nordlicht Kaffee GmbH".to_owned(),
            address: address("Hafenstraße 12", "20457", "Hamburg", "DE"),
            email: some("rechnung@nordlicht-kaffee.example"),
            vat_id: some("DE123456789"),
            tax_number: some("48/123/45678"),
            iban: some("DE02120300000000202051"),
            bic: some("BYLADEM1001"),
            note: some("Amtsgericht Hamburg, HRB 123456, Geschäftsführerin: Dr. Änne Krüger"),
        },
        customer_number: "C-10017".to_owned(),
        customer_name: "Jörg Müller".to_owned(),
        customer_address: address("Königsallee 7", "40212", "Düsseldorf", "DE"),
        customer_vat_id: None,
        customer_email: some("joerg@example.org"),
        language: Language::En,
    }
}

pub(super) fn line(number: u32, quantity: &str, unit_price: &str, tax_rate: &str) -> OrderLine {
    OrderLine {
        line: number,
        item: Some(format!("ART-{number:04}")),
        description: "Espresso beans, dark roast, 1 kg".to_owned(),
        quantity: quantity.parse().unwrap(),
        unit_price: unit_price.parse().unwrap(),
        tax_rate: tax_rate.parse().unwrap(),
    }
}

pub(super) fn sheet(prices: Prices, code: &str, lines: &[OrderLine]) -> InvoiceSheet {
    let currency = Currency::parse(code).unwrap();
    let tax_rates: Vec<Decimal> = lines.iter().map(|line| line.tax_rate).collect();
    let lines = Pricing { prices, rounding: Rounding::HalfUp, tax_rates }.price(lines, currency).unwrap();
    InvoiceSheet {
        number: DocumentNumber::parse("RE-2026-00042").unwrap(),
        corrects: None,
        dated: day("2026-11-26"),
        due_on: Some(day("2026-12-10")),
        order: "SO-1001".to_owned(),
        ordered_on: day("2026-11-20"),
        parties: parties(),
        prices,
        total: total(&lines, currency).unwrap(),
        lines,
        paid: Amount::zero(currency),
        is_charged: false,
        payment_url: Some("https://pay.nordlicht-kaffee.example/i/4f7c2a9be1".to_owned()),
    }
}

/// Of many pages.
pub(super) fn long() -> InvoiceSheet {
    let lines: Vec<OrderLine> = (1..=120).map(|number| line(number, "2", "9.90", "7")).collect();
    sheet(Prices::Gross, "EUR", &lines)
}

/// Whose texts and figures are as long as they come.
pub(super) fn odd_ones() -> Vec<InvoiceSheet> {
    let one = sheet(Prices::Net, "EUR", &[line(1, "1", "10", "19")]);
    let mut wide = sheet(
        Prices::Gross,
        "JPY",
        &[line(1, "12345.6789", "98765432.1234", "5.5"), line(2, "1", "-4000000000", "19"), line(3, "1", "0", "0")],
    );
    wide.paid = wide.lines[2].net;
    wide.order = "o".repeat(100);
    wide.parties.customer_number = "C 1 ".repeat(24);
    wide.payment_url = Some(format!("https://pay.example/{}", "x".repeat(400)));
    wide.parties.seller.name = "Gesellschaft für außerordentlich lange Namen im Handelsregister ".repeat(3);
    wide.parties.customer_name = "Żółć Gęślą Jaźń Φιλόσοφος Юрій ".repeat(8);
    let mut wordy = sheet(Prices::Net, "EUR", &[line(1, "1", "10", "19"), line(2, "3", "3.3333", "19")]);
    for (at, priced) in wordy.lines.iter_mut().enumerate() {
        priced.line.description = "Wortreich, Donaudampfschifffahrtsgesellschaft 東京 ".repeat(200 * (at + 1));
        priced.line.item = Some("A".repeat(80));
    }
    wordy.parties.language = Language::De;
    let mut bare = sheet(Prices::Net, "EUR", &[OrderLine { item: None, ..line(1, "1", "0", "0") }]);
    bare.payment_url = None;
    bare.due_on = None;
    bare.parties.customer_address = Address::default();
    bare.parties.seller = Seller { name: "S".to_owned(), vat_id: Some("EL1".to_owned()), ..Seller::default() };
    let charged = InvoiceSheet { is_charged: true, ..wide.clone() };
    vec![one, wide, wordy, bare, charged, long()]
}
