//! `[provider.NAME.report_columns]`: a settlement report no format of ours reads, as its user explains it.

#[cfg(test)]
mod tests;

use chrono_tz::Tz;

use super::problem::Position;
use super::resolve::Resolver;
use super::table::{Given, Place, Table};
use super::toml_text::{TomlText, key_text, quoted};
use super::value::{Parsed, TomlValue, choice, entries, flag, text, time_zone};
use crate::domain::money::Currency;
use crate::domain::settlement::LineKind;
use crate::report_format::{AmountColumns, AmountIs, CurrencyFrom, GenericFormat, PayoutFrom, Units, is_date_format};

#[derive(Debug)]
pub(super) struct ReportTable {
    /// `None` where there is no such table.
    place: Option<Place>,
    separator: Given<char>,
    amounts: AmountKeys,
    numbers: NumberKeys,
    currency: Given<Currency>,
    currency_column: Given<String>,
    date: Given<String>,
    date_format: Given<String>,
    time_zone: Given<Tz>,
    payout_column: Given<String>,
    payout: Given<String>,
    kinds: KindKeys,
    kept: KeptKeys,
    texts: TextKeys,
}

/// Where an amount and its sign stand.
#[derive(Debug)]
struct AmountKeys {
    amount: Given<String>,
    credit: Given<String>,
    debit: Given<String>,
    indicator: Given<String>,
    credit_word: Given<String>,
    debit_word: Given<String>,
}

/// How amounts are written.
#[derive(Debug)]
struct NumberKeys {
    amount_is: Given<AmountIs>,
    units: Given<Units>,
    decimal_point: Given<char>,
    thousands_separator: Given<char>,
}

/// What a line is, and in which words.
#[derive(Debug)]
struct KindKeys {
    kind: Given<String>,
    kinds: Given<Kinds>,
    default_kind: Given<LineKind>,
}

/// What the PSP kept, and what the customer saw.
#[derive(Debug)]
struct KeptKeys {
    fee: Given<String>,
    tax: Given<String>,
    fees_are_negative: Given<bool>,
    gross: Given<String>,
    gross_currency: Given<String>,
}

/// What is taken over as it is written.
#[derive(Debug)]
struct TextKeys {
    account: Given<String>,
    transaction: Given<String>,
    modification: Given<String>,
    has_own_id: Given<bool>,
    reference: Given<String>,
    document: Given<String>,
    method: Given<String>,
    exchange_rate: Given<String>,
    note: Given<String>,
}

/// The report's words for kinds.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Kinds(Vec<(String, LineKind)>);

/// The columns of an amount, in words.
const AMOUNTS: &str = "`amount` (a column with a sign), or `credit` and `debit`, or `amount` with `indicator`, `credit_word` and \
                       `debit_word`";

impl ReportTable {
    pub(super) fn read(table: &mut Table<'_, '_>) -> Self {
        let place = table.is_there().then(|| table.place().clone());
        Self {
            place,
            separator: table.take("separator", text(separator, ";")),
            amounts: AmountKeys {
                amount: table.take("amount", name),
                credit: table.take("credit", name),
                debit: table.take("debit", name),
                indicator: table.take("indicator", name),
                credit_word: table.take("credit_word", name),
                debit_word: table.take("debit_word", name),
            },
            numbers: NumberKeys {
                amount_is: table.take("amount_is", choice),
                units: table.take("units", choice),
                decimal_point: table.take("decimal_point", text(decimal_point, ",")),
                thousands_separator: table.take("thousands_separator", text(thousands_separator, ".")),
            },
            currency: table.take("currency", text(currency, "EUR")),
            currency_column: table.take("currency_column", name),
            date: table.take("date", name),
            date_format: table.take("date_format", text(date_format, "%d.%m.%Y")),
            time_zone: table.take("time_zone", time_zone),
            payout_column: table.take("payout_column", name),
            payout: table.take("payout", name),
            kinds: KindKeys {
                kind: table.take("kind", name),
                kinds: table.take("kinds", kinds),
                default_kind: table.take("default_kind", choice),
            },
            kept: KeptKeys {
                fee: table.take("fee", name),
                tax: table.take("tax", name),
                fees_are_negative: table.take("fees_are_negative", flag),
                gross: table.take("gross", name),
                gross_currency: table.take("gross_currency", name),
            },
            texts: TextKeys {
                account: table.take("account", name),
                transaction: table.take("transaction", name),
                modification: table.take("modification", name),
                has_own_id: table.take("has_own_id", flag),
                reference: table.take("reference", name),
                document: table.take("document", name),
                method: table.take("method", name),
                exchange_rate: table.take("exchange_rate", name),
                note: table.take("note", name),
            },
        }
    }

    /// `None` where there is no description, or after a problem was reported. `format_place` is where it should be asked for.
    pub(super) fn resolve(
        self,
        is_asked_for: bool,
        format_place: &Place,
        all: &mut Resolver<'_, '_>,
    ) -> Option<GenericFormat> {
        match (&self.place, is_asked_for) {
            (None, false) => None,
            (None, true) => {
                let needed = Place { name: "report_columns".to_owned(), ..format_place.clone() }.key();
                if !all.reading.is_wrong(&needed) {
                    let why =
                        format!("a report of your own needs a table `[{needed}]` that says what its columns hold");
                    all.reading.problem_at(format_place, &why);
                }
                None
            }
            (Some(place), _) => {
                let place = place.clone();
                if !is_asked_for && !all.reading.is_wrong(&format_place.key()) {
                    all.reading.problem_at(
                        &place,
                        "only a report of your own is described; write `report_format = \"generic\"` in the table of its provider, \
                         or remove this",
                    );
                }
                self.format(&Described { position: place.position, table: place.key() }, all)
            }
        }
    }

    fn format(self, described: &Described, all: &mut Resolver<'_, '_>) -> Option<GenericFormat> {
        let Self {
            place: _,
            separator,
            amounts,
            numbers,
            currency,
            currency_column,
            date,
            date_format,
            time_zone,
            payout_column,
            payout,
            kinds,
            kept,
            texts,
        } = self;
        let table = described.table.as_str();
        let separator = all.or(table, "separator", separator, ',');
        let amount = amounts.resolve(described, all);
        let NumberKeys { amount_is, units, decimal_point, thousands_separator } = numbers;
        let amount_is = all.or(table, "amount_is", amount_is, AmountIs::Net);
        let units = all.or(table, "units", units, Units::Major);
        let decimal_point = all.or(table, "decimal_point", decimal_point, '.');
        let thousands_separator = all.without_default(thousands_separator);
        if thousands_separator == Some(decimal_point) {
            described.refuse("thousands_separator", "the same as `decimal_point`; one of the two is another", all);
        }
        let currency = described.either(
            ("currency", all.without_default(currency).map(CurrencyFrom::Fixed)),
            ("currency_column", all.without_default(currency_column).map(CurrencyFrom::Column)),
            all,
        );
        if currency.is_none() {
            described.missing(
                "currency",
                "the currency of every line, or in its place `currency_column`",
                &["currency_column"],
                all,
            );
        }
        let date = all.without_default(date);
        if date.is_none() {
            described.missing("date", "the column that says when the money moved", &[], all);
        }
        let date_format = all.without_default(date_format);
        let time_zone = all.without_default(time_zone);
        let payout = described.either(
            ("payout_column", all.without_default(payout_column).map(PayoutFrom::Column)),
            ("payout", all.without_default(payout).map(PayoutFrom::Fixed)),
            all,
        );
        let format = GenericFormat {
            date_format,
            time_zone,
            payout,
            separator: u8::try_from(separator).unwrap_or(b','),
            amount_is,
            units,
            decimal_point,
            thousands_separator,
            ..GenericFormat::default()
        };
        let format = kinds.resolve(format, described, all);
        let format = kept.resolve(format, described, all);
        let format = texts.resolve(format, described, all);
        described.ask_for_payout(&format, all);
        Some(GenericFormat { amount: amount?, currency: currency?, date: date?, ..format })
    }
}

impl AmountKeys {
    fn resolve(self, described: &Described, all: &mut Resolver<'_, '_>) -> Option<AmountColumns> {
        let Self { amount, credit, debit, indicator, credit_word, debit_word } = self;
        let mut found = Vec::new();
        let mut given = |key: Given<String>| {
            found.extend(key.as_ref().map(|typed| format!("`{}`", typed.place.name)));
            all.without_default(key)
        };
        let (amount, credit, debit) = (given(amount), given(credit), given(debit));
        let words = (given(indicator), given(credit_word), given(debit_word));
        match (amount, credit, debit, words) {
            (Some(amount), None, None, (None, None, None)) => Some(AmountColumns::Signed(amount)),
            (None, Some(credit), Some(debit), (None, None, None)) => {
                Some(AmountColumns::CreditAndDebit { credit, debit })
            }
            (Some(amount), None, None, (Some(indicator), Some(credit_word), Some(debit_word))) => {
                if credit_word == debit_word {
                    described.refuse("debit_word", "the same as `credit_word`; the words tell the two apart", all);
                }
                Some(AmountColumns::Indicated { amount, indicator, credit_word, debit_word })
            }
            _ => {
                let others = ["credit", "debit", "indicator", "credit_word", "debit_word"];
                if found.is_empty() {
                    described.missing("amount", &format!("an amount stands in {AMOUNTS}"), &others, all);
                } else if !described.is_wrong("amount", &others, all) {
                    let why = format!("an amount stands in {AMOUNTS}; here there are {}", found.join(", "));
                    described.refuse("amount", &why, all);
                }
                None
            }
        }
    }
}

impl KindKeys {
    fn resolve(self, format: GenericFormat, described: &Described, all: &mut Resolver<'_, '_>) -> GenericFormat {
        let Self { kind, kinds, default_kind } = self;
        let kind = all.without_default(kind);
        let kinds = all.without_default(kinds);
        if kind.is_some() && kinds.is_none() {
            described.missing("kinds", "what the words in `kind` stand for, such as { \"Sale\" = \"sale\" }", &[], all);
        }
        if kind.is_none() && kinds.is_some() {
            described.missing("kind", "the column in which the words of `kinds` stand", &[], all);
        }
        let default_kind = all.or(&described.table, "default_kind", default_kind, LineKind::Unknown);
        let kinds = kinds.map(|Kinds(kinds)| kinds).unwrap_or_default();
        GenericFormat { kind, kinds, default_kind, ..format }
    }
}

impl KeptKeys {
    fn resolve(self, format: GenericFormat, described: &Described, all: &mut Resolver<'_, '_>) -> GenericFormat {
        let Self { fee, tax, fees_are_negative, gross, gross_currency } = self;
        let (fee, tax) = (all.without_default(fee), all.without_default(tax));
        let fees_are_negative = all.or(&described.table, "fees_are_negative", fees_are_negative, false);
        if fees_are_negative && fee.is_none() && tax.is_none() {
            described.missing("fee", "the column of the fees that are negative, or `tax`", &["tax"], all);
        }
        let (gross, gross_currency) = (all.without_default(gross), all.without_default(gross_currency));
        if gross_currency.is_some() && gross.is_none() {
            described.missing("gross", "the column whose currency stands in `gross_currency`", &[], all);
        }
        GenericFormat { fee, tax, fees_are_negative, gross, gross_currency, ..format }
    }
}

impl TextKeys {
    fn resolve(self, format: GenericFormat, described: &Described, all: &mut Resolver<'_, '_>) -> GenericFormat {
        let Self { account, transaction, modification, has_own_id, reference, document, method, exchange_rate, note } =
            self;
        let format = GenericFormat {
            account: all.without_default(account),
            transaction: all.without_default(transaction),
            modification: all.without_default(modification),
            has_own_id: all.or(&described.table, "has_own_id", has_own_id, false),
            reference: all.without_default(reference),
            document: all.without_default(document),
            method: all.without_default(method),
            exchange_rate: all.without_default(exchange_rate),
            note: all.without_default(note),
            ..format
        };
        if format.has_own_id && format.modification.is_none() {
            described.missing("modification", "the column of the id that every line has of its own", &[], all);
        }
        format
    }
}

/// The table of one report: its dotted key, and where it stands.
struct Described {
    table: String,
    position: Position,
}

impl Described {
    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.table)
    }

    /// Whether a key, or one of those that can stand for it, was typed wrong: that has been told.
    fn is_wrong(&self, name: &str, others: &[&str], all: &Resolver<'_, '_>) -> bool {
        [name].iter().chain(others).any(|name| all.reading.is_wrong(&self.key(name)))
    }

    fn missing(&self, name: &str, why: &str, others: &[&str], all: &Resolver<'_, '_>) {
        if !self.is_wrong(name, others, all) {
            let key = self.key(name);
            all.reading.problem(self.position, &key, format!("`{key}` is missing: {why}"));
        }
    }

    /// What has neither a payout nor an id of its own cannot be told apart, so that nothing of the report would be taken.
    fn ask_for_payout(&self, format: &GenericFormat, all: &Resolver<'_, '_>) {
        if format.payout.is_none() && !format.has_own_id {
            let why = "the column of the payout's reference, or in its place `payout`, one reference for all lines. Only lines with an id \
                       of their own (`modification` and `has_own_id = true`) can be told apart without it, and then no payout is proved";
            self.missing("payout_column", why, &["payout", "modification", "has_own_id"], all);
        }
    }

    fn refuse(&self, name: &str, why: &str, all: &Resolver<'_, '_>) {
        let key = self.key(name);
        all.reading.problem(self.position, &key, format!("`{key}`: {why}"));
    }

    /// One of two keys that exclude each other.
    fn either<T>(&self, one: (&str, Option<T>), other: (&str, Option<T>), all: &Resolver<'_, '_>) -> Option<T> {
        if one.1.is_some() && other.1.is_some() {
            self.refuse(other.0, &format!("excludes `{}`; write one of the two", one.0), all);
        }
        one.1.or(other.1)
    }
}

impl TomlText for Kinds {
    fn toml_text(&self) -> String {
        let words: Vec<String> =
            self.0.iter().map(|(word, kind)| format!("{} = {}", key_text(word), quoted(kind.as_str()))).collect();
        format!("{{ {} }}", words.join(", "))
    }
}

/// The name of a column, or a word in one.
fn name(value: &TomlValue<'_>) -> Parsed<String> {
    text(cell, "Amount")(value)
}

/// Cells are read without the spaces around them.
fn cell(typed: &str) -> Result<String, String> {
    if typed.is_empty() {
        Err("write it as it stands in the file; it cannot be empty".to_owned())
    } else if typed.trim() != typed {
        Err("write it without the spaces around it: they are not read".to_owned())
    } else {
        Ok(typed.to_owned())
    }
}

fn only_char(typed: &str) -> Option<char> {
    let mut chars = typed.chars();
    chars.next().filter(|_| chars.next().is_none())
}

fn separator(typed: &str) -> Result<char, String> {
    let found = only_char(typed).filter(|found| matches!(found, ',' | ';' | '\t' | '|'));
    found.ok_or_else(|| "what stands between two cells is \",\", \";\", \"|\" or \"\\t\" (a tab)".to_owned())
}

fn decimal_point(typed: &str) -> Result<char, String> {
    only_char(typed).filter(|found| matches!(found, '.' | ',')).ok_or_else(|| "valid: \".\", \",\"".to_owned())
}

fn thousands_separator(typed: &str) -> Result<char, String> {
    let found = only_char(typed).filter(|found| !found.is_alphanumeric() && !matches!(found, '-' | '+'));
    found.ok_or_else(|| {
        "one character that stands between thousands, such as \".\", \",\", \"'\" or \" \"; without one leave the key away"
            .to_owned()
    })
}

fn currency(typed: &str) -> Result<Currency, String> {
    Currency::parse(typed).map_err(|error| format!("{error}; a column that holds it is named by `currency_column`"))
}

fn date_format(typed: &str) -> Result<String, String> {
    if is_date_format(typed) {
        Ok(typed.to_owned())
    } else {
        Err("not the format of a whole date; write it as strftime has it: \"%d.%m.%Y\" for 22.11.2026, \"%d.%m.%Y %H:%M\" for \
             22.11.2026 14:05"
            .to_owned())
    }
}

fn kinds(value: &TomlValue<'_>) -> Parsed<Kinds> {
    let kinds = entries(value, "{ \"Sale\" = \"sale\", \"Fee\" = \"fee\" }", |word, kind| {
        cell(word).map_err(|why| format!("the word `{word}`: {why}"))?;
        choice(kind).map_err(|wrong| format!("what `{word}` stands for; {}", wrong.why))
    })?;
    Ok(Kinds(kinds))
}
