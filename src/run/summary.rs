//! What a run did: the one value behind table, JSON, log, mail and exit code.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::domain::id::ExceptionId;
use crate::domain::money::Amount;
use crate::exit::Exit;
use crate::task::settlements::Settled;

/// Rows kept for table and JSON; what comes after is counted only, so that memory stays flat.
const MOST_ROWS: usize = 10_000;

/// Exceptions kept, likewise: all of them are in the ledger.
pub const MOST_EXCEPTIONS: u32 = 10_000;

#[derive(Debug, Clone, Default)]
pub struct Summary {
    pub cases: u64,
    /// Calls and questions that came back, mails and portal events apart.
    pub calls: u64,
    pub rows: Vec<Row>,
    pub rows_left_out: u64,
    /// Confirmed in this run, by kind and currency.
    pub done: BTreeMap<(&'static str, &'static str), (u64, Option<Amount>)>,
    /// Asked about or sent, and still without a final answer.
    pub waiting: u64,
    pub refused: u64,
    /// Not carried out because the other side could not be reached or did not answer; mails and portal events apart, which
    /// never decide an exit code.
    pub unreachable: u64,
    /// Amounts of the unreachable operations, by currency.
    pub unreachable_money: BTreeMap<&'static str, Amount>,
    pub first_unreachable: Option<String>,
    pub new_exceptions: Vec<RaisedException>,
    pub exceptions_left_out: u64,
    /// What the ledger would not take.
    pub ledger_refusals: Vec<String>,
    /// Cases that were looked at and are none of those the task is for, by reason.
    pub not_eligible: BTreeMap<&'static str, u64>,
    /// Cases that something was begun for, of a task with a limit.
    pub begun: u64,
    /// Cases that something would have been begun for, had the run not begun as many as it may.
    pub over_most: u64,
    /// Problems of payjournal itself.
    pub bugs: Vec<String>,
    pub stopped: bool,
    /// Of `settlements` only.
    pub settled: Option<Settled>,
}

/// One line of the report.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    pub about: String,
    /// What was or would be done: `capture`, `tie`, `leave`.
    pub action: &'static str,
    pub amount: Option<Amount>,
    /// How it ended; `planned` in a dry run.
    pub outcome: String,
    pub reason: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct RaisedException {
    pub id: Option<ExceptionId>,
    pub kind: &'static str,
    pub subject: String,
    pub message: String,
}

impl Summary {
    pub fn add(&mut self, row: Row) {
        if self.rows.len() < MOST_ROWS {
            self.rows.push(row);
        } else {
            self.rows_left_out += 1;
        }
    }

    pub fn count_done(&mut self, kind: &'static str, amount: Option<Amount>) {
        let currency = amount.map_or("", |amount| amount.currency().code());
        let entry = self.done.entry((kind, currency)).or_insert((0, None));
        entry.0 += 1;
        entry.1 = match (entry.1, amount) {
            // A sum too large for the ledger's integers is left as it was: the count still tells.
            (Some(sum), Some(amount)) => sum.checked_add(amount).ok().or(entry.1),
            (sum, amount) => sum.or(amount),
        };
    }

    pub fn count_unreachable(&mut self, amount: Option<Amount>, why: &str) {
        self.unreachable += 1;
        self.first_unreachable.get_or_insert_with(|| why.to_owned());
        if let Some(amount) = amount {
            let sum = self.unreachable_money.entry(amount.currency().code()).or_insert(Amount::zero(amount.currency()));
            *sum = sum.checked_add(amount).unwrap_or(*sum);
        }
    }

    pub fn exit(&self) -> Exit {
        let mut exit = Exit::Done;
        if !self.new_exceptions.is_empty() {
            exit = exit.or_worse(Exit::NeedsPerson);
        }
        if self.unreachable > 0 {
            exit = exit.or_worse(Exit::Unreachable);
        }
        if !self.ledger_refusals.is_empty() {
            exit = exit.or_worse(Exit::Ledger);
        }
        if !self.bugs.is_empty() {
            exit = exit.or_worse(Exit::Bug);
        }
        exit
    }

    /// Whether anything happened that a person may want to hear of.
    pub fn is_quiet(&self) -> bool {
        self.exit() == Exit::Done
    }

    /// `3 capture 120.00 EUR, 1 capture 500 JPY`, or `nothing to do`.
    pub fn done_line(&self) -> String {
        if let Some(settled) = &self.settled {
            return settled.done_line();
        }
        let parts: Vec<String> = self
            .done
            .iter()
            .map(|((kind, _), (count, amount))| {
                let kind = kind.replace('_', " ");
                match amount {
                    Some(amount) => format!("{count} {kind} {amount}"),
                    None => format!("{count} {kind}"),
                }
            })
            .collect();
        let done = if parts.is_empty() { "nothing done".to_owned() } else { parts.join(", ") };
        self.not_eligible_line().map_or(done.clone(), |left| format!("{done}; {left}"))
    }

    /// `12 not eligible: 7 too young, 5 has money`.
    pub fn not_eligible_line(&self) -> Option<String> {
        let all: u64 = self.not_eligible.values().sum();
        let parts: Vec<String> = self.not_eligible.iter().map(|(why, count)| format!("{count} {why}")).collect();
        (all > 0).then(|| format!("{all} not eligible: {}", parts.join(", ")))
    }
}
