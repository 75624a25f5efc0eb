//! Rows of an order lines file: what an order sells, as its invoice will say it.

use rust_decimal::Decimal;

use super::ImportDefaults;
use super::field::{Field, Need};
use super::problem::Objection;
use super::reading::Reading;
use super::row::Row;
use crate::domain::id::{OrderNumber, ShopName};
use crate::domain::invoice::pricing::OrderLine;

pub const SHOP: Field =
    Field::new("shop", Need::Optional, "the shop of `order`; empty: `shop` of the config", "shop.example");
pub const ORDER: Field = Field::new("order", Need::Required, "the order, known before", "SO-1001");
pub const LINE: Field = Field::new("line", Need::Required, "1, 2, ...: unique within the order", "1");
pub const ITEM: Field = Field::new("item", Need::Optional, "the article's number", "A-4711");
pub const DESCRIPTION: Field = Field::new("description", Need::Required, "what the invoice calls it", "Coffee grinder");
pub const QUANTITY: Field =
    Field::new("quantity", Need::Required, "at most 4 decimals; 0 takes a known line out again", "2");
pub const UNIT_PRICE: Field = Field::money(
    "unit_price",
    Need::Required,
    "for one, in the order's currency, at most 4 decimals; with or without tax as `invoices.prices` says; negative for a discount",
    "64.95",
);
pub const TAX_RATE: Field =
    Field::new("tax_rate", Need::Required, "percent, one of `invoices.tax_rates` of the config", "19");

pub const FIELDS: [Field; 8] = [SHOP, ORDER, LINE, ITEM, DESCRIPTION, QUANTITY, UNIT_PRICE, TAX_RATE];

/// Decimals of quantities and prices.
const FINEST: usize = 4;

/// A line as the shop hands it over; it may change until the order is invoiced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderLineRecord {
    pub shop: ShopName,
    pub order: OrderNumber,
    pub line: OrderLine,
}

impl OrderLineRecord {
    pub fn read(row: &Row, defaults: &ImportDefaults) -> Result<Self, Vec<Objection>> {
        let mut reading = Reading::of(row);
        let shop = reading.id(&SHOP, ShopName::parse).unwrap_or_else(|| defaults.shop.clone());
        let order = reading.id(&ORDER, OrderNumber::parse);
        let number = line_number(&mut reading);
        let item = reading.text(&ITEM).map(str::to_owned);
        let description = reading.text(&DESCRIPTION).map(str::to_owned);
        let quantity = decimal(&mut reading, &QUANTITY);
        if quantity.is_some_and(|quantity| quantity < Decimal::ZERO) {
            reading.object(&QUANTITY, "is negative; what comes back is a credit note");
        }
        let unit_price = decimal(&mut reading, &UNIT_PRICE);
        let tax_rate = decimal(&mut reading, &TAX_RATE);
        if tax_rate.is_some_and(|rate| rate < Decimal::ZERO || rate > Decimal::ONE_HUNDRED) {
            reading.object(&TAX_RATE, "is not a percentage from 0 to 100");
        }
        let record = match (order, number, description, quantity, unit_price, tax_rate) {
            (Some(order), Some(line), Some(description), Some(quantity), Some(unit_price), Some(tax_rate)) => {
                let line = OrderLine { line, item, description, quantity, unit_price, tax_rate };
                Some(Self { shop, order, line })
            }
            _ => None,
        };
        reading.finish(record)
    }
}

fn line_number(reading: &mut Reading<'_>) -> Option<u32> {
    let text = reading.text(&LINE)?;
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|number| is_digits && (1..=100_000).contains(number));
    reading.taken(&LINE, number.ok_or_else(|| "is not a whole number from 1 to 100000".to_owned()))
}

/// Digits with one point at most: no exponent, no thousands separator, which a reader of decimals would take.
fn decimal(reading: &mut Reading<'_>, field: &Field) -> Option<Decimal> {
    let text = reading.text(field)?;
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let value = if !is_plain(whole) || !is_plain(fraction) {
        Err("is not a decimal number; write digits with one point at most, such as `12.5`".to_owned())
    } else if fraction.len() > FINEST {
        Err(format!("has more than {FINEST} decimals"))
    } else if whole.len() > 12 {
        Err("is larger than the ledger can hold".to_owned())
    } else {
        // One number, one text: `19.00` is `19`.
        text.parse::<Decimal>().map(|value| value.normalize()).map_err(|error| error.to_string())
    };
    reading.taken(field, value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::import::{ImportKind, InputFormat, Rows};

    fn read(cells: &str) -> Result<OrderLineRecord, Vec<Objection>> {
        let text = format!("order,line,description,quantity,unit_price,tax_rate\n{cells}\n");
        let mut rows = Rows::open(InputFormat::Csv, ImportKind::OrderLines, text.as_bytes()).unwrap();
        let defaults = ImportDefaults {
            shop: ShopName::parse("web").unwrap(),
            company: crate::domain::id::Company::parse("main").unwrap(),
            default_customer: crate::domain::id::CustomerNumber::parse("CASH").unwrap(),
            providers: std::collections::BTreeMap::default(),
        };
        OrderLineRecord::read(&rows.next().unwrap().unwrap(), &defaults)
    }

    #[test]
    fn a_line_is_exact_or_says_what_is_wrong_with_each_field() {
        let line = read("SO-1,2,Thing,1.50,-0.0125,19.00").unwrap().line;
        let shown = [line.quantity, line.unit_price, line.tax_rate].map(|number| number.to_string());
        assert_eq!((line.line, shown.each_ref().map(String::as_str)), (2, ["1.5", "-0.0125", "19"]));
        let objections = read("SO-1,0,,-1,1e3,101").unwrap_err();
        let fields: Vec<_> = objections.iter().map(ToString::to_string).collect();
        assert_eq!(objections.len(), 5, "{fields:?}");
        for bad in ["1,000", "1.", ".5", "+1", "1.00001", "9999999999999", "-1"] {
            assert!(read(&format!("SO-1,1,Thing,\"{bad}\",1,19")).is_err(), "{bad}");
        }
    }
}
