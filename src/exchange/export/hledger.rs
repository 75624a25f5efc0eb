//! A journal file for hledger that `ledger --strict --pedantic` takes too: all that is used is declared first.
//!
//! Neither program has an escape character, so what would mean something to one of them is replaced.

use std::collections::BTreeSet;
use std::io::{self, Write};

use super::entry::Entry;
use super::{Names, currencies, single_spaced};

pub(super) fn write(journals: &[Entry<'_>], names: &Names<'_>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "; payment journals of payjournal")?;
    declare(journals, names, out)?;
    for journal in journals {
        writeln!(out)?;
        transaction(journal, names, out)?;
    }
    Ok(())
}

fn declare(journals: &[Entry<'_>], names: &Names<'_>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out)?;
    for currency in currencies(journals) {
        writeln!(out, "commodity {currency}")?;
        // ledger refuses `1000.`, hledger refuses `1000`: a currency without decimals has no format.
        if currency.exponent() > 0 {
            writeln!(out, "    format 1000.{:0<decimals$} {currency}", "", decimals = currency.exponent())?;
        }
    }
    let tags: BTreeSet<&str> = journals.iter().flat_map(Entry::facts).map(|(name, _)| name).collect();
    for tag in tags {
        writeln!(out, "tag {tag}")?;
    }
    for account in names.0.values().collect::<BTreeSet<_>>() {
        writeln!(out, "account {account}")?;
    }
    for payee in journals.iter().map(|journal| payee(journal)).collect::<BTreeSet<_>>() {
        writeln!(out, "payee {payee}")?;
    }
    Ok(())
}

fn transaction(journal: &Entry<'_>, names: &Names<'_>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{} * ({}) {}", journal.posting_date, journal.number, payee(journal))?;
    for (name, value) in journal.facts() {
        writeln!(out, "    ; {name}: {}", tag_value(&value))?;
    }
    let width = journal.postings.iter().map(|posting| names.of(posting.account).chars().count()).max().unwrap_or(0);
    for posting in &journal.postings {
        // Two blanks end the name of an account.
        writeln!(out, "    {:width$}  {:>14}", names.of(posting.account), posting.amount)?;
    }
    Ok(())
}

/// `;` begins a comment wherever it stands; a mark, a bracket or a comment sign at the start would make it another posting.
pub(super) fn account_name(account: &str) -> String {
    let parts: Vec<String> = account
        .split(':')
        .map(|part| single_spaced(part).replace(';', "-"))
        .map(|part| if part.is_empty() { "-".to_owned() } else { part })
        .collect();
    let name = parts.join(":");
    match name.strip_prefix(['*', '!', '(', '[', '<', '#', '%', '~', '=', '{', '@', '&', '"']) {
        Some(rest) => format!("-{rest}"),
        None => name,
    }
}

/// `|` would end the payee, `;` begin a comment, and hledger reads a payee in quotes as one without.
fn payee(journal: &Entry<'_>) -> String {
    single_spaced(journal.payee()).replace(['|', ';'], "-").replace('"', "'")
}

/// After a comma hledger looks for another tag, and in brackets both look for a date.
fn tag_value(text: &str) -> String {
    single_spaced(text).replace(',', ";").replace('[', "(").replace(']', ")")
}
