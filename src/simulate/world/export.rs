//! What the shop and the ERP hand over to `payjournal import`, and whether it arrived. Who hands over and is killed before
//! it hears that it went well hands the same over again.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::super::record::{Cancelled, EffectKind, ShopTerms, Told};
use super::World;
use crate::domain::document::DocumentKind;
use crate::domain::id::{
    Company, CustomerNumber, DocumentNumber, IdError, MerchantAccount, MethodName, ModificationId, OrderNumber,
    ProviderName, ShopName, TransactionId,
};
use crate::domain::invoice::OrderKeys;
use crate::domain::money::{Amount, Currency};
use crate::domain::order::{Cancellation, Terms};
use crate::domain::payment::TransactionStatus;
use crate::exchange::import::payment::{Authorised, Collected};
use crate::exchange::import::{DocumentRecord, OrderRecord, PaymentRecord};

/// What the sides believe the ledger has.
#[derive(Debug, Default)]
pub(super) struct Memory {
    orders: BTreeMap<String, Told>,
    transactions: BTreeMap<String, &'static str>,
    documents: BTreeMap<(&'static str, String), i64>,
    /// Invoices that are handed over no sooner than this.
    pub(super) held: BTreeMap<String, DateTime<Utc>>,
}

/// Rows on their way into the ledger.
#[derive(Debug, Clone, Default)]
pub(crate) struct Batch {
    pub orders: Vec<OrderRecord>,
    pub documents: Vec<DocumentRecord>,
    pub payments: Vec<PaymentRecord>,
    told_orders: Vec<(String, Told)>,
    told_documents: Vec<(&'static str, String, i64)>,
    told_transactions: Vec<(usize, &'static str, bool)>,
}

impl Batch {
    pub(crate) fn is_empty(&self) -> bool {
        self.orders.is_empty() && self.documents.is_empty() && self.payments.is_empty()
    }
}

impl World {
    /// Everything that changed since it was last handed over.
    pub(crate) fn export(&self) -> Result<Batch, Box<dyn std::error::Error>> {
        let mut batch = Batch::default();
        for order in &self.record.orders {
            let told = Told { total: order.total, cancelled: order.cancelled };
            if self.exported.orders.get(&order.number) != Some(&told) {
                batch.orders.push(self.order_row(&order.number, told, order.currency, order.terms)?);
                batch.told_orders.push((order.number.clone(), told));
            }
        }
        for document in &self.record.documents {
            let key = (document.kind, document.number.clone());
            if self.is_handed_over(&document.number) && self.exported.documents.get(&key) != Some(&document.by_hand) {
                batch.documents.push(document_row(document)?);
                batch.told_documents.push((document.kind, document.number.clone(), document.by_hand));
            }
        }
        for index in 0..self.record.transactions.len() {
            let transaction = self.transaction(index);
            let waits = transaction.pays.iter().any(|number| !self.is_handed_over(number));
            if !waits
                && self.exported.transactions.get(&transaction.id) != Some(&transaction.status)
                && let Some((row, collected)) = self.payment_row(index)?
            {
                batch.payments.push(row);
                batch.told_transactions.push((index, transaction.status, collected));
            }
        }
        Ok(batch)
    }

    /// The ERP does not keep it back.
    fn is_handed_over(&self, document: &str) -> bool {
        self.exported.held.get(document).is_none_or(|until| *until <= self.now)
    }

    /// The ledger has it: committed.
    pub(crate) fn arrived(&mut self, batch: &Batch) {
        let at = self.now;
        for (number, told) in &batch.told_orders {
            if let Some(order) = self.record.orders.iter_mut().find(|order| order.number == *number) {
                order.told = Some(*told);
                order.told_at = Some(at);
            }
        }
        for (kind, number, by_hand) in &batch.told_documents {
            let mut documents = self.record.documents.iter_mut();
            if let Some(document) = documents.find(|document| document.kind == *kind && document.number == *number) {
                document.told_at.get_or_insert(at);
                document.told_by_hand = *by_hand;
            }
        }
        for (index, _, collected) in &batch.told_transactions {
            let transaction = self.transaction_mut(*index);
            if transaction.told_at.is_none() {
                transaction.told_at = Some(at);
            }
            // Its first row may come again, when nobody heard that it arrived.
            transaction.collected |= *collected;
        }
    }

    /// Whoever handed it over has heard that it arrived.
    pub(crate) fn acknowledged(&mut self, batch: &Batch) {
        self.exported.orders.extend(batch.told_orders.iter().cloned());
        for (kind, number, by_hand) in &batch.told_documents {
            self.exported.documents.insert((kind, number.clone()), *by_hand);
        }
        for (index, status, _) in &batch.told_transactions {
            let id = self.transaction(*index).id.clone();
            self.exported.transactions.insert(id, status);
        }
    }

    fn order_row(
        &self,
        number: &str,
        told: Told,
        currency: &str,
        terms: ShopTerms,
    ) -> Result<OrderRecord, Box<dyn std::error::Error>> {
        let plan = self.plans.values().find(|plan| plan.number == number);
        let placed = plan.map_or(self.now, |plan| plan.placed);
        let customer = plan.map_or("C0", |plan| plan.customer.as_str());
        Ok(OrderRecord {
            shop: shop()?,
            number: OrderNumber::parse(number)?,
            total: Amount::from_minor(told.total, Currency::parse(currency)?),
            terms: Some(match terms {
                ShopTerms::Online => Terms::Online,
                ShopTerms::OnAccount => Terms::OnAccount,
                ShopTerms::Prepayment(basis_points) => Terms::Prepayment { basis_points },
            }),
            cancelled: Some(match told.cancelled {
                Cancelled::No => Cancellation::None,
                Cancelled::Rest => Cancellation::Rest,
                Cancelled::Full => Cancellation::Full,
            }),
            bill_to: Some(CustomerNumber::parse(customer)?),
            ordered_on: placed.date_naive(),
            keys: OrderKeys::default(),
        })
    }

    /// `None`: the shop says nothing of it now. Whether it was collected already by what the shop says.
    fn payment_row(&self, index: usize) -> Result<Option<(PaymentRecord, bool)>, Box<dyn std::error::Error>> {
        let transaction = self.transaction(index);
        let new = !self.exported.transactions.contains_key(&transaction.id);
        let currency = Currency::parse(transaction.currency)?;
        let captured = self.confirmed_captures(index);
        // The shop learns of a capture only where the PSP captures by itself, and says so in its first row.
        let all = transaction.authorised > 0 && captured == transaction.authorised;
        let collected = new && transaction.method == "direct" && transaction.status == "captured" && all;
        let status = match transaction.status {
            "captured" if collected => "captured",
            "captured" | "authorised" => "authorised",
            "released" | "error" if new => "open",
            "released" | "error" => return Ok(None),
            other => other,
        };
        let at = transaction.authorised_at.unwrap_or(self.now);
        let amount = Amount::from_minor(transaction.authorised, currency);
        let has_amount = matches!(status, "authorised" | "captured");
        let capture =
            self.record.effects.iter().enumerate().find(|(_, effect)| {
                effect.transaction == index && effect.kind == EffectKind::Capture && effect.is_live()
            });
        let collected_row = match capture {
            Some((number, effect)) if collected => Some(Collected {
                amount,
                at: self.psp.settled.get(&number).map_or(effect.at, |(at, _)| *at),
                modification: ModificationId::parse(&transaction.id)?,
            }),
            Some(_) | None => None,
        };
        let order = transaction.order.as_deref().map(OrderNumber::parse).transpose()?;
        let row = PaymentRecord {
            provider: ProviderName::parse(transaction.id.split('-').next().unwrap_or_default())?,
            merchant_account: MerchantAccount::parse("Shop")?,
            transaction: TransactionId::parse(&transaction.id)?,
            order: match order {
                Some(number) => Some((shop()?, number)),
                None => None,
            },
            pays: transaction.pays.iter().map(|number| DocumentNumber::parse(number)).collect::<Result<_, _>>()?,
            method: MethodName::parse(transaction.method)?,
            currency,
            status: TransactionStatus::parse(status).unwrap_or(TransactionStatus::Open),
            authorised: has_amount.then_some(Authorised { amount, at }),
            capture_before: None,
            collected: collected_row,
            entries: Vec::new(),
            key: None,
        };
        Ok(Some((row, collected)))
    }
}

fn shop() -> Result<ShopName, IdError> {
    ShopName::parse("shop")
}

fn document_row(document: &super::super::record::Posted) -> Result<DocumentRecord, Box<dyn std::error::Error>> {
    let currency = Currency::parse(document.currency)?;
    let order = document.order.as_deref().map(OrderNumber::parse).transpose()?;
    Ok(DocumentRecord {
        company: Company::parse("main")?,
        kind: DocumentKind::parse(document.kind).unwrap_or(DocumentKind::Invoice),
        number: DocumentNumber::parse(&document.number)?,
        order: match order {
            Some(number) => Some((shop()?, number)),
            None => None,
        },
        bill_to: None,
        total: Amount::from_minor(document.total, currency),
        paid_elsewhere: Some(Amount::from_minor(document.by_hand, currency)),
        references: document.references.as_deref().map(DocumentNumber::parse).transpose()?,
        posted_on: document.posted_on,
    })
}
