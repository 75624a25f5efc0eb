//! Persons who take invoices of payjournal back, credit lines of them, and have free money paid back: by what the commands do, below
//! the command line. They look at the ledger as it is, and choose by the seed's dice; also what the ledger will refuse.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::dice::Dice;
use super::job::{Lands, watch};
use super::record::{Act, Correction};
use super::world::Door;
use crate::cli::CreditedLine;
use crate::command::{cancel_invoice, credit_note, refund_balance};
use crate::config::Settings;
use crate::domain::document::Document;
use crate::domain::money::Amount;
use crate::ledger::rows::{CorrectionRow, Rows};
use crate::ledger::{Ledger, LedgerError, Writer};

const REASON: &str = "it was wrong";

/// What a person is about to do, and does it to the ledger.
struct Person<'a> {
    ledger: &'a mut Ledger,
    door: &'a Door,
    settings: &'a Settings,
    now: DateTime<Utc>,
}

/// One to three commands, one after the other.
pub(super) fn corrects(
    ledger: &mut Ledger,
    door: &Door,
    settings: &Settings,
    now: DateTime<Utc>,
    dice: &mut Dice,
) -> Result<(), String> {
    let mut person = Person { ledger, door, settings, now };
    for _ in 0..dice.between(1, 3) {
        let rows = person.ledger.rows().map_err(|error| error.to_string())?;
        match dice.below(10) {
            0..=3 => person.cancels(&rows, dice)?,
            4..=6 => person.credits(&rows, dice)?,
            7..=8 => person.requests(&rows, dice)?,
            _ => person.withdraws(&rows, dice)?,
        }
    }
    Ok(())
}

fn is_corrected(rows: &Rows, invoice: &str) -> bool {
    rows.corrections.iter().any(|row: &CorrectionRow| row.invoice == invoice)
}

/// Most often one that nothing was taken back of yet.
fn invoice(rows: &Rows, dice: &mut Dice) -> Option<String> {
    let whole_only = dice.chance(700);
    let wanted = |number: &&String| !(whole_only && is_corrected(rows, number));
    let numbers: Vec<&String> = rows.invoices.iter().map(|row| &row.number).filter(wanted).collect();
    numbers.get(dice.index(numbers.len())).map(|number| (*number).clone())
}

impl Person<'_> {
    fn document(&self, number: &str) -> Result<Option<Document>, String> {
        Ok(self.ledger.documents_numbered(number).map_err(|error| error.to_string())?.pop())
    }

    /// Carries it out; the world hears of it as soon as it is committed, whoever dies then. What the ledger refuses is no error.
    fn does(
        &mut self,
        command: &'static str,
        change: impl FnOnce(&Writer<'_>) -> Result<Option<(Act, String, String)>, LedgerError>,
    ) -> Result<(), String> {
        // Between looking and doing others may go on.
        self.door.place.moment();
        let done = Arc::new(Mutex::new(None));
        watch(self.ledger, self.door, Some(Lands::Corrected(Arc::clone(&done))));
        let at = self.door.world().now;
        let wrote = self.ledger.write(command, None, self.now, |writer| {
            let Some((act, number, of)) = change(writer)? else { return Ok(false) };
            *done.lock().unwrap_or_else(PoisonError::into_inner) = Some(Correction { act, number, of, at });
            Ok(true)
        });
        if !wrote.map_err(|error| format!("{command} failed: {error}"))? {
            self.door.world().fault("person: was refused a correction");
        }
        Ok(())
    }

    fn cancels(&mut self, rows: &Rows, dice: &mut Dice) -> Result<(), String> {
        let Some(number) = invoice(rows, dice) else { return Ok(()) };
        let Some(document) = self.document(&number)? else { return Ok(()) };
        let (settings, now) = (self.settings, self.now);
        self.does("cancel-invoice", |writer| {
            let done = cancel_invoice::cancel(writer, &document, REASON, settings, now)?;
            Ok(done.ok().map(|done| (Act::Cancels, done.number.to_string(), number)))
        })
    }

    /// All that is left of an invoice, a line of it, or a part of a line.
    fn credits(&mut self, rows: &Rows, dice: &mut Dice) -> Result<(), String> {
        let Some(number) = invoice(rows, dice) else { return Ok(()) };
        let Some(document) = self.document(&number)? else { return Ok(()) };
        let sold = rows.invoices.iter().find(|row| row.number == number).map_or(1, |row| row.lines.len());
        let line = u32::try_from(dice.index(sold)).unwrap_or(0) + 1;
        let lines = match dice.below(3) {
            0 => Vec::new(),
            1 => vec![(line, None)],
            _ => vec![(line, Some(dice.pick(&[25, 50, 100], 50)))],
        };
        let typed: Vec<CreditedLine> = lines
            .iter()
            .map(|(number, hundredths)| CreditedLine {
                number: *number,
                quantity: hundredths.map(|hundredths| Decimal::new(hundredths, 2)),
            })
            .collect();
        let (settings, now) = (self.settings, self.now);
        self.does("credit-note", |writer| {
            let done = credit_note::credit(writer, &document, &typed, REASON, settings, now)?;
            Ok(done.ok().map(|done| (Act::Credits(lines), done.number.to_string(), number)))
        })
    }

    /// Most often of a payment that has free money: by the journals, more came in than is tied.
    fn requests(&mut self, rows: &Rows, dice: &mut Dice) -> Result<(), String> {
        let free_only = dice.chance(850);
        let wanted = |transaction: &&String| !free_only || free(rows, transaction) > 0;
        let names: Vec<&String> = rows.payments.iter().map(|row| &row.transaction).filter(wanted).collect();
        let Some(name) = names.get(dice.index(names.len())).map(|name| (*name).clone()) else { return Ok(()) };
        let Some(payment) = self.ledger.payments_with_transaction(&name).map_err(|error| error.to_string())?.pop()
        else {
            return Ok(());
        };
        let share = dice.pick(&[0, 0, 30, 100, 110], 0);
        let minor = (share > 0).then(|| (free(rows, &name) * share).div_euclid(100).max(1));
        let amount = minor.map(|minor| Amount::from_minor(minor, payment.authorised.currency()));
        let (settings, now) = (self.settings, self.now);
        self.does("refund-balance", |writer| {
            let done = refund_balance::request(writer, &payment, amount, REASON, settings, now)?;
            Ok(done.ok().map(|done| (Act::Requests(minor), done.number.to_string(), name)))
        })
    }

    fn withdraws(&mut self, rows: &Rows, dice: &mut Dice) -> Result<(), String> {
        let Some(request) = rows.requests.get(dice.index(rows.requests.len())) else { return Ok(()) };
        let Some(document) = self.document(&request.number)? else { return Ok(()) };
        let (number, of) = (request.number.clone(), request.transaction.clone());
        self.does("refund-balance", |writer| {
            let done = writer.withdraw_request(document.id)?;
            Ok(done.ok().map(|_| (Act::Withdraws, number, of)))
        })
    }
}

/// What came in of a payment and no journal has used, as a person would add it up.
fn free(rows: &Rows, transaction: &str) -> i64 {
    let of_it = rows.movements.iter().filter(|movement| movement.transaction == transaction);
    let ids: Vec<i64> = of_it.map(|movement| movement.id).collect();
    let journals = rows.journals.iter().filter(|journal| ids.contains(&journal.movement));
    let signed = journals.map(|journal| {
        let sign = match journal.kind.as_str() {
            "prepayment" | "return" => 1,
            "application" | "unapplied_refund" | "returned_refund" => -1,
            _ => 0,
        };
        if journal.direction == "original" { sign * journal.amount } else { -sign * journal.amount }
    });
    signed.sum()
}
