//! Tables as configurations describe them, and the amounts they come to.

use super::*;
use crate::report_format::Format;
use crate::report_format::sample::{broken, lines, money, problem, read};

fn format(change: impl FnOnce(&mut GenericFormat)) -> Format {
    let mut format = GenericFormat::default();
    change(&mut format);
    Format::Generic(Box::new(format))
}

fn all_money(format: &Format, text: &str) -> Vec<String> {
    lines(format, text).iter().map(money).collect()
}

#[test]
fn a_table_of_which_nothing_is_known_has_lines_of_an_unknown_kind() {
    let read = lines(&format(|_| {}), "date,amount,currency,why\n2026-11-22,-1.50,eur,rent\n");
    assert_eq!(money(&read[0]), "unknown -1.50 EUR, fee 0, tax 0");
    assert_eq!(read[0].note, "date=2026-11-22; amount=-1.50; currency=eur; why=rent");
    assert_eq!(read[0].occurred_at.to_string(), "2026-11-21 23:00:00 UTC");
}

/// German, before fees, with a column for either sign.
fn german() -> Format {
    format(|format| {
        format.separator = b';';
        format.amount = AmountColumns::CreditAndDebit { credit: "Haben".to_owned(), debit: "Soll".to_owned() };
        format.amount_is = AmountIs::Gross;
        format.currency = CurrencyFrom::Fixed(Currency::parse("EUR").unwrap());
        format.decimal_point = ',';
        format.thousands_separator = Some('.');
        format.date = "Datum".to_owned();
        format.date_format = Some("%d.%m.%Y %H:%M".to_owned());
        format.time_zone = Some(Tz::Europe__Vienna);
        format.payout = Some(PayoutFrom::Column("Auszahlung".to_owned()));
        format.kind = Some("Art".to_owned());
        format.kinds = vec![
            ("Verkauf".to_owned(), LineKind::Sale),
            ("Erstattung".to_owned(), LineKind::Refund),
            ("Gebühr".to_owned(), LineKind::Fee),
            ("USt".to_owned(), LineKind::FeeTax),
            ("Auszahlung".to_owned(), LineKind::Payout),
        ];
        format.fee = Some("Gebühr".to_owned());
        format.tax = Some("USt".to_owned());
        format.transaction = Some("Zahlung".to_owned());
        format.reference = Some("Auftrag".to_owned());
    })
}

const GERMAN: &str = "Datum;Art;Zahlung;Auftrag;Haben;Soll;Gebühr;USt;Auszahlung\n\
    22.11.2026 14:05;Verkauf;p1;A-1;1.234,50;;12,3456;2,35;A7\n\
    22.11.2026 14:06;Erstattung;p1;A-1;;34,50;0,10;;A7\n\
    22.11.2026 14:07;Gebühr;;;;5,00;;;A7\n\
    22.11.2026 14:07;USt;;;;0,95;;;A7\n\
    23.11.2026 09:00;Auszahlung;;;;1.179,25;;;A7\n\
    23.11.2026 09:00;Rätsel;;;0,01;;;;A7\n";

#[test]
fn credit_and_debit_with_a_comma_are_read_before_fees() {
    let read = lines(&german(), GERMAN);
    assert_eq!(
        read.iter().map(money).collect::<Vec<_>>(),
        [
            "sale 1219.8044 EUR of 1234.50 EUR, fee 12.3456, tax 2.35",
            "refund -34.60 EUR of -34.50 EUR, fee 0.10, tax 0",
            "fee -5.00 EUR, fee 5.00, tax 0",
            "fee_tax -0.95 EUR, fee 0, tax 0.95",
            "payout -1179.25 EUR, fee 0, tax 0",
            "unknown 0.01 EUR, fee 0, tax 0",
        ]
    );
    assert_eq!(read[0].occurred_at.to_string(), "2026-11-22 13:05:00 UTC");
    assert_eq!(
        (read[0].payout.as_str(), read[0].transaction.as_str(), read[0].reference.as_str()),
        ("A7", "p1", "A-1")
    );
}

#[test]
fn an_amount_written_with_the_wrong_point_is_no_amount() {
    let wrong = |text: &str| problem(&german(), GERMAN.replacen("1.234,50", text, 1)).to_string();
    assert!(wrong("1,234.50").contains("not a decimal"));
    for bad in
        ["1 234,50", "1.23,50", "1.234.5,50", ".234,50", "1,234,50", "1.234,5.0", "-", ",", "--1,00", "1234.567,00"]
    {
        assert!(wrong(bad).contains("not a decimal"), "{bad}");
    }
    assert!(wrong("1234,1234567").contains("more than six decimals"));
    let plain = format(|format| format.decimal_point = ',');
    assert!(problem(&plain, "date,amount,currency\n2026-11-22,1.50,EUR\n").what.contains("not a decimal"));
}

#[test]
fn thousands_are_grouped_as_people_group_them() {
    let amount = |text: &str| {
        let format = format(|format| format.thousands_separator = Some(','));
        let read = read(&format, format!("date,amount,currency\n2026-11-22,\"{text}\",EUR\n")).0;
        read.first().map(|line| line.net.0.to_string())
    };
    for (text, read) in [
        ("1,234,567.89", "1234567.89"),
        ("12,34,567.8", "1234567.8"),
        ("-1,000", "-1000"),
        ("+5.", "5"),
        ("1234.5", "1234.5"),
    ] {
        assert_eq!(amount(text).as_deref(), Some(read), "{text}");
    }
    for bad in ["1,23", "1234,567", "1,2345", ",123", "1.234,567"] {
        assert_eq!(amount(bad), None, "{bad}");
    }
}

#[test]
fn a_word_says_which_way_the_money_went_and_minor_units_are_the_currencys() {
    let format = format(|format| {
        format.amount = AmountColumns::Indicated {
            amount: "amount".to_owned(),
            indicator: "dc".to_owned(),
            credit_word: "C".to_owned(),
            debit_word: "D".to_owned(),
        };
        format.units = Units::Minor;
        format.default_kind = LineKind::Sale;
        format.payout = Some(PayoutFrom::Fixed("P1".to_owned()));
    });
    let text = "date,amount,dc,currency\n2026-11-22,1230,C,EUR\n2026-11-22,1230,D,JPY\n2026-11-22,1230,C,KWD\n\
        2026-11-22,12.5,C,EUR\n";
    assert_eq!(
        all_money(&format, text),
        [
            "sale 12.30 EUR of 12.30 EUR, fee 0, tax 0",
            "sale -1230 JPY of -1230 JPY, fee 0, tax 0",
            "sale 1.230 KWD of 1.230 KWD, fee 0, tax 0",
            "sale 0.125 EUR of 0.125 EUR, fee 0, tax 0",
        ]
    );
    assert_eq!(lines(&format, text)[0].payout, "P1");
    let problem = problem(&format, text.replace(",D,", ",X,"));
    assert_eq!(problem.to_string(), "line 3, column `dc`, `X`: neither `C` nor `D`");
}

#[test]
fn negative_fees_are_what_the_psp_kept_and_the_customers_amount_takes_the_sign() {
    let format = format(|format| {
        format.fee = Some("fee".to_owned());
        format.fees_are_negative = true;
        format.gross = Some("paid".to_owned());
        format.gross_currency = Some("paid in".to_owned());
        format.default_kind = LineKind::Refund;
    });
    let text = "date,amount,currency,fee,paid,paid in\n2026-11-22,-9.20,EUR,-0.20,10.00,USD\n2026-11-22,-9.20,EUR,,,\n\
        2026-11-22,,EUR,,,\n2026-11-22,1,XXX,,,\n";
    let (lines, problems) = read(&format, text);
    assert_eq!(
        lines.iter().map(money).collect::<Vec<_>>(),
        ["refund -9.20 EUR of -10.00 USD, fee 0.20, tax 0", "refund -9.20 EUR of -9.20 EUR, fee 0, tax 0"]
    );
    assert_eq!(problems[0].to_string(), "line 4, column `amount`: no amount");
    assert_eq!((problems[1].line, problems[1].column.as_str()), (5, "currency"));
}

#[test]
fn a_date_format_is_told_before_it_is_used() {
    for good in ["%d.%m.%Y", "%d.%m.%y %H:%M", "%Y-%m-%dT%H:%M:%S%z", "%m/%d/%Y %I:%M %p", "%e. %B %Y", "%s"] {
        assert!(is_date_format(good), "{good}");
    }
    for bad in ["", "%Q", "%", "%d.%m.", "%H:%M", "22.11.2026"] {
        assert!(!is_date_format(bad), "{bad}");
    }
    let with = |shape: &str, date: &str| {
        let format = format(|format| format.date_format = Some(shape.to_owned()));
        read(&format, format!("date,amount,currency\n{date},1,EUR\n"))
            .0
            .first()
            .map(|line| line.occurred_at.to_string())
    };
    assert_eq!(with("%d.%m.%Y", "22.11.2026").as_deref(), Some("2026-11-21 23:00:00 UTC"));
    assert_eq!(with("%Y-%m-%dT%H:%M:%S%z", "2026-11-22T14:05:59-0800").as_deref(), Some("2026-11-22 22:05:59 UTC"));
    assert_eq!(with("%m/%d/%Y %I:%M %p", "11/22/2026 02:05 PM").as_deref(), Some("2026-11-22 13:05:00 UTC"));
    assert_eq!(with("%d.%m.%Y", "2026-11-22"), None);
    assert_eq!(with("%Q", "2026-11-22"), None);
}

#[test]
fn a_column_the_configuration_names_has_to_be_there() {
    let missing = problem(&german(), GERMAN.replace("Auftrag;", "Order;"));
    assert!(missing.is_fatal && missing.what.contains("`Auftrag` is missing"), "{missing}");
    assert!(problem(&german(), "Datum,Haben,Soll\n").is_fatal);
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in broken(GERMAN.to_owned())) {
        read(&german(), bytes);
    }
}
