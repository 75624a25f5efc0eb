//! What clean-up asks for: that a PSP closes a payment page, and that the ERP lets an order go. Both do a thing once for each key.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::super::dice::{Dice, Purpose};
use super::super::record::{Closing, Deletion, Restoration};
use super::plan::End;
use super::psp::Account;
use super::weather::Weather;
use super::{Happening, World, erp, psp};
use crate::domain::deletion::DeletionMethod;
use crate::domain::id::ModificationId;
use crate::erp::OrderDeletion;
use crate::operation::request::{CancelRequest, DeletionRequest};
use crate::operation::{Answer, LookUp, Refusal};
use crate::provider::Cancelling;

/// What the ledger is told while calls are on their way may come too late for them.
const ONE_RUN: TimeDelta = TimeDelta::minutes(20);

/// What became of each key.
#[derive(Debug, Default)]
pub(super) struct Memory {
    answers: BTreeMap<String, Answer>,
}

/// One call, with everything in it.
#[derive(Debug, Clone)]
pub(crate) enum Wish {
    Close(CancelRequest),
    Delete(DeletionRequest),
}

/// What a deletion is judged by, whenever it takes effect.
#[derive(Debug, Clone)]
pub(crate) struct Asking {
    at: DateTime<Utc>,
    payments: Vec<(usize, &'static str)>,
}

#[derive(Debug, Clone, Copy)]
enum Fate {
    Unreached,
    SilentBefore,
    SilentAfter,
    Late,
    Refused,
    RefusedForNow,
}

impl Cancelling for Account {
    fn cancel(&self, request: &CancelRequest) -> Answer {
        self.door.through(|world| world.is_wished(Wish::Close(request.clone())))
    }

    fn look_up_cancel(&self, request: &CancelRequest) -> LookUp {
        self.door.through(|world| world.looks_up_wish(&Wish::Close(request.clone())))
    }
}

impl OrderDeletion for erp::Counter {
    fn delete(&self, request: &DeletionRequest) -> Answer {
        self.0.through(|world| world.is_wished(Wish::Delete(request.clone())))
    }

    fn look_up_delete(&self, request: &DeletionRequest) -> LookUp {
        self.0.through(|world| world.looks_up_wish(&Wish::Delete(request.clone())))
    }

    fn can_restore(&self, _method: DeletionMethod) -> bool {
        true
    }
}

impl Wish {
    fn key(&self) -> &str {
        match self {
            Self::Close(request) => request.key.as_str(),
            Self::Delete(request) => request.key.as_str(),
        }
    }

    fn fault(&self, fate: Fate) -> &'static str {
        match (self, fate) {
            (Self::Close(_), Fate::Unreached) => "psp: closing not reached",
            (Self::Close(_), Fate::SilentBefore) => "psp: closing not answered, nothing done",
            (Self::Close(_), Fate::SilentAfter) => "psp: closing not answered, done",
            (Self::Close(_), Fate::Late) => "psp: closing not answered, done later",
            (Self::Close(_), Fate::Refused) => "psp: closing refused",
            (Self::Close(_), Fate::RefusedForNow) => "psp: closing refused for now",
            (Self::Delete(_), Fate::Unreached) => "erp: deletion not reached",
            (Self::Delete(_), Fate::SilentBefore) => "erp: deletion not answered, nothing done",
            (Self::Delete(_), Fate::SilentAfter) => "erp: deletion not answered, done",
            (Self::Delete(_), Fate::Late) => "erp: deletion not answered, done later",
            (Self::Delete(_), Fate::Refused) => "erp: deletion refused",
            (Self::Delete(_), Fate::RefusedForNow) => "erp: deletion refused for now",
        }
    }

    fn no(&self, code: &str, transient: bool) -> Refusal {
        match self {
            Self::Close(_) => psp::refusal(code, transient),
            Self::Delete(_) => erp::refusal(code, transient),
        }
    }
}

impl World {
    fn is_wished(&mut self, wish: Wish) -> Answer {
        self.pass(1);
        self.coverage.work("closings and deletions asked for");
        let weather = self.weather;
        let fates = [
            (weather.unreached, Fate::Unreached),
            (weather.silent_before, Fate::SilentBefore),
            (weather.silent_after, Fate::SilentAfter),
            (weather.late, Fate::Late),
            (weather.refused, Fate::Refused),
            (weather.refused_for_now, Fate::RefusedForNow),
        ];
        let mut dice = self.dice(Purpose::Send, wish.key());
        let asking = self.asking(&wish);
        let Some(fate) = Weather::fate(&mut dice, &fates) else { return self.grant(&wish, asking) };
        self.fault(wish.fault(fate));
        match fate {
            Fate::Unreached => {
                return Answer::NotDone { why: "no connection".to_owned(), retry_after_seconds: None };
            }
            Fate::Refused => return self.deny(&wish, "not_now", false),
            Fate::RefusedForNow => return self.deny(&wish, "try_again", true),
            Fate::SilentBefore => {}
            Fate::SilentAfter => drop(self.grant(&wish, asking)),
            Fate::Late => {
                // Sooner than its side says that nothing can happen any more.
                let later = self.now + TimeDelta::seconds(dice.between(31, 200));
                self.decide(later, Happening::WishGranted(Box::new((wish, asking))));
            }
        }
        self.pass(30);
        Answer::Unknown { why: "no answer in time".to_owned() }
    }

    fn deny(&mut self, wish: &Wish, code: &str, transient: bool) -> Answer {
        let key = wish.key().to_owned();
        if let Some(known) = self.wishes.answers.get(&key) {
            return known.clone();
        }
        let answer = Answer::Refused(wish.no(code, transient));
        self.record.denials.insert(key.clone());
        self.wishes.answers.insert(key, answer.clone());
        answer
    }

    /// How things stand when payjournal calls.
    fn asking(&self, wish: &Wish) -> Asking {
        let order = match wish {
            Wish::Close(_) => None,
            Wish::Delete(request) => Some(request.order.as_str()),
        };
        let all = self.record.transactions.iter().enumerate();
        let known = all.filter(|(_, transaction)| {
            let told_at = transaction.told_at.filter(|told| self.now - *told > ONE_RUN);
            order.is_some() && transaction.order.as_deref() == order && told_at.is_some()
        });
        let payments = known.map(|(index, transaction)| (index, transaction.status)).collect();
        Asking { at: self.now, payments }
    }

    /// Carries it out, if nothing speaks against it.
    pub(super) fn grant(&mut self, wish: &Wish, asking: Asking) -> Answer {
        if let Some(known) = self.wishes.answers.get(wish.key()) {
            return known.clone();
        }
        let objection = match wish {
            Wish::Close(request) => self.close(request),
            Wish::Delete(request) => self.let_go(request, asking),
        };
        if let Some(code) = objection {
            return self.deny(wish, code, false);
        }
        let answer = match ModificationId::parse(wish.key()) {
            Ok(modification) => Answer::Confirmed { modification, at: self.now, amount: None },
            Err(error) => Answer::Unknown { why: error.to_string() },
        };
        self.wishes.answers.insert(wish.key().to_owned(), answer.clone());
        answer
    }

    /// Closes an open page, or says why not.
    fn close(&mut self, request: &CancelRequest) -> Option<&'static str> {
        let name = request.transaction.as_str();
        let Some(index) = self.transactions.get(name).copied() else {
            self.record.oddities.push(format!("closing of {name}, which nobody knows"));
            return Some("unknown_transaction");
        };
        let mut dice = self.dice(Purpose::Outcome, &format!("{name} closed"));
        if self.transaction(index).status == "open" && !self.is_closed && dice.chance(60) {
            self.fault("psp: payment made just before it was closed");
            self.page_ends(index, End::Authorised);
        }
        if self.transaction(index).status != "open" {
            return Some("not_open");
        }
        self.remember_before(index);
        self.transaction_mut(index).status = "cancelled";
        self.record.closings.push(Closing { transaction: index, key: request.key.as_str().to_owned(), at: self.now });
        self.may_be_paid_in_spite(index, &mut dice);
        None
    }

    fn may_be_paid_in_spite(&mut self, index: usize, dice: &mut Dice) {
        if dice.chance(60) {
            let then = self.now + TimeDelta::minutes(dice.between(1, 200 * 60));
            self.decide(then, Happening::PaysInSpite(index));
        }
    }

    /// What was asked for on a page that payjournal has had closed is not asked for any more.
    pub(super) fn is_closed_page(&self, index: usize) -> bool {
        self.record.closings.iter().any(|closing| closing.transaction == index)
    }

    /// The customer had the page open, and the PSP takes the money against its word.
    pub(super) fn pays_in_spite(&mut self, index: usize) {
        if self.transaction(index).status == "cancelled" {
            self.fault("psp: payment made in spite of its closing");
            self.remember_before(index);
            self.transaction_mut(index).status = "authorised";
            self.transaction_mut(index).paid_after_end = true;
            self.authorised(index);
        }
    }

    /// The ERP lets an order go, or says why not.
    fn let_go(&mut self, request: &DeletionRequest, asking: Asking) -> Option<&'static str> {
        let order = request.order.as_str();
        if self.record.documents.iter().any(|document| document.order.as_deref() == Some(order)) {
            return Some("has_documents");
        }
        let plan = self.plans.values().find(|plan| plan.number == order);
        let (Some(placed), Some(cleaning)) = (plan.map(|plan| plan.placed), self.record.cleaning) else {
            self.record.oddities.push(format!("deletion of {order}, which nobody placed or wanted to be rid of"));
            return Some("unknown_order");
        };
        let day = asking.at.with_timezone(&cleaning.zone).date_naive();
        let restored = self.record.restored(order);
        let put_back = self.record.restorations.iter().rfind(|restoration| restoration.order == order);
        let since = put_back.map_or(placed.date_naive(), |restoration| restoration.on.max(placed.date_naive()));
        self.coverage.work("orders deleted");
        self.record.deletions.push(Deletion {
            order: order.to_owned(),
            key: request.key.as_str().to_owned(),
            asked_at: asking.at,
            payments: asking.payments,
            at: self.now,
            age_days: day.signed_duration_since(since).num_days(),
            method: request.method.as_str(),
            on: day,
            restored,
        });
        None
    }

    /// Orders that a person may put back.
    pub(in crate::simulate) fn restorable(&self) -> Vec<String> {
        if !self.record.cleaning.is_some_and(|cleaning| cleaning.restores) {
            return Vec::new();
        }
        let gone = self.record.deletions.iter().map(|deletion| &deletion.order);
        let gone: BTreeSet<&String> = gone.filter(|order| self.record.is_gone(order)).collect();
        gone.into_iter().cloned().collect()
    }

    /// The ledger has it again, and so has the ERP.
    pub(in crate::simulate) fn is_restored(&mut self, order: &str) {
        let Some(cleaning) = self.record.cleaning else { return };
        let on = self.now.with_timezone(&cleaning.zone).date_naive();
        self.record.restorations.push(Restoration { order: order.to_owned(), at: self.now, on });
    }

    fn looks_up_wish(&mut self, wish: &Wish) -> LookUp {
        self.pass(1);
        let mut dice = self.dice(Purpose::LookUp, wish.key());
        if dice.chance(self.weather.dumb) {
            self.fault(match wish {
                Wish::Close(_) => "psp: look-up of a closing not answered",
                Wish::Delete(_) => "erp: look-up of a deletion not answered",
            });
            return LookUp::CannotTell { why: "HTTP 503".to_owned() };
        }
        match self.wishes.answers.get(wish.key()) {
            Some(known) => LookUp::Found(known.clone()),
            None => LookUp::Absent,
        }
    }
}
