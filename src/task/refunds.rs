//! `refunds`: a posted credit note that references an invoice is paid back through the PSP the invoice was paid by (rule 16),
//! and what a person wants paid back of a payment, from what is free of it.

use std::collections::BTreeMap;

use super::facts::learn_first;
use super::{Action, Context, Frame, Step, Task, Wanted, capture, give_up_stale};
use crate::domain::consequence::Consequence;
use crate::domain::document::{Document, DocumentKind};
use crate::domain::exception::{About, ExceptionDraft, ExceptionKind};
use crate::domain::id::{DocumentId, PaymentId, ShopName};
use crate::domain::letter;
use crate::domain::money::{Amount, MoneyError};
use crate::domain::movement::{Movement, MovementKind};
use crate::domain::payment::Payment;
use crate::ledger::{Ledger, LedgerError, RefundCase, Scope};
use crate::operation::key::NaturalKey;
use crate::operation::{Answer, Key, Kind, Operation, State, Subject};
use crate::provider::{Capabilities, PortError, PspPayment};
use crate::run::ports::Ports;

#[derive(Debug, Clone, Copy)]
pub struct Refunds;

#[derive(Debug)]
pub struct Seen {
    /// What is still open on the credit note, read now.
    pub open: Result<Amount, PortError>,
    pub capabilities: BTreeMap<PaymentId, Capabilities>,
    /// How the payments stand that may be refunded in this run.
    pub standings: BTreeMap<PaymentId, Result<PspPayment, PortError>>,
}

/// What one payment can still pay back for the credit note.
struct Source<'a> {
    payment: &'a Payment,
    available: Amount,
}

impl Task for Refunds {
    type Case = RefundCase;
    type Seen = Seen;

    const KINDS: &'static [Kind] = &[Kind::Refund];
    const SENDS: bool = true;

    fn cases(&self, ledger: &Ledger, after: i64, limit: u32, _frame: &Frame<'_>) -> Result<Vec<i64>, LedgerError> {
        Ok(ledger.refund_notes(DocumentId(after), limit)?.into_iter().map(|id| id.0).collect())
    }

    fn case(&self, ledger: &Ledger, id: i64) -> Result<RefundCase, LedgerError> {
        ledger.refund_case(DocumentId(id))
    }

    fn observe(&self, case: &RefundCase, ports: &Ports, _frame: &Frame<'_>) -> Seen {
        // A request is the ledger's own: no ERP knows it.
        let open = match case.asked_at {
            Some(_) => case.note.outstanding().map_err(|error| PortError::CannotTell { why: error.to_string() }),
            None => ports.outstanding(&case.note),
        };
        let mut seen = Seen { capabilities: BTreeMap::new(), standings: BTreeMap::new(), open };
        let may_refund = seen.open.as_ref().is_ok_and(|open| open.is_positive());
        for payment in case.captures.iter().map(|capture| &capture.payment) {
            if may_refund && !seen.standings.contains_key(&payment.id) {
                seen.standings.insert(payment.id, ports.standing(&payment.provider, &payment.transaction));
            }
            if let Some(able) = ports.capabilities(&payment.provider, &payment.method) {
                seen.capabilities.insert(payment.id, able);
            }
        }
        seen
    }

    fn plan(&self, case: &RefundCase, seen: &Seen, frame: &Frame<'_>) -> Result<Vec<Step>, MoneyError> {
        let note = &case.note;
        if seen.open.as_ref().is_ok_and(|open| !open.is_positive()) {
            return Ok(nothing_open(case));
        }
        let from = match paid_from(case) {
            Ok(from) => from,
            Err((kind, message)) => return Ok(vec![blocked(case, kind, message, frame)]),
        };
        let mut stale = give_up_stale(refunds_of(case, note.id), frame);
        let open = match &seen.open {
            Ok(open) => *open,
            Err(PortError::Unreachable { why }) => {
                stale.push(Step::unreachable(note.name(), why));
                return Ok(stale);
            }
            Err(why @ (PortError::CannotTell { .. } | PortError::NotOffered)) => {
                let message = format!("the ERP cannot say what is open: {why}; nothing is refunded on a guess");
                stale.push(blocked(case, ExceptionKind::OutstandingUnreadable, message, frame));
                return Ok(stale);
            }
        };
        let note = without_planned(case)?;
        if note.may_lack_more(open)? {
            stale.push(Step::unanswered(&note));
            return Ok(stale);
        }
        let wanted = note.uncollected(open)?;
        if !wanted.is_positive() {
            return Ok(nothing_open(case));
        }
        let payments: Vec<&Payment> = case.captures.iter().map(|capture| &capture.payment).collect();
        let first =
            learn_first(&seen.standings, &payments, None, &case.operations, &case.movements, &case.named, frame);
        if !first.is_empty() {
            stale.extend(first);
            stale.extend(charged_back(case, wanted, frame));
            return Ok(stale);
        }
        refund(case, &from, wanted, seen, frame)
    }

    fn scope(&self, case: &RefundCase) -> Scope {
        Scope { document: Some(case.note.id), ..Scope::default() }
    }

    fn name(&self, case: &RefundCase) -> String {
        case.note.name()
    }
}

/// Whose money the note or request pays back, as a person names it; or why nobody knows.
fn paid_from(case: &RefundCase) -> Result<String, (ExceptionKind, String)> {
    let note = &case.note;
    let without = |message: String| Err((ExceptionKind::RefundWithoutInvoice, message));
    if case.asked_at.is_some() {
        let payment = case.captures.first().map(|capture| capture.payment.transaction.to_string());
        return Ok(format!("the free money of payment {}", payment.unwrap_or_default()));
    }
    let Some(reference) = &note.references else {
        return without("names no invoice, so nobody knows which payment it belongs to: refund it by hand".to_owned());
    };
    let Some(invoice) = &case.invoice else {
        return without(format!(
            "references invoice {reference}, which is not in the ledger: import the invoice, or refund by hand"
        ));
    };
    if case.is_cancelled {
        return without(format!(
            "references {}, which was cancelled: what had paid it is on the customer's account, and `payjournal refund-balance` pays it \
             back",
            invoice.name()
        ));
    }
    let (currency, invoiced) = (note.total.currency(), invoice.total.currency());
    if invoiced != currency {
        let message = format!("is in {currency}, {} in {invoiced}: refund it by hand", invoice.name());
        return Err((ExceptionKind::RefundExceedsCaptured, message));
    }
    if note.order.is_some() && invoice.order.is_some() && note.order != invoice.order {
        return without(format!(
            "belongs to another order than {}, which it references: refund it by hand, or correct it in the ERP",
            invoice.name()
        ));
    }
    Ok(invoice.name())
}

/// What a person does where this was paid back in another way already.
fn settle_by_hand(case: &RefundCase) -> String {
    match case.asked_at {
        None if case.is_ours => {
            format!("set it against its invoice (`payjournal credit-note --clear {}`)", case.note.number)
        }
        None => "set the credit note's paid_elsewhere by import".to_owned(),
        Some(_) => format!("withdraw it (`payjournal refund-balance --withdraw {}`)", case.note.number),
    }
}

/// The credit note as if our planned refunds were not there: they are decided about again.
fn without_planned(case: &RefundCase) -> Result<Document, MoneyError> {
    let planned = refunds_of(case, case.note.id).filter(|operation| operation.state == State::Planned);
    let planned = Amount::sum(case.note.total.currency(), planned.filter_map(|operation| operation.amount))?;
    Ok(Document { in_flight: case.note.in_flight.checked_sub(planned)?, ..case.note.clone() })
}

/// The bank may have given the customer this very money: a person is told that the credit note waits, and why.
fn charged_back(case: &RefundCase, wanted: Amount, frame: &Frame<'_>) -> Option<Step> {
    let held = case.captures.iter().map(|capture| &capture.payment).find(|payment| payment.is_charged_back)?;
    let message = format!(
        "{wanted} is open, and payment {} was charged back: the customer may have this money already, so nothing is refunded. If it \
         was for this, {}; `payjournal resolve` of the exception `chargeback` of that payment lets the refund go",
        held.transaction,
        settle_by_hand(case)
    );
    Some(blocked(case, ExceptionKind::OutsideRefund, message, frame))
}

fn nothing_open(case: &RefundCase) -> Vec<Step> {
    let mut steps = withdraw_planned(case);
    steps.push(Step::leave(case.note.name(), "nothing is open, or a refund for it is not settled yet"));
    steps
}

/// A planned refund that was never carried out and that nothing is open for any more.
fn withdraw_planned(case: &RefundCase) -> Vec<Step> {
    refunds_of(case, case.note.id)
        .filter(|operation| operation.state == State::Planned)
        .map(|operation| Step {
            about: case.note.name(),
            reason: "the planned refund is no longer wanted".to_owned(),
            action: Action::Withdraw { operation: operation.id },
        })
        .collect()
}

fn refund(
    case: &RefundCase,
    from: &str,
    wanted: Amount,
    seen: &Seen,
    frame: &Frame<'_>,
) -> Result<Vec<Step>, MoneyError> {
    let note = &case.note;
    if let Some((payment, outside)) = refunded_outside(case)? {
        let message = format!(
            "{outside} of payment {} was refunded by somebody else, and nobody knows whether for this {}; payjournal refunds \
             nothing more of {from} by itself. If it was, {}; if not, refund by hand and do likewise",
            payment.transaction,
            note.kind.noun(),
            settle_by_hand(case)
        );
        return Ok(vec![blocked(case, ExceptionKind::OutsideRefund, message, frame)]);
    }
    if let Some(refund) = booked_otherwise(case) {
        let message = format!(
            "{} were refunded for it ({}) and are booked as money taken back from {from}, because that was learnt before our own \
             answer; apply it to the credit note in the ERP, and set its paid_elsewhere by import. Nothing more is refunded for it",
            refund.amount, refund.modification,
        );
        return Ok(vec![blocked(case, ExceptionKind::OutsideRefund, message, frame)]);
    }
    let sources = sources(case, wanted)?;
    let available = Amount::sum(wanted.currency(), sources.iter().map(|source| source.available))?;
    if available.minor() < wanted.minor() {
        let message = format!(
            "{wanted} is open, but only {available} of {from} was paid through the PSP and not refunded or charged back yet; nothing \
             was refunded for it: refund by hand, or {}",
            settle_by_hand(case)
        );
        let mut steps = withdraw_planned(case);
        steps.push(blocked(case, ExceptionKind::RefundExceedsCaptured, message, frame));
        return Ok(steps);
    }
    let mut rest = wanted;
    let mut steps = Vec::new();
    for source in sources {
        let part = rest.at_most(source.available)?;
        if !part.is_positive() {
            continue;
        }
        let payment = source.payment;
        let Some(able) = seen.capabilities.get(&payment.id).map(|able| able.refund) else {
            let why =
                format!("provider `{}` of payment {} is not in the config", payment.provider, payment.transaction);
            return Ok(vec![Step::unreachable(note.name(), why)]);
        };
        if !able || !frame.settings.method(&payment.method).allow_refund {
            let message = format!("method `{}` does not allow refunds (allow_refund): refund by hand", payment.method);
            return Ok(vec![blocked(case, ExceptionKind::RefundNotAllowed, message, frame)]);
        }
        rest = rest.checked_sub(part)?;
        steps.extend(want(case, payment, part, format!("{wanted} is open on {} for {from}", note.name()), frame));
    }
    Ok(steps)
}

/// Refunds of a payment that we did not ask for, that stand, and that no credit note is booked for. One that was known before
/// our operation for it had an answer is ours.
fn outside(case: &RefundCase, payment: PaymentId) -> impl Iterator<Item = &Movement> {
    let of_payment = move |movement: &&Movement| movement.payment == payment;
    let failed = move |refund: &Movement| {
        let mut failures = case.movements.iter().filter(of_payment);
        failures.any(|other| other.kind == MovementKind::RefundFailure && other.modification == refund.modification)
    };
    let for_a_note = |refund: &Movement| {
        let mut notes = case.named.iter().filter(|document| document.kind == DocumentKind::CreditNote);
        notes.any(|note| refund.tied_to.contains(&note.id))
    };
    let ours = |refund: &Movement| {
        let mut operations = case.operations.iter().filter(|operation| operation.kind == Kind::Refund);
        operations.any(|operation| operation.modification.as_ref() == Some(&refund.modification))
    };
    case.movements.iter().filter(of_payment).filter(move |movement| {
        let outside = movement.kind == MovementKind::Refund && movement.operation.is_none() && !ours(movement);
        outside && !failed(movement) && !for_a_note(movement)
    })
}

/// A refund of ours for this credit note that stands and pays out something else in the books: the PSP listed it before our
/// answer came, and did not say whose it was.
fn booked_otherwise(case: &RefundCase) -> Option<&Movement> {
    // What a request pays back stands on no document.
    if case.asked_at.is_some() {
        return None;
    }
    let confirmed = refunds_of(case, case.note.id).filter(|operation| operation.state == State::Confirmed);
    let stands = |refund: &&Movement| {
        let failed = case.movements.iter().any(|other| {
            other.kind == MovementKind::RefundFailure
                && other.payment == refund.payment
                && other.modification == refund.modification
        });
        refund.kind == MovementKind::Refund && !failed && !refund.tied_to.contains(&case.note.id)
    };
    confirmed.filter_map(|operation| operation.modification.as_ref()).find_map(|modification| {
        case.movements.iter().filter(stands).find(|refund| refund.modification == *modification)
    })
}

/// Money that went back to the customer without us: it may be this very refund, made by hand. What the ERP says was paid
/// elsewhere explains nothing for certain: it may be another credit note's, or have been applied to an invoice.
fn refunded_outside(case: &RefundCase) -> Result<Option<(&Payment, Amount)>, MoneyError> {
    for payment in case.captures.iter().map(|capture| &capture.payment) {
        // What was known when somebody asked for this is no news.
        let since = |refund: &&Movement| case.asked_at.is_none_or(|asked_at| refund.learnt_at >= asked_at);
        let refunds = outside(case, payment.id).filter(since).map(|refund| refund.amount);
        let sum = Amount::sum(payment.captured.currency(), refunds)?;
        if sum.is_positive() {
            return Ok(Some((payment, sum)));
        }
    }
    Ok(None)
}

/// The payments the invoice was paid by, oldest first, each with what it can pay back for this credit note.
fn sources(case: &RefundCase, wanted: Amount) -> Result<Vec<Source<'_>>, MoneyError> {
    let currency = wanted.currency();
    let mut sources: Vec<Source<'_>> = Vec::new();
    for capture in &case.captures {
        if sources.iter().any(|source| source.payment.id == capture.payment.id) {
            continue;
        }
        let payment = &capture.payment;
        let same = case.captures.iter().filter(|other| other.payment.id == payment.id);
        let tied = Amount::sum(currency, same.map(|other| other.tied))?;
        let of_payment = |operation: &&Operation| {
            operation.kind == Kind::Refund && operation.subject.payment == Some(payment.id) && operation.state.counts()
        };
        let for_this = |operation: &Operation| operation.subject.document == Some(case.note.id);
        // Refunds for any credit note of this invoice use the invoice's money up; a planned one for this note is decided anew.
        let used = case.operations.iter().filter(of_payment).filter(|operation| {
            operation
                .subject
                .document
                .is_some_and(|document| case.siblings.iter().any(|sibling| sibling.id == document))
                && !(for_this(operation) && operation.state == State::Planned)
        });
        let used = Amount::sum(currency, used.filter_map(|operation| operation.amount))?;
        let planned = case.operations.iter().filter(of_payment);
        let planned = planned.filter(|operation| for_this(operation) && operation.state == State::Planned);
        let planned = Amount::sum(currency, planned.filter_map(|operation| operation.amount))?;
        let of_invoice = tied.checked_sub(used)?.or_zero();
        let kept = payment.captured.checked_sub(payment.charged_back)?;
        let of_capture = kept.checked_sub(payment.refund_claimed)?.checked_add(planned)?.or_zero();
        // One refund per (payment, credit note): what is sent is never topped up.
        let busy = case
            .operations
            .iter()
            .filter(of_payment)
            .any(|operation| for_this(operation) && operation.state != State::Planned);
        let available = if busy { Amount::zero(currency) } else { of_invoice.at_most(of_capture)? };
        sources.push(Source { payment, available });
    }
    Ok(sources)
}

fn want(case: &RefundCase, payment: &Payment, amount: Amount, reason: String, frame: &Frame<'_>) -> Vec<Step> {
    let note = &case.note;
    let subject = Subject::payment(payment.id, Some(note.id));
    let past = refunds_of(case, note.id).filter(|operation| operation.subject == subject).cloned().collect();
    let document = note.natural_key();
    let mode = frame.settings.mode.as_str();
    let key = |attempt| Key::of(Kind::Refund, NaturalKey::of_payment(mode, payment, &document, attempt));
    Wanted { about: note.name(), reason, kind: Kind::Refund, subject, amount: Some(amount), past, key: &key }
        .steps(frame)
}

fn refunds_of(case: &RefundCase, note: DocumentId) -> impl Iterator<Item = &Operation> {
    case.operations
        .iter()
        .filter(move |operation| operation.kind == Kind::Refund && operation.subject.document == Some(note))
}

fn blocked(case: &RefundCase, kind: ExceptionKind, message: String, frame: &Frame<'_>) -> Step {
    let note = &case.note;
    let draft = ExceptionDraft {
        kind,
        subject: note.name_beside(&frame.settings.erp.company),
        message,
        about: About { order: note.order, document: Some(note.id), ..About::default() },
    };
    let what = match case.captures.first() {
        Some(capture) => format!("payment {}", capture.payment.transaction),
        None => note.name(),
    };
    let letter = letter::blocked(&what, "refunded", &draft);
    Step::raise(draft, Some(letter))
}

/// A confirmed refund is a movement and a mail.
pub fn consequences(operation: &Operation, answer: &Answer, context: &Context, shop: &ShopName) -> Vec<Consequence> {
    match answer {
        Answer::Confirmed { modification, at, amount } => {
            let mut follows = context.moved(operation, MovementKind::Refund, modification, *at, *amount);
            follows.extend(context.letter(operation, *amount, shop, letter::refunded));
            follows
        }
        Answer::Refused(refusal) => {
            capture::refused(operation, refusal, context, shop, ExceptionKind::RefundRefused, "refunded")
        }
        Answer::Accepted { .. } | Answer::NotDone { .. } | Answer::Unknown { .. } => Vec::new(),
    }
}
