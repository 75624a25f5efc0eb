//! `restore`: a person puts a deleted order back.

use std::io::Write;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::person::answer;
use super::show::find;
use crate::config::Settings;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::ledger::LedgerError;
use crate::run::ports::{Ports, Purpose};
use crate::run::{open_ledger, refused};

pub fn run(
    order: &str,
    reason: &str,
    settings: &Settings,
    json: bool,
    now: DateTime<Utc>,
    out: &mut dyn Write,
) -> Result<Exit> {
    if reason.trim().is_empty() {
        return Err(Failure::usage("--reason cannot be empty: it is what the next person reads"));
    }
    let mut ledger = open_ledger(settings, false, now)?;
    let order = find::order(&ledger, order)?;
    let name = format!("{}/{}", order.shop, order.number);
    let last = ledger.tombstones(order.id).map_err(refused)?.pop().filter(|_| order.deleted);
    let Some(last) = last else {
        return Err(Failure::usage(format!("order {name} is not deleted: there is nothing to restore")));
    };
    let ports = Ports::open(settings, Purpose::Look, now).map_err(|error| Failure::new(Exit::Config, error))?;
    let method = last.deletion.method;
    if !ports.erp.order_deletion().is_some_and(|orders| orders.can_restore(method)) {
        let what = format!("the ERP does not put back an order that was {}", method.in_words());
        return Err(Failure::usage(what).hint("enter it there anew, under another number"));
    }
    let restored = ledger.write("restore", None, now, |writer| writer.restore_order(order.id, reason));
    let restored = restored
        .map_err(|error| if let LedgerError::Invariant(why) = error { Failure::usage(why) } else { refused(error) })?;
    let stock = if restored.lines > 0 {
        format!("; the stock of {} lines has to be reserved again (`payjournal export --format stock`)", restored.lines)
    } else {
        String::new()
    };
    let said = format!("order {name} is back, with {} entries{stock}", restored.entries);
    let done = json!({"order": name, "entries": restored.entries, "stock_lines": restored.lines, "reason": reason});
    answer(out, json, "restore", &done, &said)
}
