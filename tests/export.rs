//! The exported books: the exact texts, names no format was made for, and what the accounting programs say about them.
#![expect(
    clippy::indexing_slicing,
    clippy::needless_raw_string_hashes,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it could not check"
)]
#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use payjournal::domain::booking::{Direction, JournalKind};
use payjournal::domain::document::DocumentKind;
use payjournal::domain::id::{
    Account, CustomerNumber, DocumentId, DocumentNumber, JournalId, ModificationId, PaymentId, TransactionId,
};
use payjournal::domain::money::{Amount, Currency};
use payjournal::exchange::export::{ExportError, ExportFormat, Journals, Selection, write};
use payjournal::ledger::{BookedJournal, BookedPosting};

/// A journal of one movement over `minor` units from `credit` to `debit`.
fn journal(
    number: &str,
    date: &str,
    customer: &str,
    minor: i64,
    currency: &str,
    debit: &str,
    credit: &str,
) -> BookedJournal {
    let amount = Amount::from_minor(minor, Currency::parse(currency).unwrap());
    let posting = |account: &str, amount| BookedPosting { account: Account::parse(account).unwrap(), amount };
    BookedJournal {
        id: JournalId(1),
        number: number.to_owned(),
        kind: JournalKind::Receipt,
        direction: Direction::Original,
        posting_date: date.parse().unwrap(),
        bill_to: CustomerNumber::parse(customer).unwrap(),
        amount,
        payment: PaymentId(1),
        document: Some(DocumentId(1)),
        document_kind: Some(DocumentKind::Invoice),
        document_number: Some(DocumentNumber::parse("103210").unwrap()),
        order: Some("WEB/1001".to_owned()),
        transaction: TransactionId::parse("tx-1").unwrap(),
        modification: ModificationId::parse("cap-1").unwrap(),
        delivered: true,
        postings: vec![posting(debit, amount), posting(credit, amount.negated())],
    }
}

fn usual() -> BookedJournal {
    journal("PJ2", "2026-11-02", "C1", 11_900, "EUR", "Assets:PSP:sandbox:Demo:EUR", "Assets:Receivables:C1")
}

/// Two journals of three currencies' books, in the wrong order.
fn small() -> Vec<BookedJournal> {
    let refund = BookedJournal {
        kind: JournalKind::UnappliedRefund,
        document: None,
        document_kind: None,
        document_number: None,
        ..journal("PJ1", "2026-11-03", "C2", 500, "EUR", "Liabilities:Prepayments:C2", "Assets:PSP:sandbox:Demo:EUR")
    };
    vec![refund, usual()]
}

/// Texts that mean something to one format or another.
const ODD: [&str; 26] = [
    "Müller & Söhne",
    "a;b",
    "a ; b",
    "a|b",
    "*a",
    "!a",
    "(a)",
    "[a]",
    "[2026-13-99]",
    "; a",
    "#a",
    "=a",
    "<a>",
    "{a}",
    "@ 5 EUR",
    "\"a\"",
    "it's \"x",
    "a,date: foo",
    "a, b:c",
    "a  b\u{a0}\u{a0}c",
    "back\\slash\\",
    "::",
    "-1",
    "&a",
    "東京",
    "ünder_score.dot/slash",
];

fn odd() -> Vec<BookedJournal> {
    let mut journals = Vec::new();
    for (number, text) in ODD.iter().enumerate() {
        let amounts = [("EUR", 11_900), ("JPY", 1_500), ("KWD", 1_234)];
        let (currency, minor) = amounts[number % 3];
        journals.push(BookedJournal {
            order: Some(format!("{text}/{text}")),
            document_number: Some(DocumentNumber::parse(text).unwrap()),
            transaction: TransactionId::parse(text).unwrap(),
            modification: ModificationId::parse(text).unwrap(),
            // The number keeps apart what a format may write alike.
            ..journal(
                &format!("PJ{number}"),
                "2026-11-02",
                text,
                minor,
                currency,
                &format!("{text}:{number}"),
                &format!("Assets:{text} {number}"),
            )
        });
    }
    // An account number, a root alone, and postings of two currencies on one account.
    journals.push(journal("PJ90", "2026-10-30", "C1", -5, "EUR", "1360", "Assets"));
    journals.push(journal("PJ91", "2026-11-30", "C1", 1, "JPY", "1360", "Assets"));
    journals
}

fn text(format: ExportFormat, journals: &[BookedJournal]) -> String {
    let mut bytes = Vec::new();
    let journals = Journals { of_movements: journals.to_vec(), ..Journals::default() };
    write(format, &journals, Selection::default(), &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn hledger_gets_every_name_declared() {
    snapbox::assert_data_eq!(
        text(ExportFormat::Hledger, &small()),
        snapbox::str![[r#"
; payment journals of payjournal

commodity EUR
    format 1000.00 EUR
tag customer
tag direction
tag document
tag kind
tag modification
tag order
tag transaction
account Assets:PSP:sandbox:Demo:EUR
account Assets:Receivables:C1
account Liabilities:Prepayments:C2
payee C1
payee C2

2026-11-02 * (PJ2) C1
    ; kind: receipt
    ; direction: original
    ; document: invoice 103210
    ; order: WEB/1001
    ; customer: C1
    ; transaction: tx-1
    ; modification: cap-1
    Assets:PSP:sandbox:Demo:EUR      119.00 EUR
    Assets:Receivables:C1           -119.00 EUR

2026-11-03 * (PJ1) C2
    ; kind: unapplied_refund
    ; direction: original
    ; order: WEB/1001
    ; customer: C2
    ; transaction: tx-1
    ; modification: cap-1
    Liabilities:Prepayments:C2         5.00 EUR
    Assets:PSP:sandbox:Demo:EUR       -5.00 EUR

"#]]
    );
}

#[test]
fn beancount_opens_each_account_on_its_first_day() {
    snapbox::assert_data_eq!(
        text(ExportFormat::Beancount, &small()),
        snapbox::str![[r#"
; payment journals of payjournal

2026-11-02 open Assets:PSP:Sandbox:Demo:EUR EUR
2026-11-02 open Assets:Receivables:C1 EUR
2026-11-03 open Liabilities:Prepayments:C2 EUR

2026-11-02 * "C1" "receipt"
  journal: "PJ2"
  kind: "receipt"
  direction: "original"
  document: "invoice 103210"
  order: "WEB/1001"
  customer: "C1"
  transaction: "tx-1"
  modification: "cap-1"
  Assets:PSP:Sandbox:Demo:EUR      119.00 EUR
  Assets:Receivables:C1           -119.00 EUR

2026-11-03 * "C2" "unapplied refund"
  journal: "PJ1"
  kind: "unapplied_refund"
  direction: "original"
  order: "WEB/1001"
  customer: "C2"
  transaction: "tx-1"
  modification: "cap-1"
  Liabilities:Prepayments:C2         5.00 EUR
  Assets:PSP:Sandbox:Demo:EUR       -5.00 EUR

"#]]
    );
}

#[test]
fn csv_has_a_row_per_posting() {
    snapbox::assert_data_eq!(
        text(ExportFormat::Csv, &small()).replace("\r\n", "\n"),
        snapbox::str![[r#"
posting_date,journal,kind,direction,document_kind,document,order,customer,transaction,modification,account,debit,credit,currency
2026-11-02,PJ2,receipt,original,invoice,103210,WEB/1001,C1,tx-1,cap-1,Assets:PSP:sandbox:Demo:EUR,119.00,,EUR
2026-11-02,PJ2,receipt,original,invoice,103210,WEB/1001,C1,tx-1,cap-1,Assets:Receivables:C1,,119.00,EUR
2026-11-03,PJ1,unapplied_refund,original,,,WEB/1001,C2,tx-1,cap-1,Liabilities:Prepayments:C2,5.00,,EUR
2026-11-03,PJ1,unapplied_refund,original,,,WEB/1001,C2,tx-1,cap-1,Assets:PSP:sandbox:Demo:EUR,,5.00,EUR

"#]]
    );
}

#[test]
fn csv_keeps_every_text_exactly() {
    let written = text(ExportFormat::Csv, &odd());
    assert!(written.split_terminator("\r\n").all(|line| !line.contains(['\r', '\n'])));
    let mut reader = csv::Reader::from_reader(written.as_bytes());
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 2 * odd().len());
    for (number, text) in ODD.iter().enumerate() {
        let row = rows.iter().find(|row| row[1] == format!("PJ{number}")).unwrap();
        assert_eq!([&row[5], &row[6], &row[7]], [*text, &format!("{text}/{text}"), *text]);
    }
    let kuwait = rows.iter().find(|row| row[13] == *"KWD").unwrap();
    assert_eq!([&kuwait[11], &kuwait[12]], ["1.234", ""]);
}

#[test]
fn equal_journals_make_equal_bytes_whatever_their_order_and_row_ids() {
    for format in [ExportFormat::Hledger, ExportFormat::Beancount, ExportFormat::Csv] {
        let mut other = odd();
        other.reverse();
        for (id, journal) in (70..).zip(&mut other) {
            journal.id = JournalId(id);
            journal.payment = PaymentId(id);
            journal.document = Some(DocumentId(id));
        }
        assert_eq!(text(format, &odd()), text(format, &other));
    }
}

#[test]
fn no_journals_are_an_export_too() {
    assert_eq!(text(ExportFormat::Csv, &[]).lines().count(), 1);
    assert_eq!(text(ExportFormat::Beancount, &[]), "; payment journals of payjournal\n\n");
}

#[track_caller]
fn collides(format: ExportFormat, one: &str, other: &str, name: &str) {
    let of_movements = vec![journal("PJ1", "2026-11-02", "C1", 1, "EUR", one, other)];
    let journals = Journals { of_movements, ..Journals::default() };
    let error = write(format, &journals, Selection::default(), &mut Vec::new()).unwrap_err();
    assert!(matches!(error, ExportError::SameName { .. }), "{error:?}");
    let message = error.to_string();
    for part in [one, other, name] {
        assert!(message.contains(&format!("`{part}`")), "{message}");
    }
    assert!(!text(ExportFormat::Csv, &journals.of_movements).is_empty());
}

#[test]
fn two_accounts_never_become_one() {
    collides(ExportFormat::Beancount, "Assets:A B", "Assets:A_B", "Assets:A-B");
    collides(ExportFormat::Beancount, "Assets:a", "Assets:A", "Assets:A");
    collides(ExportFormat::Beancount, "1360", "Assets:1360", "Assets:1360");
    collides(ExportFormat::Hledger, "Assets:A;B", "Assets:A-B", "Assets:A-B");
    collides(ExportFormat::Hledger, "Assets:A  B", "Assets:A B", "Assets:A B");
}

/// Runs a checker on an export and returns what it prints. `None`, and a word on stderr, where it is not installed: CI has
/// them all.
fn checked(program: &str, before: &[&str], format: ExportFormat, after: &[&str]) -> Option<String> {
    let mut file = tempfile::Builder::new().suffix(".beancount").tempfile().unwrap();
    file.write_all(text(format, &odd()).as_bytes()).unwrap();
    match Command::new(program).args(before).arg(file.path()).args(after).output() {
        Ok(output) => {
            let said =
                format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            assert!(output.status.success(), "{program} {before:?} {after:?}:\n{said}");
            Some(said)
        }
        Err(error) => {
            assert!(!is_ci(), "CI needs {program}: {error}");
            eprintln!("NOT CHECKED: {program} cannot be started: {error}");
            None
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the test environment says which checkers must be there")]
fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| value == "true")
}

#[expect(clippy::disallowed_methods, reason = "the test environment says where bean-check is")]
fn bean_check() -> String {
    match std::env::var("PAYJOURNAL_BEAN_CHECK") {
        Ok(path) => {
            assert!(Path::new(&path).exists(), "PAYJOURNAL_BEAN_CHECK names `{path}`, which is not there");
            path
        }
        Err(_) => "bean-check".to_owned(),
    }
}

#[test]
fn hledger_accepts_the_export() {
    checked("hledger", &["-f"], ExportFormat::Hledger, &["check", "--strict"]);
    checked("hledger", &["-f"], ExportFormat::Hledger, &["check", "payees", "ordereddates"]);
    if let Some(balances) =
        checked("hledger", &["-f"], ExportFormat::Hledger, &["balance", "-O", "csv", "--no-total", "--flat"])
    {
        // Everything but two accounts, which hold two currencies each.
        assert_eq!(balances.lines().count(), 1 + 2 * ODD.len() + 2, "{balances}");
        assert!(balances.contains("1.234 KWD"), "{balances}");
    }
}

#[test]
fn ledger_accepts_the_export() {
    checked("ledger", &["--strict", "--pedantic", "--check-payees", "-f"], ExportFormat::Hledger, &["balance"]);
}

#[test]
fn beancount_accepts_the_export() {
    checked(&bean_check(), &[], ExportFormat::Beancount, &[]);
}
