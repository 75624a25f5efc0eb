//! A table for spreadsheets and import wizards: RFC 4180, one row per posting.

use std::io::{self, Write};

use super::entry::Entry;

const HEADER: [&str; 14] = [
    "posting_date",
    "journal",
    "kind",
    "direction",
    "document_kind",
    "document",
    "order",
    "customer",
    "transaction",
    "modification",
    "account",
    "debit",
    "credit",
    "currency",
];

pub(super) fn write(journals: &[Entry<'_>], out: &mut dyn Write) -> io::Result<()> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
    writer.write_record(HEADER)?;
    for journal in journals {
        let date = journal.posting_date.to_string();
        for posting in &journal.postings {
            let amount = posting.amount;
            let (debit, credit) = if amount.is_negative() {
                (String::new(), amount.negated().decimal())
            } else {
                (amount.decimal(), String::new())
            };
            let (document_kind, _, document) = journal.document.unwrap_or_default();
            writer.write_record([
                date.as_str(),
                journal.number,
                journal.kind,
                journal.direction,
                document_kind,
                document,
                journal.order.unwrap_or_default(),
                journal.customer.unwrap_or_default(),
                journal.transaction.unwrap_or_default(),
                journal.modification.unwrap_or_default(),
                posting.account.as_str(),
                &debit,
                &credit,
                amount.currency().code(),
            ])?;
        }
    }
    writer.flush()
}
