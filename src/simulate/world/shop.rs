//! The shop and its customers, and the ERP's people: orders, payment pages, documents, cancellations, bank transfers.

use chrono::TimeDelta;

use super::super::record::{Cancelled, IsFor, Posted, ShopOrder, ShopTerms, Transaction};
use super::plan::{End, Event, Hand, Method, OrderPlan};
use super::{Happening, World, turns};

impl World {
    pub(super) fn plan_order(&mut self, order: u32, mut plan: OrderPlan) {
        for (at, event) in std::mem::take(&mut plan.events) {
            self.decide(at, Happening::Shop(order, event));
        }
        self.plans.insert(order, plan);
    }

    pub(super) fn shop_event(&mut self, order: u32, event: &Event) {
        match event {
            Event::Placed => self.placed(order),
            Event::PageOpens { method, authorises, end, ends_after, hand } => {
                self.page_opens(order, *method, *authorises, *end, *ends_after, *hand);
            }
            Event::InvoicePaid { method, ends_after } => self.invoice_paid(order, *method, *ends_after),
            Event::Shipped { share, last } => self.delivered(order, "shipment", *share, *last),
            Event::Invoiced { share, last } => self.delivered(order, "invoice", *share, *last),
            Event::Credited { nth, share } => self.credited(order, *nth, *share),
            Event::TotalChanged { by } => self.total_changed(order, *by),
            Event::Cancelled(how) => self.cancelled(order, *how),
            Event::ByHand { kind, share } => self.by_hand(order, kind, *share),
            Event::Claimed { wrong } => self.claimed(order, *wrong),
            Event::ClaimCancelled => self.claim_cancelled(order),
            Event::KeyTaken => self.key_taken(order),
        }
    }

    fn placed(&mut self, order: u32) {
        let Some(plan) = self.plans.get(&order) else { return };
        self.coverage.work("orders");
        self.record.orders.push(ShopOrder {
            number: plan.number.clone(),
            currency: plan.currency,
            total: plan.total,
            terms: plan.terms,
            cancelled: Cancelled::No,
            told: None,
            told_at: None,
        });
        self.sold(order);
    }

    pub(super) fn order_number(&self, order: u32) -> Option<String> {
        self.plans.get(&order).map(|plan| plan.number.clone())
    }

    pub(super) fn order(&self, order: u32) -> Option<&ShopOrder> {
        let number = self.order_number(order)?;
        self.record.orders.iter().find(|order| order.number == number)
    }

    fn order_mut(&mut self, order: u32) -> Option<&mut ShopOrder> {
        let number = self.order_number(order)?;
        self.record.orders.iter_mut().find(|order| order.number == number)
    }

    fn page_opens(
        &mut self,
        order: u32,
        method: Method,
        authorises: i64,
        end: End,
        ends_after: TimeDelta,
        hand: Option<(TimeDelta, Hand)>,
    ) {
        let Some((number, currency, cancelled)) =
            self.order(order).map(|order| (order.number.clone(), order.currency, order.cancelled))
        else {
            return;
        };
        let has_paid = self.record.transactions.iter().any(|transaction| {
            transaction.order.as_ref() == Some(&number) && matches!(transaction.status, "authorised" | "captured")
        });
        if has_paid && end == End::Authorised {
            self.fault("shop: paid twice");
        }
        if cancelled != Cancelled::No {
            self.fault("shop: paid late");
        }
        let index = self.opens(method, Some(number), Vec::new(), currency, authorises);
        self.says_what_it_is_for(order, index);
        if self.record.cleaning.is_some() {
            self.is_unpaid_long(order, end, ends_after);
        }
        self.decide(self.now + ends_after, Happening::PageEnds(index, end));
        if let Some((after, hand)) = hand {
            self.decide(self.now + ends_after + after, Happening::BackOffice(index, hand));
        }
    }

    pub(super) fn opens(
        &mut self,
        method: Method,
        order: Option<String>,
        pays: Vec<String>,
        currency: &'static str,
        authorises: i64,
    ) -> usize {
        let owner = order.as_deref().or(pays.first().map(String::as_str)).unwrap_or("-");
        let before = self.record.transactions.iter().filter(|other| other.id.contains(owner)).count();
        let id = format!("{}-{owner}-{}", method.provider, before + 1);
        self.opens_as(id, method, order, pays, currency, authorises)
    }

    pub(super) fn opens_as(
        &mut self,
        id: String,
        method: Method,
        order: Option<String>,
        pays: Vec<String>,
        currency: &'static str,
        authorises: i64,
    ) -> usize {
        let index = self.record.transactions.len();
        self.transactions.insert(id.clone(), index);
        self.psp.wanted.insert(index, authorises);
        self.record.transactions.push(Transaction {
            id,
            order,
            pays,
            is_for: IsFor::Order,
            is_anonymous: false,
            method: method.name,
            trigger: method.trigger,
            partial: method.partial,
            refundable: method.refundable,
            currency,
            status: "open",
            authorised: 0,
            authorised_at: None,
            echoes_keys: method.provider != "beta" || self.psp.beta_names_keys,
            lapsed: false,
            paid_after_end: false,
            adjusted: false,
            capture_before: None,
            told_at: None,
            collected: false,
        });
        index
    }

    /// A customer on account pays what is open by then, by one transaction for all of it.
    pub(super) fn invoice_paid(&mut self, order: u32, method: Method, ends_after: TimeDelta) {
        let Some((number, currency)) = self.order(order).map(|order| (order.number.clone(), order.currency)) else {
            return;
        };
        let open: Vec<(String, i64)> = self
            .record
            .documents
            .iter()
            .filter(|document| document.kind == "invoice" && document.order.as_ref() == Some(&number))
            .map(|document| (document.number.clone(), document.total - document.by_hand))
            .filter(|(_, open)| *open > 0)
            .collect();
        let due: i64 = open.iter().map(|(_, open)| open).sum();
        if due > 0 {
            let numbers = open.into_iter().map(|(number, _)| number).collect();
            let index = self.opens(method, None, numbers, currency, due);
            if !self.takes_days(order, index, ends_after) {
                self.decide(self.now + ends_after, Happening::PageEnds(index, End::Authorised));
            }
        }
    }

    /// The nth delivery is shipped or invoiced: its share of the total, or all that is left.
    fn delivered(&mut self, order: u32, kind: &'static str, share: i64, last: bool) {
        let Some(order) = self.order(order).cloned() else { return };
        let paid = self.record.transactions.iter().any(|transaction| {
            transaction.order.as_ref() == Some(&order.number)
                && matches!(transaction.status, "authorised" | "captured" | "pending")
        });
        // Goods leave the house for customers who paid, or are trusted to; the ERP does nothing for an order it has let go.
        if self.record.is_gone(&order.number)
            || order.cancelled != Cancelled::No
            || !(paid || order.terms == ShopTerms::OnAccount)
        {
            return;
        }
        let of_order = self
            .record
            .documents
            .iter()
            .filter(|document| document.kind == kind && document.order.as_ref() == Some(&order.number));
        let before: i64 = of_order.map(|document| document.total).sum();
        let left = order.total - before;
        let total = if last { left } else { (order.total * share).div_euclid(100).min(left - 1) };
        if total > 0 {
            self.post(kind, Some(order.number.clone()), order.currency, total, None);
            if kind == "invoice" {
                self.invoiced(&order);
            }
        }
    }

    pub(super) fn post(
        &mut self,
        kind: &'static str,
        order: Option<String>,
        currency: &'static str,
        total: i64,
        references: Option<String>,
    ) {
        let owner = order.clone().unwrap_or_default();
        let of_owner = |document: &&Posted| document.kind == kind && document.order == order;
        let nth = self.record.documents.iter().filter(of_owner).count() + 1;
        let prefix = match kind {
            "invoice" => "RE",
            "shipment" => "LS",
            _ => "GS",
        };
        self.coverage.work("documents posted");
        self.record.documents.push(Posted {
            kind,
            number: format!("{prefix}-{}-{nth}", owner.trim_start_matches("SO-")),
            order,
            currency,
            total,
            references,
            posted_on: self.now.date_naive(),
            told_at: None,
            cancelled_at: None,
            by_hand: 0,
            told_by_hand: 0,
        });
    }

    fn credited(&mut self, order: u32, nth: usize, share: i64) {
        let Some(number) = self.order_number(order) else { return };
        let invoices = self
            .record
            .documents
            .iter()
            .filter(|document| document.kind == "invoice" && document.order.as_ref() == Some(&number));
        let Some(invoice) = invoices.clone().nth(nth).or(invoices.clone().next()).cloned() else { return };
        let before =
            self.record.documents.iter().filter(|document| document.references.as_ref() == Some(&invoice.number));
        let left = invoice.total - before.map(|document| document.total).sum::<i64>();
        let total = (invoice.total * share).div_euclid(100).min(left);
        if total > 0 {
            let references = match self.turn_of_note(order, &invoice) {
                turns::Note::OfItsInvoice => Some(invoice.number),
                turns::Note::OfNone => None,
                turns::Note::Of(other) => Some(other),
            };
            self.post("credit_note", Some(number), invoice.currency, total, references);
        }
    }

    /// The customer changes the basket before anything of it is delivered.
    fn total_changed(&mut self, order: u32, by: i64) {
        let Some(number) = self.order_number(order) else { return };
        let has_documents = self.record.documents.iter().any(|document| document.order.as_ref() == Some(&number));
        if has_documents || self.record.is_gone(&number) {
            return;
        }
        if let Some(order) = self.order_mut(order)
            && order.cancelled == Cancelled::No
            && order.total + by > 0
        {
            order.total += by;
            self.fault("shop: order changed");
        }
    }

    fn cancelled(&mut self, order: u32, how: Cancelled) {
        let Some(number) = self.order_number(order).filter(|number| !self.record.is_gone(number)) else { return };
        let delivered = self.record.documents.iter().any(|document| document.order.as_ref() == Some(&number));
        let how = if delivered { Cancelled::Rest } else { how };
        let Some(order) = self.order_mut(order) else { return };
        order.cancelled = how;
        let name = if how == Cancelled::Full { "shop: order cancelled" } else { "shop: order cancelled in part" };
        self.fault(name);
    }

    /// Money that does not pass a PSP: the ERP's people book it.
    fn by_hand(&mut self, order: u32, kind: &str, share: i64) {
        let Some(number) = self.order_number(order) else { return };
        let ours = |document: &Posted| self.paid_by_lines(document.kind, &document.number);
        let open = self
            .record
            .documents
            .iter()
            .enumerate()
            .filter(|(_, document)| document.kind == kind && document.order.as_ref() == Some(&number));
        let mut open = open.map(|(index, document)| (index, document.total - document.by_hand - ours(document)));
        let Some((index, open)) = open.rfind(|(_, open)| *open > 0) else { return };
        let amount = (open * share).div_euclid(100);
        if amount > 0
            && self.weather.persons > 0
            && let Some(document) = self.record.documents.get_mut(index)
        {
            document.by_hand += amount;
            self.fault("person: paid in the ERP");
        }
    }
}
