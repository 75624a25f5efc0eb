//! Adyen's settlement details report (contract: Adyen section 9): amounts in major units, the sign in the choice of the debit
//! or credit column and never in the type, fees in the currency of the net amount.

use std::io::Read;

use chrono::NaiveDateTime;
use chrono_tz::Tz;
use compact_str::CompactString;

use super::text::{Clock, Column, Row, Rows, date_time};
use super::{Problem, Reading, Report};
use crate::domain::settlement::{Decimal, FeeParts, Fees, LineKind, ReportLine};

pub(super) struct Settlement {
    opened: Result<(Rows, Columns), Option<Problem>>,
    reading: Reading,
    clock: Clock,
}

struct Columns {
    account: Column,
    transaction: Column,
    reference: Column,
    method: Column,
    created: Column,
    /// When it was booked, where the report has it: the day the money moved.
    booked: Option<Column>,
    zone: Column,
    kind: Column,
    modification: Column,
    gross: Sided,
    exchange_rate: Column,
    net: Sided,
    commission: Column,
    markup: Column,
    scheme: Column,
    interchange: Column,
    document: Column,
    batch: Column,
}

/// An amount with its currency and a column for either sign.
struct Sided {
    currency: Column,
    debit: Column,
    credit: Column,
}

impl Settlement {
    pub(super) fn open(input: Box<dyn Read + Send>, reading: Reading) -> Self {
        let opened = Rows::open(input, b',', "Company Account").and_then(|rows| {
            let columns = Columns::find(&rows)?;
            Ok((rows, columns))
        });
        Self { opened: opened.map_err(Some), reading, clock: Clock::default() }
    }
}

impl Report for Settlement {
    fn next_line(&mut self) -> Option<Result<ReportLine, Problem>> {
        let Self { opened, reading, clock } = self;
        match opened {
            Ok((rows, columns)) => rows.next_row(|row| columns.read(row, *reading, clock)),
            Err(problem) => problem.take().map(Err),
        }
    }
}

impl Columns {
    fn find(rows: &Rows) -> Result<Self, Problem> {
        let sided = |currency, debit, credit| {
            Ok(Sided { currency: rows.column(currency)?, debit: rows.column(debit)?, credit: rows.column(credit)? })
        };
        Ok(Self {
            account: rows.column("Merchant Account")?,
            transaction: rows.column("Psp Reference")?,
            reference: rows.column("Merchant Reference")?,
            method: rows.column("Payment Method")?,
            created: rows.column("Creation Date")?,
            booked: rows.optional_column("Booking Date"),
            zone: rows.column("TimeZone")?,
            kind: rows.column("Type")?,
            modification: rows.column("Modification Reference")?,
            gross: sided("Gross Currency", "Gross Debit (GC)", "Gross Credit (GC)")?,
            exchange_rate: rows.column("Exchange Rate")?,
            net: sided("Net Currency", "Net Debit (NC)", "Net Credit (NC)")?,
            commission: rows.column("Commission (NC)")?,
            markup: rows.column("Markup (NC)")?,
            scheme: rows.column("Scheme Fees (NC)")?,
            interchange: rows.column("Interchange (NC)")?,
            document: rows.column("Modification Merchant Reference")?,
            batch: rows.column("Batch Number")?,
        })
    }

    fn read(&self, row: &Row<'_>, reading: Reading, clock: &Clock) -> Result<ReportLine, Problem> {
        let kind_text = row.text(self.kind)?;
        let net_currency = row.currency(self.net.currency)?;
        let net = self.net.amount(row)?;
        let mut kind = kind_of(kind_text);
        if kind == LineKind::ReserveHeld && !net.is_negative() {
            kind = LineKind::ReserveReleased;
        }
        let has_gross = !row.text(self.gross.currency)?.is_empty();
        let gross = if has_gross { Some((self.gross.amount(row)?, row.currency(self.gross.currency)?)) } else { None };
        Ok(ReportLine {
            number: row.line(),
            account: row.text(self.account)?.into(),
            payout: row.text(self.batch)?.into(),
            has_own_id: false,
            transaction: row.text(self.transaction)?.into(),
            modification: row.text(self.modification)?.into(),
            reference: row.text(self.reference)?.into(),
            document: row.text(self.document)?.into(),
            kind,
            method: row.text(self.method)?.into(),
            occurred_at: self.moment(row, reading, clock)?,
            gross,
            net: (net, net_currency),
            fees: self.fees(row, kind, net)?,
            exchange_rate: row.text(self.exchange_rate)?.into(),
            note: if kind == LineKind::Unknown { row.whole().into() } else { CompactString::default() },
        })
    }

    /// The four columns; `Payment Fees (NC)` is their total and not one more. Of a line that is nothing but a fee, the fee.
    fn fees(&self, row: &Row<'_>, kind: LineKind, net: Decimal) -> Result<Fees, Problem> {
        let parts = FeeParts {
            commission: row.decimal(self.commission)?,
            markup: row.decimal(self.markup)?,
            scheme: row.decimal(self.scheme)?,
            interchange: row.decimal(self.interchange)?,
        };
        if kind == LineKind::Fee {
            return Ok(Fees { total: net.negated(), ..Fees::default() });
        }
        let total = [parts.markup, parts.scheme, parts.interchange]
            .into_iter()
            .try_fold(parts.commission, Decimal::checked_add)
            .ok_or_else(|| row.problem(self.commission, "", "the fees are larger than any amount the ledger takes"))?;
        Ok(Fees { total, tax: Decimal::ZERO, parts: Some(parts) })
    }

    fn moment(&self, row: &Row<'_>, reading: Reading, clock: &Clock) -> Result<chrono::DateTime<chrono::Utc>, Problem> {
        let booked = row.optional_text(self.booked)?;
        let column = self.booked.filter(|_| !booked.is_empty()).unwrap_or(self.created);
        let text = row.text(column)?;
        let local = date_time(text).or_else(|| touched_by_a_spreadsheet(text));
        let local = local.ok_or_else(|| row.problem(column, text, "not a date such as `2026-11-22 14:05:59`"))?;
        let zone_text = row.text(self.zone)?;
        let zone = if zone_text.is_empty() { Some(reading.time_zone) } else { zone(zone_text) };
        let zone =
            zone.ok_or_else(|| row.problem(self.zone, zone_text, "not a time zone this report is known to name"))?;
        clock.moment(local, zone).ok_or_else(|| row.problem(column, text, "not a time of this zone"))
    }
}

impl Sided {
    /// What we get is positive. One of the two columns is empty, or zero.
    fn amount(&self, row: &Row<'_>) -> Result<Decimal, Problem> {
        let (debit, credit) = (row.decimal(self.debit)?, row.decimal(self.credit)?);
        credit
            .checked_sub(debit)
            .ok_or_else(|| row.problem(self.debit, "", "debit and credit are larger than any amount the ledger takes"))
    }
}

fn kind_of(text: &str) -> LineKind {
    match text {
        "Settled" | "SettledBulk" | "SettledExternally" | "SettledExternallyWithInfo" | "SettledInstallment" => {
            LineKind::Sale
        }
        "Refunded" | "RefundedBulk" | "RefundedExternally" | "RefundedExternallyWithInfo" => LineKind::Refund,
        "RefundedReversed" => LineKind::RefundReversed,
        "Chargeback" | "ChargebackExternally" | "ChargebackExternallyWithInfo" => LineKind::Chargeback,
        "SecondChargeback" => LineKind::SecondChargeback,
        "ChargebackReversed" | "ChargebackReversedExternally" | "ChargebackReversedExternallyWithInfo" => {
            LineKind::ChargebackReversed
        }
        "Fee" | "InvoiceDeduction" | "PaymentCost" | "MiscCosts" => LineKind::Fee,
        "Balancetransfer" => LineKind::BalanceTransfer,
        "DepositCorrection" => LineKind::Correction,
        "ReserveAdjustment" => LineKind::ReserveHeld,
        "MerchantPayout" => LineKind::Payout,
        other if other.starts_with("AdvancementCommission") => LineKind::Fee,
        other if other.starts_with("InvoiceDeduction") => LineKind::Fee,
        _ => LineKind::Unknown,
    }
}

/// `14/05/2026 13:59`, as a spreadsheet writes it.
fn touched_by_a_spreadsheet(text: &str) -> Option<NaiveDateTime> {
    NaiveDateTime::parse_from_str(text, "%d/%m/%Y %H:%M").ok()
}

/// The abbreviations Adyen uses stand for the zone with its summer time, whichever of the two is written.
fn zone(text: &str) -> Option<Tz> {
    match text {
        "CET" | "CEST" => Some(Tz::Europe__Amsterdam),
        "PST" | "PDT" => Some(Tz::America__Los_Angeles),
        "EST" | "EDT" => Some(Tz::America__New_York),
        "CST" | "CDT" => Some(Tz::America__Chicago),
        "GMT" | "BST" => Some(Tz::Europe__London),
        "AEST" | "AEDT" => Some(Tz::Australia__Sydney),
        "SGT" => Some(Tz::Asia__Singapore),
        "JST" => Some(Tz::Asia__Tokyo),
        "HKT" => Some(Tz::Asia__Hong_Kong),
        "BRT" => Some(Tz::America__Sao_Paulo),
        "UTC" => Some(Tz::UTC),
        other => other.parse().ok(),
    }
}
