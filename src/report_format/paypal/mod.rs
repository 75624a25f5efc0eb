//! Paypal's settlement report, `STL` (contract: Paypal section 6): records by the word in their first cell, a section for each
//! account, amounts as hundredths of the unit in every currency, the yen too, each with a credit or debit column beside it.
//!
//! Paypal has no payouts with lines of their own: money is withdrawn from a balance. So the window of the section, a day, stands
//! for the payout: what was there when it began and what came in is what was withdrawn and what is there at its end. The
//! balances come from the section's footer, or from the report's if that is its only section, and only where they differ by just
//! what the rows of the section sum to. On a day without a withdrawal all of it is carried on.

mod event;
#[cfg(test)]
mod tests;
mod total;

use std::collections::VecDeque;
use std::io::Read;

use chrono::{DateTime, Utc};
use compact_str::{CompactString, format_compact};

use self::event::kind_of;
use self::total::{Footer, Totals, footer};
use super::text::{Column, Head, Records, Row};
use super::{Problem, Reading, Report, fees_of};
use crate::domain::money::Currency;
use crate::domain::settlement::{Decimal, Fees, LineKind, ReportLine};

/// A column that no other report has.
pub(super) const MARK: &str = "Transaction Event Code";
/// One that only the transaction detail report has, which is of the same shape.
pub(super) const OTHER_MARK: &str = "Transactional Status";

pub(super) struct Settlement {
    records: Records,
    reading: Reading,
    file: File,
    section: Option<Section>,
    /// Lines a footer gave.
    ready: VecDeque<ReportLine>,
    is_over: bool,
}

/// What the file has to hold when it ends.
#[derive(Default)]
struct File {
    totals: Totals,
    /// The currencies the report's footer has named.
    proved: Vec<Currency>,
    sections: u32,
    has_head: bool,
    has_foot: bool,
}

struct Section {
    account: CompactString,
    /// The day it ends, by its own clock.
    window: CompactString,
    begins: DateTime<Utc>,
    ends: DateTime<Utc>,
    columns: Option<(Head, Columns)>,
    totals: Totals,
    /// The currencies whose balances are lines already.
    balanced: Vec<Currency>,
}

struct Columns {
    id: Column,
    invoice: Column,
    other_id: Column,
    other_id_type: Column,
    event: Column,
    begun: Column,
    done: Column,
    gross: Sided,
    fee: Sided,
    custom: Column,
    bank: Option<Column>,
}

struct Sided {
    side: Column,
    amount: Column,
    currency: Column,
}

impl Settlement {
    pub(super) fn open(input: Box<dyn Read + Send>, reading: Reading) -> Self {
        let records = Records::open(input, b',');
        Self { records, reading, file: File::default(), section: None, ready: VecDeque::new(), is_over: false }
    }

    /// Reads one record. Most give a line; the end of the file gives `Ok(None)` and sets `is_over`.
    fn step(&mut self) -> Result<Option<ReportLine>, Problem> {
        if !self.records.advance()? {
            self.is_over = true;
            self.file.is_whole(self.records.line())?;
            return Ok(None);
        }
        let Self { records, reading, file, section, ready, .. } = self;
        let line = records.line();
        match records.cell(0) {
            b"SB" => return self.body().map(Some),
            b"RH" => {}
            b"FH" => file.has_head = true,
            b"SH" => {
                file.sections += 1;
                *section = Some(Section::open(records, *reading)?);
            }
            b"CH" => begun(section, line)?.find_columns(records)?,
            b"SF" => ready.extend(begun(section, line)?.foot(records)?),
            b"SC" => begun(section, line)?.totals.count(records, "section")?,
            b"RF" => {
                let footer = file.foot(records)?;
                if let Some(section) = section.as_mut().filter(|_| file.sections == 1) {
                    ready.extend(section.balances(&footer, line));
                }
            }
            b"RC" => file.totals.count(records, "report")?,
            b"FF" => file.has_foot = true,
            other => {
                let word = String::from_utf8_lossy(other).into_owned();
                let problem = Problem::of_line(line, "", &word, "not a kind of record this report has");
                return Err(Problem { is_fatal: section.is_none(), ..problem });
            }
        }
        Ok(None)
    }

    fn body(&mut self) -> Result<ReportLine, Problem> {
        let line = self.records.line();
        let section = self.section.as_mut();
        let section =
            section.ok_or_else(|| Problem::of_file(line, "a row before any section: a record `SH` is missing"))?;
        let Some((head, columns)) = &section.columns else {
            return Err(Problem::of_file(line, "a row before the columns' names: a record `CH` is missing"));
        };
        let totals = [&mut section.totals, &mut self.file.totals];
        let row = self.records.row(head);
        let amounts = row.and_then(|row| Ok((columns.amounts(&row)?, row)));
        match amounts {
            Ok((amounts, row)) => {
                for total in totals {
                    total.add(&amounts);
                }
                columns.line(&row, &amounts, section, self.reading)
            }
            Err(problem) => {
                for total in totals {
                    total.lose();
                }
                Err(problem)
            }
        }
    }
}

fn begun(section: &mut Option<Section>, line: u64) -> Result<&mut Section, Problem> {
    section.as_mut().ok_or_else(|| Problem::of_file(line, "no section has begun: a record `SH` is missing"))
}

impl Report for Settlement {
    fn next_line(&mut self) -> Option<Result<ReportLine, Problem>> {
        while !self.is_over {
            if let Some(line) = self.ready.pop_front() {
                return Some(Ok(line));
            }
            match self.step() {
                Ok(None) => {}
                Ok(Some(line)) => return Some(Ok(line)),
                Err(problem) => {
                    self.is_over |= problem.is_fatal;
                    return Some(Err(problem));
                }
            }
        }
        None
    }
}

impl File {
    /// The sums of one currency.
    fn foot(&mut self, records: &Records) -> Result<Footer, Problem> {
        let footer = footer(records)?;
        self.totals.prove(&footer, records.line(), "report")?;
        self.proved.push(footer.currency);
        Ok(footer)
    }

    /// Every currency's sums are proved by the report's footer, and what was opened is closed.
    fn is_whole(&self, line: u64) -> Result<(), Problem> {
        let cut =
            |what: &str| Problem::of_file(line, format!("{what}: it is cut off, or a part of a report in several"));
        if self.proved.is_empty() {
            return Err(cut("the file has no report footer (`RF`)"));
        }
        if let Some(currency) = self.totals.currencies().find(|currency| !self.proved.contains(currency)) {
            return Err(cut(&format!("the file has no report footer (`RF`) for {}", currency.code())));
        }
        if self.has_head && !self.has_foot {
            return Err(cut("the file has no end (`FF`)"));
        }
        Ok(())
    }
}

impl Section {
    fn open(records: &Records, reading: Reading) -> Result<Self, Problem> {
        let line = records.line();
        let cell = |at: usize| String::from_utf8_lossy(records.cell(at)).trim().to_owned();
        let moment = |at: usize| {
            let text = cell(at);
            let read = DateTime::parse_from_str(&text, DATE).ok();
            read.ok_or_else(|| Problem {
                value: text,
                ..Problem::of_file(line, "the section's window is not two dates such as `2026/01/06 00:00:00 -0800`")
            })
        };
        let (begins, ends) = (moment(1)?, moment(2)?);
        for (at, moment) in [(1, begins), (2, ends)] {
            reading
                .dated(moment.to_utc())
                .map_err(|what| Problem { value: cell(at), ..Problem::of_file(line, what) })?;
        }
        Ok(Self {
            account: cell(3).into(),
            window: ends.format("%Y-%m-%d").to_string().into(),
            begins: begins.to_utc(),
            ends: ends.to_utc(),
            columns: None,
            totals: Totals::default(),
            balanced: Vec::new(),
        })
    }

    fn find_columns(&mut self, records: &Records) -> Result<(), Problem> {
        let head = Head(records.cells());
        if head.column(OTHER_MARK).is_some() {
            let what =
                "this is the transaction detail report, which holds what moves no money too: it has to be settlement";
            return Err(Problem::of_file(records.line(), what));
        }
        let columns = Columns::find(&head, records.line())?;
        self.columns = Some((head, columns));
        Ok(())
    }

    /// The sums of one currency; the balances as lines.
    fn foot(&mut self, records: &Records) -> Result<Vec<ReportLine>, Problem> {
        let line = records.line();
        let footer = footer(records)?;
        self.totals.prove(&footer, line, "section")?;
        Ok(self.balances(&footer, line))
    }

    /// What was there and what is left, once for each currency. An evening with nothing left is told too, where anything moved: it
    /// says that the day is whole.
    fn balances(&mut self, footer: &Footer, line: u64) -> Vec<ReportLine> {
        let currency = footer.currency;
        if self.balanced.contains(&currency) {
            return Vec::new();
        }
        let Some((opening, closing)) = self.totals.balances(footer) else { return Vec::new() };
        self.balanced.push(currency);
        let was_anything = !opening.is_zero() || self.totals.currencies().any(|moved| moved == currency);
        let opening =
            (!opening.is_zero()).then(|| self.balance(line, (opening, currency), "opening balance", self.begins));
        let closing =
            was_anything.then(|| self.balance(line, (closing.negated(), currency), "closing balance", self.ends));
        opening.into_iter().chain(closing).collect()
    }

    fn balance(&self, number: u64, net: (Decimal, Currency), name: &str, at: DateTime<Utc>) -> ReportLine {
        ReportLine {
            number,
            account: self.account.clone(),
            payout: self.window.clone(),
            has_own_id: false,
            transaction: CompactString::default(),
            // Each currency has its own, in whatever order a file that is fetched again has them.
            modification: format_compact!("{name} {}", net.1.code()),
            reference: CompactString::default(),
            document: CompactString::default(),
            kind: LineKind::BalanceTransfer,
            method: CompactString::default(),
            occurred_at: at,
            gross: None,
            net,
            fees: Fees::default(),
            exchange_rate: CompactString::default(),
            note: CompactString::default(),
        }
    }
}

const DATE: &str = "%Y/%m/%d %H:%M:%S %z";

/// What the balance gained, and what was kept of it; either signed as the balance sees it.
struct Amounts {
    gross: (Decimal, Currency),
    fee: (Decimal, Currency),
}

impl Columns {
    fn find(head: &Head, line: u64) -> Result<Self, Problem> {
        let needed = |name| head.needed_column(name, line);
        let sided = |side, amount, currency| {
            Ok(Sided { side: needed(side)?, amount: needed(amount)?, currency: needed(currency)? })
        };
        Ok(Self {
            id: needed("Transaction ID")?,
            invoice: needed("Invoice ID")?,
            other_id: needed("PayPal Reference ID")?,
            other_id_type: needed("PayPal Reference ID Type")?,
            event: needed(MARK)?,
            begun: needed("Transaction Initiation Date")?,
            done: needed("Transaction Completion Date")?,
            gross: sided("Transaction Debit or Credit", "Gross Transaction Amount", "Gross Transaction Currency")?,
            fee: sided("Fee Debit or Credit", "Fee Amount", "Fee Currency")?,
            custom: needed("Custom Field")?,
            bank: head.optional_column("Bank Reference ID", line)?,
        })
    }

    fn amounts(&self, row: &Row<'_>) -> Result<Amounts, Problem> {
        let gross = (self.gross.amount(row)?, row.currency(self.gross.currency)?);
        let fee = self.fee.amount(row)?;
        let fee_currency = if fee.is_zero() { gross.1 } else { row.currency(self.fee.currency)? };
        Ok(Amounts { gross, fee: (fee, fee_currency) })
    }

    fn line(
        &self,
        row: &Row<'_>,
        amounts: &Amounts,
        section: &Section,
        reading: Reading,
    ) -> Result<ReportLine, Problem> {
        let Amounts { gross: (gross, currency), fee: (fee, fee_currency) } = *amounts;
        if currency != fee_currency {
            return Err(row.problem(self.fee.currency, fee_currency.code(), "not the currency of the amount"));
        }
        let net = row.checked(self.gross.amount, gross.checked_add(fee))?;
        let event = row.text(self.event)?;
        let kind = kind_of(event, gross.is_negative());
        Ok(ReportLine {
            number: row.line(),
            account: section.account.clone(),
            payout: section.window.clone(),
            has_own_id: false,
            transaction: self.transaction(row, kind)?.into(),
            modification: self.modification(row, kind, event)?,
            reference: self.reference(row)?,
            document: row.text(self.invoice)?.into(),
            kind,
            method: CompactString::default(),
            occurred_at: self.moment(row, reading)?,
            gross: kind.is_of_payment().then_some((gross, currency)),
            net: (net, currency),
            fees: fees_of(kind, net, fee.negated()),
            exchange_rate: CompactString::default(),
            note: self.note(row, kind)?,
        })
    }

    /// A payment is its own; all else refers to it, where it refers to a transaction.
    fn transaction<'r>(&self, row: &'r Row<'_>, kind: LineKind) -> Result<&'r str, Problem> {
        if kind == LineKind::Sale {
            return row.text(self.id);
        }
        Ok(if row.text(self.other_id_type)? == "TXN" { row.text(self.other_id)? } else { "" })
    }

    /// A payment and what is done with its money may share an id: what is no refund or chargeback has its event too.
    fn modification(&self, row: &Row<'_>, kind: LineKind, event: &str) -> Result<CompactString, Problem> {
        let id = row.text(self.id)?;
        Ok(if kind.is_of_payment() { id.into() } else { format_compact!("{id}/{event}") })
    }

    /// The order's number is in either field, as the shop's plugin has it.
    fn reference(&self, row: &Row<'_>) -> Result<CompactString, Problem> {
        let (invoice, custom) = (row.text(self.invoice)?, row.text(self.custom)?);
        Ok(if custom.is_empty() || custom == invoice {
            invoice.into()
        } else if invoice.is_empty() {
            custom.into()
        } else {
            format_compact!("{invoice};{custom}")
        })
    }

    fn moment(&self, row: &Row<'_>, reading: Reading) -> Result<DateTime<Utc>, Problem> {
        let done = row.text(self.done)?;
        let (column, text) = if done.is_empty() { (self.begun, row.text(self.begun)?) } else { (self.done, done) };
        let read = DateTime::parse_from_str(text, DATE);
        let read = read.map_err(|_| row.problem(column, text, "not a date such as `2026/01/06 00:00:30 -0800`"))?;
        row.dated(column, read.to_utc(), reading)
    }

    fn note(&self, row: &Row<'_>, kind: LineKind) -> Result<CompactString, Problem> {
        Ok(match kind {
            LineKind::Unknown => row.whole().into(),
            LineKind::Payout | LineKind::PayoutFailed => row.optional_text(self.bank)?.into(),
            LineKind::Sale
            | LineKind::Refund
            | LineKind::RefundReversed
            | LineKind::Chargeback
            | LineKind::SecondChargeback
            | LineKind::ChargebackReversed
            | LineKind::CaptureAdjustment
            | LineKind::Fee
            | LineKind::FeeTax
            | LineKind::ReserveHeld
            | LineKind::ReserveReleased
            | LineKind::Correction
            | LineKind::BalanceTransfer
            | LineKind::ForeignExchange => CompactString::default(),
        })
    }
}

impl Sided {
    /// Credit is positive. An empty side goes with no amount.
    fn amount(&self, row: &Row<'_>) -> Result<Decimal, Problem> {
        let (side, text) = (row.text(self.side)?, row.text(self.amount)?);
        if text.is_empty() && side.is_empty() {
            return Ok(Decimal::ZERO);
        }
        let hundredths = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
        let amount = hundredths.and_then(|hundredths: i64| Decimal::new(hundredths, 2));
        let amount = amount.ok_or_else(|| row.problem(self.amount, text, "not a whole number of hundredths"))?;
        match side {
            "CR" => Ok(amount),
            "DR" => Ok(amount.negated()),
            "" if amount.is_zero() => Ok(amount),
            other => Err(row.problem(self.side, other, "neither `CR` nor `DR`")),
        }
    }
}
