//! One file's lines as they come in: stored once, matched, counted.

use std::hash::BuildHasher;

use chrono::NaiveDate;
use compact_str::CompactString;
use hashbrown::{DefaultHashBuilder, HashMap, HashSet};

use super::delta::{OrderDelta, add_to_orders};
use super::insert::{LineInserter, PlacedLine};
use super::row::Stored;
use super::standing::{self, Standing, Standings};
use super::takeover::{Accounts, Differing, NewReport, Prepared, Sent, Taken, Takeover};
use super::touched::IdSet;
use super::{Found, Looked, by_reference, by_transaction, overflow};
use crate::domain::id::{AccountId, FileId, OrderId, PayoutId, ShopName};
use crate::domain::settlement::matching::MatchRule;
use crate::domain::settlement::postings::{DayKey, DaySum};
use crate::domain::settlement::{LineKind, ReportLine};
use crate::ledger::{LedgerError, Result, Writer};

/// Differing lines that are told one by one; more only count.
const MOST_DIFFERING: usize = 1_000;

/// One file's lines as they come in.
pub(super) struct Intake<'w> {
    writer: &'w Writer<'w>,
    accounts: Accounts<'w>,
    /// Their numbers in the ledger.
    ids: Vec<AccountId>,
    shop: &'w ShopName,
    report: &'w NewReport,
    file: FileId,
    inserter: LineInserter<'w>,
    /// The payout of the line before: lines of a payout stand together.
    last_payout: Option<(AccountId, String, PayoutId)>,
    standings: Standings,
    /// Stored rows of earlier files that a line of this file was recognised as, by two hashes of their key.
    recognised: HashSet<[u64; 2]>,
    /// Where a line with a key that stood several times in this file is looked for first.
    next_ordinal: HashMap<(RowKey, Option<NaiveDate>), i64>,
    hashers: [DefaultHashBuilder; 2],
    sums: HashMap<(PayoutId, DayKey), DaySum>,
    by_reference: HashMap<PayoutId, i64>,
    orders: IdSet,
    taken: Taken,
}

/// Account, batch, transaction, modification and kind.
type RowKey = (AccountId, i64, CompactString, CompactString, LineKind);

/// What the index of payments has of a line's transaction, if there is an index.
#[derive(Debug, Clone, Copy)]
struct Indexed {
    is_looked_up: bool,
    found: Option<Found>,
}

/// A group of lines with its match.
#[derive(Debug, Clone, Copy)]
struct Group<'l> {
    account: usize,
    transaction: &'l str,
    /// Empty where there is a transaction.
    reference: &'l str,
    /// What may be matched by.
    merchant_reference: &'l str,
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

impl<'w> Intake<'w> {
    pub(super) fn begin(writer: &'w Writer<'w>, takeover: Takeover<'w>) -> Result<Self> {
        let accounts = takeover.accounts();
        let file = writer.begin_report(takeover.report)?;
        let ids = accounts.all.iter().map(|account| writer.account_id(account)).collect::<Result<Vec<_>>>()?;
        Ok(Self {
            writer,
            accounts,
            standings: writer.standings()?,
            ids,
            shop: takeover.shop,
            report: takeover.report,
            file,
            inserter: LineInserter::prepare(writer.connection)?,
            last_payout: None,
            recognised: HashSet::new(),
            next_ordinal: HashMap::new(),
            hashers: [DefaultHashBuilder::default(), DefaultHashBuilder::default()],
            sums: HashMap::new(),
            by_reference: HashMap::new(),
            orders: IdSet::default(),
            taken: Taken::default(),
        })
    }

    /// Stores, matches and counts lines.
    pub(super) fn take(&mut self, sent: &Sent) -> Result<()> {
        let mut deltas: Vec<(OrderId, OrderDelta)> = Vec::with_capacity(sent.lines.len());
        let mut group: Option<Group<'_>> = None;
        for prepared in &sent.lines {
            let Some(placed) = self.place(prepared)? else { continue };
            if !self.store(&placed)? || !placed.line.kind.is_of_payment() {
                continue;
            }
            let indexed = Indexed { is_looked_up: sent.is_looked_up, found: prepared.found };
            let current = self.group_of(&placed, group, indexed)?;
            group = Some(current);
            deltas.extend(self.count(&placed, &current)?);
        }
        deltas.sort_unstable_by_key(|(order, _)| *order);
        for (order, _) in &deltas {
            self.orders.insert(order.0);
        }
        add_to_orders(self.writer, &deltas)
    }

    /// `None` for a line of an account nobody configured, and for one that is not paid out yet where only its batch would tell it
    /// from others: it comes again with its payout.
    fn place<'l>(&mut self, Prepared { line, row, .. }: &'l Prepared) -> Result<Option<PlacedLine<'l>>> {
        if line.payout.is_empty() && !line.has_own_id {
            self.taken.not_paid_out += 1;
            return Ok(None);
        }
        let Some(account) = self.accounts.of(line) else {
            *self.taken.strangers.entry(line.account.to_string()).or_default() += 1;
            return Ok(None);
        };
        let payout = self.payout_of(account, &line.payout)?;
        let batch = if line.has_own_id { 0 } else { payout.0 };
        Ok(Some(PlacedLine { line, row, account, account_id: self.id(account), batch, payout, file: self.file }))
    }

    /// The group of a line: that of the line before, if it is the same.
    fn group_of<'l>(
        &mut self,
        placed: &PlacedLine<'l>,
        before: Option<Group<'l>>,
        indexed: Indexed,
    ) -> Result<Group<'l>> {
        let PlacedLine { line, account, .. } = *placed;
        let transaction = line.transaction.as_str();
        let reference = if transaction.is_empty() { line.reference.as_str() } else { "" };
        let same = before.filter(|before| {
            before.account == account
                && before.transaction == transaction
                && before.reference == reference
                && before.merchant_reference == line.reference
        });
        if let Some(same) = same {
            return Ok(same);
        }
        let matched = self.matched(account, line, indexed)?;
        Ok(Group { account, transaction, reference, merchant_reference: &line.reference, matched })
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

    /// Stores a line that is new. The n-th line of this file with a key is the n-th row with it, whatever its place in the file; a
    /// row of an earlier file with the same amounts is it rather than one with others.
    fn store(&mut self, placed: &PlacedLine<'_>) -> Result<bool> {
        let PlacedLine { line, row, account_id, batch, .. } = *placed;
        let mut ordinal: i64 = 1;
        if self.inserter.insert(placed, ordinal)? {
            self.added(placed)?;
            return Ok(true);
        }
        if line.has_own_id {
            self.repeats(placed)?;
            return Ok(false);
        }
        let key: RowKey = (account_id, batch, line.transaction.clone(), line.modification.clone(), line.kind);
        let day = self.is_by_day(line).then_some(row.key.day);
        if let Some(next) = self.next_ordinal.get(&(key.clone(), day)) {
            ordinal = *next;
        }
        let mut other: Option<Stored> = None;
        while let Some(stored) = self.writer.stored_row(account_id, batch, line, ordinal)? {
            // The very line, where a file is read again for what was left out of it.
            let is_itself = self.is_itself(line, &stored);
            let is_of_another = stored.file == self.file
                || self.recognised.contains(&self.hashes(&key, stored.ordinal))
                || day.is_some_and(|day| day != stored.day);
            if is_itself || !is_of_another {
                if stored.amounts == row.amounts() {
                    self.taken.known += 1;
                    self.recognised.insert(self.hashes(&key, stored.ordinal));
                    return Ok(false);
                }
                other.get_or_insert(stored);
            }
            ordinal += 1;
        }
        if let Some(stored) = other {
            self.taken.known += 1;
            self.recognised.insert(self.hashes(&key, stored.ordinal));
            self.differs(line, &stored);
            return Ok(false);
        }
        self.next_ordinal.insert((key, day), ordinal + 1);
        if !self.inserter.insert(placed, ordinal)? {
            return Err(LedgerError::Invariant(format!("the key of line {} is taken and is not", line.number)));
        }
        self.added(placed)?;
        Ok(true)
    }

    /// Whether nothing but its day tells a line from those of the report before.
    fn is_by_day(&self, line: &ReportLine) -> bool {
        self.report.is_one_payout && line.modification.is_empty()
    }

    fn is_itself(&self, line: &ReportLine, stored: &Stored) -> bool {
        stored.file == self.file && u64::try_from(stored.line) == Ok(line.number)
    }

    fn hashes(&self, key: &RowKey, ordinal: i64) -> [u64; 2] {
        self.hashers.each_ref().map(|hasher| hasher.hash_one((key, ordinal)))
    }

    /// A line with an id of its own is one row, in however many files it stands, and how often in one. It may name its payout later.
    fn repeats(&mut self, placed: &PlacedLine<'_>) -> Result<()> {
        let PlacedLine { line, row, account_id, batch, payout, .. } = *placed;
        self.taken.known += 1;
        let Some(stored) = self.writer.stored_row(account_id, batch, line, 1)? else {
            return Err(LedgerError::Invariant(format!("the id of line {} is taken and is not", line.number)));
        };
        let is_same =
            stored.amounts == row.amounts() && stored.kind == line.kind && self.is_of_payment_of(line, &stored);
        if !is_same {
            self.differs(line, &stored);
        }
        if stored.amounts != row.amounts() || line.payout.is_empty() || stored.payout == payout {
            return Ok(());
        }
        if !self.writer.is_paid_out(stored.payout)? {
            return self.paid_out_since(placed, &stored);
        }
        if is_same {
            self.differs(line, &stored);
        }
        Ok(())
    }

    /// Stripe's reports name a payment by its intent, or by its charge where they lack that column: only within one file, or in a report
    /// whose columns are always the same, another id is another payment.
    fn is_of_payment_of(&self, line: &ReportLine, stored: &Stored) -> bool {
        stored.transaction == line.transaction || (stored.file != self.file && self.report.format == "stripe")
    }

    fn added(&mut self, placed: &PlacedLine<'_>) -> Result<()> {
        let PlacedLine { row, payout, .. } = *placed;
        self.taken.added += 1;
        self.taken.payouts.insert(payout);
        self.add_to_sum((payout, row.key), &row.sum)
    }

    fn differs(&mut self, line: &ReportLine, stored: &Stored) {
        if self.taken.differing.len() < MOST_DIFFERING {
            let report = if stored.file == self.file { "this report itself" } else { "an earlier report" };
            let what = format!(
                "transaction `{}`, modification `{}`: {report} (`payjournal list lines`, line {}:{}) has another amount, kind, \
                 transaction or payout for this line",
                line.transaction, line.modification, stored.file, stored.line
            );
            self.taken.differing.push(Differing { number: line.number, what });
        }
    }

    /// The line was not paid out when it was read first, and is now. What counts is what was stored: the later report may say the
    /// same of it in other words.
    fn paid_out_since(&mut self, placed: &PlacedLine<'_>, stored: &Stored) -> Result<()> {
        let PlacedLine { line, account, account_id, payout, .. } = *placed;
        if !self.writer.record_line_payout(account_id, stored, line, payout, self.file)? {
            return Ok(());
        }
        let before = stored.payout;
        let (key, sum) = stored.sum()?;
        self.add_to_sum((before, key), &sum.negated())?;
        self.add_to_sum((payout, key), &sum)?;
        self.taken.payouts.extend([before, payout]);
        if !stored.kind.is_of_payment() {
            return Ok(());
        }
        let key = (account_id, stored.transaction.clone(), standing::key(account_id, line).2);
        match self.standings.get(&key) {
            Some(Standing::Open) => self.writer.move_unmatched(&key, before, payout)?,
            Some(Standing::Reference(_)) if self.is_payments(account, &stored.transaction)? => {}
            Some(Standing::Reference(_) | Standing::Person(_)) => {
                *self.by_reference.entry(before).or_default() -= 1;
                *self.by_reference.entry(payout).or_default() += 1;
            }
            None => {}
        }
        Ok(())
    }

    fn is_payments(&self, account: usize, transaction: &str) -> Result<bool> {
        let Some(settled) = self.accounts.all.get(account) else { return Ok(false) };
        Ok(by_transaction(self.writer.connection, settled, transaction)?.is_some())
    }

    fn add_to_sum(&mut self, key: (PayoutId, DayKey), more: &DaySum) -> Result<()> {
        let sum = self.sums.entry(key).or_default();
        *sum = sum.plus(more).map_err(|_| overflow())?;
        Ok(())
    }

    /// The order of a line's group: by a person, else by the transaction id, else by the reference. A group that waits for its
    /// order is judged as a whole, after the file.
    fn matched(&mut self, account: usize, line: &ReportLine, indexed: Indexed) -> Result<Matched> {
        let id = self.id(account);
        let key = standing::key(id, line);
        let standing = self.standings.get(&key).copied();
        match standing {
            Some(Standing::Person(Some(order))) => return self.to_order(order, MatchRule::Person),
            Some(Standing::Person(None)) => return Ok(Matched::ToNone),
            Some(Standing::Open) => return Ok(Matched::Nothing),
            Some(Standing::Reference(_)) | None => {}
        }
        let Some(settled) = self.accounts.all.get(account) else { return Ok(Matched::Nothing) };
        let transaction = line.transaction.as_str();
        let found = if indexed.is_looked_up || transaction.is_empty() {
            indexed.found
        } else {
            by_transaction(self.writer.connection, settled, transaction)?
        };
        if let Some(found) = found {
            return Ok(Matched::To(found));
        }
        let looked = match &settled.reference {
            Some(rule) => by_reference(self.writer.connection, self.shop, rule, &line.reference)?,
            None => Looked::Nothing,
        };
        if let Some(Standing::Reference(order)) = standing {
            if !matches!(looked, Looked::Nothing) && looked.order() != Some(order) {
                self.contradicts(line);
            }
            return self.to_order(order, MatchRule::Reference);
        }
        Ok(match looked {
            Looked::Found(order, currency) => {
                self.writer.match_by_reference(id, transaction, &line.reference, order)?;
                self.standings.insert(key, Standing::Reference(order));
                Matched::To(Found { order: Some(order), currency, rule: MatchRule::Reference })
            }
            Looked::Nothing => {
                self.standings.insert(key, Standing::Open);
                Matched::Nothing
            }
            Looked::Ambiguous => {
                self.standings.insert(key, Standing::Open);
                Matched::Ambiguous
            }
        })
    }

    fn to_order(&self, order: OrderId, rule: MatchRule) -> Result<Matched> {
        let currency = crate::ledger::orders::order(self.writer.connection, order)?.total.currency();
        Ok(Matched::To(Found { order: Some(order), currency, rule }))
    }

    /// Its transaction has its order by the reference of an earlier line.
    fn contradicts(&mut self, line: &ReportLine) {
        if self.taken.contradicting.len() < MOST_DIFFERING {
            let what = format!(
                "the reference `{}` of transaction `{}` names another order than that of its earlier lines, which it was counted to",
                line.reference, line.transaction
            );
            self.taken.contradicting.push(Differing { number: line.number, what });
        }
    }

    /// Counts a new line by its match. Returns what it adds to its order.
    fn count(&mut self, placed: &PlacedLine<'_>, group: &Group<'_>) -> Result<Option<(OrderId, OrderDelta)>> {
        let PlacedLine { line, row, account_id, payout, .. } = *placed;
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
                self.writer.add_unmatched(account_id, line, payout, is_ambiguous)?;
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
        let is_orders_currency = row.key.presented_currency == found.currency;
        Ok(Some((order, OrderDelta::of(line.kind, row.sum.presented_micros, is_orders_currency))))
    }

    /// What was taken, and the orders that lines were counted to.
    pub(super) fn finish(self) -> Result<(Taken, IdSet)> {
        let Self { writer, file, sums, by_reference, orders, taken, .. } = self;
        for ((payout, key), sum) in sums {
            writer.add_payout_sum(payout, key, &sum)?;
        }
        for payout in &taken.payouts {
            // A closed payout may not add up any more: should the run die, the next one looks at it.
            writer.reopen_payout(*payout)?;
            writer.book_payout(*payout)?;
        }
        for (payout, lines) in by_reference {
            writer.count_by_reference(payout, lines)?;
        }
        writer.end_report(file, &taken)?;
        Ok((taken, orders))
    }
}
