//! What a simulation has reached: faults, state transitions, exceptions. What is never reached proves nothing.

use std::collections::BTreeMap;

use crate::domain::exception::ExceptionKind;
use crate::operation::State;

/// Every kind of fault the worlds can have.
pub const FAULTS: &[&str] = &[
    "psp: not reached",
    "psp: too many requests",
    "psp: no answer, nothing done",
    "psp: no answer, done",
    "psp: no answer, done later",
    "psp: garbage, nothing done",
    "psp: refused by the issuer",
    "psp: refused for now",
    "psp: did what it had refused",
    "psp: did another amount than asked",
    "psp: accepted, failed",
    "psp: confirmed, failed later",
    "psp: look-up not answered",
    "psp: standing not answered",
    "psp: standing of a while ago",
    "erp: not reached",
    "erp: no answer, nothing done",
    "erp: no answer, posted",
    "erp: no answer, created only",
    "erp: period closed",
    "erp: refused for now",
    "erp: look-up not answered",
    "erp: outstanding not answered",
    "post: not reached",
    "post: no answer, nothing done",
    "post: no answer, delivered",
    "post: refused",
    "post: look-up not answered",
    "run: killed",
    "run: killed while another went on",
    "run: two at once",
    "run: clock jumped back",
    "run: clock jumped ahead",
    "import: killed",
    "shop: order changed",
    "shop: order cancelled in part",
    "shop: order cancelled",
    "shop: paid late",
    "shop: paid twice",
    "shop: invoice paid beside its order's payment",
    "shop: invoice paid twice",
    "shop: credit note without invoice",
    "shop: credit note of another order",
    "shop: invoice handed over late",
    "shop: key used twice",
    "shop: two entries of one key",
    "shop: entry of another customer",
    "shop: entry over another amount",
    "shop: entry cancelled",
    "shop: entry cancelled after it was billed",
    "shop: paid more than it costs",
    "shop: paid in part",
    "shop: customer without e-mail",
    "person: captured",
    "person: refunded",
    "person: released",
    "person: paid in the ERP",
    "person: cancelled an invoice",
    "person: credited lines of an invoice",
    "person: credited a part of a line",
    "person: asked for free money to be paid back",
    "person: withdrew what was asked for",
    "person: was refused a correction",
    "person: killed while correcting",
    "person: restored an order",
    "person: restored an order too early",
    "person: changed our line in the ERP",
    "person: changed our line back",
    "person: retried an operation",
    "person: retried an operation too early",
    "person: resolved an exception",
    "psp: authorisation expired",
    "psp: authorised amount changed",
    "psp: captured by itself",
    "psp: payment in error",
    "psp: payment pending for days",
    "psp: payment charged back",
    "psp: chargeback won back",
    "psp: payment charged back a second time",
    "psp: payouts not told",
    "psp: payout told late",
    "psp: report without all its lines",
    "psp: report in another order",
    "psp: report broken off",
    "psp: closing not reached",
    "psp: closing not answered, nothing done",
    "psp: closing not answered, done",
    "psp: closing not answered, done later",
    "psp: closing refused",
    "psp: closing refused for now",
    "psp: look-up of a closing not answered",
    "psp: payment made just before it was closed",
    "psp: payment made in spite of its closing",
    "psp: payment made after it had expired",
    "psp: page not reached",
    "psp: page not answered, not made",
    "psp: page not answered, made",
    "psp: page refused",
    "erp: deletion not reached",
    "erp: deletion not answered, nothing done",
    "erp: deletion not answered, done",
    "erp: deletion not answered, done later",
    "erp: deletion refused",
    "erp: deletion refused for now",
    "erp: look-up of a deletion not answered",
    "shop: page left open",
    "shop: page open for days",
    "shop: paid on a new page after days",
];

/// What only settlement reports raise.
pub(super) const OF_REPORTS: [ExceptionKind; 8] = [
    ExceptionKind::LinesUnmatched,
    ExceptionKind::PayoutRemainder,
    ExceptionKind::ReportRefused,
    ExceptionKind::LineRefused,
    ExceptionKind::LineDiffers,
    ExceptionKind::AccountUnknown,
    ExceptionKind::MatchAmbiguous,
    ExceptionKind::PaymentUnknown,
];

/// No simulated PSP writes a report that is wrong in itself, and its lines go by their transactions; no simulated shop sells what
/// cannot be billed.
const NOT_SIMULATED: [ExceptionKind; 8] = [
    ExceptionKind::NotBillable,
    ExceptionKind::PortalUndelivered,
    ExceptionKind::ReportRefused,
    ExceptionKind::LineRefused,
    ExceptionKind::LineDiffers,
    ExceptionKind::AccountUnknown,
    ExceptionKind::MatchAmbiguous,
    ExceptionKind::PaymentUnknown,
];

/// Counts, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    pub faults: BTreeMap<&'static str, u64>,
    /// From, to.
    pub transitions: BTreeMap<(String, String), u64>,
    pub exceptions: BTreeMap<String, u64>,
    /// Runs, calls, captures and the like: how much was simulated.
    pub work: BTreeMap<&'static str, u64>,
}

impl Coverage {
    pub fn fault(&mut self, name: &'static str) {
        debug_assert!(FAULTS.contains(&name), "{name} is not listed");
        *self.faults.entry(name).or_default() += 1;
    }

    pub fn work(&mut self, name: &'static str) {
        *self.work.entry(name).or_default() += 1;
    }

    pub fn transition(&mut self, from: &str, to: &str) {
        *self.transitions.entry((from.to_owned(), to.to_owned())).or_default() += 1;
    }

    pub fn exception(&mut self, kind: &str) {
        *self.exceptions.entry(kind.to_owned()).or_default() += 1;
    }

    pub fn add(&mut self, other: &Self) {
        for (name, count) in &other.faults {
            *self.faults.entry(name).or_default() += count;
        }
        for (name, count) in &other.transitions {
            *self.transitions.entry(name.clone()).or_default() += count;
        }
        for (name, count) in &other.exceptions {
            *self.exceptions.entry(name.clone()).or_default() += count;
        }
        for (name, count) in &other.work {
            *self.work.entry(name).or_default() += count;
        }
    }

    /// Faults, states and exceptions that were never seen.
    pub fn never(&self) -> Vec<String> {
        let faults = FAULTS.iter().filter(|name| !self.faults.contains_key(**name)).map(|name| (*name).to_owned());
        let states = State::ALL.iter().map(|state| state.as_str());
        let states = states.filter(|state| !self.transitions.keys().any(|(_, to)| to == state));
        let simulated = ExceptionKind::ALL.iter().filter(|kind| !NOT_SIMULATED.contains(kind));
        let kinds = simulated.map(|kind| kind.as_str());
        let kinds = kinds.filter(|kind| !self.exceptions.contains_key(*kind));
        faults
            .chain(states.map(|state| format!("operation {state}")))
            .chain(kinds.map(|kind| format!("exception {kind}")))
            .collect()
    }
}
