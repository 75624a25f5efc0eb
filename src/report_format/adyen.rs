//! Adyen's settlement details report (contract: Adyen section 9): amounts in major units, the sign in the choice of the debit
//! or credit column and never in the type, fees in the currency of the net amount.

use std::io::Read;

use chrono::NaiveDateTime;
use chrono_tz::Tz;
use compact_str::CompactString;

use super::clock::{Clock, date_time};
use super::table::{self, Table};
use super::text::{Column, Row, Rows};
use super::{Problem, Reading};
use crate::domain::settlement::{Decimal, FeeParts, Fees, LineKind, ReportLine};

/// A column only the head has; before it there may be other lines.
pub(super) const SIGN: &str = "Company Account";
/// A column that tells this report from the others of the PSP.
pub(super) const MARK: &str = "Net Debit (NC)";

pub(super) fn open(input: Box<dyn Read + Send>, reading: Reading) -> Table<Columns> {
    Table::open(input, reading, b',', SIGN, Columns::find)
}

pub(super) struct Columns {
    account: Column,
    transaction: Column,
    reference: Column,
    method: Column,
    created: Column,
    /// When it was booked, where the report has it: the day the money moved.
    booked: Option<Column>,
    booked_zone: Option<Column>,
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
            booked: rows.optional_column("Booking Date")?,
            booked_zone: rows.optional_column("Booking Date TimeZone")?,
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
}

impl table::Columns for Columns {
    fn read(&self, row: &Row<'_>, reading: Reading, clock: &Clock) -> Result<ReportLine, Problem> {
        let kind_text = row.text(self.kind)?;
        let net_currency = row.currency(self.net.currency)?;
        let net = self.net.amount(row)?;
        let mut kind = kind_of(kind_text);
        if kind == LineKind::ReserveHeld && !net.is_negative() {
            kind = LineKind::ReserveReleased;
        }
        let has_gross = !(row.text(self.gross.debit)?.is_empty() && row.text(self.gross.credit)?.is_empty());
        let gross = if has_gross { Some((self.gross.amount(row)?, row.currency(self.gross.currency)?)) } else { None };
        // Without any id, the type tells a fee from another.
        let (transaction, modification) = (row.text(self.transaction)?, row.text(self.modification)?);
        let modification = if transaction.is_empty() && modification.is_empty() { kind_text } else { modification };
        Ok(ReportLine {
            number: row.line(),
            account: row.text(self.account)?.into(),
            payout: row.text(self.batch)?.into(),
            has_own_id: false,
            transaction: transaction.into(),
            modification: modification.into(),
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
}

impl Columns {
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
        let rest = [parts.markup, parts.scheme, parts.interchange];
        let total = rest.into_iter().try_fold(parts.commission, Decimal::checked_add);
        let total = row.checked(self.commission, total)?;
        Ok(Fees { total, tax: Decimal::ZERO, parts: Some(parts) })
    }

    fn moment(&self, row: &Row<'_>, reading: Reading, clock: &Clock) -> Result<chrono::DateTime<chrono::Utc>, Problem> {
        let booked = self.booked.filter(|booked| row.text(*booked).is_ok_and(|text| !text.is_empty()));
        let (column, zone_column) = match booked {
            Some(booked) => (booked, self.booked_zone.unwrap_or(self.zone)),
            None => (self.created, self.zone),
        };
        let text = row.text(column)?;
        let local = date_time(text).or_else(|| touched_by_a_spreadsheet(text));
        let local = local.ok_or_else(|| row.problem(column, text, "not a date such as `2026-11-22 14:05:59`"))?;
        let zone_text = row.text(zone_column)?;
        let zone = if zone_text.is_empty() { Some(reading.time_zone) } else { zone(zone_text) };
        let zone =
            zone.ok_or_else(|| row.problem(zone_column, zone_text, "not a time zone this report is known to name"))?;
        let at = clock.moment(local, zone).ok_or_else(|| row.problem(column, text, "not a time of this zone"))?;
        row.dated(column, at, reading)
    }
}

impl Sided {
    /// What we get is positive. One of the two columns is empty, or zero.
    fn amount(&self, row: &Row<'_>) -> Result<Decimal, Problem> {
        let (debit, credit) = (row.decimal(self.debit)?, row.decimal(self.credit)?);
        row.checked(self.debit, credit.checked_sub(debit))
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

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::super::sample::{broken, lines, money, problem, proofs, read};
    use crate::domain::settlement::proof::ProofState;

    const HEAD: &str = "Company Account,Merchant Account,Psp Reference,Merchant Reference,Payment Method,Creation Date,\
        TimeZone,Type,Modification Reference,Gross Currency,Gross Debit (GC),Gross Credit (GC),Exchange Rate,Net Currency,\
        Net Debit (NC),Net Credit (NC),Commission (NC),Markup (NC),Scheme Fees (NC),Interchange (NC),\
        Payment Method Variant,Modification Merchant Reference,Batch Number,Reserved4";

    /// A row of batch 7: type, references, and the cells from `Gross Currency` to `Interchange (NC)`.
    fn row(kind: &str, psp: &str, modification: &str, amounts: &str) -> String {
        format!(
            "Shop,ShopEU,{psp},WEB-1,visa,2026-11-22 14:05:59,CET,{kind},{modification},{amounts},visagold,INV-9,7,\n"
        )
    }

    fn batch() -> String {
        [
            HEAD,
            "\n",
            &row("Settled", "P1", "C1", "EUR,,100.00,1,EUR,,98.5025,0.10,0.25,0.1475,1.00"),
            &row("Settled", "P2", "C2", "USD,,50.00,0.9,EUR,,44.50,0.10,0.20,0.10,0.10"),
            &row("Refunded", "P1", "R1", "EUR,20.00,,1,EUR,20.10,,0.10,,,"),
            &row("Chargeback", "P2", "B1", "EUR,1.00,,1,EUR,3.00,,,2.00,,"),
            &row("ChargebackReversed", "P2", "B2", "EUR,,1.00,1,EUR,,1.00,,,,"),
            &row("RefundedReversed", "P1", "R2", "EUR,,5.00,1,EUR,,5.00,,,,"),
            &row("Fee", "", "Transaction Fees", ",,,,EUR,3.5025,,,,,"),
            &row("InvoiceDeduction", "", "Invoice (2/2)", ",,,,EUR,,0.60,,,,"),
            &row("ReserveAdjustment", "", "Reserve", ",,,,EUR,10.00,,,,,"),
            &row("Balancetransfer", "", "to batch 8", ",,,,EUR,13.00,,,,,"),
            &row("MerchantPayout", "", "\"TX3488 batch 7, Shop\"", ",,,,EUR,100.00,,,,,"),
        ]
        .concat()
    }

    #[test]
    fn a_batch_is_read_and_adds_up_to_its_payout() {
        let lines = lines(&Format::Adyen, batch());
        assert_eq!(
            lines.iter().map(money).collect::<Vec<_>>(),
            [
                "sale 98.5025 EUR of 100.00 EUR, fee 1.4975, tax 0",
                "sale 44.50 EUR of 50.00 USD, fee 0.50, tax 0",
                "refund -20.10 EUR of -20.00 EUR, fee 0.10, tax 0",
                "chargeback -3.00 EUR of -1.00 EUR, fee 2.00, tax 0",
                "chargeback_reversed 1.00 EUR of 1.00 EUR, fee 0, tax 0",
                "refund_reversed 5.00 EUR of 5.00 EUR, fee 0, tax 0",
                "fee -3.5025 EUR, fee 3.5025, tax 0",
                "fee 0.60 EUR, fee -0.60, tax 0",
                "reserve_held -10.00 EUR, fee 0, tax 0",
                "balance_transfer -13.00 EUR, fee 0, tax 0",
                "payout -100.00 EUR, fee 0, tax 0",
            ]
        );
        assert_eq!(lines.iter().map(|line| line.net.0.micros()).sum::<i64>(), 0);
        let proof = proofs(&lines).remove(0);
        assert_eq!((proof.state, proof.paid_out.to_string().as_str()), (ProofState::Closed, "100.00"));
        // 100 + 45 - 20 - 1 + 1 + 5, and 1.4975 + 0.50 + 0.10 + 2 + 3.5025 - 0.60.
        assert_eq!((proof.gross.to_string().as_str(), proof.fees.to_string().as_str()), ("130.00", "7.00"));
        assert!(proof.rounding.is_zero());
    }

    #[test]
    fn a_line_keeps_what_it_is_joined_by() {
        let line = lines(&Format::Adyen, batch()).remove(0);
        assert_eq!((line.account.as_str(), line.payout.as_str(), line.number), ("ShopEU", "7", 2));
        assert_eq!((line.transaction.as_str(), line.modification.as_str()), ("P1", "C1"));
        assert_eq!((line.reference.as_str(), line.document.as_str(), line.method.as_str()), ("WEB-1", "INV-9", "visa"));
        assert_eq!(line.occurred_at.to_string(), "2026-11-22 13:05:59 UTC");
        assert_eq!(line.fees.parts.unwrap().scheme.to_string(), "0.1475");
    }

    #[test]
    fn the_sign_is_the_choice_of_the_column_and_not_of_the_type() {
        let text = [HEAD, "\n", &row("Settled", "P1", "C1", "EUR,,0.01,1,EUR,0.03,,,0.04,,")].concat();
        assert_eq!(money(&lines(&Format::Adyen, text)[0]), "sale -0.03 EUR of 0.01 EUR, fee 0.04, tax 0");
        let text = [HEAD, "\n", &row("MerchantPayout", "", "", ",,,,EUR,,12.00,,,,")].concat();
        assert_eq!(money(&lines(&Format::Adyen, text)[0]), "payout 12.00 EUR, fee 0, tax 0");
    }

    #[test]
    fn currencies_with_no_and_with_three_decimals_are_as_they_are() {
        let yen = row("Settled", "P1", "C1", "JPY,,1500,1,JPY,,1455,,45,,");
        let dinar = row("Settled", "P2", "C2", "KWD,,1.500,1,KWD,,1.455,0.045,,,");
        let read = lines(&Format::Adyen, [HEAD, "\n", &yen, &dinar].concat());
        assert_eq!(money(&read[0]), "sale 1455 JPY of 1500 JPY, fee 45, tax 0");
        assert_eq!(money(&read[1]), "sale 1.455 KWD of 1.500 KWD, fee 0.045, tax 0");
    }

    #[test]
    fn an_unknown_type_is_kept_whole() {
        let line =
            lines(&Format::Adyen, [HEAD, "\n", &row("Mystery", "P1", "X", ",,,,EUR,1.00,,,,,")].concat()).remove(0);
        assert_eq!(line.kind.as_str(), "unknown");
        assert!(line.note.contains("Type=Mystery") && line.note.contains("Net Debit (NC)=1.00"), "{}", line.note);
    }

    #[test]
    fn columns_are_found_in_any_order_beside_others_and_below_a_preamble() {
        let mut turned = csv::Writer::from_writer(Vec::new());
        for record in csv::ReaderBuilder::new().has_headers(false).from_reader(batch().as_bytes()).records() {
            let record = record.unwrap();
            turned.write_record(record.iter().rev().chain(["new"])).unwrap();
        }
        let plain = lines(&Format::Adyen, batch());
        assert_eq!(lines(&Format::Adyen, turned.into_inner().unwrap()), plain);
        let preamble = format!("\u{feff}External settlement,\n,\n\"Shop\",7\n\n{}", batch().replace('\n', "\r\n"));
        let below = lines(&Format::Adyen, preamble);
        assert_eq!(below.iter().map(money).collect::<Vec<_>>(), plain.iter().map(money).collect::<Vec<_>>());
        assert_eq!(plain[10].modification, "TX3488 batch 7, Shop");
    }

    #[test]
    fn the_booking_date_has_its_own_zone() {
        let head = format!("{HEAD},Booking Date,Booking Date TimeZone\n");
        let row = row("Settled", "P1", "C1", "EUR,,1.00,1,EUR,,1.00,,,,");
        let at = |more: &str| {
            let text = format!("{head}{}{more}\n", row.trim_end());
            lines(&Format::Adyen, text)[0].occurred_at.to_string()
        };
        assert_eq!(at(",2026-11-23 00:30:00,PST"), "2026-11-23 08:30:00 UTC");
        assert_eq!(at(",,"), "2026-11-22 13:05:59 UTC");
    }

    #[test]
    fn a_date_a_spreadsheet_wrote_is_read_and_no_other() {
        let with = |date: &str| batch().replacen("2026-11-22 14:05:59", date, 1);
        assert_eq!(
            lines(&Format::Adyen, with("22/11/2026 14:05"))[0].occurred_at.to_string(),
            "2026-11-22 13:05:00 UTC"
        );
        let problem = problem(&Format::Adyen, with("11/22/26"));
        assert_eq!((problem.line, problem.column.as_str(), problem.value.as_str()), (2, "Creation Date", "11/22/26"));
        let problem = self::problem(&Format::Adyen, batch().replacen("CET", "XYZ", 1));
        assert_eq!((problem.column.as_str(), problem.is_fatal), ("TimeZone", false));
    }

    #[test]
    fn what_cannot_be_read_is_told_with_line_and_column() {
        let wrong = |from: &str, to: &str| problem(&Format::Adyen, batch().replacen(from, to, 1)).to_string();
        assert_eq!(
            wrong("98.5025", "98.5025001"),
            "line 2, column `Net Credit (NC)`, `98.5025001`: more than six decimals"
        );
        assert!(wrong("EUR,,98.5025", "EUX,,98.5025").starts_with("line 2, column `Net Currency`, `EUX`: "));
        assert!(wrong("44.50", "44;50").starts_with("line 3, column `Net Credit (NC)`, `44;50`: not a decimal"));
    }

    #[test]
    fn a_report_without_a_column_or_of_another_kind_is_refused_whole() {
        let missing = problem(&Format::Adyen, batch().replace("Exchange Rate", "Rate"));
        assert!(
            missing.is_fatal && missing.line == 1 && missing.what.contains("`Exchange Rate` is missing"),
            "{missing}"
        );
        let other = problem(&Format::Adyen, "date,amount\n2026-11-22,1.00\n");
        assert!(other.is_fatal && other.what.contains("`Company Account`"), "{other}");
        assert!(problem(&Format::Adyen, "").is_fatal);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in broken(batch())) {
            read(&Format::Adyen, bytes);
        }
    }
}
