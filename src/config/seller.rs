//! `[seller]` and `[invoice_text.LANGUAGE]`: who stands on invoices, and what their mails say.

use super::problem::Position;
use super::resolve::Resolver;
use super::settings::InvoiceSettings;
use super::table::{Given, Place, Table};
use super::toml_text::{TomlText, quoted};
use super::value::{address_alone, text};
use crate::domain::customer::{Address, Customer, Language};
use crate::domain::invoice::letter::{MailText, MailTexts, words};
use crate::domain::invoice::sheet::Seller;
use crate::domain::template::Template;

#[derive(Debug)]
pub(super) struct SellerTable {
    name: Given<String>,
    street: Given<String>,
    postcode: Given<String>,
    city: Given<String>,
    country: Given<String>,
    email: Given<String>,
    vat_id: Given<String>,
    tax_number: Given<String>,
    iban: Given<String>,
    bic: Given<String>,
    note: Given<String>,
}

#[derive(Debug)]
pub(super) struct TextTable {
    place: Place,
    subject: Given<Template>,
    body: Given<Template>,
}

impl SellerTable {
    pub(super) fn read(table: &mut Table<'_, '_>) -> Self {
        Self {
            name: table.take("name", text(line, "Coffee Ltd.")),
            street: table.take("street", text(line, "Hauptstrasse 1")),
            postcode: table.take("postcode", text(line, "10115")),
            city: table.take("city", text(line, "Berlin")),
            country: table.take("country", text(country, "DE")),
            email: table.take("email", address_alone),
            vat_id: table.take("vat_id", text(line, "DE123456789")),
            tax_number: table.take("tax_number", text(line, "30/123/45678")),
            iban: table.take("iban", text(iban, "DE02120300000000202051")),
            bic: table.take("bic", text(line, "BYLADEM1001")),
            note: table.take("note", text(line, "Register court Berlin, HRB 12345")),
        }
    }

    pub(super) fn resolve(self, all: &mut Resolver<'_, '_>) -> Seller {
        let Self { name, street, postcode, city, country, email, vat_id, tax_number, iban, bic, note } = self;
        Seller {
            name: all.without_default(name).unwrap_or_default(),
            address: Address {
                street: all.without_default(street),
                postcode: all.without_default(postcode),
                city: all.without_default(city),
                country: all.without_default(country),
            },
            email: all.without_default(email),
            vat_id: all.without_default(vat_id),
            tax_number: all.without_default(tax_number),
            iban: all.without_default(iban),
            bic: all.without_default(bic),
            note: all.without_default(note),
        }
    }
}

/// What an invoice must say of who sends it (EN 16931: BT-27, BT-40, and BT-31 or BT-32).
pub(super) fn check_mailed(seller: &Seller, invoices: &InvoiceSettings, all: &Resolver<'_, '_>) {
    if !(invoices.enabled && invoices.mail) {
        return;
    }
    let lacks = [
        ("name", seller.name.is_empty(), "`seller.name`"),
        ("country", seller.address.country.is_none(), "`seller.country`"),
        ("vat_id", seller.vat_id.is_none() && seller.tax_number.is_none(), "`seller.vat_id` or `seller.tax_number`"),
    ];
    for (key, _, what) in lacks.into_iter().filter(|(_, lacks, _)| *lacks) {
        let key = format!("seller.{key}");
        if !all.reading.is_wrong(&key) {
            let why =
                format!("{what} is missing: an invoice that is mailed must say it; or set `invoices.mail = false`");
            all.reading.problem(Position::START, &key, why);
        }
    }
}

impl TextTable {
    pub(super) fn read(_name: &str, table: &mut Table<'_, '_>) -> Self {
        Self {
            place: table.place().clone(),
            subject: table.take("subject", text(Template::parse, "Invoice: [InvoiceNo]")),
            body: table.take("body", text(Template::parse, "Dear [AccountName], ...")),
        }
    }
}

/// The words of every language: what was typed, and the built-in ones where nothing was.
pub(super) fn resolve_texts(tables: Vec<TextTable>, all: &mut Resolver<'_, '_>) -> MailTexts {
    let mut texts = MailTexts::new();
    for language in Customer::LANGUAGES {
        let (subject, body) = words(language);
        // A test reads them all.
        if let (Ok(subject), Ok(body)) = (Template::parse(subject), Template::parse(body)) {
            texts.insert(language, MailText { subject, body });
        }
    }
    for TextTable { place, subject, body } in tables {
        let Some(language) = Language::parse(&place.name) else {
            let known = Customer::LANGUAGES.map(Language::as_str).join(", ");
            all.reading.problem_at(&place, &format!("no invoice is written in this language; valid: {known}"));
            continue;
        };
        let Some(text) = texts.get_mut(&language) else { continue };
        if let Some(subject) = all.without_default(subject) {
            text.subject = subject;
        }
        if let Some(body) = all.without_default(body) {
            text.body = body;
        }
    }
    texts
}

fn line(text: &str) -> Result<String, String> {
    let is_line = !text.trim().is_empty() && !text.chars().any(char::is_control);
    if is_line { Ok(text.to_owned()) } else { Err("expected one line of text".to_owned()) }
}

pub(super) fn country(text: &str) -> Result<String, String> {
    let is_code = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase());
    if is_code {
        Ok(text.to_owned())
    } else {
        Err("expected a country's two capital letters, such as \"DE\"".to_owned())
    }
}

/// Without its blanks; the check digits are right, or it is a slip of the pen (ISO 13616).
fn iban(text: &str) -> Result<String, String> {
    let plain: String = text.chars().filter(|c| *c != ' ').collect();
    let is_shaped = (15..=34).contains(&plain.len())
        && plain.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    let (head, tail) = plain.split_at_checked(4).unwrap_or((&plain, ""));
    let rest = tail.chars().chain(head.chars()).filter_map(|c| c.to_digit(36)).fold(0_u64, |rest, digit| {
        let digit = u64::from(digit);
        (if digit < 10 { rest * 10 + digit } else { rest * 100 + digit }) % 97
    });
    if is_shaped && rest == 1 { Ok(plain) } else { Err("not an IBAN: its check digits do not fit".to_owned()) }
}

impl TomlText for Template {
    fn toml_text(&self) -> String {
        quoted(&self.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_words_are_templates() {
        for language in Customer::LANGUAGES {
            let (subject, body) = words(language);
            assert!(Template::parse(subject).is_ok() && Template::parse(body).is_ok(), "{language:?}");
        }
    }

    #[test]
    fn an_iban_with_a_slip_is_refused() {
        assert_eq!(iban("DE02 1203 0000 0000 2020 51").as_deref(), Ok("DE02120300000000202051"));
        assert_eq!(iban("GB82WEST12345698765432").as_deref(), Ok("GB82WEST12345698765432"));
        for bad in ["DE02120300000000202052", "DE02", "", "de02120300000000202051"] {
            assert!(iban(bad).is_err(), "{bad}");
        }
    }
}
