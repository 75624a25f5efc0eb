//! `finalize-invoices`: bills orders: number, document, entry and what is paid already, in one transaction each (domain 3.8).
//!
//! Three ways lead to a paid invoice. *Entry-first*: an entry with the order's key was paid before; it becomes the invoice's
//! entry, and exactly what paid it is tied to the invoice. *Payment-first*: a payment has the order's key; a new entry is settled
//! with it. *Neither*: a new entry, paid by what the order's own payments have free. Keys match only where nothing speaks against
//! it (traps T40 to T43); else the order waits for a person, and the others are billed.
//!
//! What is open of an invoice then gets a page to pay it on, if the config wants one; then its mail is written. A PSP that is not reached
//! is asked again by the next run, and the mail waits for it, but not for long.

mod conditions;
mod page;
mod plan;

use self::page::PageSeen;
use super::{Frame, Step, Task, order_name};
use crate::domain::id::OrderId;
use crate::domain::invoice::BillWhen;
use crate::domain::money::MoneyError;
use crate::ledger::{BillingCase, Ledger, LedgerError, Scope};
use crate::operation::Kind;
use crate::run::ports::Ports;

#[derive(Debug, Clone, Copy)]
pub struct FinalizeInvoices;

impl Task for FinalizeInvoices {
    type Case = BillingCase;
    type Seen = Vec<PageSeen>;

    const KINDS: &'static [Kind] = &[];
    /// An invoice that was made final is looked at again: its mail is due.
    const SENDS: bool = true;

    fn cases(&self, ledger: &Ledger, after: i64, limit: u32, frame: &Frame<'_>) -> Result<Vec<i64>, LedgerError> {
        let only_paid = frame.settings.invoices.bill_when.contains(&BillWhen::OrderPaid);
        let task = crate::config::settings::TaskName::FinalizeInvoices.as_str();
        Ok(ledger.billable_orders(OrderId(after), limit, only_paid, task)?.into_iter().map(|id| id.0).collect())
    }

    fn case(&self, ledger: &Ledger, id: i64) -> Result<BillingCase, LedgerError> {
        ledger.billing_case(OrderId(id))
    }

    fn observe(&self, case: &BillingCase, ports: &Ports, frame: &Frame<'_>) -> Vec<PageSeen> {
        page::make(case, ports, frame)
    }

    fn plan(&self, case: &BillingCase, seen: &Vec<PageSeen>, frame: &Frame<'_>) -> Result<Vec<Step>, MoneyError> {
        plan::plan(case, seen, frame)
    }

    fn scope(&self, case: &BillingCase) -> Scope {
        Scope { order: Some(case.order.id), ..Scope::default() }
    }

    fn name(&self, case: &BillingCase) -> String {
        order_name(&case.order)
    }
}
