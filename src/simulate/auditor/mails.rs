//! Mails: one per event, delivered once, and true.

use std::collections::HashMap;

use crate::ledger::rows::MailRow;
use crate::simulate::record::Delivered;

use super::index::{Index, was_confirmed};
use super::{About, Found, intents};

pub(super) fn check(index: &Index<'_>, found: &mut Found) {
    let mut arrived: HashMap<&str, usize> = HashMap::new();
    for letter in &index.record.letters {
        let Some(mail) = written(index, letter) else {
            // A run that cannot use its ledger tells of it without a row.
            if letter.subject.ends_with("has failed.") {
                continue;
            }
            let says = format!("a mail arrived that nobody wrote: {} ({})", letter.subject, letter.key);
            found.tell("mail-was-written", About::default(), says);
            continue;
        };
        if mail.subject != letter.subject || mail.body != letter.body {
            let says = format!("the mail for {} arrived as `{}`", mail.event, letter.subject);
            found.tell("mail-was-written", About::default(), says);
        }
        *arrived.entry(&mail.event).or_default() += 1;
    }
    for mail in &index.rows.mails {
        let times = arrived.get(mail.event.as_str()).copied().unwrap_or_default();
        // With a wrong clock nobody can tell when an absence proves something.
        if times > 1 && index.record.clock_jumps == 0 {
            let sent = index.deliveries_of_mail(&mail.event).iter();
            let sent: Vec<String> =
                sent.map(|row| format!("attempt {} is {} after {} tries", row.attempt, row.state, row.tries)).collect();
            let says = format!("`{}` ({}) arrived {times} times: {}", mail.subject, mail.event, sent.join(", "));
            found.tell("mail-once", about(index, mail), says);
        }
        if let Some(why) = untrue(index, mail) {
            found.tell("mail-is-true", about(index, mail), format!("`{}` ({}): {why}", mail.subject, mail.event));
        }
    }
    for operation in index.rows.operations.iter().filter(|row| row.kind == "mail" && row.state == "confirmed") {
        let event = operation.mail.as_deref().unwrap_or_default();
        if !arrived.contains_key(event) {
            let says = format!("operation {} says the mail for {event} was delivered; it never arrived", operation.id);
            found.tell("mail-as-believed", About::default(), says);
        }
    }
}

/// The row of a delivered mail: its key is the delivery's, or the event itself.
fn written<'a>(index: &Index<'a>, letter: &Delivered) -> Option<&'a MailRow> {
    let operation = index.operation_with_key(&letter.key).filter(|operation| operation.kind == "mail");
    index.mail(operation.and_then(|operation| operation.mail.as_deref()).unwrap_or(&letter.key))
}

/// The key of the operation a mail tells of.
fn key(mail: &MailRow) -> Option<(&str, &str)> {
    let (event, rest) = mail.event.split_once(':')?;
    let key = rest.split(':').next()?;
    key.starts_with("pj-").then_some((event, key))
}

fn about(index: &Index<'_>, mail: &MailRow) -> About {
    let operation = key(mail).and_then(|(_, key)| index.operation_with_key(key));
    operation.map(|operation| index.about_operation(operation)).unwrap_or_default()
}

fn untrue(index: &Index<'_>, mail: &MailRow) -> Option<String> {
    let (event, key) = key(mail)?;
    let wanted = match event {
        "captured" => "capture",
        "refunded" => "refund",
        "released" => "release",
        "cannot-be-captured" | "cannot-be-refunded" => {
            let mut lives = index.with_key(key).iter();
            // It was true when it was written, and the PSP broke its word later.
            let lives = lives.find(|done| done.effect.is_live() && !done.effect.after_no)?;
            return Some(format!("{} stands", intents::said(lives.effect)));
        }
        _ => return None,
    };
    let Some(done) = index.with_key(key).first() else {
        let operation = index.operation_with_key(key);
        let dropped = operation.is_some_and(|row| row.kind == "release" && row.state == "confirmed");
        return (!dropped).then(|| "no such thing happened".to_owned());
    };
    let transaction = index.transaction(done.effect).map_or("", |transaction| transaction.id.as_str());
    let is_true =
        intents::kind(done.effect.kind) == wanted && was_confirmed(done.effect) && mail.subject.contains(transaction);
    (!is_true).then(|| format!("what happened to {transaction} is {}", intents::said(done.effect)))
}
