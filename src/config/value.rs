//! What one value of the file may look like: each function reads one kind and says what it expected instead.

use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::NaiveTime;
use chrono_tz::{TZ_VARIANTS, Tz};
use lettre::message::Mailbox;
use toml::Spanned;
use toml::de::DeValue;

use super::choice::Choice;
use super::problem::nearest;
use crate::domain::id::{Account, IdError};

pub(super) type TomlValue<'s> = Spanned<DeValue<'s>>;

/// A value that cannot be used. The message names the value itself, so `why` does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) span: Range<usize>,
    pub(super) why: String,
}

pub(super) type Parsed<T> = Result<T, Wrong>;

fn wrong<T>(value: &TomlValue<'_>, why: impl Into<String>) -> Parsed<T> {
    Err(Wrong { span: value.span(), why: why.into() })
}

fn as_text<'v>(value: &'v TomlValue<'_>, example: &str) -> Parsed<&'v str> {
    match value.get_ref().as_str() {
        Some(text) => Ok(text),
        None => wrong(value, format!("expected a text in quotes, such as \"{example}\"")),
    }
}

pub(super) fn flag(value: &TomlValue<'_>) -> Parsed<bool> {
    value.get_ref().as_bool().map_or_else(|| wrong(value, "expected true or false"), Ok)
}

pub(super) fn number(range: RangeInclusive<u32>) -> impl Fn(&TomlValue<'_>) -> Parsed<u32> {
    move |value| {
        let number = value
            .get_ref()
            .as_integer()
            .and_then(|integer| u32::from_str_radix(integer.as_str(), integer.radix()).ok())
            .filter(|number| range.contains(number));
        match number {
            Some(number) => Ok(number),
            None => wrong(value, format!("expected a whole number from {} to {}", range.start(), range.end())),
        }
    }
}

/// One word out of a few.
pub(super) fn choice<T: Choice>(value: &TomlValue<'_>) -> Parsed<T> {
    let typed = value.get_ref().as_str();
    if let Some(found) = T::ALL.iter().copied().find(|choice| Some(choice.name()) == typed) {
        return Ok(found);
    }
    let names = || T::ALL.iter().map(|choice| choice.name());
    let valid: Vec<String> = names().map(|name| format!("\"{name}\"")).collect();
    let mut why = format!("valid: {}", valid.join(", "));
    if let Some(near) = typed.filter(|_| valid.len() > 1).and_then(|typed| nearest(typed, names())) {
        why = format!("{why}; the nearest is \"{near}\"");
    }
    wrong(value, why)
}

/// Some of a few words, none twice; an empty list is none of them.
pub(super) fn choices<T: Choice + PartialEq>(value: &TomlValue<'_>) -> Parsed<Vec<T>> {
    let Some(words) = value.get_ref().as_array() else {
        let all: Vec<String> = T::ALL.iter().map(|choice| format!("\"{}\"", choice.name())).collect();
        return wrong(value, format!("expected a list of some of {}", all.join(", ")));
    };
    let mut chosen = Vec::new();
    for word in words {
        let one: T = choice(word)?;
        if chosen.contains(&one) {
            return wrong(word, "stands twice in the list");
        }
        chosen.push(one);
    }
    Ok(chosen)
}

/// A list of texts with rules of their own, at least one and none twice.
pub(super) fn list<T: PartialEq>(
    parse: impl Fn(&str) -> Result<T, String>,
    example: &'static str,
) -> impl Fn(&TomlValue<'_>) -> Parsed<Vec<T>> {
    move |value| {
        let Some(texts) = value.get_ref().as_array().filter(|texts| !texts.is_empty()) else {
            return wrong(value, format!("expected a list of texts, such as {example}"));
        };
        let mut list = Vec::new();
        for text in texts {
            let one = parse(as_text(text, "19")?).or_else(|why| wrong(text, why))?;
            if list.contains(&one) {
                return wrong(text, "stands twice in the list");
            }
            list.push(one);
        }
        Ok(list)
    }
}

/// A text with rules of its own.
pub(super) fn text<T>(
    parse: impl Fn(&str) -> Result<T, String>,
    example: &str,
) -> impl Fn(&TomlValue<'_>) -> Parsed<T> {
    move |value| parse(as_text(value, example)?).or_else(|why| wrong(value, why))
}

/// An identifier, by the `parse` of its type.
pub(super) fn id<T>(parse: impl Fn(&str) -> Result<T, IdError>) -> impl Fn(&TomlValue<'_>) -> Parsed<T> {
    move |value| parse(as_text(value, "main")?).or_else(|error| wrong(value, error.to_string()))
}

/// A path, made absolute with `folder`.
pub(super) fn path(folder: &Path) -> impl Fn(&TomlValue<'_>) -> Parsed<PathBuf> {
    move |value| match as_text(value, "data/file")? {
        "" => wrong(value, "a path cannot be empty"),
        typed if typed == "~" || typed.starts_with("~/") => {
            wrong(value, "`~` is not replaced here; write the whole path, or one relative to this file's folder")
        }
        typed if typed.chars().any(char::is_control) => wrong(value, "a path cannot hold control characters"),
        typed => Ok(folder.join(typed)),
    }
}

/// A number with its unit: `30 s`, `5 min`, `6 h`, `1 day`, `28 days`.
pub(super) fn duration(least: Duration) -> impl Fn(&TomlValue<'_>) -> Parsed<Duration> {
    move |value| {
        if let Some(integer) = value.get_ref().as_integer() {
            return wrong(value, without_unit(integer.as_str()));
        }
        match parse_duration(as_text(value, "5 min")?) {
            Ok(found) if found >= least => Ok(found),
            Ok(_) => wrong(value, format!("expected at least {} s", least.as_secs())),
            Err(why) => wrong(value, why),
        }
    }
}

/// Whole days between `range`, written as a duration.
pub(super) fn days(range: RangeInclusive<u32>) -> impl Fn(&TomlValue<'_>) -> Parsed<u32> {
    move |value| {
        let seconds = duration(Duration::ZERO)(value)?.as_secs();
        let days = u32::try_from(seconds.div_euclid(SECONDS_PER_DAY)).ok().filter(|days| range.contains(days));
        match days {
            Some(days) if seconds.is_multiple_of(SECONDS_PER_DAY) => Ok(days),
            _ => {
                wrong(value, format!("expected whole days from \"{} day\" to \"{} days\"", range.start(), range.end()))
            }
        }
    }
}

const SECONDS_PER_DAY: u64 = 86_400;

/// No setting means more than ten years; the limit keeps sums of dates and durations within their types.
const LONGEST: u64 = 3_650 * SECONDS_PER_DAY;

fn parse_duration(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let seconds_per_unit = match unit.trim_start() {
        "s" => 1,
        "min" => 60,
        "h" => 3_600,
        "day" | "days" => SECONDS_PER_DAY,
        "" if digits > 0 => return Err(without_unit(number)),
        _ => return Err("expected a whole number and one of the units s, min, h, days, such as \"5 min\"".to_owned()),
    };
    if digits == 0 {
        return Err("expected a whole number before the unit, such as \"5 min\"".to_owned());
    }
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(seconds_per_unit))
        .filter(|seconds| *seconds <= LONGEST)
        .map(Duration::from_secs)
        .ok_or_else(|| "expected at most 3650 days".to_owned())
}

fn without_unit(number: &str) -> String {
    format!("a duration carries its unit; write \"{number} s\", \"{number} min\", \"{number} h\" or \"{number} days\"")
}

/// A wall-clock time, `HH:MM`.
pub(super) fn clock(value: &TomlValue<'_>) -> Parsed<NaiveTime> {
    let text = value.get_ref().as_str().filter(|text| text.len() == "HH:MM".len());
    match text.and_then(|text| NaiveTime::parse_from_str(text, "%H:%M").ok()) {
        Some(time) => Ok(time),
        None => wrong(value, "expected a time of day from \"00:00\" to \"23:59\", in quotes"),
    }
}

pub(super) fn time_zone(value: &TomlValue<'_>) -> Parsed<Tz> {
    let typed = as_text(value, "Europe/Berlin")?;
    if let Ok(zone) = typed.parse::<Tz>() {
        return Ok(zone);
    }
    let names = || TZ_VARIANTS.iter().map(|zone| zone.name());
    let city = |name: &&str| name.rsplit('/').next().is_some_and(|city| city.eq_ignore_ascii_case(typed));
    let why = match names().find(city).or_else(|| nearest(typed, names())) {
        Some(near) => format!("not an IANA time zone; the nearest is \"{near}\""),
        None => "not an IANA time zone, such as \"UTC\" or \"Europe/Berlin\"".to_owned(),
    };
    wrong(value, why)
}

pub(super) fn address(value: &TomlValue<'_>) -> Parsed<String> {
    let text = as_text(value, "name@example.com")?;
    match text.parse::<Mailbox>() {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => wrong(value, "not a mail address; write \"name@example.com\" or \"Name <name@example.com>\""),
    }
}

/// Without a name.
pub(super) fn address_alone(value: &TomlValue<'_>) -> Parsed<String> {
    let text = as_text(value, "name@example.com")?;
    match text.parse::<lettre::Address>() {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => wrong(value, "not a mail address; write \"name@example.com\""),
    }
}

pub(super) fn addresses(value: &TomlValue<'_>) -> Parsed<Vec<String>> {
    match value.get_ref().as_array() {
        Some(list) if list.is_empty() => wrong(value, "expected at least one address"),
        Some(list) => list.iter().map(address).collect(),
        None => wrong(value, "expected a list of addresses, such as [\"name@example.com\"]"),
    }
}

/// A table whose keys the user chooses, each with its value; what is wrong with one is told at its value.
pub(super) fn entries<T>(
    value: &TomlValue<'_>,
    example: &str,
    parse: impl Fn(&str, &TomlValue<'_>) -> Result<T, String>,
) -> Parsed<Vec<(String, T)>> {
    let Some(table) = value.get_ref().as_table() else {
        return wrong(value, format!("expected a table, such as {example}"));
    };
    if table.is_empty() {
        return wrong(value, format!("expected at least one entry, such as {example}"));
    }
    let entry =
        |key: &str, value| parse(key, value).map(|parsed| (key.to_owned(), parsed)).or_else(|why| wrong(value, why));
    table.iter().map(|(key, value)| entry(key.get_ref(), value)).collect()
}

/// So that the longest names in its places make no name that is too long.
const LONGEST_TEMPLATE: usize = 100;

/// The name of a ledger account with `placeholders` in braces.
pub(super) fn account(placeholders: &'static [&'static str]) -> impl Fn(&TomlValue<'_>) -> Parsed<String> {
    move |value| {
        let template = as_text(value, "Assets:PSP")?;
        if let Err(error) = Account::parse(template) {
            return wrong(value, error.to_string());
        }
        if template.chars().count() > LONGEST_TEMPLATE {
            return wrong(value, format!("expected at most {LONGEST_TEMPLATE} characters"));
        }
        match template_fault(template, placeholders) {
            None => Ok(template.to_owned()),
            Some(fault) => {
                let valid: Vec<String> = placeholders.iter().map(|name| format!("{{{name}}}")).collect();
                wrong(value, format!("{fault}; valid: {}", valid.join(", ")))
            }
        }
    }
}

/// What is wrong with the first placeholder or lone brace of a template that nothing would replace.
fn template_fault(template: &str, placeholders: &[&str]) -> Option<String> {
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        let (_, from_brace) = rest.split_at(at);
        let Some((name, after)) = from_brace.strip_prefix('{').and_then(|inner| inner.split_once('}')) else {
            return Some("a brace without its other half".to_owned());
        };
        if !placeholders.contains(&name) {
            return Some(format!("{{{name}}} is not replaced in this account"));
        }
        rest = after;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::toml_text::TomlText as _;

    fn read(toml: &str) -> TomlValue<'_> {
        DeValue::parse(toml).unwrap()
    }

    #[track_caller]
    fn lasts(toml: &str, seconds: u64, shown: &str) {
        let found = duration(Duration::ZERO)(&read(toml)).unwrap();
        assert_eq!(found, Duration::from_secs(seconds));
        assert_eq!(found.toml_text(), shown);
    }

    #[track_caller]
    fn refused<T: std::fmt::Debug>(parsed: Parsed<T>, why: &str) {
        let error = parsed.unwrap_err();
        assert!(error.why.contains(why), "{error:?}");
    }

    #[test]
    fn a_duration_is_a_number_with_its_unit() {
        lasts("'30 s'", 30, "\"30 s\"");
        lasts("'90s'", 90, "\"90 s\"");
        lasts("'5 min'", 300, "\"5 min\"");
        lasts("'6h'", 21_600, "\"6 h\"");
        lasts("'24 h'", 86_400, "\"1 day\"");
        lasts("'1 day'", 86_400, "\"1 day\"");
        lasts("'28 days'", 2_419_200, "\"28 days\"");
        lasts("'0 s'", 0, "\"0 s\"");
    }

    #[test]
    fn a_duration_without_unit_or_with_another_unit_is_refused() {
        let refuse = |toml: &str, why| refused(duration(Duration::ZERO)(&read(toml)), why);
        refuse("30", "carries its unit; write \"30 s\", \"30 min\"");
        refuse("'30'", "carries its unit; write \"30 s\", \"30 min\"");
        refuse("'5 m'", "units s, min, h, days");
        refuse("'1.5 h'", "units s, min, h, days");
        refuse("'-1 h'", "units s, min, h, days");
        refuse("'h'", "number before the unit");
        refuse("''", "units s, min, h, days");
        refuse("true", "text in quotes");
        refuse("'3651 days'", "at most 3650 days");
        refuse("'99999999999999999999 s'", "at most 3650 days");
        refused(duration(Duration::from_secs(1))(&read("'0 s'")), "at least 1 s");
    }

    #[test]
    fn a_delay_is_in_whole_days() {
        assert_eq!(days(1..=30)(&read("'3 days'")), Ok(3));
        assert_eq!(days(1..=30)(&read("'48 h'")), Ok(2));
        for bad in ["'0 days'", "'31 days'", "'36 h'"] {
            refused(days(1..=30)(&read(bad)), "whole days from \"1 day\" to \"30 days\"");
        }
    }

    #[test]
    fn a_time_of_day_has_two_digits_each() {
        assert_eq!(clock(&read("'02:30'")).unwrap().toml_text(), "\"02:30\"");
        for bad in ["'2:30'", "'24:00'", "'02:30:00'", "02:30:00", "230"] {
            refused(clock(&read(bad)), "from \"00:00\" to \"23:59\"");
        }
    }

    #[test]
    fn a_wrong_time_zone_names_the_nearest() {
        assert_eq!(time_zone(&read("'Europe/Berlin'")), Ok(Tz::Europe__Berlin));
        refused(time_zone(&read("'Europe/Berln'")), "nearest is \"Europe/Berlin\"");
        refused(time_zone(&read("'berlin'")), "nearest is \"Europe/Berlin\"");
        refused(time_zone(&read("'qqqqqqqqqq'")), "such as \"UTC\"");
    }

    #[test]
    fn an_account_replaces_only_what_it_can_know() {
        let clearing = account(&["provider", "currency"]);
        assert!(clearing(&read("'Assets:{provider}:{currency}'")).is_ok());
        assert!(clearing(&read("'1360'")).is_ok());
        refused(
            clearing(&read("'A:{custmer}'")),
            "{custmer} is not replaced in this account; valid: {provider}, {curr",
        );
        refused(clearing(&read("'A:{provider'")), "a brace without its other half");
        refused(clearing(&read("'A:}'")), "a brace without its other half");
        refused(clearing(&read("''")), "empty");
    }

    #[test]
    fn an_address_must_be_one() {
        assert!(addresses(&read("['a@b.example', 'Ann <ann@b.example>']")).is_ok());
        refused(addresses(&read("['a@b.example', 'ann']")), "not a mail address");
        refused(addresses(&read("[]")), "at least one");
        refused(addresses(&read("'a@b.example'")), "a list of addresses");
    }
}
