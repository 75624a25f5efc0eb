//! A journal file for beancount: each account is opened on the day of its first posting.

use std::collections::BTreeMap;
use std::io::{self, Write};

use chrono::NaiveDate;

use super::Names;
use super::entry::Entry;

const ROOTS: [&str; 5] = ["Assets", "Liabilities", "Equity", "Income", "Expenses"];

pub(super) fn write(journals: &[Entry<'_>], names: &Names<'_>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "; payment journals of payjournal")?;
    writeln!(out)?;
    for (account, Opening { on, currencies }) in openings(journals, names) {
        writeln!(out, "{on} open {account} {}", currencies.join(","))?;
    }
    for journal in journals {
        writeln!(out)?;
        transaction(journal, names, out)?;
    }
    Ok(())
}

struct Opening {
    on: NaiveDate,
    currencies: Vec<&'static str>,
}

fn openings<'n>(journals: &'n [Entry<'_>], names: &'n Names<'_>) -> BTreeMap<&'n str, Opening> {
    let mut openings = BTreeMap::new();
    // The journals come by date, so the first one opens.
    for journal in journals {
        for posting in &journal.postings {
            let opening = openings
                .entry(names.of(posting.account))
                .or_insert_with(|| Opening { on: journal.posting_date, currencies: Vec::new() });
            let code = posting.amount.currency().code();
            if let Err(place) = opening.currencies.binary_search(&code) {
                opening.currencies.insert(place, code);
            }
        }
    }
    openings
}

fn transaction(journal: &Entry<'_>, names: &Names<'_>, out: &mut dyn Write) -> io::Result<()> {
    let kind = journal.kind.replace('_', " ");
    writeln!(out, "{} * {} {}", journal.posting_date, quoted(journal.payee()), quoted(&kind))?;
    writeln!(out, "  journal: {}", quoted(journal.number))?;
    for (name, value) in journal.facts() {
        writeln!(out, "  {name}: {}", quoted(&value))?;
    }
    let width = journal.postings.iter().map(|posting| names.of(posting.account).chars().count()).max().unwrap_or(0);
    for posting in &journal.postings {
        writeln!(out, "  {:width$}  {:>14}", names.of(posting.account), posting.amount)?;
    }
    Ok(())
}

/// Backslash and quote are the only characters that end or change a text in quotes.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A root that beancount does not know, such as a bare account number, is put under Assets.
pub(super) fn account_name(account: &str) -> String {
    let mut parts: Vec<String> = account.split(':').map(component).collect();
    if !parts.first().is_some_and(|root| ROOTS.contains(&root.as_str())) {
        parts.insert(0, "Assets".to_owned());
    }
    if parts.len() == 1 {
        parts.push("General".to_owned());
    }
    parts.join(":")
}

/// Letters, digits and `-`, begun by a capital letter or a digit.
fn component(part: &str) -> String {
    let name: String = part.chars().map(|c| if allowed(c) { c } else { '-' }).collect();
    let mut rest = name.chars();
    let first: String = rest.next().map(|c| c.to_uppercase().collect()).unwrap_or_default();
    let begins = first.chars().next().is_some_and(|c| c.is_ascii_digit() || c.is_uppercase());
    if begins { format!("{first}{}", rest.as_str()) } else { format!("X{name}") }
}

/// Beyond ASCII only the scripts whose letters are letters to beancount's own pattern for sure.
fn allowed(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || c == '-'
        || c.is_alphabetic()
            && matches!(
                c,
                '\u{c0}'..='\u{24f}'            // Latin
                | '\u{370}'..='\u{3ff}'         // Greek
                | '\u{400}'..='\u{52f}'         // Cyrillic
                | '\u{1e00}'..='\u{1eff}'       // Latin
                | '\u{3041}'..='\u{3096}'       // Hiragana
                | '\u{30a1}'..='\u{30fa}'       // Katakana
                | '\u{4e00}'..='\u{9fff}'       // Han
                | '\u{ac00}'..='\u{d7a3}'       // Hangul
            )
}
