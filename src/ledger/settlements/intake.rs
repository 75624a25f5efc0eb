//! One file's lines as they come in: stored once, matched, counted.

use hashbrown::{DefaultHashBuilder, HashMap, HashSet};
use std::hash::BuildHasher;

use rusqlite::{CachedStatement, ToSql};

use super::delta::{OrderDelta, add_to_orders};
use super::row::{Stored, StoredRow};
use super::statements::INSERT;
use super::takeover::{Accounts, Differing, Prepared, Sent, Taken, Takeover};
use super::{Found, Looked, by_reference, by_transaction, overflow};
use crate::domain::id::{AccountId, FileId, OrderId, PayoutId, ShopName};
use crate::domain::money::Currency;
use crate::domain::settlement::matching::MatchRule;
use crate::domain::settlement::proof::KindSum;
use crate::domain::settlement::{LineKind, ReportLine};
use crate::ledger::{Result, Writer};

/// Differing lines that are told one by one; more only count.
const MOST_DIFFERING: usize = 1_000;

/// One file's lines as they come in.
pub(super) struct Intake<'w> {
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
    pub(super) fn take(&mut self, sent: &Sent) -> Result<()> {
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
            let current = if let Some(same) = same {
                same
            } else {
                let indexed = Indexed { is_looked_up: sent.is_looked_up, found: *found };
                let matched = self.matched(account, line, indexed)?;
                Group { account, transaction: &line.transaction, reference, matched }
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

    /// The order of a line's group: by a person, else by the transaction id, else by the reference.
    fn matched(&mut self, account: usize, line: &ReportLine, indexed: Indexed) -> Result<Matched> {
        let id = self.id(account);
        let transaction = line.transaction.as_str();
        if let Some(decided) = self.decided(id, line)? {
            return Ok(decided);
        }
        let Some(settled) = self.accounts.all.get(account) else { return Ok(Matched::Nothing) };
        let found = if indexed.is_looked_up || transaction.is_empty() {
            indexed.found
        } else {
            by_transaction(self.writer.connection, settled, transaction)?
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

    pub(super) fn finish(self) -> Result<Taken> {
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

fn optional(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}
