//! `match` and `unmatch`: a person says which order a settlement line belongs to. No run ever changes that.

use std::io::Write;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::person::{answer, given};
use super::show::find;
use crate::cli::LineName;
use crate::config::Settings;
use crate::domain::id::FileId;
use crate::domain::order::Order;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::ledger::Ledger;
use crate::ledger::settlements::{LineGroup, LiveMatch};
use crate::run::{open_ledger, refused};

/// `order` is none where the line belongs to no order.
pub fn run(
    line: LineName,
    order: Option<&str>,
    reason: &str,
    settings: &Settings,
    json: bool,
    now: DateTime<Utc>,
    out: &mut dyn Write,
) -> Result<Exit> {
    let mut ledger = open_ledger(settings, false, now)?;
    let order = order.map(|order| find::order(&ledger, order)).transpose()?;
    let (group, before) = decide(&mut ledger, line, order.as_ref(), reason, now)?;
    let name = order.map(|order| format!("{}/{}", order.shop, order.number));
    let belongs = name.as_ref().map_or_else(|| "no order".to_owned(), |name| format!("order {name}"));
    let said = format!("{} belongs to {belongs} now{}", told(&group), was(&ledger, before.as_ref())?);
    let command = if name.is_some() { "match" } else { "unmatch" };
    let done =
        json!({"line": line.to_string(), "group": group, "order": name, "before": earlier(&ledger, before.as_ref())?});
    answer(out, json, command, &done, &said)
}

fn decide(
    ledger: &mut Ledger,
    line: LineName,
    order: Option<&Order>,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<(LineGroup, Option<LiveMatch>)> {
    let reason = given(reason)?;
    let group = ledger.line_group(FileId(line.file), line.number).map_err(refused)?;
    let group = group.ok_or_else(|| find::no_line(line))?;
    if group.transaction.is_empty() && group.reference.is_empty() {
        return Err(Failure::usage(format!(
            "settlement line {line} has neither a transaction nor a reference: it belongs to the payout, and to no order"
        )));
    }
    let order = order.map(|order| order.id);
    let before = ledger
        .write("match", None, now, |writer| {
            let before = writer.match_by_person(&group, order, reason)?;
            writer.tell_settled_deletions()?;
            Ok(before)
        })
        .map_err(refused)?;
    Ok((group, before))
}

fn told(group: &LineGroup) -> String {
    if group.transaction.is_empty() {
        format!("every line with the reference `{}`", group.reference)
    } else {
        format!("every line of the transaction `{}`", group.transaction)
    }
}

/// The match that no longer counts, as a script reads it: the order as a person names it.
fn earlier(ledger: &Ledger, before: Option<&LiveMatch>) -> Result<Value> {
    let Some(before) = before else { return Ok(Value::Null) };
    Ok(json!({"order": name(ledger, before)?, "rule": before.rule, "reason": before.reason}))
}

fn was(ledger: &Ledger, before: Option<&LiveMatch>) -> Result<String> {
    let Some(before) = before else { return Ok(String::new()) };
    Ok(match name(ledger, before)? {
        Some(order) => format!("; before it was {order}, by {}", before.rule),
        None => format!("; before it was no order's, by {}", before.rule),
    })
}

fn name(ledger: &Ledger, found: &LiveMatch) -> Result<Option<String>> {
    let Some(order) = found.order else { return Ok(None) };
    let order = ledger.order(order).map_err(refused)?;
    Ok(Some(format!("{}/{}", order.shop, order.number)))
}
