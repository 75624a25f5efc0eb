//! How a transaction stands, as its PSP tells: now, or some minutes ago.

use chrono::TimeDelta;

use super::super::dice::Purpose;
use super::super::record::{EffectKind, EffectState};
use super::World;
use crate::domain::id::ModificationId;
use crate::domain::money::{Amount, Currency};
use crate::domain::payment::TransactionStatus;
use crate::operation::Key;
use crate::provider::{ModificationKind, ModificationState, PortError, PspModification, PspPayment};

impl World {
    pub(super) fn psp_tells(&mut self, transaction: &str) -> Result<PspPayment, PortError> {
        self.pass(1);
        self.coverage.work("standings asked");
        let mut dice = self.dice(Purpose::Standing, transaction);
        if dice.chance(self.weather.dumb) {
            self.fault("psp: standing not answered");
            return Err(PortError::Unreachable { why: "HTTP 503".to_owned() });
        }
        let unknown = || PortError::CannotTell { why: format!("the PSP knows no transaction {transaction}") };
        let index = self.transactions.get(transaction).copied().ok_or_else(unknown)?;
        if dice.chance(self.weather.stale)
            && let Some((changed, before)) = self.psp.before.get(&index)
            && self.now - *changed < TimeDelta::minutes(5)
        {
            let before = before.clone();
            self.fault("psp: standing of a while ago");
            return Ok(before);
        }
        for effect in self.record.effects.iter_mut().filter(|effect| effect.transaction == index && effect.after_no) {
            effect.heard_at.get_or_insert(self.now);
        }
        self.standing_now(index).ok_or_else(unknown)
    }

    /// Keeps how a transaction stands for who is told late of the change that follows.
    pub(super) fn remember_before(&mut self, index: usize) {
        if let Some(standing) = self.standing_now(index) {
            self.psp.before.insert(index, (self.now, standing));
        }
    }

    fn standing_now(&self, index: usize) -> Option<PspPayment> {
        let transaction = self.transaction(index);
        let currency = Currency::parse(transaction.currency).ok()?;
        let mut modifications = Vec::new();
        for (number, effect) in self.record.effects.iter().enumerate() {
            if effect.transaction != index {
                continue;
            }
            let kind = match effect.kind {
                EffectKind::Capture => ModificationKind::Capture,
                EffectKind::Refund => ModificationKind::Refund,
                EffectKind::Release => ModificationKind::Release,
                // Not asked about: reports tell.
                EffectKind::Chargeback | EffectKind::WonBack | EffectKind::SecondChargeback => continue,
            };
            let settled = self.psp.settled.get(&number);
            let at = settled.map_or(effect.at, |(at, _)| *at);
            let refusal = settled.and_then(|(_, refusal)| refusal.clone());
            modifications.push(PspModification {
                id: ModificationId::parse(&effect.id).ok()?,
                kind,
                amount: Amount::from_minor(effect.amount, currency),
                state: match effect.state {
                    EffectState::Accepted => ModificationState::Accepted,
                    EffectState::Confirmed => ModificationState::Confirmed { at },
                    EffectState::Failed => ModificationState::Failed {
                        at,
                        refusal: refusal.unwrap_or_else(|| super::psp::refusal("failed", false)),
                    },
                },
                key: effect.ours().filter(|_| transaction.echoes_keys).map(|asked| Key::from_ledger(asked.key.clone())),
            });
        }
        Some(PspPayment {
            status: TransactionStatus::parse(transaction.status)?,
            authorised: Some(Amount::from_minor(transaction.authorised, currency)),
            authorised_at: transaction.authorised_at,
            capture_before: transaction.capture_before,
            modifications,
        })
    }
}
