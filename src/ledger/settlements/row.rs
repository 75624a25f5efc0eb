//! A line as it is stored: integers of one scale, computed before the ledger sees them.

use chrono::NaiveDate;
use chrono_tz::Tz;
use compact_str::CompactString;

use super::overflow;
use crate::domain::id::{FileId, PayoutId};
use crate::domain::money::Currency;
use crate::domain::settlement::postings::{DayKey, DaySum};
use crate::domain::settlement::proof::KindSum;
use crate::domain::settlement::{Decimal, LineKind, ReportLine};
use crate::ledger::{LedgerError, Result};

/// A line's amounts as they are stored: integers of one scale.
#[derive(Debug)]
pub(super) struct StoredRow {
    pub(super) scale: u8,
    pub(super) gross: Option<(i64, Currency)>,
    pub(super) net: (i64, Currency),
    pub(super) fee: i64,
    pub(super) tax: i64,
    pub(super) parts: Option<[i64; 4]>,
    /// What it adds to its payout, and under which heading.
    pub(super) key: DayKey,
    pub(super) sum: DaySum,
}

/// What makes a line with a known key another line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Amounts {
    pub(super) gross: Option<(i64, String)>,
    pub(super) net: (i64, String),
    pub(super) fee: i64,
    pub(super) tax: i64,
}

#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) ordinal: i64,
    pub(super) transaction: CompactString,
    pub(super) kind: LineKind,
    /// Under which it was summed up.
    pub(super) day: NaiveDate,
    pub(super) file: FileId,
    pub(super) line: i64,
    pub(super) payout: PayoutId,
    pub(super) amounts: Amounts,
}

impl Stored {
    /// What it added to its payout, and under which heading.
    pub(super) fn sum(&self) -> Result<(DayKey, DaySum)> {
        let Amounts { gross, net, fee, tax } = &self.amounts;
        let currency = Currency::parse(&net.1)?;
        let (presented_micros, presented_currency) = match gross {
            Some((gross, code)) => (*gross, Currency::parse(code)?),
            None => (net.0 + fee + tax, currency),
        };
        let exponent = u8::try_from(currency.exponent()).unwrap_or(0);
        let is_fine = Decimal::of_micros(net.0).units_at(exponent).is_none();
        let settled =
            KindSum { lines: 1, net_micros: net.0, fee_micros: *fee, tax_micros: *tax, fine_lines: i64::from(is_fine) };
        let key = DayKey { kind: self.kind, day: self.day, currency, presented_currency };
        Ok((key, DaySum { settled, presented_micros }))
    }
}

impl StoredRow {
    /// `zone` is that of the books.
    pub(super) fn of(line: &ReportLine, zone: Tz) -> Result<Self> {
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
        let (presented_micros, presented_currency) = presented(line)?;
        let day = line.occurred_at.with_timezone(&zone).date_naive();
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
            key: DayKey { kind: line.kind, day, currency: net_currency, presented_currency },
            sum: DaySum { settled: kind_sum(line), presented_micros },
        })
    }

    pub(super) fn amounts(&self) -> Amounts {
        let micros = |units: i64| Decimal::new(units, self.scale).map_or(0, Decimal::micros);
        Amounts {
            gross: self.gross.map(|(gross, currency)| (micros(gross), currency.code().to_owned())),
            net: (micros(self.net.0), self.net.1.code().to_owned()),
            fee: micros(self.fee),
            tax: micros(self.tax),
        }
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

/// What the customer saw of it, in millionths: gross, or what it was before the PSP took its fees.
fn presented(line: &ReportLine) -> Result<(i64, Currency)> {
    if let Some((gross, currency)) = line.gross {
        return Ok((gross.micros(), currency));
    }
    let (net, currency) = line.net;
    let before_fees = net.checked_add(line.fees.total).and_then(|sum| sum.checked_add(line.fees.tax));
    Ok((before_fees.ok_or_else(overflow)?.micros(), currency))
}
