//! The words of an invoice, and its dates and numbers, in the customer's language.

use chrono::{Datelike as _, NaiveDate};
use rust_decimal::Decimal;

use crate::domain::customer::Language;
use crate::domain::invoice::pricing::Prices;
use crate::domain::invoice::sheet::{Corrected, InvoiceSheet};
use crate::domain::money::Amount;

/// Does not break, so that a number stays with its unit.
const NO_BREAK: char = '\u{a0}';

/// What is printed as it stands.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) invoice: &'static str,
    pub(super) cancellation: &'static str,
    pub(super) credit_note: &'static str,
    pub(super) number: &'static str,
    pub(super) correction_number: &'static str,
    pub(super) date: &'static str,
    pub(super) order: &'static str,
    pub(super) customer: &'static str,
    pub(super) customer_vat_id: &'static str,
    pub(super) due: &'static str,
    pub(super) position: &'static str,
    pub(super) item: &'static str,
    pub(super) description: &'static str,
    pub(super) quantity: &'static str,
    pub(super) unit_price: &'static str,
    pub(super) vat: &'static str,
    pub(super) amount: &'static str,
    pub(super) vat_rate: &'static str,
    pub(super) net: &'static str,
    pub(super) gross: &'static str,
    pub(super) net_total: &'static str,
    pub(super) total: &'static str,
    pub(super) paid: &'static str,
    pub(super) to_pay: &'static str,
    pub(super) supplied: &'static str,
    pub(super) paid_in_full: &'static str,
    pub(super) nothing_to_pay: &'static str,
    pub(super) recipient: &'static str,
    pub(super) reference: &'static str,
    pub(super) pay_online: &'static str,
    pub(super) vat_id: &'static str,
    pub(super) tax_number: &'static str,
}

const ENGLISH: Words = Words {
    invoice: "Invoice",
    cancellation: "Cancellation of an invoice",
    credit_note: "Credit note",
    number: "Invoice number",
    correction_number: "Number",
    date: "Date",
    order: "Order",
    customer: "Customer number",
    customer_vat_id: "Your VAT ID",
    due: "Due date",
    position: "No.",
    item: "Item",
    description: "Description",
    quantity: "Quantity",
    unit_price: "Unit price",
    vat: "VAT",
    amount: "Amount",
    vat_rate: "VAT rate",
    net: "Net",
    gross: "Gross",
    net_total: "Net total",
    total: "Total",
    paid: "Paid",
    to_pay: "Amount due",
    supplied: "The date of supply is the date of the invoice.",
    paid_in_full: "Paid in full. Thank you!",
    nothing_to_pay: "There is nothing to pay.",
    recipient: "Recipient",
    reference: "Reference",
    pay_online: "Pay online",
    vat_id: "VAT ID",
    tax_number: "Tax number",
};

const GERMAN: Words = Words {
    invoice: "Rechnung",
    cancellation: "Stornorechnung",
    // Not "Gutschrift": in German VAT law that is an invoice the customer writes.
    credit_note: "Rechnungskorrektur",
    number: "Rechnungsnummer",
    correction_number: "Nummer",
    date: "Datum",
    order: "Bestellung",
    customer: "Kundennummer",
    customer_vat_id: "Ihre USt-IdNr.",
    due: "Zahlbar bis",
    position: "Pos.",
    item: "Artikel",
    description: "Bezeichnung",
    quantity: "Menge",
    unit_price: "Einzelpreis",
    vat: "USt.",
    amount: "Betrag",
    vat_rate: "Steuersatz",
    net: "Netto",
    gross: "Brutto",
    net_total: "Summe netto",
    total: "Gesamtbetrag",
    paid: "Bezahlt",
    to_pay: "Offener Betrag",
    supplied: "Das Lieferdatum entspricht dem Rechnungsdatum.",
    paid_in_full: "Vollständig bezahlt. Vielen Dank!",
    nothing_to_pay: "Es ist nichts zu zahlen.",
    recipient: "Empfänger",
    reference: "Verwendungszweck",
    pay_online: "Online bezahlen",
    vat_id: "USt-IdNr.",
    tax_number: "Steuernummer",
};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

pub(super) fn words(language: Language) -> &'static Words {
    match language {
        Language::En => &ENGLISH,
        Language::De => &GERMAN,
    }
}

/// `26 November 2026`, `26.11.2026`.
pub(super) fn date(day: NaiveDate, language: Language) -> String {
    match language {
        Language::En => {
            let month = usize::try_from(day.month0()).ok().and_then(|month| MONTHS.get(month)).copied();
            format!("{} {} {}", day.day(), month.unwrap_or_default(), day.year())
        }
        Language::De => day.format("%d.%m.%Y").to_string(),
    }
}

/// `1,234.56 EUR`, `1.234,56 EUR`.
pub(super) fn amount(amount: Amount, language: Language) -> String {
    format!("{}{NO_BREAK}{}", plain_amount(amount, language), amount.currency())
}

/// `1,234.56`, `1.234,56`.
pub(super) fn plain_amount(amount: Amount, language: Language) -> String {
    localized(&amount.decimal(), language)
}

/// Without zeros at its end, but with `decimals` decimals at least: `1.5`, `9.90`, `0.3335`.
pub(super) fn number(value: Decimal, decimals: usize, language: Language) -> String {
    localized(&super::decimals(value, decimals), language)
}

/// `19%`, `19 %`.
pub(super) fn percent(rate: Decimal, language: Language) -> String {
    match language {
        Language::En => format!("{}%", number(rate, 0, language)),
        Language::De => format!("{}{NO_BREAK}%", number(rate, 0, language)),
    }
}

fn localized(decimal: &str, language: Language) -> String {
    let (thousands, point) = match language {
        Language::En => (',', '.'),
        Language::De => ('.', ','),
    };
    let (whole, fraction) = decimal.split_once('.').map_or((decimal, None), |(whole, rest)| (whole, Some(rest)));
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("-", digits));
    let mut shown = sign.to_owned();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(thousands);
        }
        shown.push(digit);
    }
    if let Some(fraction) = fraction {
        shown.push(point);
        shown.push_str(fraction);
    }
    shown
}

/// Under the title: which order this is, and what its prices hold.
pub(super) fn introduction(sheet: &InvoiceSheet, language: Language) -> String {
    let (order, day) = (&sheet.order, date(sheet.ordered_on, language));
    let currency = sheet.total.currency();
    match (language, sheet.prices) {
        (Language::En, Prices::Gross) => {
            format!("Your order {order} of {day}. All prices are in {currency} and include VAT.")
        }
        (Language::En, Prices::Net) => {
            format!("Your order {order} of {day}. All prices are in {currency}, without VAT.")
        }
        (Language::De, Prices::Gross) => {
            format!("Ihre Bestellung {order} vom {day}. Alle Preise in {currency} inklusive Umsatzsteuer.")
        }
        (Language::De, Prices::Net) => {
            format!("Ihre Bestellung {order} vom {day}. Alle Preise in {currency} ohne Umsatzsteuer.")
        }
    }
}

impl Words {
    /// What the sheet is.
    pub(super) fn kind(&self, sheet: &InvoiceSheet) -> &'static str {
        match &sheet.corrects {
            None => self.invoice,
            Some(corrected) if corrected.is_cancelled => self.cancellation,
            Some(_) => self.credit_note,
        }
    }

    pub(super) fn number_of(&self, sheet: &InvoiceSheet) -> &'static str {
        if sheet.corrects.is_none() { self.number } else { self.correction_number }
    }
}

/// Which invoice is taken back, and how much of it.
pub(super) fn takes_back(corrected: &Corrected, language: Language) -> String {
    let (number, day) = (&corrected.number, date(corrected.dated, language));
    match (language, corrected.is_cancelled) {
        (Language::En, true) => format!("This cancels our invoice {number} of {day}. There is nothing to pay."),
        (Language::En, false) => format!("This takes back a part of our invoice {number} of {day}."),
        (Language::De, true) => {
            format!("Hiermit stornieren wir unsere Rechnung {number} vom {day}. Es ist nichts zu zahlen.")
        }
        (Language::De, false) => format!("Hiermit berichtigen wir einen Teil unserer Rechnung {number} vom {day}."),
    }
}

/// What is asked of the customer.
pub(super) fn please_pay(open: Amount, due_on: Option<NaiveDate>, language: Language) -> String {
    let open = amount(open, language);
    match (language, due_on.map(|day| date(day, language))) {
        (Language::En, Some(day)) => format!("Please pay {open} by {day}."),
        (Language::En, None) => format!("Please pay {open} on receipt of this invoice."),
        (Language::De, Some(day)) => format!("Bitte zahlen Sie {open} bis zum {day}."),
        (Language::De, None) => format!("Bitte zahlen Sie {open} sofort nach Erhalt dieser Rechnung."),
    }
}

/// What is captured from what the customer has authorised.
pub(super) fn is_charged(open: Amount, language: Language) -> String {
    let open = amount(open, language);
    match language {
        Language::En => {
            format!("There is nothing for you to do: {open} is taken by the payment you made with your order.")
        }
        Language::De => {
            format!(
                "Sie müssen nichts tun: {open} wird mit der Zahlung eingezogen, die Sie bei der Bestellung freigegeben haben."
            )
        }
    }
}

/// `Page 1 of 3`.
pub(super) fn page(number: usize, count: usize, language: Language) -> String {
    match language {
        Language::En => format!("Page {number} of {count}"),
        Language::De => format!("Seite {number} von {count}"),
    }
}

/// The last line of an address abroad; a country not listed is its two letters.
pub(super) fn country(code: &str, language: Language) -> String {
    let found = COUNTRIES.iter().find(|(known, _, _)| *known == code);
    let name = found.map_or(code, |(_, english, german)| match language {
        Language::En => *english,
        Language::De => *german,
    });
    name.to_uppercase()
}

/// Of the European Union and its neighbours, and a few more that shops send to.
const COUNTRIES: [(&str, &str, &str); 41] = [
    ("AT", "Austria", "Österreich"),
    ("AU", "Australia", "Australien"),
    ("BE", "Belgium", "Belgien"),
    ("BG", "Bulgaria", "Bulgarien"),
    ("CA", "Canada", "Kanada"),
    ("CH", "Switzerland", "Schweiz"),
    ("CN", "China", "China"),
    ("CY", "Cyprus", "Zypern"),
    ("CZ", "Czech Republic", "Tschechien"),
    ("DE", "Germany", "Deutschland"),
    ("DK", "Denmark", "Dänemark"),
    ("EE", "Estonia", "Estland"),
    ("ES", "Spain", "Spanien"),
    ("FI", "Finland", "Finnland"),
    ("FR", "France", "Frankreich"),
    ("GB", "United Kingdom", "Vereinigtes Königreich"),
    ("GR", "Greece", "Griechenland"),
    ("HR", "Croatia", "Kroatien"),
    ("HU", "Hungary", "Ungarn"),
    ("IE", "Ireland", "Irland"),
    ("IS", "Iceland", "Island"),
    ("IT", "Italy", "Italien"),
    ("JP", "Japan", "Japan"),
    ("LI", "Liechtenstein", "Liechtenstein"),
    ("LT", "Lithuania", "Litauen"),
    ("LU", "Luxembourg", "Luxemburg"),
    ("LV", "Latvia", "Lettland"),
    ("MT", "Malta", "Malta"),
    ("NL", "Netherlands", "Niederlande"),
    ("NO", "Norway", "Norwegen"),
    ("PL", "Poland", "Polen"),
    ("PT", "Portugal", "Portugal"),
    ("RO", "Romania", "Rumänien"),
    ("RS", "Serbia", "Serbien"),
    ("SE", "Sweden", "Schweden"),
    ("SI", "Slovenia", "Slowenien"),
    ("SK", "Slovakia", "Slowakei"),
    ("TR", "Turkey", "Türkei"),
    ("UA", "Ukraine", "Ukraine"),
    ("US", "United States", "USA"),
    ("KW", "Kuwait", "Kuwait"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::money::Currency;
    use Language::{De, En};

    fn eur(text: &str) -> Amount {
        Amount::parse(text, Currency::parse("EUR").unwrap()).unwrap()
    }

    #[test]
    fn amounts_are_written_as_the_language_writes_them() {
        let shown = |text| [amount(eur(text), En), amount(eur(text), De)].map(|text| text.replace(NO_BREAK, " "));
        assert_eq!(shown("1234.56"), ["1,234.56 EUR", "1.234,56 EUR"]);
        assert_eq!(shown("-1234567.8"), ["-1,234,567.80 EUR", "-1.234.567,80 EUR"]);
        assert_eq!(shown("999"), ["999.00 EUR", "999,00 EUR"]);
        assert_eq!(shown("-100"), ["-100.00 EUR", "-100,00 EUR"]);
        assert_eq!(shown("0"), ["0.00 EUR", "0,00 EUR"]);
        let yen = Amount::from_minor(1_234_567, Currency::parse("JPY").unwrap());
        assert_eq!(plain_amount(yen, En), "1,234,567");
    }

    #[test]
    fn quantities_and_rates_have_no_idle_zeros_and_prices_the_currencys_decimals() {
        let value = |text: &str| text.parse::<Decimal>().unwrap();
        assert_eq!(number(value("1.5000"), 0, De), "1,5");
        assert_eq!(number(value("2000"), 0, En), "2,000");
        assert_eq!(number(value("9.9"), 2, En), "9.90");
        assert_eq!(number(value("-0.3335"), 2, De), "-0,3335");
        assert_eq!(number(value("540"), 0, En), "540");
        assert_eq!(percent(value("5.50"), En), "5.5%");
        assert_eq!(percent(value("19"), De), "19\u{a0}%");
    }

    #[test]
    fn days_are_written_as_the_language_writes_them() {
        let day = NaiveDate::from_ymd_opt(2026, 11, 26).unwrap();
        assert_eq!((date(day, En).as_str(), date(day, De).as_str()), ("26 November 2026", "26.11.2026"));
        assert_eq!(date(NaiveDate::from_ymd_opt(2027, 1, 2).unwrap(), De), "02.01.2027");
    }

    #[test]
    fn what_is_asked_names_the_amount_and_the_day() {
        let day = NaiveDate::from_ymd_opt(2026, 12, 10);
        assert_eq!(please_pay(eur("12"), day, En), "Please pay 12.00\u{a0}EUR by 10 December 2026.");
        assert_eq!(please_pay(eur("12"), day, De), "Bitte zahlen Sie 12,00\u{a0}EUR bis zum 10.12.2026.");
        assert_eq!(please_pay(eur("12"), None, En), "Please pay 12.00\u{a0}EUR on receipt of this invoice.");
        assert_eq!((page(2, 3, En).as_str(), page(2, 3, De).as_str()), ("Page 2 of 3", "Seite 2 von 3"));
    }

    #[test]
    fn a_country_is_named_or_shown_by_its_letters() {
        assert_eq!((country("AT", De).as_str(), country("AT", En).as_str()), ("ÖSTERREICH", "AUSTRIA"));
        assert_eq!(country("ZZ", En), "ZZ");
    }
}
