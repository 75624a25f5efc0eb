//! A report's lines on their way into the ledger: one transaction per file, lines sorted chunk by chunk as they are stored, so
//! that pages are written about once.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasher;
use std::path::PathBuf;
use std::sync::mpsc::{SyncSender, sync_channel};

use chrono::{DateTime, Utc};
use hashbrown::{DefaultHashBuilder, HashMap, HashSet};
use rusqlite::{CachedStatement, OptionalExtension, ToSql};

use super::index::PaymentIndex;
use super::{Found, Looked, SettledAccount, by_reference, by_transaction, overflow};
use crate::domain::id::{AccountId, FileId, OrderId, PayoutId, RunId, ShopName};
use crate::domain::money::Currency;
use crate::domain::settlement::matching::MatchRule;
use crate::domain::settlement::proof::KindSum;
use crate::domain::settlement::{Decimal, LineKind, ReportLine};
use crate::ledger::row::time_text;
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
    /// Lines of merchant accounts nobody configured, by account: left out.
    pub strangers: BTreeMap<String, u64>,
    /// Lines that say something else than an earlier report.
    pub differing: Vec<Differing>,
    /// Payouts with new lines.
    pub payouts: BTreeSet<PayoutId>,
}

/// A line whose key is in the ledger with other amounts: the old row stays (rule 21).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Differing {
    pub number: u64,
    pub what: String,
}

/// Differing lines that are told one by one; more only count.
const MOST_DIFFERING: usize = 1_000;

/// About what a line of a report takes, and how many payments can be read on in the time of one look-up: measured.
const BYTES_PER_LINE: u64 = 190;
const READS_PER_LOOK_UP: u64 = 4;

/// Of the database, while a report is taken over: as `SQLite` counts it, kibibytes are negative.
const CACHE: i64 = -64 * 1024;

/// What the reading side sends.
#[derive(Debug)]
struct Sent {
    /// Sorted as the ledger stores them.
    lines: Vec<Prepared>,
    /// Whether `found` is what the index has; without an index the ledger is asked.
    is_looked_up: bool,
}

/// A line with all that can be known of it before the ledger sees it: the reading side has time for that.
#[derive(Debug)]
struct Prepared {
    line: ReportLine,
    /// `None` if an amount cannot be stored.
    row: Option<StoredRow>,
    found: Option<Found>,
}

/// The reading side's way into the ledger.
#[derive(Debug)]
pub struct Inlet<'a> {
    sender: SyncSender<Sent>,
    index: Option<PaymentIndex>,
    accounts: Accounts<'a>,
}

impl Inlet<'_> {
    /// Hands over lines. `false` if the ledger takes no more.
    pub fn send(&self, mut lines: Vec<ReportLine>) -> bool {
        lines.sort_unstable_by(|one, other| key(one).cmp(&key(other)));
        let prepare = |line: ReportLine| {
            let found = self.index.as_ref().and_then(|index| index.find(self.accounts.of(&line)?, &line.transaction));
            Prepared { row: StoredRow::of(&line).ok(), found, line }
        };
        let lines = lines.into_iter().map(prepare).collect();
        self.sender.send(Sent { lines, is_looked_up: self.index.is_some() }).is_ok()
    }
}

/// The accounts lines are taken over for.
#[derive(Debug, Clone, Copy)]
struct Accounts<'a> {
    all: &'a [SettledAccount],
    /// Of lines that name none.
    own: Option<usize>,
}

impl Accounts<'_> {
    fn of(&self, line: &ReportLine) -> Option<usize> {
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
    /// `None` in a dry run: then nothing stays.
    pub run: Option<RunId>,
    pub now: DateTime<Utc>,
}

impl<'a> Takeover<'a> {
    fn accounts(self) -> Accounts<'a> {
        Accounts { all: self.accounts, own: self.report.account }
    }
}

impl Ledger {
    /// Takes over a report in one transaction. `read` runs on a thread of its own and sends the lines; an error of it, such as a
    /// file that turns out to be cut off, leaves nothing of the file behind. `conclude` writes down what else is to be known of
    /// the file, in the same transaction; `told` hears how many lines came in.
    pub fn take_report<R: Send, E: Send>(
        &mut self,
        takeover: Takeover<'_>,
        read: impl FnOnce(&Inlet) -> Result<R, E> + Send,
        conclude: impl FnOnce(&Writer<'_>, &Taken, &R) -> Result<()>,
        told: &mut dyn FnMut(u64),
    ) -> Result<Result<(Taken, R), E>> {
        let Takeover { report, run, now, .. } = takeover;
        let accounts = takeover.accounts();
        let path = self.path_for_index(report.bytes)?;
        // Pages that many lines go to stay in memory until they are full.
        self.connection.pragma_update(None, "cache_size", CACHE)?;
        let mut failed = None;
        let taken = self.write_or_rehearse("report", run, now, run.is_some(), |writer| {
            let mut intake = Intake::begin(writer, takeover)?;
            let outcome = std::thread::scope(|scope| {
                let (sender, receiver) = sync_channel(1);
                let reader = scope.spawn(move || {
                    let index = match path {
                        Some(path) => PaymentIndex::load(&path, accounts.all)?,
                        None => None,
                    };
                    Ok::<_, LedgerError>(read(&Inlet { sender, index, accounts }))
                });
                for sent in receiver {
                    intake.take(&sent)?;
                    told(u64::try_from(sent.lines.len()).unwrap_or(u64::MAX));
                }
                reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })?;
            match outcome {
                Ok(read) => {
                    let taken = intake.finish()?;
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
            (None, taken) => taken.map(Ok),
        }
    }

    /// Where the payments are read from as a whole, if the report is so large against them that this is faster.
    fn path_for_index(&self, bytes: u64) -> Result<Option<PathBuf>> {
        const FEW: u64 = 1_000;
        let payments: i64 =
            self.connection.query_row("SELECT ifnull(max(id), 0) FROM payments", [], |row| row.get(0))?;
        let payments = u64::try_from(payments).unwrap_or(0);
        let look_ups = bytes.div_euclid(BYTES_PER_LINE).saturating_mul(READS_PER_LOOK_UP);
        Ok(self.path().filter(|_| payments > FEW && look_ups > payments))
    }
}

/// One file's lines as they come in.
struct Intake<'w> {
    writer: &'w Writer<'w>,
    accounts: Accounts<'w>,
    /// Their numbers in the ledger.
    ids: Vec<AccountId>,
    shop: &'w ShopName,
    file: FileId,
    insert: CachedStatement<'w>,
    /// The payout of the line before: lines of a payout stand together.
    last_payout: Option<(AccountId, String, PayoutId)>,
    /// Groups a person has decided on.
    persons: HashMap<(AccountId, String, String), Option<OrderId>>,
    /// Stored rows of earlier files that a line of this file was recognised as, by the hash of their key.
    recognised: HashSet<u64>,
    hasher: DefaultHashBuilder,
    sums: HashMap<(PayoutId, Currency, LineKind), KindSum>,
    by_reference: HashMap<PayoutId, i64>,
    taken: Taken,
}

/// A group of lines with its match.
#[derive(Debug, Clone, Copy)]
struct Group<'l> {
    account: usize,
    transaction: &'l str,
    /// Empty where there is a transaction.
    reference: &'l str,
    matched: Matched,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Matched {
    To(Found),
    /// A person said that it belongs to no order.
    ToNone,
    Nothing,
    Ambiguous,
}

/// What a line adds to its order, in millionths.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct OrderDelta {
    pub(super) lines: i64,
    pub(super) sold: i64,
    pub(super) refunded: i64,
    pub(super) disputed: i64,
    pub(super) other_currency: i64,
}

impl<'w> Intake<'w> {
    fn begin(writer: &'w Writer<'w>, takeover: Takeover<'w>) -> Result<Self> {
        let accounts = takeover.accounts();
        let file = writer.begin_report(takeover.report)?;
        let ids = accounts.all.iter().map(|account| writer.account_id(account)).collect::<Result<Vec<_>>>()?;
        Ok(Self {
            writer,
            accounts,
            persons: writer.decided_by_persons()?,
            ids,
            shop: takeover.shop,
            file,
            insert: writer.connection.prepare_cached(INSERT)?,
            last_payout: None,
            recognised: HashSet::new(),
            hasher: DefaultHashBuilder::default(),
            sums: HashMap::new(),
            by_reference: HashMap::new(),
            taken: Taken::default(),
        })
    }

    /// Stores, matches and counts lines.
    fn take(&mut self, sent: &Sent) -> Result<()> {
        let mut deltas: Vec<(OrderId, OrderDelta)> = Vec::with_capacity(sent.lines.len());
        let mut group: Option<Group<'_>> = None;
        for Prepared { line, row, found } in &sent.lines {
            let row = row.as_ref().ok_or_else(overflow)?;
            let Some(account) = self.accounts.of(line) else {
                *self.taken.strangers.entry(line.account.to_string()).or_default() += 1;
                continue;
            };
            let payout = self.payout_of(account, &line.payout)?;
            if !self.store(line, row, account, payout)? || !line.kind.is_of_payment() {
                continue;
            }
            let reference = if line.transaction.is_empty() { line.reference.as_str() } else { "" };
            let same = group.filter(|group| {
                group.account == account && group.transaction == line.transaction && group.reference == reference
            });
            let current = match same {
                Some(same) => same,
                None => {
                    let looked_up = sent.is_looked_up.then_some(*found);
                    let matched = self.matched(account, line, looked_up)?;
                    Group { account, transaction: &line.transaction, reference, matched }
                }
            };
            group = Some(current);
            if let Some(delta) = self.count(line, row, &current, payout)? {
                deltas.push(delta);
            }
        }
        deltas.sort_unstable_by_key(|(order, _)| *order);
        add_to_orders(self.writer, &deltas)
    }

    fn id(&self, account: usize) -> AccountId {
        self.ids.get(account).copied().unwrap_or(AccountId(0))
    }

    fn payout_of(&mut self, account: usize, reference: &str) -> Result<PayoutId> {
        let id = self.id(account);
        if let Some((last_account, last_reference, payout)) = &self.last_payout
            && *last_account == id
            && last_reference == reference
        {
            return Ok(*payout);
        }
        let payout = self.writer.payout_id(id, reference)?;
        self.last_payout = Some((id, reference.to_owned(), payout));
        Ok(payout)
    }

    /// Stores a line that is new. The n-th line of this file with a key is the n-th row with it, whatever its place in the file.
    fn store(&mut self, line: &ReportLine, row: &StoredRow, account: usize, payout: PayoutId) -> Result<bool> {
        let batch = if line.has_own_id { 0 } else { payout.0 };
        let mut ordinal: i64 = 1;
        loop {
            if self.insert_row(line, row, account, batch, payout, ordinal)? {
                self.taken.added += 1;
                self.taken.payouts.insert(payout);
                self.add_to_sum((payout, line.net.1, line.kind), row.sum)?;
                return Ok(true);
            }
            let stored = self.writer.stored_row(self.id(account), batch, line, ordinal)?;
            let hash = self.hasher.hash_one((
                account,
                batch,
                line.transaction.as_str(),
                line.modification.as_str(),
                line.kind,
                ordinal,
            ));
            // The very line, where a file is read again for what was left out of it.
            let is_itself = stored.file == self.file && u64::try_from(stored.line) == Ok(line.number);
            if !is_itself && (stored.file == self.file || !self.recognised.insert(hash)) {
                // Another line of this file is that row: this one is the next.
                ordinal += 1;
                continue;
            }
            self.taken.known += 1;
            if stored.amounts != row.amounts() {
                self.differs(line, &stored);
            } else if line.has_own_id {
                self.paid_out_since(line, row, account, stored.payout, payout)?;
            }
            return Ok(false);
        }
    }

    fn differs(&mut self, line: &ReportLine, stored: &Stored) {
        if self.taken.differing.len() < MOST_DIFFERING {
            let what = format!(
                "transaction `{}`, modification `{}`: an earlier report (file {}, line {}) has other amounts for this line",
                line.transaction, line.modification, stored.file, stored.line
            );
            self.taken.differing.push(Differing { number: line.number, what });
        }
    }

    /// The line was not paid out when it was read first, and is now.
    fn paid_out_since(
        &mut self,
        line: &ReportLine,
        row: &StoredRow,
        account: usize,
        before: PayoutId,
        payout: PayoutId,
    ) -> Result<()> {
        let was_open = !line.payout.is_empty() && before != payout;
        if !was_open || !self.writer.record_line_payout(self.id(account), line, payout, self.file)? {
            return Ok(());
        }
        let sum = row.sum;
        let minus = KindSum {
            lines: -sum.lines,
            net_micros: -sum.net_micros,
            fee_micros: -sum.fee_micros,
            tax_micros: -sum.tax_micros,
            fine_lines: -sum.fine_lines,
        };
        self.add_to_sum((before, line.net.1, line.kind), minus)?;
        self.add_to_sum((payout, line.net.1, line.kind), sum)?;
        self.taken.payouts.extend([before, payout]);
        Ok(())
    }

    fn add_to_sum(&mut self, key: (PayoutId, Currency, LineKind), more: KindSum) -> Result<()> {
        let sum = self.sums.entry(key).or_default();
        let add = |one: i64, other: i64| one.checked_add(other).ok_or_else(overflow);
        *sum = KindSum {
            lines: sum.lines + more.lines,
            net_micros: add(sum.net_micros, more.net_micros)?,
            fee_micros: add(sum.fee_micros, more.fee_micros)?,
            tax_micros: add(sum.tax_micros, more.tax_micros)?,
            fine_lines: sum.fine_lines + more.fine_lines,
        };
        Ok(())
    }

    /// The order of a line's group: by a person, else by the transaction id, else by the reference. `looked_up` is what the index
    /// has of the transaction, if there is an index.
    fn matched(&mut self, account: usize, line: &ReportLine, looked_up: Option<Option<Found>>) -> Result<Matched> {
        let id = self.id(account);
        let transaction = line.transaction.as_str();
        if let Some(decided) = self.decided(id, line)? {
            return Ok(decided);
        }
        let Some(settled) = self.accounts.all.get(account) else { return Ok(Matched::Nothing) };
        let found = match looked_up {
            Some(found) => found,
            None if transaction.is_empty() => None,
            None => by_transaction(self.writer.connection, settled, transaction)?,
        };
        if let Some(found) = found {
            return Ok(Matched::To(found));
        }
        let Some(rule) = &settled.reference else { return Ok(Matched::Nothing) };
        Ok(match by_reference(self.writer.connection, self.shop, rule, &line.reference)? {
            Looked::Found(order, currency) => {
                self.writer.match_by_reference(id, transaction, &line.reference, order)?;
                Matched::To(Found { order: Some(order), currency, rule: MatchRule::Reference })
            }
            Looked::Nothing => Matched::Nothing,
            Looked::Ambiguous => Matched::Ambiguous,
        })
    }

    /// What a person has said about a line's group.
    fn decided(&self, account: AccountId, line: &ReportLine) -> Result<Option<Matched>> {
        if self.persons.is_empty() {
            return Ok(None);
        }
        let reference = if line.transaction.is_empty() { line.reference.to_string() } else { String::new() };
        Ok(match self.persons.get(&(account, line.transaction.to_string(), reference)) {
            Some(Some(order)) => {
                let currency = crate::ledger::orders::order(self.writer.connection, *order)?.total.currency();
                Some(Matched::To(Found { order: Some(*order), currency, rule: MatchRule::Person }))
            }
            Some(None) => Some(Matched::ToNone),
            None => None,
        })
    }

    /// Counts a new line by its match. Returns what it adds to its order.
    fn count(
        &mut self,
        line: &ReportLine,
        row: &StoredRow,
        group: &Group<'_>,
        payout: PayoutId,
    ) -> Result<Option<(OrderId, OrderDelta)>> {
        let found = match group.matched {
            Matched::To(found) => found,
            Matched::ToNone => {
                self.taken.by_person += 1;
                *self.by_reference.entry(payout).or_default() += 1;
                return Ok(None);
            }
            Matched::Nothing | Matched::Ambiguous => {
                let is_ambiguous = group.matched == Matched::Ambiguous;
                if is_ambiguous {
                    self.taken.ambiguous += 1;
                } else {
                    self.taken.unmatched += 1;
                }
                self.writer.add_unmatched(self.id(group.account), line, payout, is_ambiguous)?;
                return Ok(None);
            }
        };
        match found.rule {
            MatchRule::Transaction => self.taken.by_transaction += 1,
            MatchRule::Reference => self.taken.by_reference += 1,
            MatchRule::Person => self.taken.by_person += 1,
        }
        if found.rule != MatchRule::Transaction {
            *self.by_reference.entry(payout).or_default() += 1;
        }
        let Some(order) = found.order else { return Ok(None) };
        let (presented, presented_in) = row.presented;
        Ok(Some((order, OrderDelta::of(line.kind, presented, presented_in == found.currency))))
    }

    fn finish(self) -> Result<Taken> {
        let Self { writer, file, sums, by_reference, taken, .. } = self;
        for ((payout, currency, kind), sum) in sums {
            writer.add_payout_sum(payout, currency, kind, &sum)?;
        }
        for (payout, lines) in by_reference {
            writer.count_by_reference(payout, lines)?;
        }
        writer.end_report(file, &taken)?;
        Ok(taken)
    }
}

const INSERT: &str = "
    INSERT INTO settlement_lines (account_id, batch, transaction_id, modification_id, kind, ordinal, payout_id, file_id, file_line,
      reference, document, method, occurred_at, scale, gross_currency, gross, net_currency, net, fee, tax,
      commission, markup, scheme_fees, interchange, exchange_rate, note)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26)
    ON CONFLICT DO NOTHING";

/// A line's amounts as they are stored: integers of one scale.
#[derive(Debug)]
struct StoredRow {
    scale: u8,
    gross: Option<(i64, Currency)>,
    net: (i64, Currency),
    fee: i64,
    tax: i64,
    parts: Option<[i64; 4]>,
    /// What it adds to its payout.
    sum: KindSum,
    /// What the customer saw of it, in millionths: gross, or what it was before the PSP took its fees.
    presented: (i64, Currency),
}

/// What makes a line with a known key another line.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Amounts {
    gross: Option<(i64, String)>,
    net: (i64, String),
    fee: i64,
    tax: i64,
}

#[derive(Debug, Clone)]
struct Stored {
    file: FileId,
    line: i64,
    payout: PayoutId,
    amounts: Amounts,
}

impl StoredRow {
    fn of(line: &ReportLine) -> Result<Self> {
        let (net, net_currency) = line.net;
        let fees = &line.fees;
        let parts = fees.parts.map(|parts| [parts.commission, parts.markup, parts.scheme, parts.interchange]);
        let exponent = |currency: Currency| u8::try_from(currency.exponent()).unwrap_or(0);
        let mut scale = exponent(net_currency);
        let mut widen = |decimal: Decimal| {
            if decimal.scale() > scale {
                scale = scale.max(decimal.shortest(scale).scale());
            }
        };
        widen(net);
        widen(fees.total);
        widen(fees.tax);
        parts.iter().flatten().copied().for_each(&mut widen);
        if let Some((gross, currency)) = line.gross {
            widen(gross);
            scale = scale.max(exponent(currency));
        }
        let units = |decimal: Decimal| decimal.units_at(scale).ok_or_else(overflow);
        Ok(Self {
            scale,
            gross: line.gross.map(|(gross, currency)| Ok::<_, LedgerError>((units(gross)?, currency))).transpose()?,
            net: (units(net)?, net_currency),
            fee: units(fees.total)?,
            tax: units(fees.tax)?,
            parts: match parts {
                Some([commission, markup, scheme, interchange]) => {
                    Some([units(commission)?, units(markup)?, units(scheme)?, units(interchange)?])
                }
                None => None,
            },
            sum: kind_sum(line),
            presented: presented(line)?,
        })
    }

    fn amounts(&self) -> Amounts {
        let micros = |units: i64| Decimal::new(units, self.scale).map_or(0, Decimal::micros);
        Amounts {
            gross: self.gross.map(|(gross, currency)| (micros(gross), currency.code().to_owned())),
            net: (micros(self.net.0), self.net.1.code().to_owned()),
            fee: micros(self.fee),
            tax: micros(self.tax),
        }
    }
}

impl Intake<'_> {
    fn insert_row(
        &mut self,
        line: &ReportLine,
        row: &StoredRow,
        account: usize,
        batch: i64,
        payout: PayoutId,
        ordinal: i64,
    ) -> Result<bool> {
        let account = self.id(account).0;
        let file_line = i64::try_from(line.number).unwrap_or(i64::MAX);
        fn optional(text: &str) -> Option<&str> {
            (!text.is_empty()).then_some(text)
        }
        let (rate, note) = (optional(&line.exchange_rate), optional(&line.note));
        let [commission, markup, scheme, interchange] = match row.parts {
            Some(parts) => parts.map(Some),
            None => [None; 4],
        };
        let parameters: [&dyn ToSql; 26] = [
            &account,
            &batch,
            &line.transaction.as_str(),
            &line.modification.as_str(),
            &line.kind.code(),
            &ordinal,
            &payout.0,
            &self.file.0,
            &file_line,
            &line.reference.as_str(),
            &line.document.as_str(),
            &line.method.as_str(),
            &line.occurred_at.timestamp(),
            &row.scale,
            &row.gross.map(|(_, currency)| currency.code()),
            &row.gross.map(|(gross, _)| gross),
            &row.net.1.code(),
            &row.net.0,
            &row.fee,
            &row.tax,
            &commission,
            &markup,
            &scheme,
            &interchange,
            &rate,
            &note,
        ];
        Ok(self.insert.execute(parameters)? == 1)
    }
}

fn kind_sum(line: &ReportLine) -> KindSum {
    let (net, currency) = line.net;
    let exponent = u8::try_from(currency.exponent()).unwrap_or(0);
    let is_fine = net.scale() > exponent && net.shortest(exponent).scale() > exponent;
    KindSum {
        lines: 1,
        net_micros: net.micros(),
        fee_micros: line.fees.total.micros(),
        tax_micros: line.fees.tax.micros(),
        fine_lines: i64::from(is_fine),
    }
}

fn presented(line: &ReportLine) -> Result<(i64, Currency)> {
    if let Some((gross, currency)) = line.gross {
        return Ok((gross.micros(), currency));
    }
    let (net, currency) = line.net;
    let before_fees = net.checked_add(line.fees.total).and_then(|sum| sum.checked_add(line.fees.tax));
    Ok((before_fees.ok_or_else(overflow)?.micros(), currency))
}

/// Sorted by order: neighbours in the table.
pub(super) fn add_to_orders(writer: &Writer<'_>, deltas: &[(OrderId, OrderDelta)]) -> Result<()> {
    let mut statement = writer.connection.prepare_cached(
        "INSERT INTO order_settlements (order_id, lines, sold_micros, refunded_micros, disputed_micros, other_currency)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT DO UPDATE SET lines = lines + ?2, sold_micros = sold_micros + ?3, refunded_micros = refunded_micros + ?4,
           disputed_micros = disputed_micros + ?5, other_currency = other_currency + ?6",
    )?;
    for of_order in deltas.chunk_by(|(one, _), (other, _)| one == other) {
        let Some((order, _)) = of_order.first() else { continue };
        let mut sum = OrderDelta::default();
        for (_, delta) in of_order {
            sum = sum.plus(delta).ok_or_else(overflow)?;
        }
        statement.execute((order.0, sum.lines, sum.sold, sum.refunded, sum.disputed, sum.other_currency))?;
    }
    Ok(())
}

impl OrderDelta {
    /// Of one line: `presented` is what the customer saw of it, in millionths.
    pub(super) fn of(kind: LineKind, presented: i64, is_orders_currency: bool) -> Self {
        let mut delta = Self { lines: 1, ..Self::default() };
        if !is_orders_currency {
            delta.other_currency = 1;
            return delta;
        }
        match kind {
            LineKind::Sale | LineKind::CaptureAdjustment => delta.sold = presented,
            LineKind::Refund | LineKind::RefundReversed => delta.refunded = presented,
            LineKind::Chargeback | LineKind::SecondChargeback | LineKind::ChargebackReversed => {
                delta.disputed = presented;
            }
            LineKind::Fee
            | LineKind::FeeTax
            | LineKind::ReserveHeld
            | LineKind::ReserveReleased
            | LineKind::Correction
            | LineKind::BalanceTransfer
            | LineKind::ForeignExchange
            | LineKind::Payout
            | LineKind::PayoutFailed
            | LineKind::Unknown => {}
        }
        delta
    }

    pub(super) fn plus(self, other: &Self) -> Option<Self> {
        Some(Self {
            lines: self.lines + other.lines,
            sold: self.sold.checked_add(other.sold)?,
            refunded: self.refunded.checked_add(other.refunded)?,
            disputed: self.disputed.checked_add(other.disputed)?,
            other_currency: self.other_currency + other.other_currency,
        })
    }

    pub(super) fn negated(self) -> Self {
        Self {
            lines: -self.lines,
            sold: -self.sold,
            refunded: -self.refunded,
            disputed: -self.disputed,
            other_currency: -self.other_currency,
        }
    }
}

impl Writer<'_> {
    /// The file's row. One that was read before with lines left out is read again.
    fn begin_report(&self, report: &NewReport) -> Result<FileId> {
        let bytes = i64::try_from(report.bytes).unwrap_or(i64::MAX);
        self.connection
            .prepare_cached(
                "INSERT INTO report_files (name, digest, bytes, format, read_at, run_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (digest) DO NOTHING",
            )?
            .execute((
                &report.name,
                &report.digest,
                bytes,
                &report.format,
                time_text(self.now),
                self.run.map(|run| run.0),
            ))?;
        let mut statement = self.connection.prepare_cached("SELECT id FROM report_files WHERE digest = ?1")?;
        Ok(statement.query_row([&report.digest], |row| row.get(0)).map(FileId)?)
    }

    fn end_report(&self, file: FileId, taken: &Taken) -> Result<()> {
        let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let strangers: u64 = taken.strangers.values().sum();
        self.connection
            .prepare_cached(
                "UPDATE report_files SET added = added + ?2, known = known + ?3, refused = ?4 WHERE id = ?1",
            )?
            .execute((file.0, count(taken.added), count(taken.known), count(strangers)))?;
        Ok(())
    }

    fn payout_id(&self, account: AccountId, reference: &str) -> Result<PayoutId> {
        self.connection
            .prepare_cached(
                "INSERT INTO payouts (account_id, reference, seen_at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            )?
            .execute((account.0, reference, time_text(self.now)))?;
        let mut statement =
            self.connection.prepare_cached("SELECT id FROM payouts WHERE account_id = ?1 AND reference = ?2")?;
        Ok(statement.query_row((account.0, reference), |row| row.get(0)).map(PayoutId)?)
    }

    fn stored_row(&self, account: AccountId, batch: i64, line: &ReportLine, ordinal: i64) -> Result<Stored> {
        let mut statement = self.connection.prepare_cached(
            "SELECT l.file_id, l.file_line, ifnull(p.payout_id, l.payout_id), l.scale, l.gross, l.gross_currency, l.net,
               l.net_currency, l.fee, l.tax
             FROM settlement_lines l LEFT JOIN settlement_line_payouts p ON l.batch = 0 AND p.account_id = l.account_id
               AND p.transaction_id = l.transaction_id AND p.modification_id = l.modification_id AND p.kind = l.kind
             WHERE l.account_id = ?1 AND l.batch = ?2 AND l.transaction_id = ?3 AND l.modification_id = ?4 AND l.kind = ?5
               AND l.ordinal = ?6",
        )?;
        let key = (account.0, batch, line.transaction.as_str(), line.modification.as_str(), line.kind.code(), ordinal);
        let found = statement.query_row(key, |row| {
            let scale: u8 = row.get(3)?;
            let micros = |units: i64| Decimal::new(units, scale).map_or(0, Decimal::micros);
            let gross: Option<i64> = row.get(4)?;
            let gross_currency: Option<String> = row.get(5)?;
            Ok(Stored {
                file: FileId(row.get(0)?),
                line: row.get(1)?,
                payout: PayoutId(row.get(2)?),
                amounts: Amounts {
                    gross: gross.map(micros).zip(gross_currency),
                    net: (micros(row.get(6)?), row.get(7)?),
                    fee: micros(row.get(8)?),
                    tax: micros(row.get(9)?),
                },
            })
        });
        found.optional()?.ok_or_else(|| LedgerError::Invariant("a settlement line vanished".to_owned()))
    }

    /// `false` if it is known to be paid out already.
    fn record_line_payout(
        &self,
        account: AccountId,
        line: &ReportLine,
        payout: PayoutId,
        file: FileId,
    ) -> Result<bool> {
        let inserted = self
            .connection
            .prepare_cached(
                "INSERT INTO settlement_line_payouts (account_id, transaction_id, modification_id, kind, payout_id, file_id)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
            )?
            .execute((
                account.0,
                line.transaction.as_str(),
                line.modification.as_str(),
                line.kind.code(),
                payout.0,
                file.0,
            ))?;
        Ok(inserted == 1)
    }

    fn add_payout_sum(&self, payout: PayoutId, currency: Currency, kind: LineKind, sum: &KindSum) -> Result<()> {
        self.connection
            .prepare_cached(
                "INSERT INTO payout_sums (payout_id, currency, kind, lines, net_micros, fee_micros, tax_micros, fine_lines)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                 ON CONFLICT DO UPDATE SET lines = lines + ?4, net_micros = net_micros + ?5, fee_micros = fee_micros + ?6,
                   tax_micros = tax_micros + ?7, fine_lines = fine_lines + ?8",
            )?
            .execute((
                payout.0,
                currency.code(),
                kind.code(),
                sum.lines,
                sum.net_micros,
                sum.fee_micros,
                sum.tax_micros,
                sum.fine_lines,
            ))?;
        Ok(())
    }

    /// The payout is looked at again by the run: what was told of it may be gone.
    pub(super) fn count_by_reference(&self, payout: PayoutId, lines: i64) -> Result<()> {
        self.connection
            .prepare_cached("UPDATE payouts SET by_reference = by_reference + ?2, state = 'open' WHERE id = ?1")?
            .execute((payout.0, lines))?;
        Ok(())
    }

    fn add_unmatched(&self, account: AccountId, line: &ReportLine, payout: PayoutId, is_ambiguous: bool) -> Result<()> {
        let reference = if line.transaction.is_empty() { line.reference.as_str() } else { "" };
        self.connection
            .prepare_cached(
                "INSERT INTO unmatched_groups (account_id, transaction_id, reference, payout_id, merchant_reference, lines,
                   is_ambiguous)
                 VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6)
                 ON CONFLICT DO UPDATE SET lines = lines + 1, is_ambiguous = ?6",
            )?
            .execute((
                account.0,
                line.transaction.as_str(),
                reference,
                payout.0,
                line.reference.as_str(),
                is_ambiguous,
            ))?;
        Ok(())
    }
}
