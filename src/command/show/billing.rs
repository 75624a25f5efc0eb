//! What is asked for and billed: entries, and the lines of invoices payjournal made.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::text::section;
use crate::domain::document::Document;
use crate::domain::entry::Entry;
use crate::domain::id::DocumentNumber;
use crate::domain::invoice::pricing::PricedLine;
use crate::domain::money::{Amount, MoneyError};
use crate::ledger::{Correction, Ledger, LedgerError};

/// Of the documents and the order of one story.
#[derive(Debug, Default)]
pub(super) struct Billing {
    entries: Vec<Entry>,
    invoices: Vec<(DocumentNumber, Vec<PricedLine>)>,
    /// What takes invoices back.
    corrections: Vec<Correction>,
}

impl Billing {
    pub(super) fn of(documents: &[Document], entries: Vec<Entry>, ledger: &Ledger) -> Result<Self, LedgerError> {
        let mut billing = Self { entries, ..Self::default() };
        for document in documents {
            let lines = ledger.invoice_lines(document.id)?;
            if !lines.is_empty() {
                billing.invoices.push((document.number.clone(), lines));
            }
            for correction in ledger.corrections_of(document.id)? {
                if !billing.corrections.contains(&correction) {
                    billing.corrections.push(correction);
                }
            }
            if let Some(entry) = ledger.entry_of_document(document.id)?
                && billing.entries.iter().all(|known| known.id != entry.id)
            {
                billing.entries.push(entry);
            }
        }
        Ok(billing)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.invoices.is_empty() && self.corrections.is_empty()
    }

    pub(super) fn text(&self) -> Result<String, MoneyError> {
        let mut lines = Vec::new();
        for (number, priced) in &self.invoices {
            for PricedLine { line, net, tax } in priced {
                lines.push(vec![
                    number.to_string(),
                    line.line.to_string(),
                    line.item.clone().unwrap_or_default(),
                    line.description.clone(),
                    line.quantity.to_string(),
                    price(line.unit_price, *net),
                    format!("{} %", line.tax_rate),
                    net.to_string(),
                    tax.to_string(),
                    net.checked_add(*tax)?.to_string(),
                ]);
            }
        }
        let mut entries = Vec::new();
        for entry in &self.entries {
            entries.push(vec![
                entry.name(),
                entry.status.to_string(),
                entry.initial.to_string(),
                entry.reduction.to_string(),
                entry.assigned.to_string(),
                entry.open()?.to_string(),
                key(entry).unwrap_or_else(|| "-".to_owned()),
                entry.due_on.map_or_else(|| "-".to_owned(), |day| day.to_string()),
            ]);
        }
        let headers =
            ["invoice", "line", "item", "description", "quantity", "price", "tax rate", "net", "tax", "gross"];
        let corrections = self.corrections.iter().map(|correction| {
            vec![
                correction.invoice.to_string(),
                correction.kind.noun().to_owned(),
                correction.number.to_string(),
                correction.dated.to_string(),
                correction.reason.clone(),
            ]
        });
        let corrections: Vec<Vec<String>> = corrections.collect();
        let corrections = if corrections.is_empty() {
            String::new()
        } else {
            section("taken back", &["invoice", "by", "number", "on", "reason"], corrections) + "\n"
        };
        let lines = section("invoice lines", &headers, lines);
        let entries =
            section("entries", &["entry", "status", "over", "reduced by", "assigned", "open", "key", "due"], entries);
        Ok(format!("{entries}\n{corrections}{lines}"))
    }

    pub(super) fn entries_json(&self) -> Result<Vec<Value>, MoneyError> {
        let entry = |entry: &Entry| {
            Ok(json!({
                "id": entry.id,
                "reference": entry.reference,
                "customer": entry.customer,
                "assignment_key": entry.key,
                "payment_assignment_key": entry.payment_key,
                "title": entry.title,
                "status": entry.status,
                "initial": entry.initial,
                "reduction": entry.reduction,
                "assigned": entry.assigned,
                "open": entry.open()?,
                "due_on": entry.due_on,
            }))
        };
        self.entries.iter().map(entry).collect()
    }

    pub(super) fn corrections_json(&self) -> Vec<Value> {
        let correction = |correction: &Correction| {
            json!({
                "invoice": correction.invoice,
                "kind": correction.kind,
                "number": correction.number,
                "dated": correction.dated,
                "reason": correction.reason,
            })
        };
        self.corrections.iter().map(correction).collect()
    }

    pub(super) fn lines_json(&self) -> Vec<Value> {
        let lines = self.invoices.iter().flat_map(|(number, lines)| lines.iter().map(move |line| (number, line)));
        lines
            .map(|(number, PricedLine { line, net, tax })| {
                json!({
                    "invoice": number,
                    "line": line.line,
                    "item": line.item,
                    "description": line.description,
                    "quantity": line.quantity.to_string(),
                    "unit_price": line.unit_price.to_string(),
                    "tax_rate": line.tax_rate.to_string(),
                    "net": net,
                    "tax": tax,
                })
            })
            .collect()
    }
}

/// With the currency's decimals at least.
fn price(price: Decimal, net: Amount) -> String {
    let decimals = u32::try_from(net.currency().exponent()).unwrap_or(0);
    let mut price = price;
    price.rescale(price.scale().max(decimals));
    price.to_string()
}

fn key(entry: &Entry) -> Option<String> {
    entry.key.as_ref().or(entry.payment_key.as_ref()).map(ToString::to_string)
}
