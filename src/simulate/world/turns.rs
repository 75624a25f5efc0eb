//! Unusual turns of an order's story: customers who pay an invoice beside the order's payment, twice, or for days; credit
//! notes that name no invoice of theirs; invoices the ERP hands over late.

use chrono::TimeDelta;

use super::super::dice::Purpose;
use super::super::record::{Cancelled, Posted, ShopOrder, ShopTerms};
use super::plan::{End, Event, METHODS, Method, OrderPlan};
use super::{Happening, World};

/// Places of orders beside those the seed numbers.
pub(super) const BESIDE: u32 = 1_000_000;

/// What customers pay invoices with.
const PAYING: [Method; 4] = [METHODS[0], METHODS[2], METHODS[7], METHODS[8]];

/// What a credit note names.
#[derive(Debug, Clone)]
pub(super) enum Note {
    OfItsInvoice,
    OfNone,
    Of(String),
}

impl World {
    /// An invoice is there: the ERP may hand it over late, and its customer may pay it although the order is paid for.
    pub(super) fn invoiced(&mut self, order: &ShopOrder) {
        let Some(invoice) = self.record.documents.last().map(|invoice| invoice.number.clone()) else { return };
        let mut dice = self.dice(Purpose::Turn, &invoice);
        if dice.chance(25) {
            self.fault("shop: invoice handed over late");
            self.exported.held.insert(invoice.clone(), self.now + TimeDelta::hours(dice.between(24, 300)));
        }
        if order.terms == ShopTerms::Online && dice.chance(35) {
            let then = self.now + TimeDelta::minutes(dice.between(1, 400));
            self.decide(then, Happening::PaysInvoice(invoice));
        }
    }

    pub(super) fn pays_invoice(&mut self, number: &str) {
        let mut dice = self.dice(Purpose::Turn, &format!("{number} paid beside"));
        let posted = self.record.documents.iter().find(|document| document.number == number);
        let Some((open, currency)) = posted.map(|posted| (posted.total - posted.by_hand, posted.currency)) else {
            return;
        };
        if open > 0 {
            self.fault("shop: invoice paid beside its order's payment");
            let method = dice.pick(&PAYING, PAYING[0]);
            let index = self.opens(method, None, vec![number.to_owned()], currency, open);
            self.is_pending(index, TimeDelta::minutes(dice.between(0, 5)));
        }
    }

    /// The payment of a customer on account hangs for days, and now and then the customer tries again meanwhile.
    pub(super) fn takes_days(&mut self, order: u32, index: usize, ends_after: TimeDelta) -> bool {
        let name = self.transaction(index).id.clone();
        let mut dice = self.dice(Purpose::Turn, &name);
        if !dice.chance(150) {
            return false;
        }
        self.is_pending(index, ends_after);
        if dice.chance(600) {
            self.fault("shop: invoice paid twice");
            let method = dice.pick(&PAYING, PAYING[0]);
            let again = Event::InvoicePaid { method, ends_after: TimeDelta::minutes(dice.between(1, 90)) };
            let then = self.now + TimeDelta::hours(dice.between(2, 100));
            self.decide(then, Happening::Shop(order, again));
        }
        true
    }

    fn is_pending(&mut self, index: usize, ends_after: TimeDelta) {
        let name = format!("{} pending", self.transaction(index).id);
        let mut dice = self.dice(Purpose::Turn, &name);
        self.fault("psp: payment pending for days");
        self.decide(self.now + ends_after, Happening::PageEnds(index, End::Pending));
        let end =
            dice.pick(&[End::Authorised, End::Authorised, End::Refused, End::Cancelled, End::Abandoned], End::Refused);
        let then = self.now + ends_after + TimeDelta::hours(dice.between(6, 400));
        self.decide(then, Happening::PageEnds(index, end));
    }

    /// Which invoice a credit note names, if not the one it is for.
    pub(super) fn turn_of_note(&mut self, order: u32, invoice: &Posted) -> Note {
        let mut dice = self.dice(Purpose::Turn, &format!("{} credited", invoice.number));
        match dice.below(100) {
            0 | 1 => {
                self.fault("shop: credit note without invoice");
                Note::OfNone
            }
            2 | 3 => {
                self.fault("shop: credit note without invoice");
                Note::Of(format!("{}-99", invoice.number))
            }
            4 | 5 => match self.another_order(order, invoice) {
                Some(other) => {
                    self.fault("shop: credit note of another order");
                    Note::Of(other)
                }
                None => Note::OfItsInvoice,
            },
            _ => Note::OfItsInvoice,
        }
    }

    /// An order of the same customer on account, with an invoice over as much. It depends on no other order of the seed.
    fn another_order(&mut self, order: u32, invoice: &Posted) -> Option<String> {
        let number = format!("{}-B", self.order_number(order)?);
        let currency = invoice.currency;
        if self.plans.contains_key(&(order + BESIDE)) {
            return None;
        }
        let customer = self.plans.get(&order)?.customer.clone();
        let plan = OrderPlan {
            number: number.clone(),
            placed: self.now,
            customer,
            currency,
            total: invoice.total,
            terms: ShopTerms::OnAccount,
            deal: None,
            events: Vec::new(),
        };
        self.plans.insert(order + BESIDE, plan);
        self.record.orders.push(ShopOrder {
            number: number.clone(),
            currency,
            total: invoice.total,
            terms: ShopTerms::OnAccount,
            cancelled: Cancelled::No,
            told: None,
            told_at: None,
        });
        self.post("invoice", Some(number), currency, invoice.total, None);
        self.record.documents.last().map(|posted| posted.number.clone())
    }
}
