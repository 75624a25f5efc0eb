//! A report's way into the ledger: a thread reads and prepares, the ledger's thread stores, one transaction holds it all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{SyncSender, sync_channel};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::index::Payments;
use super::intake::Intake;
use super::row::StoredRow;
use super::touched::IdSet;
use super::{Found, SettledAccount, file_of};
use crate::domain::id::{PayoutId, RunId, ShopName};
use crate::domain::settlement::{LineKind, ReportLine};
use crate::ledger::{Ledger, LedgerError, Result, Writer};

/// A report about to be taken over.
#[derive(Debug, Clone)]
pub struct NewReport {
    /// As the log names it.
    pub name: String,
    /// BLAKE3 of the file.
    pub digest: String,
    pub bytes: u64,
    pub format: String,
    /// The account of lines that name none: of the provider whose folder it lies in, if it is one provider's.
    pub account: Option<usize>,
    /// All lines have one payout, and so have those of the next report: what has no id is told apart by its day.
    pub is_one_payout: bool,
}

/// What became of a report's lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taken {
    pub added: u64,
    /// Lines an earlier report had.
    pub known: u64,
    /// Of the new lines that belong to a payment.
    pub by_transaction: u64,
    pub by_reference: u64,
    pub by_person: u64,
    pub unmatched: u64,
    pub ambiguous: u64,
    /// Lines that are not paid out yet and come again with their payout: left out.
    pub not_paid_out: u64,
    /// Lines of merchant accounts nobody configured, by account: left out.
    pub strangers: BTreeMap<String, u64>,
    /// Lines that say something else than an earlier report.
    pub differing: Vec<Differing>,
    /// Lines whose reference names another order than that of their transaction.
    pub contradicting: Vec<Differing>,
    /// Payouts with new lines.
    pub payouts: BTreeSet<PayoutId>,
}

/// A line whose key is in the ledger with other amounts: the old row stays (rule 21).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Differing {
    pub number: u64,
    pub what: String,
}

/// About what a line of a report takes, and how many payments can be read on in the time of one look-up: measured.
const BYTES_PER_LINE: u64 = 190;
const READS_PER_LOOK_UP: u64 = 4;
/// Lines, or payments, for which a second connection is not worth its while.
const FEW: u64 = 1_000;

/// Of the database, while a report is taken over: as `SQLite` counts it, kibibytes are negative.
const CACHE: i64 = -64 * 1024;

/// What the reading side sends.
#[derive(Debug)]
pub(super) struct Sent {
    /// Sorted as the ledger stores them.
    pub(super) lines: Vec<Prepared>,
    /// Whether `found` is what the ledger has; else it is asked.
    pub(super) is_looked_up: bool,
}

/// A line with all that can be known of it before the ledger sees it: the reading side has time for that.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) line: ReportLine,
    pub(super) row: StoredRow,
    pub(super) found: Option<Found>,
}

/// The reading side's way into the ledger.
#[derive(Debug)]
pub struct Inlet<'a> {
    sender: SyncSender<Sent>,
    payments: Option<Payments>,
    accounts: Accounts<'a>,
    /// Of the books.
    zone: Tz,
}

impl Inlet<'_> {
    /// Hands over lines. Returns the numbers of those whose amounts are more than the ledger can hold; `None` if it takes no more.
    pub fn send(&self, mut lines: Vec<ReportLine>) -> Option<Vec<u64>> {
        lines.sort_unstable_by(|one, other| key(one).cmp(&key(other)));
        let mut too_large = Vec::new();
        let mut prepared = Vec::with_capacity(lines.len());
        let mut is_looked_up = self.payments.is_some();
        for line in lines {
            let Ok(row) = StoredRow::of(&line, self.zone) else {
                too_large.push(line.number);
                continue;
            };
            let account = self.payments.as_ref().zip(self.accounts.of(&line));
            let found = account.map(|(payments, account)| payments.find(self.accounts.all, account, &line.transaction));
            // What cannot be read here may be read there, or is told there.
            is_looked_up &= !matches!(found, Some(Err(_)));
            let found = found.and_then(Result::ok).flatten();
            prepared.push(Prepared { line, row, found });
        }
        let sent = Sent { lines: prepared, is_looked_up };
        self.sender.send(sent).is_ok().then_some(too_large)
    }
}

/// The accounts lines are taken over for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Accounts<'a> {
    pub(super) all: &'a [SettledAccount],
    /// Of lines that name none.
    own: Option<usize>,
}

impl Accounts<'_> {
    pub(super) fn of(&self, line: &ReportLine) -> Option<usize> {
        if line.account.is_empty() {
            return self.own;
        }
        self.all.iter().position(|account| account.merchant_account.as_str() == line.account)
    }
}

fn key(line: &ReportLine) -> (&str, &str, &str, &str, LineKind, u64) {
    (&line.account, &line.payout, &line.transaction, &line.modification, line.kind, line.number)
}

/// One report's way into the ledger.
#[derive(Debug, Clone, Copy)]
pub struct Takeover<'a> {
    pub report: &'a NewReport,
    pub accounts: &'a [SettledAccount],
    pub shop: &'a ShopName,
    pub run: Option<RunId>,
    pub now: DateTime<Utc>,
}

impl<'a> Takeover<'a> {
    pub(super) fn accounts(self) -> Accounts<'a> {
        Accounts { all: self.accounts, own: self.report.account }
    }
}

impl Ledger {
    /// Takes over a report in one transaction. `read` runs on a thread of its own and sends the lines; an error of it, such as a
    /// file that turns out to be cut off, leaves nothing of the file behind. `conclude` writes down what else is to be known of
    /// the file, in the same transaction; `told` hears how many lines came in, and ends it by `false`.
    pub fn take_report<R: Send, E: Send>(
        &mut self,
        takeover: Takeover<'_>,
        read: impl FnOnce(&Inlet) -> Result<R, E> + Send,
        conclude: impl FnOnce(&Writer<'_>, &Taken, &R) -> Result<()>,
        told: &mut dyn FnMut(u64) -> bool,
    ) -> Result<Result<(Taken, R), E>> {
        let Takeover { report, run, now, .. } = takeover;
        let accounts = takeover.accounts();
        let zone = self.books.time_zone;
        let file = file_of(&self.connection).filter(|_| report.bytes > FEW * BYTES_PER_LINE);
        let is_large = self.is_large(report.bytes)?;
        // Pages that many lines go to stay in memory until they are full.
        self.connection.pragma_update(None, "cache_size", CACHE)?;
        let is_behind = self.has_lines_to_learn()?;
        let (mut failed, mut touched) = (None, IdSet::default());
        let taken = self.write("report", run, now, |writer| {
            let mut intake = Intake::begin(writer, takeover)?;
            let outcome = std::thread::scope(|scope| {
                let (sender, receiver) = sync_channel(1);
                let reader = scope.spawn(move || {
                    let payments = match file {
                        Some(path) if is_large => Payments::load_all(&path, accounts.all)?,
                        Some(path) => Some(Payments::one_by_one(&path)?),
                        None => None,
                    };
                    Ok::<_, LedgerError>(read(&Inlet { sender, payments, accounts, zone }))
                });
                for sent in receiver {
                    intake.take(&sent)?;
                    if !told(u64::try_from(sent.lines.len()).unwrap_or(u64::MAX)) {
                        return Err(LedgerError::Invariant("the run was stopped".to_owned()));
                    }
                }
                reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })?;
            match outcome {
                Ok(read) => {
                    let (taken, orders) = intake.finish()?;
                    touched = orders;
                    conclude(writer, &taken, &read)?;
                    Ok((taken, read))
                }
                Err(error) => {
                    failed = Some(error);
                    // Everything this file wrote is taken back.
                    Err(LedgerError::Invariant("the report was refused".to_owned()))
                }
            }
        });
        match (failed, taken) {
            (Some(error), _) => Ok(Err(error)),
            (None, taken) => {
                // Once too often does no harm, where it was not stored after all.
                self.touched.add(&touched, is_behind);
                taken.map(Ok)
            }
        }
    }

    /// Whether a report is so large against the payments that reading all of them is faster than looking some up.
    fn is_large(&self, bytes: u64) -> Result<bool> {
        let payments: i64 =
            self.connection.query_row("SELECT ifnull(max(id), 0) FROM payments", [], |row| row.get(0))?;
        let payments = u64::try_from(payments).unwrap_or(0);
        let look_ups = bytes.div_euclid(BYTES_PER_LINE).saturating_mul(READS_PER_LOOK_UP);
        Ok(payments > FEW && look_ups > payments)
    }
}
