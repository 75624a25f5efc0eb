//! Klarna's answers of `/settlements/v1/transactions` and `/payouts` as a file (contract: Klarna section 8): a list
//! `transactions`, a list `payouts`, or both. Amounts are in minor units. What was paid out is in the payouts only.
//!
//! Whether what Klarna keeps comes with a minus is not written down anywhere. A file that has it once has it everywhere; in one
//! that never has it, the type says which way the money went. A line's number is its place in the lists, the transactions first.
//!
//! What a payout could not pay is a debt that the next one begins with: carried from one to the other.

use std::collections::VecDeque;
use std::io::Read;

use chrono::{DateTime, Utc};
use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::clock::{Clock, date_time};
use super::{Problem, Reading, Report, fees_of};
use crate::domain::money::Currency;
use crate::domain::settlement::{Decimal, Fees, LineKind, ReportLine};

/// The answer is read whole: 64 MiB are some hundred thousand lines.
const LARGEST: u64 = 64 << 20;

pub(super) struct Transactions {
    answer: Result<Answer, Option<Problem>>,
    takes_sign_from_type: bool,
    reading: Reading,
    clock: Clock,
    next: usize,
    /// What else a payout has said.
    ready: VecDeque<ReportLine>,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    transactions: Vec<Transaction>,
    #[serde(default)]
    payouts: Vec<Payout>,
}

#[derive(Deserialize, Serialize)]
struct Transaction {
    amount: i64,
    currency_code: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    detailed_type: Option<String>,
    #[serde(default)]
    sale_date: Option<String>,
    #[serde(default)]
    capture_date: Option<String>,
    #[serde(default)]
    order_id: Option<String>,
    #[serde(default)]
    capture_id: Option<String>,
    #[serde(default)]
    refund_id: Option<String>,
    #[serde(default)]
    merchant_reference1: Option<String>,
    #[serde(default)]
    merchant_reference2: Option<String>,
    #[serde(default)]
    merchant_capture_reference: Option<String>,
    #[serde(default)]
    merchant_refund_reference: Option<String>,
    #[serde(default)]
    payment_reference: Option<String>,
    #[serde(default)]
    reversal_reference: Option<String>,
    #[serde(default)]
    klarna_comment: Option<String>,
}

#[derive(Deserialize)]
struct Payout {
    payment_reference: String,
    #[serde(rename = "payout_date")]
    date: String,
    currency_code: String,
    #[serde(default)]
    merchant_id: Option<String>,
    totals: Totals,
}

#[derive(Deserialize)]
struct Totals {
    #[serde(rename = "settlement_amount")]
    paid: i64,
    #[serde(default, rename = "opening_debt_balance_amount")]
    opening_debt: i64,
    #[serde(default, rename = "closing_debt_balance_amount")]
    closing_debt: i64,
}

impl Transactions {
    pub(super) fn open(input: Box<dyn Read + Send>, reading: Reading) -> Self {
        let answer = Answer::read(input);
        let takes_sign_from_type = answer.as_ref().is_ok_and(|answer| {
            !answer.transactions.iter().any(|one| one.amount < 0 && direction(&one.kind) == Some(Direction::Kept))
        });
        let ready = VecDeque::new();
        Self { answer: answer.map_err(Some), takes_sign_from_type, reading, clock: Clock::default(), next: 0, ready }
    }
}

impl Report for Transactions {
    fn next_line(&mut self) -> Option<Result<ReportLine, Problem>> {
        if let Some(line) = self.ready.pop_front() {
            return Some(Ok(line));
        }
        let answer = match &mut self.answer {
            Ok(answer) => answer,
            Err(problem) => return problem.take().map(Err),
        };
        let at = self.next;
        self.next += 1;
        let time = |text: &str| {
            let at = moment(text, self.reading, &self.clock);
            at.ok_or(NOT_A_DATE).and_then(|at| self.reading.dated(at))
        };
        let number = u64::try_from(self.next).unwrap_or(u64::MAX);
        if let Some(transaction) = answer.transactions.get(at) {
            return Some(transaction.line(number, self.takes_sign_from_type, time));
        }
        let payout = answer.payouts.get(at.checked_sub(answer.transactions.len())?)?;
        let lines = payout.lines(number, time);
        Some(lines.map(|[line, rest @ ..]| {
            self.ready.extend(rest.into_iter().filter(|debt| !debt.net.0.is_zero()));
            line
        }))
    }
}

impl Answer {
    fn read(input: Box<dyn Read + Send>) -> Result<Self, Problem> {
        let mut bytes = Vec::new();
        let read = input.take(LARGEST + 1).read_to_end(&mut bytes);
        read.map_err(|error| Problem::of_file(1, format!("it cannot be read: {error}")))?;
        if u64::try_from(bytes.len()).is_ok_and(|length| length > LARGEST) {
            return Err(Problem::of_file(1, "larger than 64 MiB: have it made for fewer days or payouts at a time"));
        }
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        let answer: Self = serde_json::from_slice(text).map_err(|error| {
            let line = u64::try_from(error.line()).unwrap_or(0).max(1);
            Problem::of_file(line, format!("not an answer with transactions or payouts: {error}"))
        })?;
        if answer.transactions.is_empty() && answer.payouts.is_empty() && !has_a_list(text) {
            return Err(Problem::of_file(1, "this is not such a report: it has neither `transactions` nor `payouts`"));
        }
        Ok(answer)
    }
}

fn has_a_list(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    text.contains("\"transactions\"") || text.contains("\"payouts\"")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Gained,
    Kept,
}

/// The way the money goes; `None` where it goes either way.
fn direction(kind: &str) -> Option<Direction> {
    match kind {
        "SALE" | "FEE_REFUND" | "CREDIT" | "RELEASE" => Some(Direction::Gained),
        "RETURN" | "FEE" | "TAX" | "COMMISSION" | "REVERSAL" | "CHARGE" | "HOLDBACK" => Some(Direction::Kept),
        _ => None,
    }
}

/// Whether a reversal that Klarna's protection covers is taken or given is not known: a person says so.
fn kind_of(kind: &str) -> LineKind {
    match kind {
        "SALE" => LineKind::Sale,
        "RETURN" => LineKind::Refund,
        "REVERSAL" => LineKind::Chargeback,
        "FEE" | "FEE_REFUND" | "COMMISSION" => LineKind::Fee,
        "TAX" => LineKind::FeeTax,
        "HOLDBACK" => LineKind::ReserveHeld,
        "RELEASE" => LineKind::ReserveReleased,
        "CORRECTION" | "CHARGE" | "CREDIT" => LineKind::Correction,
        _ => LineKind::Unknown,
    }
}

impl Transaction {
    fn line(
        &self,
        number: u64,
        takes_sign_from_type: bool,
        moment: impl Fn(&str) -> Result<DateTime<Utc>, &'static str>,
    ) -> Result<ReportLine, Problem> {
        let kind = kind_of(&self.kind);
        let is_kept = takes_sign_from_type && direction(&self.kind) == Some(Direction::Kept);
        let amount = if is_kept { self.amount.checked_neg() } else { Some(self.amount) };
        let net = amount_of(amount, self.amount, "amount", &self.currency_code, number)?;
        let at = [&self.capture_date, &self.sale_date].into_iter().flatten().next().map_or("", String::as_str);
        let occurred_at = moment(at).map_err(|what| Problem::of_line(number, "capture_date", at, what))?;
        let first = |one: &Option<String>, other: &Option<String>| text_of(one.as_ref().or(other.as_ref()));
        let comes_back = kind != LineKind::Sale;
        let line = ReportLine {
            number,
            account: CompactString::default(),
            payout: text_of(self.payment_reference.as_ref()),
            has_own_id: false,
            transaction: text_of(self.order_id.as_ref()),
            modification: if comes_back {
                first(&self.refund_id, &self.capture_id)
            } else {
                first(&self.capture_id, &None)
            },
            reference: first(&self.merchant_reference1, &self.merchant_reference2),
            document: if comes_back {
                first(&self.merchant_refund_reference, &self.merchant_capture_reference)
            } else {
                first(&self.merchant_capture_reference, &None)
            },
            kind,
            method: CompactString::default(),
            occurred_at,
            gross: kind.is_of_payment().then_some(net),
            net,
            fees: fees_of(kind, net.0, Decimal::ZERO),
            exchange_rate: CompactString::default(),
            note: self.note(kind),
        };
        Ok(line)
    }

    fn note(&self, kind: LineKind) -> CompactString {
        if kind == LineKind::Unknown {
            return serde_json::to_string(self).unwrap_or_default().into();
        }
        let said = [&self.reversal_reference, &self.klarna_comment, &self.detailed_type];
        text_of(said.into_iter().flatten().next())
    }
}

impl Payout {
    /// What was paid out, and the debts before and after it. A debt is one whichever sign it is written with.
    fn lines(
        &self,
        number: u64,
        moment: impl Fn(&str) -> Result<DateTime<Utc>, &'static str>,
    ) -> Result<[ReportLine; 3], Problem> {
        let Totals { paid, opening_debt, closing_debt } = self.totals;
        let at = &self.date;
        let occurred_at = moment(at).map_err(|what| Problem::of_line(number, "payout_date", at, what))?;
        let line = |kind, modification: &str, amount: Option<i64>, written, name| {
            let net = amount_of(amount, written, name, &self.currency_code, number)?;
            Ok(self.line(number, kind, modification, net, occurred_at))
        };
        let (payout, carried) = (LineKind::Payout, LineKind::BalanceTransfer);
        let owed = |amount: i64| amount.checked_abs();
        let opening = owed(opening_debt).map(|owed| -owed);
        Ok([
            line(payout, &self.payment_reference, paid.checked_neg(), paid, "settlement_amount")?,
            line(carried, "opening debt", opening, opening_debt, "opening_debt_balance_amount")?,
            line(carried, "closing debt", owed(closing_debt), closing_debt, "closing_debt_balance_amount")?,
        ])
    }

    fn line(
        &self,
        number: u64,
        kind: LineKind,
        modification: &str,
        net: (Decimal, Currency),
        occurred_at: DateTime<Utc>,
    ) -> ReportLine {
        ReportLine {
            number,
            account: text_of(self.merchant_id.as_ref()),
            payout: (&self.payment_reference).into(),
            has_own_id: false,
            transaction: CompactString::default(),
            modification: modification.into(),
            reference: CompactString::default(),
            document: CompactString::default(),
            kind,
            method: CompactString::default(),
            occurred_at,
            gross: None,
            net,
            fees: Fees::default(),
            exchange_rate: CompactString::default(),
            note: CompactString::default(),
        }
    }
}

fn text_of(field: Option<&String>) -> CompactString {
    field.map(CompactString::from).unwrap_or_default()
}

const NOT_A_DATE: &str = "not a date such as `2026-11-22T14:05:59Z`";

fn amount_of(
    minor: Option<i64>,
    written: i64,
    name: &str,
    code: &str,
    number: u64,
) -> Result<(Decimal, Currency), Problem> {
    let currency =
        Currency::parse(code).map_err(|error| Problem::of_line(number, "currency_code", code, error.to_string()))?;
    let scale = u8::try_from(currency.exponent()).ok();
    let amount = minor.zip(scale).and_then(|(minor, scale)| Decimal::new(minor, scale));
    let too_large = || Problem::of_line(number, name, &written.to_string(), "larger than any amount the ledger takes");
    Ok((amount.ok_or_else(too_large)?, currency))
}

/// With its offset, or a date or time of the configured zone.
fn moment(text: &str, reading: Reading, clock: &Clock) -> Option<DateTime<Utc>> {
    let with_offset =
        DateTime::parse_from_rfc3339(text).or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"));
    if let Ok(moment) = with_offset {
        return Some(moment.to_utc());
    }
    clock.moment(date_time(text)?, reading.time_zone)
}

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::super::sample::{broken, lines, money, problem, proofs, read};
    use super::*;
    use crate::domain::settlement::proof::ProofState;

    fn transaction(kind: &str, amount: &str, more: &str) -> String {
        format!(
            r#"{{"type":"{kind}","amount":{amount},"currency_code":"EUR","capture_date":"2026-11-22T14:05:59Z",
            "sale_date":"2026-11-20T00:00:00Z","order_id":"o-1","short_order_id":"S1","payment_reference":"PR1",
            "purchase_country":"DE"{more}}}"#
        )
    }

    fn answer(transactions: &[String]) -> String {
        format!(r#"{{"transactions":[{}],"pagination":{{"count":1,"total":1}}}}"#, transactions.join(","))
    }

    const PAYOUTS: &str = r#"{"payouts":[{"payment_reference":"PR1","payout_date":"2026-11-25T08:00:00.000Z",
        "currency_code":"EUR","merchant_settlement_type":"NET","merchant_id":"K1",
        "totals":{"sale_amount":10000,"settlement_amount":6450}}]}"#;

    /// With or without the minus before what Klarna keeps.
    fn payout(minus: &str) -> String {
        answer(&[
            transaction(
                "SALE",
                "10000",
                r#","capture_id":"c-1","merchant_reference1":"WEB-1","merchant_capture_reference":"INV-1""#,
            ),
            transaction(
                "RETURN",
                &format!("{minus}2000"),
                r#","capture_id":"c-1","refund_id":"r-1","merchant_refund_reference":"CM-1""#,
            ),
            transaction("FEE", &format!("{minus}250"), ""),
            transaction("TAX", &format!("{minus}50"), ""),
            transaction("FEE_REFUND", "50", ""),
            transaction("HOLDBACK", &format!("{minus}1000"), ""),
            transaction("REVERSAL", &format!("{minus}300"), r#","reversal_reference":"KRN1""#),
        ])
    }

    #[test]
    fn a_payout_adds_up_whether_what_is_kept_has_a_minus_or_not() {
        for minus in ["", "-"] {
            let mut all = lines(&Format::Klarna, payout(minus));
            assert_eq!(
                all.iter().map(money).collect::<Vec<_>>(),
                [
                    "sale 100.00 EUR of 100.00 EUR, fee 0, tax 0",
                    "refund -20.00 EUR of -20.00 EUR, fee 0, tax 0",
                    "fee -2.50 EUR, fee 2.50, tax 0",
                    "fee_tax -0.50 EUR, fee 0, tax 0.50",
                    "fee 0.50 EUR, fee -0.50, tax 0",
                    "reserve_held -10.00 EUR, fee 0, tax 0",
                    "chargeback -3.00 EUR of -3.00 EUR, fee 0, tax 0",
                ],
                "{minus}"
            );
            all.extend(lines(&Format::Klarna, PAYOUTS));
            assert_eq!(money(&all[7]), "payout -64.50 EUR, fee 0, tax 0");
            assert!(all.iter().all(|line| line.payout == "PR1"));
            assert_eq!(proofs(&all)[0].state, ProofState::Closed);
        }
    }

    #[test]
    fn a_debt_is_carried_from_payout_to_payout_whichever_sign_it_has() {
        for minus in ["", "-"] {
            let debts = format!(
                r#""opening_debt_balance_amount":{minus}250,"closing_debt_balance_amount":{minus}1000,"settlement"#
            );
            let all = lines(&Format::Klarna, PAYOUTS.replacen("\"settlement", &debts, 1));
            let shown: Vec<String> = all.iter().map(|line| format!("{} {}", line.modification, line.net.0)).collect();
            assert_eq!(shown, ["PR1 -64.50", "opening debt -2.50", "closing debt 10.00"]);
        }
        let debt = format!(r#""closing_debt_balance_amount":{},"settlement"#, i64::MIN);
        let problem = problem(&Format::Klarna, PAYOUTS.replacen("\"settlement", &debt, 1));
        assert_eq!(problem.column, "closing_debt_balance_amount");
    }

    #[test]
    fn a_line_keeps_what_it_is_joined_by() {
        let all = lines(&Format::Klarna, payout(""));
        let joined = |at: usize| {
            let ReportLine { transaction, modification, reference, document, .. } = &all[at];
            [transaction, modification, reference, document].map(CompactString::as_str)
        };
        assert_eq!(joined(0), ["o-1", "c-1", "WEB-1", "INV-1"]);
        assert_eq!(joined(1), ["o-1", "r-1", "", "CM-1"]);
        assert_eq!((all[6].note.as_str(), all[6].number), ("KRN1", 7));
        assert_eq!(all[0].occurred_at.to_string(), "2026-11-22 14:05:59 UTC");
    }

    #[test]
    fn an_unknown_type_is_kept_whole_with_its_sign() {
        let line = lines(&Format::Klarna, answer(&[transaction("REVERSAL_MERCHANT_PROTECTION", "300", "")])).remove(0);
        assert_eq!(money(&line), "unknown 3.00 EUR, fee 0, tax 0");
        assert!(line.note.contains(r#""type":"REVERSAL_MERCHANT_PROTECTION""#) && line.note.contains("o-1"));
    }

    #[test]
    fn dates_have_an_offset_or_are_of_the_providers_zone() {
        let at = |date: &str| {
            let text = answer(&[transaction("SALE", "1", "")]).replace("2026-11-22T14:05:59Z", date);
            read(&Format::Klarna, text).0.first().map(|line| line.occurred_at.to_string())
        };
        assert_eq!(at("2026-11-22T14:05:59+0100").as_deref(), Some("2026-11-22 13:05:59 UTC"));
        assert_eq!(at("2026-11-22T14:05:59.5+01:00").as_deref(), Some("2026-11-22 13:05:59.500 UTC"));
        assert_eq!(at("2026-11-22").as_deref(), Some("2026-11-21 23:00:00 UTC"));
        assert_eq!(at("soon"), None);
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        let text = answer(&[transaction("SALE", "1", ""), transaction("SALE", "1", "")]).replacen("EUR", "EUX", 1);
        let (lines, problems) = read(&Format::Klarna, text);
        assert_eq!((lines.len(), problems[0].column.as_str(), problems[0].value.as_str()), (1, "currency_code", "EUX"));
        let yen = answer(&[transaction("SALE", "1500", "")]).replace("EUR", "JPY");
        assert_eq!(money(&self::lines(&Format::Klarna, yen)[0]), "sale 1500 JPY of 1500 JPY, fee 0, tax 0");
    }

    #[test]
    fn a_file_that_is_no_answer_or_cut_off_is_refused_whole() {
        let whole = payout("");
        for end in [1, 50, whole.len() - 1] {
            assert!(problem(&Format::Klarna, &whole[..end]).is_fatal);
        }
        for other in
            ["", "[]", "{}", r#"{"orders":[]}"#, "a,b\n1,2\n", "{\"transactions\":[{\"amount\":1.5}]}", "\u{0}"]
        {
            assert!(problem(&Format::Klarna, other).is_fatal, "{other}");
        }
        assert!(problem(&Format::Klarna, b"{\"transactions\":[{\"amount\":1,\"currency_code\":\"\xff\"}]}").is_fatal);
        assert!(lines(&Format::Klarna, "\u{feff}{\"transactions\":[]}").is_empty());
    }

    #[test]
    fn a_file_too_large_to_be_read_whole_says_what_to_do() {
        let input = Box::new(std::io::repeat(b' ').take(LARGEST + 1));
        let reading = crate::report_format::sample::READING;
        let problem = Transactions::open(input, reading).next_line().unwrap().unwrap_err();
        assert!(problem.is_fatal && problem.what.contains("64 MiB"), "{problem}");
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in broken(payout("-"))) {
            read(&Format::Klarna, bytes);
        }
    }
}
