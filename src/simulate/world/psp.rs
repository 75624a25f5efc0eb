//! The PSPs. `alpha` captures many parts, mostly at once, and gives our keys back; `beta` captures one part, settles hours
//! later, and in some seeds forgets to say which key a modification was made with.
//!
//! A key is honoured as long as its window lasts; after that the same request is carried out again.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::super::dice::{Dice, Purpose};
use super::super::record::{Asked, By, Effect, EffectKind, EffectState, Partial, Refused, Told};
use super::weather::Weather;
use super::{Door, Happening, World};
use crate::domain::id::{MethodName, ModificationId, ProviderName, TransactionId};
use crate::domain::money::{Amount, Currency};
use crate::operation::request::PaymentRequest;
use crate::operation::{Answer, Kind, LookUp, Refusal};
use crate::provider::{
    Cancelling, Capabilities, PartialCapture, PaymentLinks, PayoutLines, PayoutReports, PortError, Provider,
    PspPayment, ReportedPayout,
};

/// A call may still take effect so long after it was made.
const LATEST: TimeDelta = TimeDelta::minutes(10);

/// What the PSPs remember besides what happened.
#[derive(Debug)]
pub(super) struct Memory {
    pub(super) keys: BTreeMap<String, Remembered>,
    window: TimeDelta,
    /// When and how an effect was settled.
    pub(super) settled: BTreeMap<usize, (DateTime<Utc>, Option<Refusal>)>,
    pub(super) beta_names_keys: bool,
    /// How transactions stood before their latest change.
    pub(super) before: BTreeMap<usize, (DateTime<Utc>, PspPayment)>,
    /// What customers are asked for.
    pub(super) wanted: BTreeMap<usize, i64>,
}

#[derive(Debug, Clone)]
pub(super) struct Remembered {
    content: String,
    pub(super) at: DateTime<Utc>,
    pub(super) outcome: Outcome,
}

#[derive(Debug, Clone)]
pub(super) enum Outcome {
    Effect(usize),
    Refused(Refusal),
}

#[derive(Debug, Clone, Copy)]
enum Fate {
    Unreached,
    TooMany,
    SilentBefore,
    Garbage,
    SilentAfter,
    Late,
    Refused,
    RefusedForNow,
}

impl Memory {
    pub(super) fn of(dice: &mut Dice) -> Self {
        Self {
            keys: BTreeMap::new(),
            window: TimeDelta::hours(dice.pick(&[6, 24, 24, 7 * 24], 24)),
            settled: BTreeMap::new(),
            beta_names_keys: dice.chance(600),
            before: BTreeMap::new(),
            wanted: BTreeMap::new(),
        }
    }
}

/// One merchant account, through one run's door.
#[derive(Debug)]
pub(super) struct Account {
    name: &'static str,
    pub(super) door: Door,
    partial: PartialCapture,
}

pub(super) fn providers(door: &Door) -> BTreeMap<ProviderName, Box<dyn Provider>> {
    let account = |name, partial| -> Box<dyn Provider> { Box::new(Account { name, door: door.clone(), partial }) };
    let all = [("alpha", PartialCapture::Many), ("beta", PartialCapture::Once)];
    let named =
        all.into_iter().filter_map(|(name, partial)| Some((ProviderName::parse(name).ok()?, account(name, partial))));
    named.collect()
}

impl Provider for Account {
    fn capabilities(&self, _method: &MethodName) -> Capabilities {
        Capabilities { partial_capture: self.partial, refund: true }
    }

    fn send(&self, request: &PaymentRequest) -> Answer {
        self.door.through(|world| world.psp_is_asked(request))
    }

    fn look_up(&self, request: &PaymentRequest) -> LookUp {
        self.door.through(|world| world.psp_looks_up(request))
    }

    fn standing(&self, transaction: &TransactionId) -> Result<PspPayment, PortError> {
        self.door.through(|world| world.psp_tells(transaction.as_str()))
    }

    fn settles_after(&self) -> Duration {
        LATEST.to_std().unwrap_or_default()
    }

    fn payout_reports(&self) -> Option<&dyn PayoutReports> {
        Some(self)
    }

    fn cancelling(&self) -> Option<&dyn Cancelling> {
        Some(self)
    }

    fn payment_links(&self) -> Option<&dyn PaymentLinks> {
        Some(self)
    }
}

impl PayoutReports for Account {
    fn payouts(&self, since: Option<DateTime<Utc>>) -> Result<Vec<ReportedPayout>, PortError> {
        self.door.through(|world| world.psp_tells_payouts(self.name, since))
    }

    fn lines(&self, payout: &ReportedPayout) -> Result<PayoutLines<'_>, PortError> {
        let lines = self.door.through(|world| world.psp_tells_lines(payout));
        Ok(Box::new(lines.into_iter()))
    }
}

impl World {
    fn psp_is_asked(&mut self, request: &PaymentRequest) -> Answer {
        self.pass(1);
        self.coverage.work("calls to a PSP");
        let weather = self.weather;
        let fates = [
            (weather.unreached.div_ceil(2), Fate::Unreached),
            (weather.unreached.div_euclid(2), Fate::TooMany),
            (weather.silent_before.div_ceil(2), Fate::SilentBefore),
            (weather.silent_before.div_euclid(2), Fate::Garbage),
            (weather.silent_after, Fate::SilentAfter),
            (weather.late, Fate::Late),
            (weather.refused, Fate::Refused),
            (weather.refused_for_now, Fate::RefusedForNow),
        ];
        let mut dice = self.dice(Purpose::Send, request.transaction.as_str());
        let silent = |why: &str| Answer::Unknown { why: why.to_owned() };
        let Some(fate) = Weather::fate(&mut dice, &fates) else { return self.act(request, None) };
        match fate {
            Fate::Unreached => {
                self.fault("psp: not reached");
                Answer::NotDone { why: "no connection".to_owned(), retry_after_seconds: None }
            }
            Fate::TooMany => {
                self.fault("psp: too many requests");
                Answer::NotDone { why: "HTTP 429".to_owned(), retry_after_seconds: Some(dice.below(90)) }
            }
            Fate::SilentBefore => {
                self.fault("psp: no answer, nothing done");
                self.pass(30);
                silent("no answer in time")
            }
            Fate::Garbage => {
                self.fault("psp: garbage, nothing done");
                silent("HTTP 502: <html>")
            }
            Fate::SilentAfter => {
                self.fault("psp: no answer, done");
                self.act(request, None);
                self.pass(30);
                silent("no answer in time")
            }
            Fate::Late => {
                self.fault("psp: no answer, done later");
                let later = self.now + TimeDelta::seconds(dice.between(31, 540));
                self.decide(later, Happening::ActsLate(Box::new(request.clone())));
                self.pass(30);
                silent("no answer in time")
            }
            Fate::Refused => {
                self.fault("psp: refused by the issuer");
                self.says_no(request, &refusal("declined", false), &mut dice)
            }
            Fate::RefusedForNow => {
                self.fault("psp: refused for now");
                self.says_no(request, &refusal("try_again", true), &mut dice)
            }
        }
    }

    pub(super) fn acts_late(&mut self, request: &PaymentRequest) {
        self.act(request, None);
    }

    /// Carries a request out, once per key as long as the key is remembered.
    pub(super) fn act(&mut self, request: &PaymentRequest, no: Option<&Refusal>) -> Answer {
        let key = request.key.as_str();
        let content = format!("{} {} {}", request.kind.as_str(), request.transaction, request.amount);
        if let Some(known) = self.psp.keys.get(key).cloned() {
            if known.content != content {
                let odd = format!("key {key} came with `{content}` after `{}`", known.content);
                self.record.oddities.push(odd);
                return Answer::Refused(refusal("key_reused", false));
            }
            if self.now - known.at <= self.psp.window {
                return self.answer_of(&known.outcome);
            }
            self.comes_too_late(key, known.at);
        }
        let Some(index) = self.transactions.get(request.transaction.as_str()).copied() else {
            self.record.oddities.push(format!("`{content}` is about an unknown transaction"));
            return Answer::Refused(refusal("unknown_transaction", false));
        };
        let objection = no.cloned().or_else(|| self.objection(index, request));
        let outcome = match objection {
            Some(refusal) => {
                self.refuse(index, request, &refusal, no.is_some());
                Outcome::Refused(refusal)
            }
            None => Outcome::Effect(self.carry_out(index, request)),
        };
        let answer = self.answer_of(&outcome);
        self.psp.keys.insert(key.to_owned(), Remembered { content, at: self.now, outcome });
        answer
    }

    fn refuse(&mut self, transaction: usize, request: &PaymentRequest, refusal: &Refusal, by_fault: bool) {
        let code = match refusal.code.as_str() {
            "exceeds_authorised" => "exceeds_authorised",
            "exceeds_captured" => "exceeds_captured",
            "not_authorised" => "not_authorised",
            "authorisation_expired" => "authorisation_expired",
            _ => "fault",
        };
        let Some(kind) = effect_kind(request.kind) else { return };
        let (amount, key) = (request.amount.minor(), request.key.as_str().to_owned());
        self.record.refusals.push(Refused { transaction, kind, amount, key, code, by_fault, at: self.now });
    }

    pub(super) fn objection(&self, index: usize, request: &PaymentRequest) -> Option<Refusal> {
        let transaction = self.transaction(index);
        let amount = request.amount.minor();
        match request.kind {
            Kind::Capture | Kind::Release if transaction.status == "expired" => {
                Some(refusal("authorisation_expired", false))
            }
            Kind::Capture | Kind::Release if transaction.status != "authorised" => {
                Some(refusal("not_authorised", false))
            }
            Kind::Capture | Kind::Release => {
                let left = transaction.authorised - self.live(index, EffectKind::Capture);
                (amount > left).then(|| refusal("exceeds_authorised", false))
            }
            Kind::Refund => {
                let left = self.confirmed_captures(index) - self.live(index, EffectKind::Refund);
                (amount > left).then(|| refusal("exceeds_captured", false))
            }
            Kind::Collect
            | Kind::Journal
            | Kind::PayoutJournal
            | Kind::Mail
            | Kind::Cancel
            | Kind::Delete
            | Kind::Event => Some(refusal("not_a_psp_call", false)),
        }
    }

    fn carry_out(&mut self, index: usize, request: &PaymentRequest) -> usize {
        let by = By::Payjournal(self.asked_by_payjournal(index, request));
        let kind = effect_kind(request.kind).unwrap_or(EffectKind::Release);
        let amount = self.amount_done(request);
        self.effect(index, kind, amount, by)
    }

    /// What payjournal has been told when it asks.
    pub(super) fn asked_by_payjournal(&self, index: usize, request: &PaymentRequest) -> Asked {
        let transaction = self.transaction(index);
        let order = self.record.orders.iter().find(|order| Some(&order.number) == transaction.order.as_ref());
        let told_order: Option<Told> = order.and_then(|order| order.told);
        let told = |kind: &str| {
            let of_order = self.record.documents.iter().filter(|document| {
                document.kind == kind && document.told_at.is_some() && document.order == transaction.order
            });
            of_order.map(|document| document.total).sum()
        };
        let document = request.document.as_ref();
        let document = document.map(|(kind, number)| (kind.as_str().to_owned(), number.as_str().to_owned()));
        let unsettled = self.record.effects.iter().filter(|effect| {
            effect.transaction == index
                && effect.kind == EffectKind::Capture
                && effect.state == EffectState::Accepted
                && effect.ours().is_some()
        });
        Asked {
            key: request.key.as_str().to_owned(),
            amount: request.amount.minor(),
            told_outstanding: document.as_ref().and_then(|document| self.erp.told.get(document).copied()),
            document,
            told_order,
            told_order_at: order.and_then(|order| order.told_at),
            told_invoiced: if transaction.order.is_some() { told("invoice") } else { 0 },
            told_shipped: if transaction.order.is_some() { told("shipment") } else { 0 },
            unsettled_captures: unsettled.map(|effect| effect.amount).sum(),
        }
    }

    /// Does something to a transaction, whoever asked; `beta` takes its time over it.
    pub(super) fn effect(&mut self, index: usize, kind: EffectKind, amount: i64, by: By) -> usize {
        self.remember_before(index);
        let transaction = self.transaction(index);
        let beta = transaction.id.starts_with("beta");
        let number = self.record.effects.len();
        let id = format!("{}-m{number}", transaction.id);
        let mut dice = self.dice(Purpose::Outcome, &self.transaction(index).id.clone());
        // Money is with us at once, or when the networks have agreed; a release takes effect at once.
        let waits = kind != EffectKind::Release && (beta || dice.chance(250));
        let state = if waits { EffectState::Accepted } else { EffectState::Confirmed };
        self.record.effects.push(Effect {
            id,
            transaction: index,
            kind,
            amount,
            by,
            at: self.now,
            state,
            confirmed_at: (!waits).then_some(self.now),
            failed_late: false,
            after_no: false,
            heard_at: None,
        });
        if waits {
            let hours = dice.pick(&[1, 3, 9, 30, 60], 3);
            self.decide(self.now + TimeDelta::minutes(hours * 60 + dice.between(-50, 50)), Happening::Settles(number));
        } else {
            self.psp.settled.insert(number, (self.now, None));
            self.may_fail_late(number, &mut dice);
        }
        self.stand(index);
        number
    }

    pub(super) fn may_fail_late(&mut self, effect: usize, dice: &mut Dice) {
        let stays = |effect: &Effect| effect.kind == EffectKind::Release || effect.asked_other().is_some();
        let stays = self.record.effects.get(effect).is_some_and(stays);
        if !stays && dice.chance(self.weather.fails_late) {
            let then = self.now + TimeDelta::hours(dice.between(5, 120));
            self.decide(then, Happening::FailsLate(effect));
        }
    }

    /// The status that follows from what was done.
    pub(super) fn stand(&mut self, index: usize) {
        let captured = self.live(index, EffectKind::Capture);
        let released = self.live(index, EffectKind::Release);
        let transaction = self.transaction(index);
        if !matches!(transaction.status, "authorised" | "captured") {
            return;
        }
        let lapsed = transaction.id.starts_with("beta") && captured > 0;
        let used_up = captured + released >= transaction.authorised;
        let status = match (captured > 0, used_up || lapsed) {
            (true, true) => "captured",
            (false, true) if released > 0 => "released",
            // Money that came back after it was captured is not authorised again.
            (_, false) if transaction.status == "captured" && !self.is_settling(index) => "captured",
            (_, _) => "authorised",
        };
        self.transaction_mut(index).status = status;
    }

    /// A capture failed before it was ever confirmed: then the authorisation is as it was.
    fn is_settling(&self, index: usize) -> bool {
        let of_it = |effect: &&Effect| effect.transaction == index && effect.kind == EffectKind::Capture;
        !self.record.effects.iter().filter(of_it).any(|effect| effect.failed_late)
    }

    pub(super) fn live(&self, index: usize, kind: EffectKind) -> i64 {
        let of_it = self.record.effects.iter().filter(|effect| effect.transaction == index && effect.kind == kind);
        of_it.filter(|effect| effect.is_live()).map(|effect| effect.amount).sum()
    }

    pub(super) fn confirmed_captures(&self, index: usize) -> i64 {
        let of_it = self.record.effects.iter().filter(|effect| {
            effect.transaction == index && effect.kind == EffectKind::Capture && effect.state == EffectState::Confirmed
        });
        of_it.map(|effect| effect.amount).sum()
    }

    fn psp_looks_up(&mut self, request: &PaymentRequest) -> LookUp {
        self.pass(1);
        self.coverage.work("look-ups at a PSP");
        let mut dice = self.dice(Purpose::LookUp, request.key.as_str());
        if dice.chance(self.weather.dumb) {
            self.fault("psp: look-up not answered");
            return LookUp::CannotTell { why: "HTTP 503".to_owned() };
        }
        match self.psp.keys.get(request.key.as_str()).cloned() {
            Some(known) => {
                if let Outcome::Effect(index) = &known.outcome
                    && let Some(effect) = self.record.effects.get_mut(*index).filter(|effect| effect.after_no)
                {
                    effect.heard_at.get_or_insert(self.now);
                }
                LookUp::Found(self.answer_of(&known.outcome))
            }
            None => LookUp::Absent,
        }
    }

    fn answer_of(&self, outcome: &Outcome) -> Answer {
        match outcome {
            Outcome::Refused(refusal) => Answer::Refused(refusal.clone()),
            Outcome::Effect(index) => {
                let Some(effect) = self.record.effects.get(*index) else {
                    return Answer::Unknown { why: "no such effect".to_owned() };
                };
                let Ok(modification) = ModificationId::parse(&effect.id) else {
                    return Answer::Unknown { why: "an id that is none".to_owned() };
                };
                let settled = self.psp.settled.get(index);
                match effect.state {
                    EffectState::Accepted => Answer::Accepted { modification },
                    EffectState::Confirmed => {
                        let currency = Currency::parse(self.transaction(effect.transaction).currency).ok();
                        let amount = currency.map(|currency| Amount::from_minor(effect.amount, currency));
                        Answer::Confirmed { modification, at: settled.map_or(effect.at, |(at, _)| *at), amount }
                    }
                    EffectState::Failed => {
                        let why = settled.and_then(|(_, why)| why.clone());
                        Answer::Refused(why.unwrap_or_else(|| refusal("failed", false)))
                    }
                }
            }
        }
    }

    /// What the PSP can take of a transaction, for tests of what is left.
    pub(super) fn left(&self, index: usize) -> i64 {
        let transaction = self.transaction(index);
        let left =
            transaction.authorised - self.live(index, EffectKind::Capture) - self.live(index, EffectKind::Release);
        if transaction.status == "authorised" { left } else { 0 }
    }

    pub(super) fn takes_parts(&self, index: usize) -> bool {
        self.transaction(index).partial == Partial::Many
    }
}

pub(super) fn effect_kind(kind: Kind) -> Option<EffectKind> {
    match kind {
        Kind::Capture => Some(EffectKind::Capture),
        Kind::Refund => Some(EffectKind::Refund),
        Kind::Release => Some(EffectKind::Release),
        Kind::Collect
        | Kind::Journal
        | Kind::PayoutJournal
        | Kind::Mail
        | Kind::Cancel
        | Kind::Delete
        | Kind::Event => None,
    }
}

pub(super) fn refusal(code: &str, transient: bool) -> Refusal {
    Refusal { code: code.to_owned(), message: format!("the PSP says {code}"), transient }
}
