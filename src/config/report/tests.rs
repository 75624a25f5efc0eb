//! Descriptions of reports: what they come to, what is refused and with which words.

use std::path::Path;

use crate::config::{Loaded, parse};
use crate::failure::Failure;
use crate::report_format::{AmountColumns, CurrencyFrom, Format, GenericFormat, PayoutFrom};

fn load(columns: &str) -> Result<Loaded, Failure> {
    let text = format!(
        "[provider.own]\nkind = \"reports\"\nmerchant_account = \"M\"\nreports = \"in\"\nreport_format = \"generic\"\n\
         [provider.own.report_columns]\n{columns}"
    );
    parse(&text, Path::new("own.toml"), Path::new("/own.toml"))
}

#[track_caller]
fn format(columns: &str) -> GenericFormat {
    let loaded = load(columns).unwrap();
    let reports = loaded.settings.providers.into_values().next().unwrap().reports.unwrap();
    match reports.format {
        Some(Format::Generic(format)) => *format,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn refused(columns: &str, why: &str) {
    let told = load(columns).unwrap_err().line();
    assert!(told.contains(why) && told.contains("provider.own.report_columns"), "{told}");
}

const WITHOUT_PAYOUT: &str = "amount = \"Sum\"\ncurrency = \"EUR\"\ndate = \"Day\"\n";
const LEAST: &str = "amount = \"Sum\"\ncurrency = \"EUR\"\ndate = \"Day\"\npayout_column = \"Payout\"\n";

#[test]
fn the_least_that_explains_a_report_is_amount_currency_date_and_payout() {
    let least = GenericFormat {
        amount: AmountColumns::Signed("Sum".to_owned()),
        currency: CurrencyFrom::Fixed(super::currency("EUR").unwrap()),
        date: "Day".to_owned(),
        payout: Some(PayoutFrom::Column("Payout".to_owned())),
        ..GenericFormat::default()
    };
    assert_eq!(format(LEAST), least);
    refused("", "amount` is missing: an amount stands in `amount` (a column with a sign), or `credit` and `debit`");
    refused("", "currency` is missing: the currency of every line, or in its place `currency_column`");
    refused("", "date` is missing");
    refused(WITHOUT_PAYOUT, "payout_column` is missing");
    assert_eq!(format(&format!("{WITHOUT_PAYOUT}modification = \"Id\"\nhas_own_id = true")).payout, None);
}

#[test]
fn an_amount_stands_in_one_of_three_ways() {
    let amount = |keys: &str| format(&LEAST.replace("amount = \"Sum\"", keys)).amount;
    let (credit, debit) = ("Haben".to_owned(), "Soll".to_owned());
    assert_eq!(amount("credit = \"Haben\"\ndebit = \"Soll\""), AmountColumns::CreditAndDebit { credit, debit });
    let words = "amount = \"Sum\"\nindicator = \"Side\"\ncredit_word = \"C\"\ndebit_word = \"D\"";
    assert!(matches!(amount(words), AmountColumns::Indicated { .. }));
    let wrong = |keys: &str, why: &str| refused(&LEAST.replace("amount = \"Sum\"", keys), why);
    wrong("credit = \"Haben\"", "here there are `credit`");
    wrong("amount = \"Sum\"\ncredit = \"Haben\"\ndebit = \"Soll\"", "here there are `amount`, `credit`, `debit`");
    wrong(&words.replace("\"D\"", "\"C\""), "debit_word`: the same as `credit_word`");
    wrong("amount = 7", "expected a text in quotes");
}

#[test]
fn what_is_typed_wrong_is_told_once() {
    let told = load(&LEAST.replace("\"EUR\"", "\"eur\"").replace("\"Sum\"", "\"\"")).unwrap_err().line();
    assert!(told.contains("has 2 problems"), "{told}");
    assert!(told.contains("a column that holds it is named by `currency_column`"), "{told}");
}

#[test]
fn keys_that_only_mean_something_together_stand_together() {
    let wrong = |keys: &str, why: &str| refused(&format!("{LEAST}{keys}"), why);
    wrong("kind = \"Art\"", "kinds` is missing");
    wrong("kinds = { a = \"sale\" }", "kind` is missing");
    wrong("gross_currency = \"Cur\"", "gross` is missing");
    wrong("fees_are_negative = true", "fee` is missing");
    wrong("has_own_id = true", "modification` is missing");
    wrong("thousands_separator = \".\"", "the same as `decimal_point`");
    wrong("currency_column = \"Cur\"", "currency_column`: excludes `currency`");
    wrong("payout = \"1\"", "payout`: excludes `payout_column`");
}

#[test]
fn a_word_for_a_kind_is_one_the_ledger_knows() {
    let kinds = |kinds: &str| format!("{LEAST}kind = \"Art\"\nkinds = {kinds}");
    let read = format(&kinds("{ \"Verkauf\" = \"sale\", Miete = \"correction\" }"));
    assert_eq!(read.kinds.len(), 2);
    refused(&kinds("{ Verkauf = \"sell\" }"), "what `Verkauf` stands for; valid: \"sale\", \"refund\"");
    refused(&kinds("{ Verkauf = \"Sales\" }"), "the nearest is \"sale\"");
    refused(&kinds("{ \" Verkauf\" = \"sale\" }"), "without the spaces around it");
    refused(&kinds("{}"), "expected at least one entry");
    refused(&kinds("\"sale\""), "such as { \"Sale\" = \"sale\"");
    refused(&format!("{LEAST}default_kind = \"fees\""), "the nearest is \"fee\"");
}

#[test]
fn a_date_has_a_format_that_can_be_read() {
    assert_eq!(format(&format!("{LEAST}date_format = \"%d.%m.%Y\"")).date_format.as_deref(), Some("%d.%m.%Y"));
    for bad in ["%Q", "22.11.2026", "%d.%m.", "%H:%M", ""] {
        refused(&format!("{LEAST}date_format = \"{bad}\""), "as strftime has it: \"%d.%m.%Y\"");
    }
}

#[test]
fn separators_are_single_characters() {
    let read = format(&format!("{LEAST}separator = \"\\t\"\ndecimal_point = \",\"\nthousands_separator = \"'\"\n"));
    assert_eq!((read.separator, read.decimal_point, read.thousands_separator), (b'\t', ',', Some('\'')));
    refused(&format!("{LEAST}separator = \"tab\""), "\"\\t\" (a tab)");
    refused(&format!("{LEAST}decimal_point = \"'\""), "valid: \".\", \",\"");
    refused(&format!("{LEAST}thousands_separator = \"\""), "leave the key away");
}

#[test]
fn what_is_explained_is_shown_with_its_defaults() {
    let loaded =
        load(&format!("{WITHOUT_PAYOUT}payout = \"7\"\nkind = \"Art\"\nkinds = {{ \"Ein Kauf\" = \"sale\" }}"))
            .unwrap();
    let shown = |name: &str| {
        let key = format!("provider.own.report_columns.{name}");
        let setting = loaded.shown().iter().find(|setting| setting.key == key).unwrap();
        format!("{} ({})", setting.value, setting.source)
    };
    assert_eq!(shown("amount"), "\"Sum\" (file line 7)");
    assert_eq!(shown("kinds"), "{ \"Ein Kauf\" = \"sale\" } (file line 12)");
    assert_eq!(shown("separator"), "\",\" (default)");
    assert_eq!(shown("default_kind"), "\"unknown\" (default)");
    assert!(!loaded.shown().iter().any(|setting| setting.key == "provider.own.report_columns.fee"));
    assert_eq!(format(&format!("{WITHOUT_PAYOUT}payout = \"7\"")).payout, Some(PayoutFrom::Fixed("7".to_owned())));
}
