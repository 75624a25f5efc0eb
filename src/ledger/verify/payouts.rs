//! Journals of payouts: double entry, each number the one its natural key makes, and what is booked what the lines say
//! (rules 3, 19, 20).

use rusqlite::Row;

use super::{Bench, Check, Fault, Result};
use crate::domain::id::PayoutId;
use crate::domain::settlement::postings;
use crate::ledger::row::Columns;
use crate::ledger::settlements::{booked, wanted};
use crate::operation::key::{PayoutKey, payout_journal_number};

pub(super) const CHECKS: [Check; 3] = [
    Check {
        name: "payout-journal",
        sql: "SELECT j.number, j.currency, j.amount_minor, ifnull(c.amount_minor, 0) AS clearing_minor,
                ifnull(o.amount_minor, 0) AS other_minor
              FROM payout_journals j LEFT JOIN payout_postings c ON c.journal_id = j.id AND c.line = 1
              LEFT JOIN payout_postings o ON o.journal_id = j.id AND o.line = 2
              WHERE clearing_minor + other_minor <> 0 OR abs(clearing_minor) <> j.amount_minor",
        judge: unbalanced,
    },
    Check {
        name: "payout-journal-number",
        sql: "SELECT j.number, j.kind, j.posting_date, j.currency, j.part, p.reference, a.provider, a.merchant_account,
                sum(c.amount_minor) OVER (PARTITION BY j.payout_id, j.kind, j.posting_date, j.currency ORDER BY j.part) AS after_minor,
                c.amount_minor
              FROM payout_journals j JOIN payouts p ON p.id = j.payout_id JOIN merchant_accounts a ON a.id = p.account_id
              JOIN payout_postings c ON c.journal_id = j.id AND c.line = 1",
        judge: other_number,
    },
    Check { name: "payout-booked", sql: "SELECT id AS payout, reference, state FROM payouts", judge: not_booked },
];

fn unbalanced(_: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (amount, clearing, other) =
        (row.amount("amount_minor")?, row.amount("clearing_minor")?, row.amount("other_minor")?);
    let what =
        format!("it is over {amount}, and its postings are {clearing} on clearing and {other} on the other side");
    Ok(Some(Fault::tampered(format!("payout journal {}", row.text("number")?), &what)))
}

fn other_number(bench: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (after, own): (i64, i64) = (row.plain("after_minor")?, row.plain("amount_minor")?);
    let right = payout_journal_number(PayoutKey {
        mode: bench.books.mode,
        provider: row.text("provider")?,
        merchant_account: row.text("merchant_account")?,
        payout: row.text("reference")?,
        kind: row.text("kind")?,
        posting_date: row.text("posting_date")?,
        currency: row.text("currency")?,
        part: row.plain("part")?,
        booked: [after - own, after],
    });
    let number = row.text("number")?;
    let what = format!("its natural key makes {right}");
    Ok((number != right).then(|| Fault::tampered(format!("payout journal {number}"), &what)))
}

fn not_booked(bench: &Bench<'_>, row: &Row<'_>) -> Result<Option<Fault>> {
    let (id, reference): (i64, String) = (row.plain("payout")?, row.plain("reference")?);
    let (wanted, booked) = (wanted(bench.connection, PayoutId(id))?, booked(bench.connection, PayoutId(id))?);
    let missing = postings::difference(&wanted, &booked).unwrap_or_default();
    let Some((entry, minor)) = missing.first_key_value() else { return Ok(None) };
    let amount = crate::domain::money::Amount::from_minor(*minor, entry.currency);
    let subject = format!("payout {id} ({reference})");
    let what = format!(
        "its lines make {amount} more than is booked on clearing as {} on {}",
        entry.kind.as_str(),
        entry.posting_date
    );
    // A ledger of an earlier version is booked by the next run.
    Ok(Some(if row.text("state")? == "open" {
        Fault {
            subject,
            message: format!("{what}; the next `payjournal settlements` books it, or rows were changed by hand"),
        }
    } else {
        Fault::tampered(subject, &what)
    }))
}
