//! A table for spreadsheets and import wizards: RFC 4180, one row per posting.

use std::io::{self, Write};

use crate::domain::document::DocumentKind;
use crate::domain::id::DocumentNumber;
use crate::ledger::BookedJournal;

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

pub(super) fn write(journals: &[&BookedJournal], out: &mut dyn Write) -> io::Result<()> {
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
            writer.write_record([
                date.as_str(),
                &journal.number,
                journal.kind.as_str(),
                journal.direction.as_str(),
                journal.document_kind.map_or("", DocumentKind::as_str),
                journal.document_number.as_ref().map_or("", DocumentNumber::as_str),
                journal.order.as_deref().unwrap_or_default(),
                journal.bill_to.as_str(),
                journal.transaction.as_str(),
                journal.modification.as_str(),
                posting.account.as_str(),
                &debit,
                &credit,
                amount.currency().code(),
            ])?;
        }
    }
    writer.flush()
}
