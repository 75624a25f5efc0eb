//! Stripe's itemised reports (contract: Stripe section 10): payout reconciliation, balance change from activity, and payouts.
//! One row is one balance transaction, which names it wherever it stands. Amounts are in major units with a sign, currencies in
//! small letters. What went to the bank is in the payouts report only: a payout is proved by it and one of the other two.
//!
//! A payout that came back is one balance transaction too. The payouts report has it with the payout that failed, the others with
//! the payout that took the money along: there it is money carried over.

use std::io::Read;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use compact_str::{CompactString, format_compact};

use super::clock::{Clock, date_time};
use super::table::{self, Table};
use super::text::{Column, Row, Rows};
use super::{Problem, Reading, fees_of};
use crate::domain::money::Currency;
use crate::domain::settlement::{Decimal, LineKind, ReportLine};

/// A column all three have, and no other report.
pub(super) const SIGN: &str = "balance_transaction_id";

/// Where shops keep the order's number in a payment's metadata.
const ORDER_KEYS: [&str; 3] =
    ["payment_metadata[order_no]", "payment_metadata[order_number]", "payment_metadata[order_id]"];

pub(super) fn open(input: Box<dyn Read + Send>, reading: Reading) -> Table<Columns> {
    Table::open(input, reading, b',', SIGN, Columns::find)
}

pub(super) struct Columns {
    id: Column,
    category: Column,
    currency: Column,
    gross: Column,
    fee: Column,
    net: Column,
    moment: Moment,
    /// With which the row was paid out.
    automatic_payout: Option<Column>,
    /// What the row is about, in the payouts report.
    payout: Option<Column>,
    source: Option<Column>,
    payment: Option<Column>,
    charge: Option<Column>,
    order: Option<Column>,
    refund_document: Option<Column>,
    invoice: Option<Column>,
    method: Option<Column>,
    customer_amount: Option<Column>,
    customer_currency: Option<Column>,
}

/// One of the two columns is there, in UTC or in the zone the report was made for.
struct Moment {
    utc: Option<Column>,
    local: Option<Column>,
    /// The one to name in a problem.
    either: Column,
}

impl Columns {
    fn find(rows: &Rows) -> Result<Self, Problem> {
        let head = rows.head();
        let order = ORDER_KEYS.iter().find_map(|key| rows.optional_column(key).transpose()).transpose()?;
        Ok(Self {
            id: rows.column(SIGN)?,
            category: rows.column("reporting_category")?,
            currency: rows.column("currency")?,
            gross: rows.column("gross")?,
            fee: rows.column("fee")?,
            net: rows.column("net")?,
            moment: Moment::find(rows)?,
            automatic_payout: rows.optional_column("automatic_payout_id")?,
            payout: rows.optional_column("payout_id")?,
            source: rows.optional_column("source_id")?,
            payment: rows.optional_column("payment_intent_id")?,
            charge: rows.optional_column("charge_id")?,
            order,
            refund_document: head.first(|name| name.starts_with("refund_metadata[")),
            invoice: rows.optional_column("invoice_number")?,
            method: rows.optional_column("payment_method_type")?,
            customer_amount: rows.optional_column("customer_facing_amount")?,
            customer_currency: rows.optional_column("customer_facing_currency")?,
        })
    }
}

impl table::Columns for Columns {
    fn read(&self, row: &Row<'_>, reading: Reading, clock: &Clock) -> Result<ReportLine, Problem> {
        let currency = row.currency(self.currency)?;
        let net = row.decimal(self.net)?;
        let payout = self.payout_of(row)?;
        let id = row.text(self.id)?;
        let said = kind_of(row.text(self.category)?, net);
        let (kind, modification) = if said == LineKind::PayoutFailed && self.is_taken_along(row, payout)? {
            (LineKind::BalanceTransfer, format_compact!("{id} carried over"))
        } else {
            (said, id.into())
        };
        let first = |one, other| Ok(not_empty(row.optional_text(one)?).unwrap_or(row.optional_text(other)?).into());
        Ok(ReportLine {
            number: row.line(),
            account: CompactString::default(),
            payout: payout.into(),
            has_own_id: !id.is_empty(),
            transaction: first(self.payment, self.charge)?,
            modification,
            reference: row.optional_text(self.order)?.into(),
            document: first(self.refund_document, self.invoice)?,
            kind,
            method: row.optional_text(self.method)?.into(),
            occurred_at: self.moment.read(row, reading, clock)?,
            gross: if kind.is_of_payment() { Some(self.gross(row, currency)?) } else { None },
            net: (net, currency),
            fees: fees_of(kind, net, row.decimal(self.fee)?),
            exchange_rate: CompactString::default(),
            note: if kind == LineKind::Unknown { row.whole().into() } else { CompactString::default() },
        })
    }
}

impl Columns {
    fn payout_of<'r>(&self, row: &'r Row<'_>) -> Result<&'r str, Problem> {
        row.optional_text(self.automatic_payout.or(self.payout))
    }

    /// Whether a payout that came back was paid out again with this one.
    fn is_taken_along(&self, row: &Row<'_>, payout: &str) -> Result<bool, Problem> {
        let is_named = self.automatic_payout.is_some() && !payout.is_empty();
        Ok(is_named && row.optional_text(self.source)? != payout)
    }

    /// What the customer saw, where the report has it; it says the amount of a refund without the row's sign.
    fn gross(&self, row: &Row<'_>, currency: Currency) -> Result<(Decimal, Currency), Problem> {
        let gross = row.decimal(self.gross)?;
        let (Some(amount), Some(seen_in)) = (self.customer_amount, self.customer_currency) else {
            return Ok((gross, currency));
        };
        if row.text(amount)?.is_empty() || row.text(seen_in)?.is_empty() {
            return Ok((gross, currency));
        }
        let seen = row.decimal(amount)?;
        let has_other_sign = seen.is_negative() != gross.is_negative();
        Ok((if has_other_sign { seen.negated() } else { seen }, row.currency(seen_in)?))
    }
}

impl Moment {
    /// The payouts report calls it `effective_at`.
    fn find(rows: &Rows) -> Result<Self, Problem> {
        let either = |one, other| Ok(rows.optional_column(one)?.or(rows.optional_column(other)?));
        let (utc, local) = (either("created_utc", "effective_at_utc")?, either("created", "effective_at")?);
        let found = utc.or(local).map_or_else(|| rows.column("created_utc"), Ok)?;
        Ok(Self { utc, local, either: found })
    }

    fn read(&self, row: &Row<'_>, reading: Reading, clock: &Clock) -> Result<DateTime<Utc>, Problem> {
        let utc = not_empty(row.optional_text(self.utc)?).map(|text| (text, Tz::UTC));
        let (text, zone) = match utc {
            Some(found) => found,
            None => (row.optional_text(self.local)?, reading.time_zone),
        };
        let at = date_time(text)
            .and_then(|local| clock.moment(local, zone))
            .ok_or_else(|| row.problem(self.either, text, "not a date such as `2026-11-22 14:05:59`"))?;
        row.dated(self.either, at, reading)
    }
}

fn not_empty(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn kind_of(category: &str, net: Decimal) -> LineKind {
    match category {
        "charge" => LineKind::Sale,
        "refund" => LineKind::Refund,
        "refund_failure" => LineKind::RefundReversed,
        "dispute" => LineKind::Chargeback,
        "dispute_reversal" => LineKind::ChargebackReversed,
        "partial_capture_reversal" => LineKind::CaptureAdjustment,
        "fee" | "network_cost" => LineKind::Fee,
        "tax" => LineKind::FeeTax,
        "payout" => LineKind::Payout,
        "payout_reversal" => LineKind::PayoutFailed,
        reserve if is_reserve(reserve) && net.is_negative() => LineKind::ReserveHeld,
        reserve if is_reserve(reserve) => LineKind::ReserveReleased,
        _ => LineKind::Unknown,
    }
}

fn is_reserve(category: &str) -> bool {
    category == "risk_reserved_funds"
        || category.starts_with("reserve_")
        || category.starts_with("payout_minimum_balance")
}

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::super::sample::{broken, lines, money, problem, proofs, read};
    use crate::domain::settlement::proof::ProofState;
    use crate::domain::settlement::{LineKind, ReportLine};

    const HEAD: &str = "automatic_payout_id,automatic_payout_effective_at_utc,balance_transaction_id,created_utc,created,\
        available_on,currency,gross,fee,net,reporting_category,source_id,description,customer_facing_amount,\
        customer_facing_currency,charge_id,payment_intent_id,invoice_number,payment_method_type,payment_metadata[order_no],\
        refund_metadata[credit_memo]\n";

    /// From `currency` to `reporting_category`, and from `customer_facing_amount` on.
    fn row(id: &str, amounts: &str, rest: &str) -> String {
        format!(
            "po_1,2026-11-25 00:00:00,{id},2026-11-22 13:05:59,2026-11-22 14:05:59,2026-11-24,{amounts},src_1,\"a, b\",{rest}\n"
        )
    }

    fn payout() -> String {
        let payment = ",,ch_1,pi_1,INV-1,card,WEB-1,";
        [
            HEAD,
            &row("txn_1", "eur,100.00,2.9075,97.0925,charge", payment),
            &row("txn_2", "eur,45.00,1.00,44.00,charge", "50.00,usd,ch_2,,,paypal,WEB-2,"),
            &row("txn_3", "eur,-20.00,0.00,-20.00,refund", "20.00,eur,ch_1,pi_1,INV-1,card,WEB-1,CM-1"),
            &row("txn_4", "eur,-10.00,15.00,-25.00,dispute", payment),
            &row("txn_5", "eur,10.00,0.00,10.00,dispute_reversal", payment),
            &row("txn_6", "eur,5.00,0.00,5.00,refund_failure", payment),
            &row("txn_7", "eur,-30.00,0.00,-30.00,partial_capture_reversal", payment),
            &row("txn_8", "eur,-2.0925,0.00,-2.0925,fee", ",,,,,,,"),
            &row("txn_9", "eur,-0.38,0.00,-0.38,tax", ",,,,,,,"),
            &row("txn_a", "eur,-8.62,0.00,-8.62,risk_reserved_funds", ",,,,,,,"),
        ]
        .concat()
    }

    /// The report that says what went to the bank.
    const PAID: &str = "payout_id,effective_at_utc,effective_at,currency,gross,fee,net,reporting_category,payout_status,\
        balance_transaction_id,description\n\
        po_1,2026-11-25 00:00:00,2026-11-25 01:00:00,eur,-70.00,0.00,-70.00,payout,paid,txn_p,STRIPE PAYOUT\n";

    #[test]
    fn a_payout_is_proved_by_its_lines_and_the_payouts_report() {
        let mut all = lines(&Format::Stripe, payout());
        assert_eq!(
            all.iter().map(money).collect::<Vec<_>>(),
            [
                "sale 97.0925 EUR of 100.00 EUR, fee 2.9075, tax 0",
                "sale 44.00 EUR of 50.00 USD, fee 1.00, tax 0",
                "refund -20.00 EUR of -20.00 EUR, fee 0.00, tax 0",
                "chargeback -25.00 EUR of -10.00 EUR, fee 15.00, tax 0",
                "chargeback_reversed 10.00 EUR of 10.00 EUR, fee 0.00, tax 0",
                "refund_reversed 5.00 EUR of 5.00 EUR, fee 0.00, tax 0",
                "capture_adjustment -30.00 EUR of -30.00 EUR, fee 0.00, tax 0",
                "fee -2.0925 EUR, fee 2.0925, tax 0",
                "fee_tax -0.38 EUR, fee 0, tax 0.38",
                "reserve_held -8.62 EUR, fee 0.00, tax 0",
            ]
        );
        assert_eq!(proofs(&all)[0].state, ProofState::Open);
        all.extend(lines(&Format::Stripe, PAID));
        assert_eq!(money(&all[10]), "payout -70.00 EUR, fee 0.00, tax 0");
        assert!(all.iter().all(|line| line.payout == "po_1" && line.has_own_id));
        let proof = &proofs(&all)[0];
        // 100 + 45 - 20 - 10 + 10 + 5 - 30, and 2.9075 + 1 + 15 + 2.0925.
        assert_eq!((proof.gross.to_string().as_str(), proof.fees.to_string().as_str()), ("100.00", "21.00"));
        assert_eq!(proof.state, ProofState::Closed);
    }

    #[test]
    fn a_line_keeps_what_it_is_joined_by() {
        let all = lines(&Format::Stripe, payout());
        let joined = |line: &ReportLine| {
            [&line.transaction, &line.modification, &line.reference, &line.document, &line.method]
                .map(ToString::to_string)
        };
        assert_eq!(joined(&all[0]), ["pi_1", "txn_1", "WEB-1", "INV-1", "card"]);
        assert_eq!(joined(&all[1]), ["ch_2", "txn_2", "WEB-2", "", "paypal"]);
        assert_eq!(joined(&all[2]), ["pi_1", "txn_3", "WEB-1", "CM-1", "card"]);
        assert_eq!(all[0].occurred_at.to_string(), "2026-11-22 13:05:59 UTC");
    }

    #[test]
    fn times_without_utc_are_of_the_providers_zone() {
        let local = payout().replace("created_utc", "something_else");
        assert_eq!(lines(&Format::Stripe, local)[0].occurred_at.to_string(), "2026-11-22 13:05:59 UTC");
        let none = payout().replace("created_utc", "x").replace(",created,", ",y,");
        assert!(problem(&Format::Stripe, none).what.contains("`created_utc` is missing"));
    }

    #[test]
    fn reserves_payouts_and_currencies_go_either_way() {
        let one = |amounts: &str| money(&lines(&Format::Stripe, [HEAD, &row("t", amounts, ",,,,,,,")].concat())[0]);
        assert_eq!(one("JPY,500,0,500,risk_reserved_funds"), "reserve_released 500 JPY, fee 0, tax 0");
        assert_eq!(one("kwd,-1.500,0.000,-1.500,payout"), "payout -1.500 KWD, fee 0.000, tax 0");
        assert_eq!(one("usd,70.00,0,70.00,payout"), "payout 70.00 USD, fee 0, tax 0");
        assert_eq!(one("usd,70.00,0,70.00,payout_reversal"), "balance_transfer 70.00 USD, fee 0, tax 0");
    }

    #[test]
    fn a_payout_that_came_back_is_carried_from_the_one_that_failed_to_the_one_that_took_it_along() {
        let head = PAID.lines().next().unwrap();
        let paid = |payout: &str, net: &str, category: &str, id: &str| {
            format!("{payout},2026-11-25 00:00:00,2026-11-25 01:00:00,eur,{net},0.00,{net},{category},failed,{id},x\n")
        };
        let mut failed =
            lines(&Format::Stripe, [HEAD, &row("txn_1", "eur,70.00,0,70.00,charge", ",,ch_1,pi_1,,,,")].concat());
        let text = [
            &format!("{head}\n"),
            &paid("po_1", "-70.00", "payout", "txn_p"),
            &paid("po_1", "70.00", "payout_reversal", "txn_r"),
        ];
        failed.extend(lines(&Format::Stripe, text.map(String::as_str).concat()));
        assert_eq!((failed[2].kind, failed[2].payout.as_str()), (LineKind::PayoutFailed, "po_1"));
        let proof = proofs(&failed).remove(0);
        assert_eq!((proof.state, proof.failed.to_string().as_str()), (ProofState::Closed, "70.00"));
        let rows = [
            row("txn_2", "eur,30.00,0,30.00,charge", ",,ch_2,pi_2,,,,"),
            row("txn_r", "eur,70.00,0,70.00,payout_reversal", ",,,,,,,").replace("src_1", "po_1"),
        ];
        let text = [HEAD, &rows.concat().replace("po_1,2026", "po_2,2026")].concat();
        let mut next = lines(&Format::Stripe, text);
        assert_eq!((next[1].kind, next[1].modification.as_str()), (LineKind::BalanceTransfer, "txn_r carried over"));
        next.extend(lines(&Format::Stripe, format!("{head}\n{}", paid("po_2", "-100.00", "payout", "txn_q"))));
        let proof = proofs(&next).remove(0);
        assert_eq!((proof.state, proof.carried.to_string().as_str()), (ProofState::Closed, "70.00"));
        // It names the payout that failed itself, or none yet: it is that one's.
        for payout in ["po_1", ""] {
            let text = [HEAD, &rows[1].replacen("po_1", payout, 1)].concat();
            assert_eq!(lines(&Format::Stripe, text)[0].kind, LineKind::PayoutFailed, "{payout}");
        }
    }

    #[test]
    fn an_unknown_category_is_kept_whole() {
        let text = [HEAD, &row("txn_x", "eur,-1.00,0,-1.00,climate_order_purchase", ",,,,,,,")].concat();
        let line = lines(&Format::Stripe, text).remove(0);
        assert_eq!(money(&line), "unknown -1.00 EUR, fee 0, tax 0");
        assert!(line.note.contains("reporting_category=climate_order_purchase") && line.note.contains("a, b"));
    }

    #[test]
    fn what_cannot_be_read_is_told_and_the_rest_is_read() {
        let text = payout().replacen("97.0925", "97.0925925", 1).replacen("eur,45.00", "xyz,45.00", 1);
        let (lines, problems) = read(&Format::Stripe, text);
        assert_eq!(lines.len(), 8);
        assert_eq!(problems[0].to_string(), "line 2, column `net`, `97.0925925`: more than six decimals");
        assert_eq!((problems[1].line, problems[1].value.as_str()), (3, "xyz"));
        let missing = problem(&Format::Stripe, payout().replace("reporting_category", "type"));
        assert!(missing.is_fatal && missing.what.contains("`reporting_category` is missing"));
        assert!(problem(&Format::Stripe, "Company Account,Psp Reference\n").is_fatal);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in broken(payout())) {
            read(&Format::Stripe, bytes);
        }
    }
}
