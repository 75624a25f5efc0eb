//! What persons had payjournal take back, or pay back.

use chrono::{DateTime, Utc};

/// One command of a person that the ledger has carried out.
#[derive(Debug, Clone)]
pub struct Correction {
    pub act: Act,
    /// Of the document that the command made; of a withdrawal that of the request.
    pub number: String,
    /// The invoice, or the transaction.
    pub of: String,
    pub at: DateTime<Utc>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// An invoice of payjournal is taken back.
    Cancels,
    /// Lines of it are, by their number: so many hundredths of each, or what is left of it. Without lines, what is left of all.
    Credits(Vec<(u32, Option<i64>)>),
    /// So much of a transaction's free money is to be paid back, or all of it.
    Requests(Option<i64>),
    /// What was not paid back yet of a request is not wanted any more.
    Withdraws,
}
