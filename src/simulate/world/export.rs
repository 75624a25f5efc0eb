//! What the shop and the ERP hand over to `payjournal import`, and whether it arrived. Who hands over and is killed before
//! it hears that it went well hands the same over again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

use rust_decimal::Decimal;

use super::super::record::{Cancelled, Claim, EffectKind, IsFor, Sale, SaleKey, ShopTerms, Told};
use super::World;
use crate::domain::customer::{Address, Customer};
use crate::domain::document::DocumentKind;
use crate::domain::id::{
    AssignmentKey, Company, CustomerNumber, DocumentNumber, EntryReference, IdError, MerchantAccount, MethodName,
    ModificationId, OrderNumber, ProviderName, ShopName, TransactionId,
};
use crate::domain::invoice::OrderKeys;
use crate::domain::invoice::pricing::OrderLine;
use crate::domain::money::{Amount, Currency};
use crate::domain::order::{Cancellation, Terms};
use crate::domain::payment::TransactionStatus;
use crate::exchange::import::payment::{Authorised, Collected};
use crate::exchange::import::{DocumentRecord, EntryRecord, OrderLineRecord, OrderRecord, PaymentRecord};

/// What the sides believe the ledger has.
#[derive(Debug, Default)]
pub(super) struct Memory {
    orders: BTreeMap<String, Told>,
    transactions: BTreeMap<String, &'static str>,
    documents: BTreeMap<(&'static str, String), i64>,
    /// Whose lines it has.
    sales: BTreeSet<String>,
    /// Whether it was told that they are cancelled.
    claims: BTreeMap<String, bool>,
    /// Invoices that are handed over no sooner than this.
    pub(super) held: BTreeMap<String, DateTime<Utc>>,
}

/// Rows on their way into the ledger.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub customers: Vec<Customer>,
    pub orders: Vec<OrderRecord>,
    pub lines: Vec<OrderLineRecord>,
    pub entries: Vec<EntryRecord>,
    pub documents: Vec<DocumentRecord>,
    pub payments: Vec<PaymentRecord>,
    told_orders: Vec<(String, Told)>,
    told_documents: Vec<(&'static str, String, i64)>,
    told_transactions: Vec<(usize, &'static str, bool)>,
    told_sales: Vec<String>,
    told_claims: Vec<(String, bool)>,
    /// Entries that were not cancelled although the shop says so.
    kept: Mutex<BTreeSet<String>>,
}

impl Batch {
    pub(crate) fn is_empty(&self) -> bool {
        self.orders.is_empty() && self.documents.is_empty() && self.payments.is_empty() && self.entries.is_empty()
    }

    /// The ledger refuses to cancel an entry.
    pub(crate) fn keeps(&self, reference: &EntryReference) {
        self.kept().insert(reference.as_str().to_owned());
    }

    fn kept(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl World {
    /// Everything that changed since it was last handed over.
    pub(crate) fn export(&self) -> Result<Batch, Box<dyn std::error::Error>> {
        let mut batch = Batch::default();
        for order in self.record.orders.iter().filter(|order| !self.record.is_gone(&order.number)) {
            let told = Told { total: order.total, cancelled: order.cancelled };
            if self.exported.orders.get(&order.number) != Some(&told) {
                batch.orders.push(self.order_row(&order.number, told, order.currency, order.terms)?);
                batch.told_orders.push((order.number.clone(), told));
            }
        }
        let is_told = |sale: &&Sale| self.exported.sales.contains(&sale.order) || self.record.is_gone(&sale.order);
        for sale in self.record.sales.iter().filter(|sale| !is_told(sale)) {
            let customer = customer(sale)?;
            if !batch.customers.contains(&customer) {
                batch.customers.push(customer);
            }
            batch.lines.extend(self.lines_of(sale)?);
            batch.told_sales.push(sale.order.clone());
        }
        for claim in &self.record.claims {
            if self.exported.claims.get(&claim.reference) != Some(&claim.cancelled) {
                batch.entries.push(entry_row(claim)?);
                batch.told_claims.push((claim.reference.clone(), claim.cancelled));
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
            if self.is_page(index) {
                continue;
            }
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
        for number in &batch.told_sales {
            if let Some(sale) = self.record.sales.iter_mut().find(|sale| sale.order == *number) {
                sale.told_at.get_or_insert(at);
            }
        }
        for (reference, cancelled) in &batch.told_claims {
            if let Some(claim) = self.record.claims.iter_mut().find(|claim| claim.reference == *reference) {
                claim.told_at.get_or_insert(at);
                if batch.kept().contains(reference) {
                    claim.cancelled = false;
                    claim.kept_at.get_or_insert(at);
                } else if *cancelled {
                    claim.cancelled_at.get_or_insert(at);
                }
            }
        }
        if !batch.kept().is_empty() {
            self.fault("shop: entry cancelled after it was billed");
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
        self.exported.sales.extend(batch.told_sales.iter().cloned());
        let kept = batch.kept();
        let as_told =
            |(reference, cancelled): &(String, bool)| (reference.clone(), *cancelled && !kept.contains(reference));
        self.exported.claims.extend(batch.told_claims.iter().map(as_told));
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
        let sale = self.record.sales.iter().find(|sale| sale.order == number);
        let customer = plan.map_or("C0", |plan| plan.customer.as_str());
        let customer = sale.map_or(customer, |sale| sale.customer.as_str());
        let keys = match sale.map(|sale| &sale.key) {
            Some(SaleKey::Entry(key)) => OrderKeys { entry: Some(AssignmentKey::parse(key)?), payment: None },
            Some(SaleKey::Payment(key)) => OrderKeys { entry: None, payment: Some(AssignmentKey::parse(key)?) },
            Some(SaleKey::Neither) | None => OrderKeys::default(),
        };
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
            keys,
            leaves_free_balances: None,
        })
    }

    fn lines_of(&self, sale: &Sale) -> Result<Vec<OrderLineRecord>, Box<dyn std::error::Error>> {
        let order = self.record.orders.iter().find(|order| order.number == sale.order);
        let exponent = u32::try_from(Currency::parse(order.map_or("EUR", |order| order.currency))?.exponent())?;
        let line = |(line, (gross, rate)): (u32, &(i64, i64))| {
            Ok(OrderLineRecord {
                shop: shop()?,
                order: OrderNumber::parse(&sale.order)?,
                line: OrderLine {
                    line,
                    item: None,
                    description: format!("Thing {line} of {}", sale.order),
                    quantity: Decimal::ONE,
                    unit_price: Decimal::new(*gross, exponent),
                    tax_rate: Decimal::from(*rate),
                },
            })
        };
        (1..).zip(&sale.lines).map(line).collect()
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
            // Without its order nobody would capture it: handed over once it is captured.
            "captured" | "authorised" if transaction.is_anonymous && !collected => return Ok(None),
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
        let order = transaction.order.as_deref().filter(|_| !transaction.is_anonymous);
        let order = order.map(OrderNumber::parse).transpose()?;
        let (entries, key) = match &transaction.is_for {
            IsFor::Order => (Vec::new(), None),
            IsFor::Entry(reference) => (vec![EntryReference::parse(reference)?], None),
            IsFor::Key(key) => (Vec::new(), Some(AssignmentKey::parse(key)?)),
        };
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
            entries,
            key,
        };
        Ok(Some((row, collected)))
    }
}

fn customer(sale: &Sale) -> Result<Customer, IdError> {
    Ok(Customer {
        number: CustomerNumber::parse(&sale.customer)?,
        name: format!("Customer {}", sale.customer),
        email: sale.email.then(|| format!("{}@customers.example", sale.customer.to_lowercase())),
        address: Address::default(),
        language: None,
        vat_id: None,
        due_days: None,
    })
}

fn entry_row(claim: &Claim) -> Result<EntryRecord, Box<dyn std::error::Error>> {
    Ok(EntryRecord {
        reference: EntryReference::parse(&claim.reference)?,
        order: None,
        key: AssignmentKey::parse(&claim.key)?,
        customer: Some(CustomerNumber::parse(&claim.customer)?),
        amount: Amount::from_minor(claim.amount, Currency::parse(claim.currency)?),
        title: None,
        due_on: None,
        cancelled: Some(claim.cancelled),
    })
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
