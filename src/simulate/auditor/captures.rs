//! What payjournal captures: for which document, from which transaction, when, and how much of it.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};

use crate::simulate::record::{
    Asked, Cancelled, Effect, EffectKind, Partial, Posted, ShopOrder, ShopTerms, Transaction, Trigger,
};

use super::Found;
use super::index::{Booking, Done, Index, pair, was_confirmed};
use super::intents::said;

/// By how much a run's clock may be ahead, at most.
pub(super) const CLOCK_ERROR: Duration = Duration::days(2);

/// A capture of payjournal, with what it is about.
struct Capture<'i, 'a> {
    index: &'i Index<'a>,
    at: usize,
    transaction: &'a Transaction,
    place: usize,
    effect: &'a Effect,
    asked: &'a Asked,
    order: Option<&'a ShopOrder>,
    document: Option<&'a Posted>,
}

pub(super) fn check(index: &Index<'_>, found: &mut Found) {
    for (at, transaction) in index.record.transactions.iter().enumerate() {
        for Done { place, effect } in index.of_kind(at, EffectKind::Capture) {
            let Some(asked) = effect.ours().filter(|_| !effect.after_no) else { continue };
            let order = index.order(transaction.order.as_deref());
            let document = index.document(asked.document.as_ref());
            let capture = Capture { index, at, transaction, place, effect, asked, order, document };
            for (invariant, wrong) in [
                ("capture-for-own-order", capture.of_another_order()),
                ("document-known-first", capture.of_unknown_document()),
                ("capture-by-trigger", capture.against_its_trigger()),
                ("capture-not-too-early", capture.too_early()),
                ("no-capture-for-cancelled-invoice", capture.of_cancelled()),
                ("on-account-not-captured", capture.on_account()),
                ("partial-capture-allowed", capture.forbidden_part()),
                ("partial-loses-nothing", capture.loses_needed_money()),
                ("capture-within-told-outstanding", capture.above_what_was_told()),
                ("invoice-not-captured-again", capture.captured_again()),
                ("prepaid-tied-first", capture.prepaid_already()),
                ("no-capture-after-release", capture.after_release()),
                ("order-collected-once", capture.collected_twice()),
                ("invoice-payment-within-lacking", capture.more_than_its_invoices()),
                ("invoice-left-to-its-payer", capture.paid_by_its_customer()),
            ] {
                if let Some(why) = wrong {
                    found.tell(invariant, index.about(effect), format!("{}: {why}", said(effect)));
                }
            }
        }
    }
}

impl Capture<'_, '_> {
    /// Payments that name invoices pay those; others their order's documents. In one currency.
    fn of_another_order(&self) -> Option<String> {
        let document = self.document?;
        let own = if self.transaction.pays.is_empty() {
            document.order.is_some() && document.order == self.transaction.order
        } else {
            document.kind == "invoice" && self.transaction.pays.contains(&document.number)
        };
        let same_currency = document.currency == self.transaction.currency;
        (!own || !same_currency).then(|| {
            let order = document.order.as_deref().unwrap_or("no order");
            format!("for {} {} of {order} in {}", document.kind, document.number, document.currency)
        })
    }

    fn of_unknown_document(&self) -> Option<String> {
        let (kind, number) = pair(self.asked.document.as_ref())?;
        // An invoice of ours has the time of the run that made it.
        let is_late = self.index.record.clock_jumps > 0 && self.index.is_ours(number);
        let until = if is_late { self.effect.at + CLOCK_ERROR } else { self.effect.at };
        let known = self.document.and_then(|document| document.told_at).is_some_and(|told| told <= until);
        (!known).then(|| format!("the ledger had not been told of {kind} {number}"))
    }

    fn against_its_trigger(&self) -> Option<String> {
        let wants = self.asked.document.as_ref().map(|document| document.0.as_str());
        let cancelled = self.asked.told_order.map_or(Cancelled::No, |told| told.cancelled);
        let allowed = match self.transaction.trigger {
            Trigger::Never => false,
            Trigger::Invoice | Trigger::Shipment | Trigger::Authorisation { .. }
                if !self.transaction.pays.is_empty() =>
            {
                wants.is_none()
            }
            Trigger::Invoice => wants == Some("invoice"),
            Trigger::Shipment => wants == Some("shipment"),
            Trigger::Authorisation { .. } => match cancelled {
                Cancelled::No => wants.is_none(),
                Cancelled::Rest | Cancelled::Full => wants == Some("invoice"),
            },
        };
        let by_order = matches!(self.transaction.trigger, Trigger::Authorisation { .. });
        let changed = by_order && super::releases::is_fresh(self.asked, self.effect.at);
        (!(allowed || changed))
            .then(|| format!("for {wants:?} with the trigger {:?}, cancelled: {cancelled:?}", self.transaction.trigger))
    }

    fn too_early(&self) -> Option<String> {
        let Trigger::Authorisation { days } = self.transaction.trigger else { return None };
        // What pays posted invoices is taken at once: they are there already.
        if self.asked.document.is_some() || !self.transaction.pays.is_empty() {
            return None;
        }
        let due = self.transaction.authorised_at? + Duration::days(days);
        let ahead = if self.index.record.clock_jumps > 0 { CLOCK_ERROR } else { Duration::seconds(1) };
        (self.effect.at + ahead < due).then(|| format!("at {}, due at {due}", self.effect.at))
    }

    /// An ERP bills what it has delivered; payjournal billed all of the order.
    fn of_cancelled(&self) -> Option<String> {
        let number = &self.document?.number;
        let told = self.asked.told_order.filter(|_| !super::releases::is_fresh(self.asked, self.effect.at))?;
        (self.index.is_ours(number) && told.cancelled == Cancelled::Full)
            .then(|| format!("the order of {number} was cancelled before"))
    }

    fn on_account(&self) -> Option<String> {
        let on_account = self.order.is_some_and(|order| order.terms == ShopTerms::OnAccount);
        (on_account && self.transaction.pays.is_empty()).then(|| "the order is on account".to_owned())
    }

    /// What of the authorisation was left when it was sent; none where others may have changed that meanwhile.
    fn left(&self) -> Option<i64> {
        let clean =
            !self.transaction.adjusted
                && self.index.effects_of(self.at).iter().all(|done| {
                    done.place == self.place || done.effect.is_live() && done.effect.asked_other().is_none()
                });
        let taken = self.index.standing_before(self.at, EffectKind::Capture, self.place);
        clean.then_some(self.transaction.authorised - taken)
    }

    fn forbidden_part(&self) -> Option<String> {
        let left = self.left()?;
        let told = self.asked.told_order;
        let allowed = match self.transaction.partial {
            Partial::Many => true,
            Partial::No => self.asked.amount == left,
            Partial::Once => {
                self.asked.amount == left
                    || !self.transaction.pays.is_empty()
                    || told.is_none_or(|told| {
                        told.cancelled != Cancelled::No
                            || self.asked.told_invoiced >= told.total
                            || self.asked.told_shipped >= told.total
                    })
            }
        };
        let fresh = super::releases::is_fresh(self.asked, self.effect.at);
        let fresh = fresh && self.transaction.partial == Partial::Once;
        (!allowed && !fresh).then(|| format!("a part of the {left} left, with Partial::{:?}", self.transaction.partial))
    }

    /// With one capture per authorisation the rest lapses: it must not be what another document of the order needs.
    fn loses_needed_money(&self) -> Option<String> {
        let left = self.left().filter(|left| self.asked.amount < *left)?;
        let alone = self.transaction.partial == Partial::Once && self.transaction.pays.is_empty();
        let number = self.order.filter(|order| order.terms == ShopTerms::Online)?.number.as_str();
        if !alone || self.index.paying_order(number).count() != 1 {
            return None;
        }
        let kind = super::releases::triggering(self.transaction.trigger)?;
        let by = self.effect.at - super::releases::A_RUN;
        let needed = super::releases::needed(self.index, number, kind, self.place, by);
        (needed > self.asked.amount).then(|| format!("{left} were left and {needed} needed; the rest lapses"))
    }

    /// Rule 9: the amount outstanding as it was told, less what of payjournal's own was on its way for it.
    fn above_what_was_told(&self) -> Option<String> {
        let (kind, number) = pair(self.asked.document.as_ref())?;
        let Some(told) = self.asked.told_outstanding else {
            return (kind == "invoice").then(|| format!("it never asked what is outstanding on {number}"));
        };
        let on_its_way = super::refunds::not_in_the_erp(self.index, kind, number, self.place, self.effect);
        let open = told + super::refunds::taken_back(self.index, kind, number, self.effect);
        (self.asked.amount + on_its_way > open)
            .then(|| format!("{told} were outstanding on {number}, {on_its_way} of it on their way already"))
    }

    /// Rule 17: paid once and open again is for a person, who asks for an attempt with a number above 1.
    fn captured_again(&self) -> Option<String> {
        let document = self.document.filter(|document| document.kind == "invoice")?;
        let same = self.index.effects_for("invoice", &document.number);
        let by_person = same.iter().any(|done| {
            let key = done.effect.ours().map_or("", |asked| asked.key.as_str());
            self.index.operation_with_key(key).is_some_and(|operation| operation.attempt > 1)
        });
        let earlier: i64 = same
            .iter()
            .filter(|done| done.place < self.place && was_confirmed(done.effect))
            // After a capture failed the customer may pay anew, by another transaction.
            .filter(|done| done.effect.is_live() || done.effect.transaction == self.effect.transaction)
            .map(|done| done.effect.amount)
            .sum();
        let earlier = earlier.max(self.tied_before(document));
        (!by_person && earlier > 0 && earlier + self.asked.amount > document.total)
            .then(|| format!("{earlier} of {}'s {} were captured before", document.number, document.total))
    }

    /// What other captures, recorded before this one, had paid of the invoice, whatever became of it.
    fn tied_before(&self, document: &Posted) -> i64 {
        let mut of_this = self.index.bookings_of(&self.transaction.id).map(|booking| booking.movement);
        let Some(own) = of_this.find(|movement| movement.modification == self.effect.id) else { return 0 };
        // In the order written: what follows the own line was tied later. Booked elsewhere, it has none to go by.
        let journals = self.index.journals_for("invoice", &document.number);
        if !journals.iter().any(|row| row.movement == own.id) {
            return 0;
        }
        journals
            .iter()
            .take_while(|row| row.movement != own.id)
            .filter(|row| matches!(row.kind.as_str(), "receipt" | "application"))
            .map(|row| if row.direction == "original" { row.amount } else { -row.amount })
            .sum()
    }

    /// Rule 10: money captured already and not tied is tied first; only the rest is captured.
    fn prepaid_already(&self) -> Option<String> {
        let document = self.document.filter(|document| document.kind == "invoice")?;
        let operation = self.index.operation_with_key(&self.asked.key)?;
        let order = document.order.as_deref()?;
        for (_, transaction) in self.index.paying_order(order) {
            let captures = || {
                let all = self.index.bookings_of(&transaction.id);
                all.filter(|booking| booking.net(&super::books::FREED) > booking.net(&["application"]))
            };
            // What came later is not what was there then.
            let later =
                captures().filter(|booking| !self.was_known(&booking.movement.learnt_at, &operation.planned_at));
            let left = |booking: &Booking<'_>| booking.net(&super::books::FREED) - booking.net(&["application"]);
            let later: i64 = later.map(left).sum();
            let untied = super::books::untied(self.index, &transaction.id) - later;
            let known = captures().find(|booking| {
                self.was_known(&booking.movement.learnt_at, &operation.planned_at)
                    && !booking.pays("invoice", &document.number)
            });
            if let Some(booking) = known.filter(|_| untied > 0 && transaction.currency == document.currency) {
                return Some(format!(
                    "{untied} of {} were captured and known before ({}), and belong to no invoice still",
                    transaction.id, booking.movement.modification
                ));
            }
        }
        None
    }

    /// What was learnt so long before the plan that neither a run beside it nor a clock that was wrong explains it.
    fn was_known(&self, learnt_at: &str, planned_at: &str) -> bool {
        let parse = |text: &str| text.parse::<DateTime<Utc>>().ok();
        parse(learnt_at).zip(parse(planned_at)).is_some_and(|(learnt, planned)| {
            learnt + Duration::minutes(150) < planned && planned <= self.effect.at + Duration::minutes(1)
        })
    }

    /// What a payment takes for the invoices it names is no more than they came to, less what was captured for them.
    fn more_than_its_invoices(&self) -> Option<String> {
        let ours = !self.transaction.pays.is_empty() && self.asked.document.is_none();
        let invoices = self.transaction.pays.iter().filter(|_| ours).map(|number| self.index.invoice(number));
        let mut most = 0;
        for invoice in invoices {
            let invoice = invoice?;
            let taken = self.index.effects_for("invoice", &invoice.number).iter();
            let taken = taken.filter(|done| done.place < self.place && done.effect.is_live());
            let taken: Vec<&Effect> = taken.map(|done| done.effect).collect();
            let came: i64 = taken.iter().map(|effect| effect.amount).sum();
            most += invoice.total - (came - self.given_back(&taken)).max(0);
            if self.index.journals_for("invoice", &invoice.number).iter().any(|row| row.kind == "reopening") {
                return None;
            }
        }
        if ours {
            most -= self.taken_by_name(&self.transaction.pays);
        }
        (ours && self.asked.amount > most).then(|| format!("its invoices lacked {most} at most"))
    }

    /// What others than payjournal gave back of the payments behind these captures: where the ledger heard of that first, the
    /// money never came to the invoice, and nothing was to be opened again (rule 17).
    fn given_back(&self, captures: &[&Effect]) -> i64 {
        let payments: BTreeSet<usize> = captures.iter().map(|effect| effect.transaction).collect();
        let refunds = payments.into_iter().flat_map(|at| self.index.of_kind(at, EffectKind::Refund));
        let before =
            refunds.filter(|done| done.place < self.place && done.effect.is_live() && done.effect.ours().is_none());
        before.map(|done| done.effect.amount).sum()
    }

    /// What other payments that name these invoices had taken for them before, at least.
    fn taken_by_name(&self, invoices: &[String]) -> i64 {
        let mut others: Vec<(usize, &Transaction)> =
            invoices.iter().flat_map(|number| self.index.paying_invoice(number)).collect();
        others.sort_by_key(|(at, _)| *at);
        others.dedup_by_key(|(at, _)| *at);
        let taken = others.into_iter().filter(|(at, _)| *at != self.at).map(|(at, other)| {
            let beside = other.pays.iter().filter(|number| !invoices.contains(number));
            let beside: i64 = beside.filter_map(|number| self.index.invoice(number)).map(|posted| posted.total).sum();
            (self.index.standing_before(at, EffectKind::Capture, self.place) - beside).max(0)
        });
        taken.sum()
    }

    /// What the customer paid of an invoice by a payment of its own is not taken from the order's payment too.
    fn paid_by_its_customer(&self) -> Option<String> {
        let document =
            self.document.filter(|document| document.kind == "invoice" && self.transaction.pays.is_empty())?;
        let by_name = self.taken_by_name(std::slice::from_ref(&document.number));
        let reopened = super::rest::was_taken_back(self.index, document);
        let by_person = self.index.operation_with_key(&self.asked.key).is_some_and(|operation| operation.attempt > 1);
        (by_name > 0 && by_name + self.asked.amount > document.total && !reopened && !by_person)
            .then(|| format!("its customer had paid {by_name} of {}'s {} by name", document.number, document.total))
    }

    /// What payjournal itself took for the order by other payments, and what of the invoices the ledger knew to be paid by
    /// hand, counts against what the order was known to cost. Beyond one payment nothing more is taken.
    fn collected_twice(&self) -> Option<String> {
        let order = self.order.filter(|_| self.transaction.pays.is_empty())?;
        let told = self.asked.told_order.filter(|_| !super::releases::is_fresh(self.asked, self.effect.at))?;
        let kept = |at: usize, place: usize| {
            let ours = |kind| {
                let done = self.index.of_kind(at, kind).filter(move |done| done.place < place);
                done.filter(|done| done.effect.is_live() && done.effect.ours().is_some())
            };
            let refunds = self.index.of_kind(at, EffectKind::Refund).filter(|done| done.place < place);
            ours(EffectKind::Capture).map(|done| done.effect.amount).sum::<i64>()
                - refunds.map(|done| done.effect.amount).sum::<i64>()
        };
        let transactions = self.index.paying_order(&order.number).filter(|(at, _)| *at != self.at);
        let others: i64 = transactions.map(|(at, _)| kept(at, self.place)).sum();
        let agreed = match order.terms {
            ShopTerms::Prepayment(basis_points) => (told.total * basis_points + 5_000).div_euclid(10_000),
            ShopTerms::Online | ShopTerms::OnAccount => told.total,
        };
        let costs = agreed.max(self.asked.told_invoiced);
        let together = others + kept(self.at, self.place) + self.effect.amount;
        (others > 0 && together > costs).then(|| {
            format!("{others} were taken by other payments already; together {together}, and it costs {costs}")
        })
    }

    fn after_release(&self) -> Option<String> {
        let mut releases = self.index.of_kind(self.at, EffectKind::Release);
        let before = releases.find(|done| {
            done.place < self.place && done.effect.is_live() && done.effect.ours().is_some() && !done.effect.after_no
        })?;
        Some(format!("{} gave the rest back before", said(before.effect)))
    }
}
