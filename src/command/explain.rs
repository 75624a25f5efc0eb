//! `explain`: how a settlement line came to its order, or why it has none.

use std::fmt::Write as _;
use std::io::Write;

use anyhow::Context;
use serde::Serialize;
use serde_json::json;

use super::payouts::as_table;
use super::show::find;
use crate::cli::LineName;
use crate::config::Settings;
use crate::domain::id::FileId;
use crate::domain::settlement::matching::MatchRule;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::ledger::Ledger;
use crate::ledger::settlements::{Candidate, LineFilter, LineGroup, ListedLine, PayoutOverview, WrittenMatch};
use crate::run::{look_at_ledger, refused};

/// One rule, in the order in which they are tried.
#[derive(Debug, Serialize)]
struct Tried {
    rule: MatchRule,
    /// The line has its order by it.
    counts: bool,
    says: String,
    /// Orders that a reference names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    candidates: Vec<Candidate>,
}

pub fn run(name: LineName, settings: &Settings, as_json: bool, out: &mut dyn Write) -> Result<Exit> {
    let ledger = look_at_ledger(settings)?;
    let place = (FileId(name.file), name.number);
    let filter = LineFilter { line: Some(place), limit: 1, ..LineFilter::default() };
    let line = ledger.lines(&filter).map_err(refused)?.pop();
    let group = ledger.line_group(place.0, place.1).map_err(refused)?;
    let (line, group) = line.zip(group).ok_or_else(|| find::no_line(name))?;
    let tried = if line.kind.is_of_payment() { rules(&ledger, &line, &group, settings)? } else { Vec::new() };
    let history = ledger.written_matches(&group).map_err(refused)?;
    let mut payouts = ledger.payouts().map_err(refused)?;
    payouts.retain(|payout| payout.reference == line.payout && payout.provider == group.provider);
    let written = if as_json {
        let document = json!({
            "schema": "payjournal/explain/1",
            "outcome": Exit::Done.outcome(),
            "exit_code": Exit::Done.code(),
            "line": line, "group": group, "tried": tried, "matches": history, "payouts": payouts,
        });
        writeln!(out, "{document:#}")
    } else {
        write!(out, "{}", as_text(&line, &tried, &history, &payouts))
    };
    written.context("the explanation cannot be written").map_err(Failure::bug)?;
    Ok(Exit::Done)
}

/// A person goes before the transaction id, and that before the reference.
fn rules(ledger: &Ledger, line: &ListedLine, group: &LineGroup, settings: &Settings) -> Result<Vec<Tried>> {
    let order = line.order.as_deref();
    let to = || order.map_or_else(|| "no order".to_owned(), |order| format!("order {order}"));
    let counts = |rule| line.rule == Some(rule);
    let reason = line.reason.as_deref().unwrap_or_default();
    let person = if counts(MatchRule::Person) {
        format!("a person said that it belongs to {}: {reason}", to())
    } else {
        "nobody has said which order it is".to_owned()
    };
    let transaction = match line.transaction.as_str() {
        "" => "the line names no transaction".to_owned(),
        id if counts(MatchRule::Transaction) => format!("the payment with the transaction id `{id}` is of {}", to()),
        id if counts(MatchRule::Person) => format!("not looked at: `{id}`"),
        id => format!("no payment of {}/{} has the transaction id `{id}`", group.provider, group.merchant_account),
    };
    let (reference, candidates) = by_reference(ledger, line, group, settings)?;
    Ok(vec![
        Tried { rule: MatchRule::Person, counts: counts(MatchRule::Person), says: person, candidates: Vec::new() },
        Tried {
            rule: MatchRule::Transaction,
            counts: counts(MatchRule::Transaction),
            says: transaction,
            candidates: Vec::new(),
        },
        Tried { rule: MatchRule::Reference, counts: counts(MatchRule::Reference), says: reference, candidates },
    ])
}

fn by_reference(
    ledger: &Ledger,
    line: &ListedLine,
    group: &LineGroup,
    settings: &Settings,
) -> Result<(String, Vec<Candidate>)> {
    let reference = line.reference.as_str();
    let provider = settings.providers.get(&group.provider);
    let rule = provider.and_then(|provider| provider.reports.as_ref()?.order_in_reference.as_ref());
    if reference.is_empty() {
        return Ok(("the line has no merchant reference".to_owned(), Vec::new()));
    }
    let Some(rule) = rule else {
        let says = format!("`{reference}` is not looked at: provider `{}` has no `order_in_reference`", group.provider);
        return Ok((says, Vec::new()));
    };
    let candidates = ledger.candidates(&settings.shop, rule, reference).map_err(refused)?;
    let said = match candidates.as_slice() {
        _ if line.rule == Some(MatchRule::Reference) => {
            let by = line.reason.as_deref().unwrap_or(reference);
            format!("`{by}` names order {}", line.order.as_deref().unwrap_or_default())
        }
        [] => format!("`{reference}` names no order by `{rule}`"),
        [one] if one.is_known => format!("`{reference}` names order {}", one.number),
        [one] => format!("`{reference}` names order {}, which the ledger does not have", one.number),
        several => format!("`{reference}` names {} orders: none is picked", several.len()),
    };
    Ok((said, candidates))
}

fn as_text(line: &ListedLine, tried: &[Tried], history: &[WrittenMatch], payouts: &[PayoutOverview]) -> String {
    let mut text = format!(
        "settlement line {} of the report {}: {} over {}, fees {}, net {}, on {}\n",
        line.line,
        line.file,
        line.kind.as_str(),
        line.gross.as_ref().unwrap_or(&line.net),
        line.fees,
        line.net,
        line.occurred_at
    );
    let order = line.order.as_deref();
    if tried.is_empty() {
        text.push_str("It belongs to its payout, and to no order.\n");
    } else {
        let found = order.map_or_else(|| "It has no order.".to_owned(), |order| format!("Its order is {order}."));
        let _ = writeln!(text, "{found} Tried, the first that finds something counts:");
    }
    for rule in tried {
        let mark = if rule.counts { "->" } else { "  " };
        let _ = writeln!(text, "  {mark} {:<11}  {}", rule.rule, rule.says);
        for candidate in rule.candidates.iter().filter(|_| rule.candidates.len() > 1) {
            let known = if candidate.is_known { "in the ledger" } else { "not in the ledger" };
            let _ = writeln!(text, "                   {} ({known})", candidate.number);
        }
    }
    if !history.is_empty() {
        text.push_str("Matches that were written down, the last one stands:\n");
    }
    for row in history {
        let order = row.order.as_deref().unwrap_or("no order");
        let _ = writeln!(text, "     {}  {:<11}  {order}: {}", row.made_at.format("%Y-%m-%d"), row.rule, row.reason);
    }
    if !payouts.is_empty() {
        let _ = writeln!(text, "Its payout:\n{}", as_table(payouts.iter()));
    }
    text
}
