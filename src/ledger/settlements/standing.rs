//! How groups of lines stand that earlier lines have a match by reference or by a person for, or none at all: what a report
//! brings later is judged as one with them.

use compact_str::CompactString;
use hashbrown::HashMap;

use crate::domain::id::{AccountId, OrderId};
use crate::domain::settlement::ReportLine;
use crate::domain::settlement::matching::MatchRule;
use crate::ledger::row::Columns;
use crate::ledger::{Result, Writer};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// A person has said so; none: it is no order's.
    Person(Option<OrderId>),
    /// A payment with its transaction id goes before this.
    Reference(OrderId),
    /// Lines of it wait for their order.
    Open,
}

/// By account, transaction, and reference where there is no transaction.
pub(super) type Key = (AccountId, CompactString, CompactString);
pub(super) type Standings = HashMap<Key, Standing>;

pub(super) fn key(account: AccountId, line: &ReportLine) -> Key {
    let reference = if line.transaction.is_empty() { line.reference.clone() } else { CompactString::default() };
    (account, line.transaction.clone(), reference)
}

impl Writer<'_> {
    pub(super) fn standings(&self) -> Result<Standings> {
        let mut statement = self.connection.prepare_cached(
            "SELECT account_id, transaction_id, reference, rule, order_id FROM settlement_matches m
             WHERE NOT EXISTS (SELECT 1 FROM settlement_matches n WHERE n.supersedes = m.id)
             UNION ALL SELECT DISTINCT account_id, transaction_id, reference, NULL, NULL FROM unmatched_groups",
        )?;
        statement
            .query_and_then([], |row| {
                let text = |column| Ok::<_, crate::ledger::LedgerError>(CompactString::from(row.text(column)?));
                let key = (row.id("account_id", AccountId)?, text("transaction_id")?, text("reference")?);
                let order = row.optional_id("order_id", OrderId)?;
                let rule = row.optional_text("rule")?.and_then(MatchRule::parse);
                let standing = match (rule, order) {
                    (Some(MatchRule::Person), order) => Standing::Person(order),
                    (Some(MatchRule::Reference | MatchRule::Transaction), Some(order)) => Standing::Reference(order),
                    (Some(MatchRule::Reference | MatchRule::Transaction) | None, _) => Standing::Open,
                };
                Ok((key, standing))
            })?
            .collect()
    }
}
