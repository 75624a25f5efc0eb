//! The ERP: documents with what is open on them, and our journal lines. It posts whatever it is given: only its search for a
//! number, which is some minutes behind, keeps a line from being posted twice.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};

use super::super::dice::{Dice, Purpose};
use super::super::record::Line;
use super::weather::Weather;
use super::{Door, Happening, World};
use crate::domain::document::Document;
use crate::domain::id::ModificationId;
use crate::domain::money::Amount;
use crate::erp::{Erp, OrderDeletion};
use crate::operation::request::JournalRequest;
use crate::operation::{Answer, LookUp, Refusal};
use crate::provider::PortError;

/// The ERP's search finds a line so long after it was posted.
const SEARCH_LAG: TimeDelta = TimeDelta::minutes(4);

#[derive(Debug, Default)]
pub(super) struct Memory {
    /// What payjournal was last told to be outstanding, by kind and number of the document.
    pub(super) told: BTreeMap<(String, String), i64>,
    /// Nothing may be posted before this day until somebody opens the period again.
    closed_before: Option<(NaiveDate, DateTime<Utc>)>,
    /// Lines as payjournal created them, where somebody gave them another content.
    before: BTreeMap<String, Line>,
}

/// What somebody in the ERP makes of a line of ours that was created and not posted.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Change {
    /// The amount, in hundredths of ours.
    Amount(i64),
    Account,
    /// It pays no document any more.
    Unapplied,
    Posted,
    Back,
}

/// The ERP through one run's door.
#[derive(Debug)]
pub(super) struct Counter(pub(super) Door);

#[derive(Debug, Clone, Copy)]
enum Fate {
    Unreached,
    SilentBefore,
    SilentAfter,
    CreatedOnly,
    Closed,
    RefusedForNow,
}

impl Erp for Counter {
    fn outstanding(&self, document: &Document) -> Result<Amount, PortError> {
        self.0.through(|world| world.erp_tells(document))
    }

    fn deliver(&self, request: &JournalRequest) -> Answer {
        self.0.through(|world| world.erp_is_asked(request))
    }

    fn look_up(&self, request: &JournalRequest) -> LookUp {
        self.0.through(|world| world.erp_looks_up(request))
    }

    fn settles_after(&self) -> Duration {
        SEARCH_LAG.to_std().unwrap_or_default()
    }

    fn order_deletion(&self) -> Option<&dyn OrderDeletion> {
        Some(self)
    }
}

impl World {
    fn erp_tells(&mut self, document: &Document) -> Result<Amount, PortError> {
        self.pass(1);
        self.coverage.work("outstanding amounts asked");
        let (kind, number) = (document.kind.as_str(), document.number.as_str());
        let mut dice = self.dice(Purpose::Outstanding, number);
        if dice.chance(self.weather.dumb) {
            self.fault("erp: outstanding not answered");
            let why = "HTTP 503".to_owned();
            return Err(if dice.chance(800) { PortError::Unreachable { why } } else { PortError::CannotTell { why } });
        }
        let posted = self.record.documents.iter().find(|posted| posted.kind == kind && posted.number == number);
        let Some(posted) = posted else {
            // It takes over what payjournal makes: invoices and credit notes, with what the two have cleared of each other.
            if !self.record.sales.is_empty() && matches!(kind, "invoice" | "credit_note") {
                let posted = document.total.minor() - document.paid_elsewhere.minor();
                let left = posted - self.paid_by_lines(kind, number);
                self.erp.told.insert((kind.to_owned(), number.to_owned()), left);
                return Ok(Amount::from_minor(left, document.total.currency()));
            }
            return Err(PortError::CannotTell { why: format!("the ERP knows no {kind} {number}") });
        };
        let left = posted.total - posted.by_hand - self.paid_by_lines(kind, number);
        self.erp.told.insert((kind.to_owned(), number.to_owned()), left);
        Ok(Amount::from_minor(left, document.total.currency()))
    }

    /// What our lines paid of a document.
    pub(super) fn paid_by_lines(&self, kind: &str, number: &str) -> i64 {
        let of_it = self.record.lines.iter().filter(|line| {
            let document = line.document.as_ref();
            !line.draft && document.is_some_and(|document| document.0 == kind && document.1 == number)
        });
        of_it
            .map(|line| {
                let pays = (line.direction == "original") == (line.kind != "reopening");
                if pays { line.amount } else { -line.amount }
            })
            .sum()
    }

    fn erp_is_asked(&mut self, request: &JournalRequest) -> Answer {
        self.pass(1);
        self.coverage.work("calls to the ERP");
        let weather = self.weather;
        let fates = [
            (weather.unreached, Fate::Unreached),
            (weather.silent_before, Fate::SilentBefore),
            (weather.silent_after, Fate::SilentAfter),
            (weather.late, Fate::CreatedOnly),
            (weather.closed, Fate::Closed),
            (weather.refused_for_now, Fate::RefusedForNow),
        ];
        let mut dice = self.dice(Purpose::Send, &request.number);
        let silent = || Answer::Unknown { why: "no answer in time".to_owned() };
        let Some(fate) = Weather::fate(&mut dice, &fates) else { return self.post_line(request, false) };
        match fate {
            Fate::Unreached => {
                self.fault("erp: not reached");
                Answer::NotDone { why: "no connection".to_owned(), retry_after_seconds: None }
            }
            Fate::SilentBefore => {
                self.fault("erp: no answer, nothing done");
                self.pass(30);
                silent()
            }
            Fate::SilentAfter => {
                self.fault("erp: no answer, posted");
                self.post_line(request, false);
                self.pass(30);
                silent()
            }
            Fate::CreatedOnly => {
                self.fault("erp: no answer, created only");
                self.post_line(request, true);
                self.may_be_changed(&request.number, &mut dice);
                self.pass(30);
                silent()
            }
            Fate::Closed => {
                self.fault("erp: period closed");
                let first = request.posting_date.with_day(1).unwrap_or(request.posting_date);
                let next = first.checked_add_months(chrono::Months::new(1)).unwrap_or(first);
                self.erp.closed_before = Some((next, self.now + TimeDelta::days(2)));
                self.post_line(request, false)
            }
            Fate::RefusedForNow => {
                self.fault("erp: refused for now");
                Answer::Refused(refusal("locked_by_another_user", true))
            }
        }
    }

    fn post_line(&mut self, request: &JournalRequest, draft: bool) -> Answer {
        if let Some((day, until)) = self.erp.closed_before
            && self.now < until
            && request.posting_date < day
        {
            return Answer::Refused(refusal("period_closed", false));
        }
        let now = self.now;
        let new = line(request, draft, now);
        let Ok(modification) = ModificationId::parse(&request.number) else {
            return Answer::Unknown { why: "a number that is none".to_owned() };
        };
        let known = self
            .record
            .lines
            .iter_mut()
            .find(|known| known.number == new.number && (now - known.at >= SEARCH_LAG || known.at == now));
        match known {
            Some(known) if !same(known, &new) => return Answer::Refused(refusal("journal_differs", false)),
            Some(known) => known.draft &= draft,
            None => self.record.lines.push(new),
        }
        Answer::Confirmed { modification, at: now, amount: None }
    }

    /// A line that lies there not posted is somebody's work, too.
    fn may_be_changed(&mut self, number: &str, dice: &mut Dice) {
        if self.weather.persons == 0 || !dice.chance(400) {
            return;
        }
        let share = dice.pick(&[50, 99, 1_000], 50);
        let change = dice.pick(&[Change::Amount(share), Change::Account, Change::Unapplied], Change::Account);
        let mut at = self.now + TimeDelta::minutes(dice.between(5, 20 * 60));
        self.decide(at, Happening::ChangesLine(number.to_owned(), change));
        at += TimeDelta::minutes(dice.between(1, 60));
        match dice.below(3) {
            0 => self.decide(at, Happening::ChangesLine(number.to_owned(), Change::Posted)),
            1 => {
                let back = at + TimeDelta::hours(dice.between(24, 150));
                self.decide(back, Happening::ChangesLine(number.to_owned(), Change::Back));
            }
            _ => {}
        }
    }

    pub(super) fn changes_line(&mut self, number: &str, change: Change) {
        if self.record.lines.iter().any(|line| line.number == number && !line.draft) {
            return;
        }
        let Some(line) = self.record.lines.iter_mut().find(|line| line.number == number) else { return };
        let before = line.clone();
        match change {
            Change::Amount(share) => line.amount = (line.amount * share).div_euclid(100).max(1),
            Change::Account => "Assets:Suspense".clone_into(&mut line.credit),
            Change::Unapplied => line.document = None,
            Change::Posted => {
                line.draft = !line.changed;
                return;
            }
            Change::Back => {
                let Some(ours) = self.erp.before.get(number) else { return };
                *line = Line { was_changed: true, ..ours.clone() };
                self.fault("person: changed our line back");
                return;
            }
        }
        if !same(line, &before) {
            line.changed = true;
            line.was_changed = true;
            self.erp.before.insert(number.to_owned(), before);
            self.fault("person: changed our line in the ERP");
        }
    }

    fn erp_looks_up(&mut self, request: &JournalRequest) -> LookUp {
        self.pass(1);
        self.coverage.work("look-ups in the ERP");
        let mut dice = self.dice(Purpose::LookUp, &request.number);
        if dice.chance(self.weather.dumb) {
            self.fault("erp: look-up not answered");
            return LookUp::CannotTell { why: "HTTP 503".to_owned() };
        }
        let now = self.now;
        let found = |line: &&Line| line.number == request.number && !line.draft && now - line.at >= SEARCH_LAG;
        let Some(known) = self.record.lines.iter().find(found) else { return LookUp::Absent };
        if !same(known, &line(request, false, now)) {
            return LookUp::Found(Answer::Refused(refusal("journal_differs", false)));
        }
        match ModificationId::parse(&known.number) {
            Ok(modification) => LookUp::Found(Answer::Confirmed { modification, at: known.at, amount: None }),
            Err(error) => LookUp::CannotTell { why: error.to_string() },
        }
    }
}

fn line(request: &JournalRequest, draft: bool, at: DateTime<Utc>) -> Line {
    let document = request.applies_to.as_ref();
    Line {
        number: request.number.clone(),
        kind: request.kind.as_str(),
        direction: request.direction.as_str(),
        document: document.map(|(kind, number)| (kind.as_str().to_owned(), number.as_str().to_owned())),
        transaction: request.transaction.as_str().to_owned(),
        modification: request.modification.as_str().to_owned(),
        amount: request.amount.minor(),
        currency: request.amount.currency().code(),
        debit: request.debit.as_str().to_owned(),
        credit: request.credit.as_str().to_owned(),
        draft,
        changed: false,
        was_changed: false,
        at,
    }
}

fn same(one: &Line, other: &Line) -> bool {
    (one.amount, one.currency, &one.document, &one.debit, &one.credit)
        == (other.amount, other.currency, &other.document, &other.debit, &other.credit)
}

pub(super) fn refusal(code: &str, transient: bool) -> Refusal {
    Refusal { code: code.to_owned(), message: format!("the ERP says {code}"), transient }
}
