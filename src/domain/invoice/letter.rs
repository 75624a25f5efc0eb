//! The mail that brings an invoice to its customer.

use std::collections::BTreeMap;

use super::sheet::{Corrected, InvoiceSheet};
use crate::domain::customer::Language;
use crate::domain::letter::CustomerLetter;
use crate::domain::money::{Amount, MoneyError};
use crate::domain::template::{Tag, Template};

/// What mails in one language say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailText {
    pub subject: Template,
    pub body: Template,
}

/// The mails of each language.
pub type MailTexts = BTreeMap<Language, MailText>;

/// The built-in words of a language: subject and body.
pub fn words(language: Language) -> (&'static str, &'static str) {
    match language {
        Language::En => (
            "Invoice: [InvoiceNo]",
            "Dear [AccountName],\n\nplease find attached our invoice [InvoiceNo] over [Total] for your order [OrderNo].\n\
             Still to be paid: [Open]. [PaymentLink]\n\nKind regards\n[SellerName]\n",
        ),
        Language::De => (
            "Rechnung: [InvoiceNo]",
            "Guten Tag [AccountName],\n\nanbei erhalten Sie unsere Rechnung [InvoiceNo] über [Total] zu Ihrer Bestellung [OrderNo].\n\
             Noch zu zahlen: [Open]. [PaymentLink]\n\nMit freundlichen Grüßen\n[SellerName]\n",
        ),
    }
}

/// The mail that brings what takes an invoice back. Its words are ours: tags of an invoice's would say the wrong thing.
pub fn correction_letter(
    natural_key: &str,
    address: &str,
    sheet: &InvoiceSheet,
    corrected: &Corrected,
) -> CustomerLetter {
    let (name, number, total) = (&sheet.parties.customer_name, &sheet.number, sheet.total);
    let (invoice, order, seller) = (&corrected.number, &sheet.order, &sheet.parties.seller.name);
    let (subject, body) = match (sheet.parties.language, corrected.is_cancelled) {
        (Language::En, true) => (
            format!("Invoice {invoice} is cancelled: {number}"),
            format!(
                "Dear {name},\n\nour invoice {invoice} for your order {order} is cancelled; please find attached the cancellation {number} over {total}.\n\nKind regards\n{seller}\n"
            ),
        ),
        (Language::En, false) => (
            format!("Credit note: {number}"),
            format!(
                "Dear {name},\n\nplease find attached our credit note {number} over {total} for invoice {invoice}, your order {order}.\n\nKind regards\n{seller}\n"
            ),
        ),
        (Language::De, true) => (
            format!("Rechnung {invoice} ist storniert: {number}"),
            format!(
                "Guten Tag {name},\n\nunsere Rechnung {invoice} zu Ihrer Bestellung {order} ist storniert; anbei erhalten Sie die Stornorechnung {number} über {total}.\n\nMit freundlichen Grüßen\n{seller}\n"
            ),
        ),
        (Language::De, false) => (
            format!("Rechnungskorrektur: {number}"),
            format!(
                "Guten Tag {name},\n\nanbei erhalten Sie unsere Rechnungskorrektur {number} über {total} zur Rechnung {invoice}, Ihrer Bestellung {order}.\n\nMit freundlichen Grüßen\n{seller}\n"
            ),
        ),
    };
    let subject = subject.replace(['\n', '\r'], " ");
    CustomerLetter { event: format!("invoice:{natural_key}"), address: address.to_owned(), subject, body }
}

impl MailText {
    /// `open`: what is to be paid now, where the money is not taken anyhow.
    pub fn letter(
        &self,
        natural_key: &str,
        address: &str,
        sheet: &InvoiceSheet,
        open: Amount,
    ) -> Result<CustomerLetter, MoneyError> {
        let open = if sheet.is_charged { sheet.to_pay()? } else { open };
        let day = |day: chrono::NaiveDate| day.to_string();
        let value = |tag: Tag| match tag {
            Tag::InvoiceNo => sheet.number.to_string(),
            Tag::InvoiceDate => day(sheet.dated),
            Tag::OrderNo => sheet.order.clone(),
            Tag::AccountNo => sheet.parties.customer_number.clone(),
            Tag::AccountName => sheet.parties.customer_name.clone(),
            Tag::Total => sheet.total.to_string(),
            Tag::Open => open.to_string(),
            Tag::DueDate => sheet.due_on.map(day).unwrap_or_default(),
            Tag::PaymentLink => sheet.payment_url.clone().filter(|_| open.is_positive()).unwrap_or_default(),
            Tag::SellerName => sheet.parties.seller.name.clone(),
        };
        Ok(CustomerLetter {
            event: format!("invoice:{natural_key}"),
            address: address.to_owned(),
            // A subject is one line.
            subject: self.subject.fill(value).replace(['\n', '\r'], " "),
            body: self.body.fill(value),
        })
    }
}

/// What an attachment is called: `2026-11-26_RE-2026-00001_Ada-Lovelace.pdf`, of letters, digits, `_` and `-` only.
pub fn file_name(sheet: &InvoiceSheet, ending: &str) -> String {
    let plain = |text: &str| -> String {
        text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '-' }).collect()
    };
    let number = plain(sheet.number.as_str());
    format!("{}_{number}_{}.{ending}", sheet.dated, plain(&sheet.parties.customer_name))
}
