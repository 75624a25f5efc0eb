//! One side of a payment, captures or refunds, while what the ledger has is found again in the lines.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{Decision, Fact, Known, Recorded, SettledLine, Side, UnderWay};
use crate::domain::id::{ModificationId, OperationId};
use crate::domain::money::{Amount, MoneyError};
use crate::domain::settlement::LineKind;

/// One capture or refund, as the lines have it.
#[derive(Debug)]
struct Item<'a> {
    id: Option<&'a ModificationId>,
    /// What it would be called for want of an id.
    own_name: Option<ModificationId>,
    minor: i64,
    by_payout: BTreeMap<&'a str, i64>,
    document: &'a str,
    at: DateTime<Utc>,
    lines: Vec<&'a str>,
    is: Is<'a>,
}

/// What an item was found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Is<'a> {
    News,
    Recorded(&'a Recorded),
    /// It settles the operation.
    Settled(&'a UnderWay),
    /// The operation may be it, under another id: its answer will say.
    Awaited(&'a UnderWay),
    /// Came and went, or is told of as one of several.
    Nothing,
    /// It may be what failed after all, or another.
    Doubtful,
}

/// Money that went the other way.
#[derive(Debug, Clone, Copy)]
struct Takeback<'a> {
    id: Option<&'a ModificationId>,
    minor: i64,
    at: DateTime<Utc>,
    line: &'a str,
}

/// Its steps are called in the order in which they stand here.
#[derive(Debug)]
pub(super) struct Reckoning<'a> {
    side: Side,
    known: &'a Known<'a>,
    items: Vec<Item<'a>>,
    takebacks: Vec<Takeback<'a>>,
    adjustments: Vec<(Option<&'a ModificationId>, i64)>,
    /// What adjustments that belong to no single item take off.
    loose: i64,
    /// Lines without an amount of this payment, and why.
    unusable: Vec<(&'a SettledLine, &'static str)>,
    /// Not found in the lines so far.
    live: Vec<&'a Recorded>,
    undone: Vec<&'a Recorded>,
    /// Undone, and found by its id.
    undone_and_named: Vec<&'a Recorded>,
    /// Undone, and the lines take it back too.
    undone_by_lines: Vec<&'a Recorded>,
    under_way: Vec<&'a UnderWay>,
    /// Something went back, and nobody knows what: nothing is news for certain.
    is_doubtful: bool,
}

impl<'a> Reckoning<'a> {
    pub(super) fn begin(side: Side, known: &'a Known<'a>, lines: &'a [SettledLine]) -> Self {
        let recorded = || known.recorded.iter().filter(move |recorded| recorded.side == side);
        let mut reckoning = Self {
            side,
            known,
            items: Vec::new(),
            takebacks: Vec::new(),
            adjustments: Vec::new(),
            loose: 0,
            unusable: Vec::new(),
            live: recorded().filter(|recorded| !recorded.is_undone).collect(),
            undone: recorded().filter(|recorded| recorded.is_undone).collect(),
            undone_and_named: Vec::new(),
            undone_by_lines: Vec::new(),
            under_way: known.under_way.iter().filter(|operation| operation.side == side).collect(),
            is_doubtful: false,
        };
        let mut lines: Vec<&SettledLine> = lines.iter().collect();
        lines.sort_by_key(|line| (line.at, &line.payout, &line.modification, line.ordinal, &line.name));
        for line in lines {
            reckoning.read(line);
        }
        reckoning
    }

    fn read(&mut self, line: &'a SettledLine) {
        let is_money = match (self.side, line.kind) {
            (Side::Captures, LineKind::Sale) | (Side::Refunds, LineKind::Refund) => true,
            (Side::Captures, LineKind::CaptureAdjustment) | (Side::Refunds, LineKind::RefundReversed) => false,
            _ => return,
        };
        let id = line.modification.as_ref();
        let (decimal, currency) = line.presented;
        let exponent = u8::try_from(self.known.currency.exponent()).unwrap_or(0);
        let minor = match decimal.units_at(exponent) {
            _ if currency != self.known.currency => return self.unusable.push((line, "is in another currency")),
            None => return self.unusable.push((line, "has a fraction of the smallest coin")),
            Some(minor) if self.side == Side::Refunds => -minor,
            Some(minor) => minor,
        };
        if minor == 0 {
            return;
        }
        if line.kind == LineKind::CaptureAdjustment {
            self.adjustments.push((id, minor));
        } else if minor < 0 {
            self.takebacks.push(Takeback { id, minor: -minor, at: line.at, line: &line.name });
        } else if is_money {
            self.add(line, minor);
        } else {
            self.unusable.push((line, "takes back what came back"));
        }
    }

    /// Lines of one id are one capture or refund; a line without an id is one of its own.
    fn add(&mut self, line: &'a SettledLine, minor: i64) {
        let id = line.modification.as_ref();
        if let Some(item) = self.items.iter_mut().find(|item| id.is_some() && item.id == id) {
            item.minor += minor;
            *item.by_payout.entry(&line.payout).or_default() += minor;
            item.lines.push(&line.name);
            return;
        }
        let own_name = format!("{}/{}/{}", self.known.transaction, line.payout, line.ordinal);
        self.items.push(Item {
            id,
            own_name: if id.is_none() { ModificationId::parse(&own_name).ok() } else { None },
            minor,
            by_payout: BTreeMap::from([(line.payout.as_str(), minor)]),
            document: &line.document,
            at: line.at,
            lines: vec![&line.name],
            is: Is::News,
        });
    }

    /// What a partial capture gave up is taken off the charge it stands beside: by its id, or because there is only one.
    pub(super) fn adjust(&mut self) {
        let is_only = self.items.len() == 1;
        for (id, minor) in std::mem::take(&mut self.adjustments) {
            match self.items.iter_mut().find(|item| is_only || (id.is_some() && item.id == id)) {
                Some(item) if item.minor + minor >= 0 => {
                    item.minor += minor;
                    if item.by_payout.len() == 1 {
                        item.by_payout = BTreeMap::from([("", item.minor)]);
                    }
                }
                Some(_) | None => self.loose += minor,
            }
        }
        self.items.retain(|item| item.minor > 0);
    }

    pub(super) fn find_by_id(&mut self) {
        for item in &mut self.items {
            let is_it = |recorded: &&Recorded| {
                Some(&recorded.id) == item.id || (item.id.is_none() && Some(&recorded.id) == item.own_name.as_ref())
            };
            if let Some(recorded) = take(&mut self.live, is_it) {
                item.is = Is::Recorded(recorded);
            } else if let Some(recorded) = take(&mut self.undone, is_it) {
                item.is = Is::Recorded(recorded);
                self.undone_and_named.push(recorded);
            }
        }
        let known = self.known;
        let side = self.side;
        self.unusable.retain(|(line, _)| {
            let is_it = |recorded: &Recorded| recorded.side == side && Some(&recorded.id) == line.modification.as_ref();
            !known.recorded.iter().any(is_it)
        });
    }

    /// What the ledger has reversed and the lines take back: said and known.
    pub(super) fn find_failures(&mut self) {
        let mut left = Vec::new();
        for takeback in std::mem::take(&mut self.takebacks) {
            let is_it = |undone: &&Recorded| Some(&undone.id) == takeback.id;
            if let Some(undone) = take(&mut self.undone, is_it) {
                self.undone_by_lines.push(undone);
            } else if take(&mut self.undone_and_named, is_it).is_none() {
                left.push(takeback);
            }
        }
        for takeback in left {
            let names = |id: &ModificationId| Some(id) == takeback.id;
            let is_named = self.items.iter().any(|item| item.id.is_some_and(names))
                || self.live.iter().any(|recorded| names(&recorded.id));
            let is_it = |undone: &&Recorded| !is_named && undone.amount.minor() == takeback.minor;
            if take(&mut self.undone_and_named, is_it).is_some() {
                continue;
            }
            match take(&mut self.undone, is_it) {
                Some(undone) => self.undone_by_lines.push(undone),
                None => self.takebacks.push(takeback),
            }
        }
    }

    /// What came and went under one id that nothing in the ledger can be another name of.
    pub(super) fn forget_what_left(&mut self) {
        for takeback in std::mem::take(&mut self.takebacks) {
            let Takeback { id, minor, .. } = takeback;
            let is_here = self.live.iter().any(|recorded| recorded.amount.minor() == minor);
            let is_it = |item: &&mut Item<'_>| item.is == Is::News && item.id == id && item.minor == minor;
            match self.items.iter_mut().find(|item| id.is_some() && !is_here && is_it(item)) {
                Some(item) => item.is = Is::Nothing,
                None => self.takebacks.push(takeback),
            }
        }
    }

    /// Our own operations: by id; without one, by the document both name, or where there is nothing else it could be.
    pub(super) fn find_operations(&mut self) {
        for item in self.items.iter_mut().filter(|item| item.is == Is::News) {
            if let Some(operation) =
                take(&mut self.under_way, |operation| item.id.is_some() && operation.id.as_ref() == item.id)
            {
                item.is = Is::Settled(operation);
            }
        }
        for by_document in [true, false] {
            let chosen: Vec<Option<OperationId>> =
                self.items.iter().map(|item| self.only_operation(item, by_document)).collect();
            for (item, chosen) in self.items.iter_mut().zip(chosen) {
                if let Some(operation) = take(&mut self.under_way, |operation| Some(operation.operation) == chosen) {
                    item.is = Is::Settled(operation);
                }
            }
        }
    }

    /// The one operation an item can be the effect of, if the operation too can be no other item's.
    fn only_operation(&self, item: &Item<'_>, by_document: bool) -> Option<OperationId> {
        let fits = |item: &Item<'_>, operation: &UnderWay| {
            let is_nameless = operation.id.is_none() || item.id.is_none();
            let document = operation.document.as_deref().filter(|_| !item.document.is_empty());
            let agrees = if by_document {
                document == Some(item.document)
            } else {
                document.is_none_or(|it| it == item.document)
            };
            item.is == Is::News && item.minor == operation.amount.minor() && is_nameless && agrees
        };
        let mut candidates = self.under_way.iter().filter(|operation| fits(item, operation));
        let only = candidates.next().filter(|_| candidates.next().is_none())?;
        let is_only = self.items.iter().filter(|other| fits(other, only)).count() == 1;
        let is_taken = !by_document && self.live.iter().any(|recorded| recorded.amount.minor() == item.minor);
        (is_only && !is_taken).then_some(only.operation)
    }

    /// What is left of the same amount on both sides is the same money under two names.
    pub(super) fn find_by_amount(&mut self) {
        for item in self.items.iter_mut().filter(|item| item.is == Is::News) {
            let is_it = |recorded: &&Recorded| recorded.amount.minor() == item.minor;
            if let Some(recorded) = take(&mut self.live, is_it) {
                item.is = Is::Recorded(recorded);
            } else if let Some(operation) =
                take(&mut self.under_way, |operation| operation.amount.minor() == item.minor)
            {
                item.is = Is::Awaited(operation);
            } else if take(&mut self.undone_by_lines, is_it).is_some() {
                item.is = Is::Nothing;
            } else if take(&mut self.undone, is_it).is_some() {
                item.is = Is::Doubtful;
            }
        }
    }

    /// Money that went back: of what is recorded, all of it; of what is news, it never was.
    pub(super) fn take_back(&mut self, decision: &mut Decision) {
        for takeback in std::mem::take(&mut self.takebacks) {
            let amount = Amount::from_minor(takeback.minor, self.known.currency);
            match self.taken_back(&takeback) {
                Some(Is::Recorded(recorded)) => decision.facts.push(Fact::TakenBack {
                    side: self.side,
                    id: recorded.id.clone(),
                    amount,
                    at: takeback.at,
                }),
                Some(Is::News | Is::Settled(_) | Is::Awaited(_) | Is::Nothing | Is::Doubtful) => {}
                None => {
                    let (line, noun) = (takeback.line, self.side.noun());
                    let what = format!(
                        "line {line} takes {amount} back, and the ledger has no one {noun} of this amount that it can be"
                    );
                    decision.unclear.push((self.side, what));
                    self.is_doubtful = true;
                }
            }
        }
    }

    /// The one that can be meant, if all of it went back: the one of its id, else the only one of its amount.
    fn taken_back(&mut self, takeback: &Takeback<'a>) -> Option<Is<'a>> {
        let Takeback { id, minor, .. } = *takeback;
        let names = |its_id: Option<&ModificationId>| id.is_some() && its_id == id;
        // The line may name it as the ledger does, and the item's as the report does.
        let is_its = |item: &Item<'_>| match item.is {
            Is::Recorded(recorded) => names(item.id) || names(Some(&recorded.id)),
            Is::News | Is::Settled(_) | Is::Awaited(_) | Is::Nothing | Is::Doubtful => names(item.id),
        };
        let is_named = self.items.iter().any(&is_its) || self.live.iter().any(|recorded| names(Some(&recorded.id)));
        // What names an operation without an answer is about that, and nothing else of its amount went back.
        let is_under_way = |it: &UnderWay| it.side == self.side && names(it.id.as_ref());
        if !is_named && self.known.under_way.iter().any(is_under_way) {
            return None;
        }
        let fits = |its_id: bool, its: i64| if is_named { its_id } else { its == minor };
        let can = |item: &Item<'_>| {
            let open = match item.is {
                Is::News | Is::Doubtful => true,
                Is::Recorded(recorded) => !recorded.is_undone,
                Is::Settled(_) | Is::Awaited(_) | Is::Nothing => false,
            };
            open && fits(is_its(item), item.minor)
        };
        let free = |recorded: &Recorded| fits(names(Some(&recorded.id)), recorded.amount.minor());
        let items = self.items.iter().filter(|item| can(item)).count();
        if items + self.live.iter().filter(|recorded| free(recorded)).count() != 1 {
            return None;
        }
        let is_all = |item: &Item<'_>| match item.is {
            Is::Recorded(recorded) => item.minor == minor && recorded.amount.minor() == minor,
            Is::News | Is::Doubtful | Is::Settled(_) | Is::Awaited(_) | Is::Nothing => item.minor == minor,
        };
        if let Some(item) = self.items.iter_mut().find(|item| can(item) && is_all(item)) {
            return Some(std::mem::replace(&mut item.is, Is::Nothing));
        }
        take(&mut self.live, |recorded| free(recorded) && recorded.amount.minor() == minor).map(Is::Recorded)
    }

    pub(super) fn conclude(self, decision: &mut Decision) -> Result<(), MoneyError> {
        let mut news = Vec::new();
        for item in &self.items {
            match item.is {
                Is::News | Is::Doubtful => news.push(item),
                Is::Recorded(recorded) if recorded.is_undone => {}
                Is::Recorded(recorded) => self.stands(item, recorded, decision),
                Is::Settled(operation) if !operation.is_sent => self.settles(item, operation, decision),
                Is::Settled(operation) | Is::Awaited(operation) => decision.awaited.push(operation.operation),
                Is::Nothing => {}
            }
        }
        let missing = self.missing()?;
        let more = news.iter().map(|item| item.minor).sum::<i64>() + self.loose;
        let is_clear = |item: &&Item<'_>| item.is == Is::News && item.by_payout.len() == 1;
        if missing == 0 && self.loose == 0 && !self.is_doubtful && news.iter().all(is_clear) {
            self.moved(&news, decision);
        } else if more > missing {
            decision.unclear.push((self.side, self.both_sides(&news)));
        }
        for (line, why) in self.unusable.iter().filter(|_| missing == 0) {
            let (decimal, currency) = line.presented;
            let what =
                format!("line {} over {decimal} {currency} {why}, and nothing in the ledger can be it", line.name);
            decision.unclear.push((self.side, what));
        }
        Ok(())
    }

    /// What the ledger has and no line has so far; of what lines have only a part, the rest.
    fn missing(&self) -> Result<i64, MoneyError> {
        let rest = self.items.iter().filter_map(|item| {
            let whole = match item.is {
                Is::Recorded(recorded) if !recorded.is_undone => recorded.amount.minor(),
                Is::Settled(operation) if operation.is_sent => operation.amount.minor(),
                Is::Recorded(_) | Is::Settled(_) | Is::News | Is::Awaited(_) | Is::Nothing | Is::Doubtful => {
                    return None;
                }
            };
            (whole > item.minor).then(|| Amount::from_minor(whole - item.minor, self.known.currency))
        });
        let recorded = self.live.iter().map(|it| it.amount).chain(rest);
        let all = recorded.chain(self.under_way.iter().map(|it| it.amount));
        Ok(Amount::sum(self.known.currency, all)?.minor())
    }

    /// Less than is recorded may be a part of it, and `list orders` shows it; more is told.
    fn stands(&self, item: &Item<'_>, recorded: &Recorded, decision: &mut Decision) {
        let (side, id, at) = (self.side, recorded.id.clone(), item.at);
        let settled = Amount::from_minor(item.minor, self.known.currency);
        let is_more = item.id == Some(&recorded.id) && item.minor > recorded.amount.minor();
        if is_more && item.by_payout.len() > 1 {
            let lines = item.lines.join(", ");
            let what = format!(
                "several payouts have {} {id}, with {settled} together (lines {lines}), and the ledger has it once, over {}",
                side.noun(),
                recorded.amount
            );
            decision.unclear.push((side, what));
        }
        let amount = if is_more && item.by_payout.len() == 1 { settled } else { recorded.amount };
        decision.facts.push(Fact::Stands { side, id, amount, at });
    }

    fn settles(&self, item: &Item<'_>, operation: &UnderWay, decision: &mut Decision) {
        let amount = Amount::from_minor(item.minor, self.known.currency);
        match item.id.or(operation.id.as_ref()).or(item.own_name.as_ref()) {
            Some(id) => decision.facts.push(Fact::Settles {
                operation: operation.operation,
                side: self.side,
                id: id.clone(),
                amount,
                at: item.at,
            }),
            None => decision.unclear.push((self.side, self.both_sides(&[item]))),
        }
    }

    /// What has no id goes by the transaction's, as money does that was imported without one; a second one by its payout.
    fn moved(&self, news: &[&Item<'_>], decision: &mut Decision) {
        let side = self.side;
        let own = self.known.transaction;
        let mut is_own_taken = self.known.recorded.iter().any(|it| it.side == side && it.id.as_str() == own)
            || self.items.iter().any(|item| item.id.is_some_and(|id| id.as_str() == own));
        for item in news {
            let id = match item.id {
                Some(id) => Some(id.clone()),
                None if is_own_taken => item.own_name.clone(),
                None => {
                    is_own_taken = true;
                    ModificationId::parse(own).ok()
                }
            };
            let amount = Amount::from_minor(item.minor, self.known.currency);
            match id {
                Some(id) => decision.facts.push(Fact::Moved { side, id, amount, at: item.at }),
                None => decision.unclear.push((side, self.both_sides(&[*item]))),
            }
        }
    }

    /// What a person has to tell apart.
    fn both_sides(&self, news: &[&Item<'_>]) -> String {
        let amount = |minor| Amount::from_minor(minor, self.known.currency);
        let noun = self.side.noun();
        let lines: Vec<String> = news
            .iter()
            .map(|item| {
                let name = item.id.map_or_else(String::new, |id| format!(" as {id}"));
                format!("{}{name} (line {})", amount(item.minor), item.lines.join(", "))
            })
            .collect();
        let recorded = self.live.iter().chain(&self.undone).map(|it| format!("{noun} {} over {}", it.id, it.amount));
        let operations = self.under_way.iter().map(|it| format!("operation {} over {}", it.operation, it.amount));
        let known: Vec<String> = recorded.chain(operations).collect();
        let known = if known.is_empty() { "nothing else".to_owned() } else { known.join(", ") };
        let given_up = match self.loose {
            0 => String::new(),
            loose => format!(", less {} given up by partial captures", amount(-loose)),
        };
        format!(
            "the reports have {}{given_up}, and the ledger has {known}, of which no line is certain",
            lines.join(", ")
        )
    }
}

/// The first that fits, taken out.
fn take<'a, T>(from: &mut Vec<&'a T>, fits: impl Fn(&&'a T) -> bool) -> Option<&'a T> {
    let at = from.iter().position(fits)?;
    Some(from.remove(at))
}
