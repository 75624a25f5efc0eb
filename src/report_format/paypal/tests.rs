//! Settlement reports as the samples have them, whole and cut off.

use crate::domain::settlement::proof::ProofState;
use crate::report_format::Format;
use crate::report_format::sample::{broken, lines, money, problem, proofs, read};

const OPENING: &str = "\"RH\",2026/01/07 05:00:00 -0800,\"A\",\"EZ78\",009,\n\"FH\",01\n";
const SECTION: &str = "\"SH\",\"2026/01/06 00:00:00 -0800\",\"2026/01/06 23:59:59 -0800\",\"EZ78\",\"\"\n";
const NAMES: &str = "\"CH\",\"Transaction ID\",\"Invoice ID\",\"PayPal Reference ID\",\"PayPal Reference ID Type\",\
    \"Transaction Event Code\",\"Transaction Initiation Date\",\"Transaction Completion Date\",Transaction Debit or Credit,\
    \"Gross Transaction Amount\",\"Gross Transaction Currency\",\"Fee Debit or Credit\",\"Fee Amount\",\"Fee Currency\",\
    \"Custom Field\",\"Consumer ID\",\"Payment Tracking ID\",Store ID,\"Bank Reference ID\",\"Credit Transactional Fee\",\
    \"Credit Promotional Fee\",\"Credit Term\"\n";
const CLOSING: &str = "\"FF\",1\n";

/// A row: id, invoice, reference, event, amounts from the gross side to the fee's currency, and the bank's reference.
fn row(id: &str, invoice: &str, reference: &str, event: &str, amounts: &str, bank: &str) -> String {
    let kind = if reference.is_empty() { "" } else { "TXN" };
    format!(
        "\"SB\",{id},{invoice},{reference},\"{kind}\",\"{event}\",2026/01/06 00:00:30 -0800,2026/01/06 00:06:00 -0800,\
        {amounts},\"\",YM2C,\"\",\"\",{bank},,,\n"
    )
}

fn rows() -> [String; 9] {
    [
        row("1A", "WEB-1", "", "T0006", "\"CR\",10000,\"EUR\",\"DR\",375,\"EUR\"", ""),
        row("2B", "WEB-1", "1A", "T1107", "DR,2000,EUR,CR,40,EUR", ""),
        row("3C", "WEB-1", "1A", "T1201", "DR,500,EUR,,,", ""),
        row("3C", "WEB-1", "1A", "T1202", "CR,500,EUR,,,", ""),
        row("4D", "", "3C", "T0106", "DR,1600,EUR,,,", ""),
        row("5E", "", "", "T1110", "DR,1000,EUR,,,", ""),
        row("6F", "", "1A", "T0200", "DR,100,EUR,,,", ""),
        row("7G", "", "1A", "T0200", "CR,15000,JPY,,,", ""),
        row("8H", "", "", "T0400", "DR,6000,EUR,,,", "\"BANK7\""),
    ]
}

/// 105.00 in and 112.00 out, 0.40 and 3.75 of fees: 20.00 become 9.65.
const EUR: &str = "\"EUR\",10500,11200,40,375,\"CR\",2000,\"CR\",965,\"CR\",0,\"CR\",0,\"CR\",0,\"CR\",0,8\n";
const JPY: &str = "\"JPY\",15000,0,0,0,\"CR\",0,\"CR\",15000,\"CR\",0,\"CR\",0,\"CR\",0,\"CR\",0,1\n";

fn report() -> String {
    let feet = format!("\"SF\",{EUR}\"SF\",{JPY}\"SC\",9\n\"RF\",{EUR}\"RF\",{JPY}\"RC\",9\n");
    format!("\u{feff}{OPENING}{SECTION}{NAMES}{}{feet}{CLOSING}", rows().concat())
}

#[test]
fn a_day_is_read_and_what_it_had_and_got_is_what_was_withdrawn_and_what_is_left() {
    let all = lines(&Format::Paypal, report());
    assert_eq!(
        all.iter().map(money).collect::<Vec<_>>(),
        [
            "sale 96.25 EUR of 100.00 EUR, fee 3.75, tax 0",
            "refund -19.60 EUR of -20.00 EUR, fee -0.40, tax 0",
            "chargeback -5.00 EUR of -5.00 EUR, fee 0, tax 0",
            "chargeback_reversed 5.00 EUR of 5.00 EUR, fee 0, tax 0",
            "fee -16.00 EUR, fee 16.00, tax 0",
            "reserve_held -10.00 EUR, fee 0, tax 0",
            "foreign_exchange -1.00 EUR, fee 0, tax 0",
            "foreign_exchange 150.00 JPY, fee 0, tax 0",
            "payout -60.00 EUR, fee 0, tax 0",
            "balance_transfer 20.00 EUR, fee 0, tax 0",
            "balance_transfer -9.65 EUR, fee 0, tax 0",
            "balance_transfer -150.00 JPY, fee 0, tax 0",
        ]
    );
    assert!(all.iter().all(|line| line.payout == "2026-01-06" && line.account == "EZ78"));
    let proof = proofs(&all).into_iter().find(|proof| proof.currency.code() == "EUR").unwrap();
    let shown = [proof.gross, proof.fees, proof.reserves, proof.carried, proof.corrections, proof.paid_out];
    assert_eq!(shown.map(|part| part.to_string()), ["80.00", "19.35", "-10.00", "10.35", "-1.00", "60.00"]);
    assert_eq!(proof.state, ProofState::Closed);
}

#[test]
fn a_line_keeps_what_it_is_joined_by() {
    let all = lines(&Format::Paypal, report().replacen(",\"\",YM2C", ",\"ORDER 1\",YM2C", 1));
    let joined = |at: usize| {
        let line = &all[at];
        [&line.transaction, &line.modification, &line.reference, &line.document].map(compact_str::CompactString::as_str)
    };
    assert_eq!(joined(0), ["1A", "1A", "WEB-1;ORDER 1", "WEB-1"]);
    assert_eq!(joined(1), ["1A", "2B", "WEB-1", "WEB-1"]);
    assert_eq!(joined(4), ["3C", "4D/T0106", "", ""]);
    assert_eq!(joined(5), ["", "5E/T1110", "", ""]);
    assert_eq!((all[8].note.as_str(), all[8].number), ("BANK7", 13));
    assert_eq!(joined(9), ["", "opening balance EUR", "", ""]);
    assert_eq!(joined(11), ["", "closing balance JPY", "", ""]);
    assert_eq!(all[0].occurred_at.to_string(), "2026-01-06 08:06:00 UTC");
}

#[test]
fn a_report_without_what_samples_lack_is_read() {
    let bare = format!("{SECTION}{NAMES}{}\"RF\",{EUR}\"RF\",{JPY}", rows().concat());
    // The balances are those of the report, as that is its only section.
    let all = lines(&Format::Paypal, bare);
    assert_eq!((all.len(), all[11].modification.as_str()), (12, "closing balance JPY"));
    let empty =
        format!("{OPENING}{SECTION}\"SF\",\"USD\",0,0,0,0\n\"SC\",0\n\"RF\",\"USD\",0,0,0,0\n\"RC\",0\n{CLOSING}");
    assert!(lines(&Format::Paypal, empty).is_empty());
}

#[test]
fn sections_are_of_their_accounts() {
    let one = row("1A", "", "", "T0006", "CR,100,USD,,,", "");
    let foot = |word: &str, credit: u32| format!("\"{word}\",\"USD\",{credit},0,0,0,\"CR\",0,\"CR\",{credit}\n");
    let section =
        |account: &str| format!("{}{NAMES}{one}{}\"SC\",1\n", SECTION.replace("EZ78", account), foot("SF", 100));
    let text = [section("A1"), section("B2"), foot("RF", 200), "\"RC\",2\n".to_owned()].concat();
    let all = lines(&Format::Paypal, text);
    assert_eq!(all.iter().map(|line| line.account.as_str()).collect::<Vec<_>>(), ["A1", "A1", "B2", "B2"]);
}

#[test]
fn a_day_without_a_withdrawal_is_carried_on_and_proved_by_its_balances() {
    let day = |opening: i64, rows: &[String], sums: &str, closing: i64| {
        let foot = format!("EUR,{sums},CR,{opening},CR,{closing}\n");
        lines(&Format::Paypal, format!("{SECTION}{NAMES}{}\"SF\",{foot}\"RF\",{foot}", rows.concat()))
    };
    let sale = row("1A", "", "", "T0006", "CR,5000,EUR,DR,100,EUR", "");
    let refund = row("2B", "", "1A", "T1107", "DR,5000,EUR,CR,100,EUR", "");
    for (opening, rows, sums, closing, carried) in [
        (0, vec![sale.clone()], "5000,0,0,100", 4900, "-49.00"),
        (4900, vec![refund.clone()], "0,5000,100,0", 0, "49.00"),
        (0, vec![sale, refund], "5000,5000,100,100", 0, "0.00"),
        (4900, vec![], "0,0,0,0", 4900, "0.00"),
    ] {
        let proof = proofs(&day(opening, &rows, sums, closing)).remove(0);
        let shown = (proof.carried.to_string(), proof.paid_out.to_string(), proof.state);
        assert_eq!(shown, (carried.to_owned(), "0.00".to_owned(), ProofState::Closed), "{opening} {closing}");
    }
    assert!(day(0, &[], "0,0,0,0", 0).is_empty());
}

#[test]
fn balances_that_are_not_of_these_rows_are_left_out() {
    let all = lines(&Format::Paypal, report().replace("\"CR\",965", "\"CR\",1965"));
    assert_eq!(all.len(), 10, "those of the yen stay");
    let owed = report().replace("\"CR\",2000,\"CR\",965", "\"DR\",100,\"DR\",1135");
    let owed = lines(&Format::Paypal, owed);
    assert_eq!(
        (money(&owed[9]), money(&owed[10])),
        ("balance_transfer -1.00 EUR, fee 0, tax 0".to_owned(), "balance_transfer 11.35 EUR, fee 0, tax 0".to_owned())
    );
}

#[track_caller]
fn is_refused(text: impl Into<Vec<u8>>, why: &str) {
    let problem = problem(&Format::Paypal, text);
    assert!(problem.is_fatal && problem.what.contains(why), "{problem}");
}

#[test]
fn a_file_that_is_not_whole_is_refused() {
    let whole = report();
    for word in ["\"RF\"", "\"SC\"", "\"SF\"", "\"FF\"", "\"SB\",5E"] {
        is_refused(&whole[..whole.find(word).unwrap()], "cut off");
    }
    // Within the footers: with and without the end of a number.
    let end = whole.rfind("\"RF\",\"EUR\"").unwrap();
    for length in [4, 8, 16, 22] {
        assert!(problem(&Format::Paypal, &whole[..end + length]).is_fatal, "{length}");
    }
    is_refused(whole.replacen(&rows()[4], "", 1), "rows are missing");
    is_refused(whole.replacen(&rows()[4], &rows()[4].repeat(2), 1), "rows are missing");
    is_refused(whole.replace("\"SC\",9", "\"SC\",8"), "count says 8");
    is_refused(whole.replace("\"RC\",9", "\"RC\",10"), "count says 10");
    is_refused(whole.replacen(&format!("\"RF\",{JPY}"), "", 1), "for JPY");
}

#[test]
fn every_cut_of_a_report_is_fatal_but_for_its_last_record() {
    let whole = report();
    for end in (0..whole.rfind("\"FF\"").unwrap()).filter(|end| whole.is_char_boundary(*end)) {
        let problems = read(&Format::Paypal, &whole[..end]).1;
        assert!(problems.iter().any(|problem| problem.is_fatal), "cut off at {end}");
    }
}

#[test]
fn a_report_of_another_kind_is_refused() {
    is_refused("date,amount\n2026-11-22,1\n", "not a kind of record");
    is_refused("", "no report footer");
    is_refused(
        report().replacen("\"Store", "\"Transactional Status\",\"Store", 1).replacen(
            "Store ID",
            "Transactional Status",
            1,
        ),
        "transaction detail report",
    );
    is_refused(report().replacen("Fee Currency", "Fee", 1), "`Fee Currency` is missing");
    is_refused(report().replacen(SECTION, "", 1), "no section has begun");
    is_refused(report().replacen(NAMES, "", 1), "before the columns' names");
    is_refused(report().replacen("2026/01/06 00:00:00 -0800", "2026-01-06", 1), "window");
}

#[test]
fn a_row_that_cannot_be_read_is_told_and_the_sums_are_not_taken_for_wrong() {
    for (from, to, column) in [
        ("CR\",10000", "XX\",10000", "Transaction Debit or Credit"),
        ("10000", "100.00", "Gross Transaction Amount"),
        ("10000", "-10000", "Gross Transaction Amount"),
        ("375,\"EUR\"", "375,\"EUX\"", "Fee Currency"),
        ("2026/01/06 00:06:00 -0800", "2026-01-06", "Transaction Completion Date"),
    ] {
        let (lines, problems) = read(&Format::Paypal, report().replacen(from, to, 1));
        assert!(lines.len() >= 8, "{to}");
        assert_eq!(problems.len(), 1, "{to}: {problems:?}");
        assert_eq!((problems[0].line, problems[0].column.as_str(), problems[0].is_fatal), (5, column, false));
    }
}

#[test]
fn a_fee_in_another_currency_and_an_unknown_record_are_told() {
    let text = report().replacen("375,\"EUR\"", "375,\"USD\"", 1);
    let first = problem(&Format::Paypal, text);
    assert_eq!((first.column.as_str(), first.value.as_str()), ("Fee Currency", "USD"));
    let (lines, problems) = read(&Format::Paypal, report().replacen("\"SC\"", "\"XY\",1\n\"SC\"", 1));
    assert_eq!((lines.len(), problems.len(), problems[0].is_fatal), (12, 1, false));
}

#[test]
fn what_the_contract_does_not_name_is_unknown() {
    for (event, side, kind) in [
        ("T0003", "CR", "sale"),
        ("T0001", "DR", "unknown"),
        ("T1107", "CR", "refund_reversed"),
        ("T1111", "CR", "reserve_released"),
        ("T1108", "CR", "fee"),
        ("T0400", "CR", "payout_failed"),
        ("T1900", "DR", "correction"),
        ("T9999", "CR", "unknown"),
        ("", "CR", "unknown"),
    ] {
        let (credit, debit) = if side == "CR" { (100, 0) } else { (0, 100) };
        let row = row("1A", "", "", event, &format!("{side},100,USD,,,"), "");
        let all = lines(&Format::Paypal, format!("{SECTION}{NAMES}{row}\"RF\",USD,{credit},{debit},0,0\n"));
        assert_eq!(all[0].kind.as_str(), kind, "{event} {side}");
        assert_eq!(all[0].note.contains("Transaction ID=1A"), kind == "unknown", "{event} {side}");
    }
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in broken(report())) {
        read(&Format::Paypal, bytes);
    }
}
