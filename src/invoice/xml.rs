//! The invoice for programs: EN 16931 in the syntax of UN/CEFACT (CII), as `Factur-X` embeds it.

use std::io;

use chrono::NaiveDate;
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};
use rust_decimal::Decimal;

use super::words::{self, words};
use super::{RenderError, decimals, printable};
use crate::domain::customer::Address;
use crate::domain::invoice::pricing::{PricedLine, Prices, TaxSum, by_rate};
use crate::domain::invoice::sheet::{Corrected, InvoiceSheet, Parties, Seller};
use crate::domain::money::Amount;

const GUIDELINE: &str = "urn:cen.eu:en16931:2017";
const COMMERCIAL_INVOICE: &str = "380";
/// Its amounts are positive and go to the customer.
const CREDIT_NOTE: &str = "381";
/// "One", of UN/ECE Recommendation 20.
const PIECE: &str = "C62";
const SEPA_TRANSFER: &str = "58";
const NAMESPACES: [(&str, &str); 4] = [
    ("xmlns:rsm", "urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100"),
    ("xmlns:ram", "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100"),
    ("xmlns:qdt", "urn:un:unece:uncefact:data:standard:QualifiedDataType:100"),
    ("xmlns:udt", "urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100"),
];

type Written = Result<(), RenderError>;

/// Writes the invoice. The order of the elements is the schema's.
pub fn xml(sheet: &InvoiceSheet) -> Result<String, RenderError> {
    let mut xml = Xml(Writer::new_with_indent(Vec::new(), b' ', 2));
    xml.event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let root = "rsm:CrossIndustryInvoice";
    xml.event(Event::Start(BytesStart::new(root).with_attributes(NAMESPACES)))?;
    xml.group("rsm:ExchangedDocumentContext", |xml| {
        xml.group("ram:GuidelineSpecifiedDocumentContextParameter", |xml| xml.text("ram:ID", GUIDELINE))
    })?;
    xml.group("rsm:ExchangedDocument", |xml| {
        xml.text("ram:ID", &sheet.number.to_string())?;
        xml.text("ram:TypeCode", if sheet.corrects.is_some() { CREDIT_NOTE } else { COMMERCIAL_INVOICE })?;
        xml.day("ram:IssueDateTime", sheet.dated)?;
        let Some(note) = &sheet.parties.seller.note else { return Ok(()) };
        xml.group("ram:IncludedNote", |xml| xml.text("ram:Content", note))
    })?;
    xml.group("rsm:SupplyChainTradeTransaction", |xml| {
        sheet.lines.iter().try_for_each(|line| xml.line(line, sheet.prices))?;
        xml.agreement(sheet)?;
        xml.group("ram:ApplicableHeaderTradeDelivery", |xml| {
            xml.group("ram:ActualDeliverySupplyChainEvent", |xml| xml.day("ram:OccurrenceDateTime", sheet.dated))
        })?;
        xml.settlement(sheet)
    })?;
    xml.event(Event::End(BytesEnd::new(root)))?;
    String::from_utf8(xml.0.into_inner()).map_err(|error| RenderError::Xml { why: error.to_string() })
}

struct Xml(Writer<Vec<u8>>);

impl Xml {
    fn event(&mut self, event: Event<'_>) -> Written {
        written(self.0.write_event(event))
    }

    fn group(&mut self, name: &str, inner: impl FnOnce(&mut Self) -> Written) -> Written {
        self.event(Event::Start(BytesStart::new(name)))?;
        inner(self)?;
        self.event(Event::End(BytesEnd::new(name)))
    }

    fn text(&mut self, name: &str, text: &str) -> Written {
        written(self.0.create_element(name).write_text_content(BytesText::new(&printable(text))))
    }

    fn if_known(&mut self, name: &str, text: Option<&str>) -> Written {
        text.map_or(Ok(()), |text| self.text(name, text))
    }

    fn attributed(&mut self, name: &str, attribute: (&str, &str), text: &str) -> Written {
        let element = self.0.create_element(name).with_attribute(attribute);
        written(element.write_text_content(BytesText::new(&printable(text))))
    }

    fn day(&mut self, name: &str, day: NaiveDate) -> Written {
        let text = day.format("%Y%m%d").to_string();
        self.group(name, |xml| xml.attributed("udt:DateTimeString", ("format", "102"), &text))
    }

    fn line(&mut self, sold: &PricedLine, prices: Prices) -> Written {
        let line = &sold.line;
        let (quantity, price) = quantity_and_price(sold, prices)?;
        self.group("ram:IncludedSupplyChainTradeLineItem", |xml| {
            xml.group("ram:AssociatedDocumentLineDocument", |xml| xml.text("ram:LineID", &line.line.to_string()))?;
            xml.group("ram:SpecifiedTradeProduct", |xml| {
                xml.if_known("ram:SellerAssignedID", line.item.as_deref().filter(|item| !item.trim().is_empty()))?;
                // An item must have a name.
                let name = [Some(line.description.as_str()), line.item.as_deref()];
                let name = name.into_iter().flatten().find(|name| !printable(name).is_empty());
                xml.text("ram:Name", name.unwrap_or("-"))
            })?;
            xml.group("ram:SpecifiedLineTradeAgreement", |xml| {
                xml.group("ram:NetPriceProductTradePrice", |xml| xml.text("ram:ChargeAmount", &price))
            })?;
            xml.group("ram:SpecifiedLineTradeDelivery", |xml| {
                xml.attributed("ram:BilledQuantity", ("unitCode", PIECE), &quantity)
            })?;
            xml.group("ram:SpecifiedLineTradeSettlement", |xml| {
                xml.group("ram:ApplicableTradeTax", |xml| xml.rate(line.tax_rate, None))?;
                xml.group("ram:SpecifiedTradeSettlementLineMonetarySummation", |xml| {
                    xml.text("ram:LineTotalAmount", &sold.net.decimal())
                })
            })
        })
    }

    /// Of a line, or with its sums of the whole invoice.
    fn rate(&mut self, rate: Decimal, sums: Option<TaxSum>) -> Written {
        self.if_known("ram:CalculatedAmount", sums.map(|sums| sums.tax.decimal()).as_deref())?;
        self.text("ram:TypeCode", "VAT")?;
        self.if_known("ram:BasisAmount", sums.map(|sums| sums.net.decimal()).as_deref())?;
        self.text("ram:CategoryCode", if rate.is_zero() { "Z" } else { "S" })?;
        self.text("ram:RateApplicablePercent", &decimals(rate, 0))
    }

    fn agreement(&mut self, sheet: &InvoiceSheet) -> Written {
        let parties = &sheet.parties;
        self.group("ram:ApplicableHeaderTradeAgreement", |xml| {
            xml.seller(&parties.seller)?;
            xml.buyer(parties)?;
            xml.group("ram:SellerOrderReferencedDocument", |xml| xml.text("ram:IssuerAssignedID", &sheet.order))
        })
    }

    fn seller(&mut self, seller: &Seller) -> Written {
        let named = Some(seller.name.as_str()).filter(|name| !name.trim().is_empty());
        let name = named.ok_or(RenderError::Missing { what: "the seller's name" })?;
        let country = country_of(&seller.address, seller.vat_id.as_deref());
        let country = country.ok_or(RenderError::Missing { what: "the seller's country" })?;
        if seller.vat_id.is_none() && seller.tax_number.is_none() {
            return Err(RenderError::Missing { what: "the seller's VAT ID or tax number" });
        }
        self.group("ram:SellerTradeParty", |xml| {
            // One number must name the seller by itself (BR-CO-26), and a tax number does so only as his identifier.
            if seller.vat_id.is_none() {
                xml.if_known("ram:ID", seller.tax_number.as_deref())?;
            }
            xml.text("ram:Name", name)?;
            xml.address(&seller.address, &country)?;
            xml.email(seller.email.as_deref())?;
            xml.registration("FC", seller.tax_number.as_deref())?;
            xml.registration("VA", seller.vat_id.as_deref())
        })
    }

    fn buyer(&mut self, parties: &Parties) -> Written {
        let abroad = country_of(&parties.customer_address, parties.customer_vat_id.as_deref());
        // The format wants a country of each; the post takes a letter without one to be for its own.
        let home = || country_of(&parties.seller.address, parties.seller.vat_id.as_deref());
        let country = abroad.or_else(home).ok_or(RenderError::Missing { what: "the customer's country" })?;
        self.group("ram:BuyerTradeParty", |xml| {
            xml.text("ram:ID", &parties.customer_number)?;
            xml.text("ram:Name", &parties.customer_name)?;
            xml.address(&parties.customer_address, &country)?;
            xml.email(parties.customer_email.as_deref())?;
            xml.registration("VA", parties.customer_vat_id.as_deref())
        })
    }

    fn address(&mut self, address: &Address, country: &str) -> Written {
        self.group("ram:PostalTradeAddress", |xml| {
            xml.if_known("ram:PostcodeCode", address.postcode.as_deref())?;
            xml.if_known("ram:LineOne", address.street.as_deref())?;
            xml.if_known("ram:CityName", address.city.as_deref())?;
            xml.text("ram:CountryID", country)
        })
    }

    fn email(&mut self, email: Option<&str>) -> Written {
        let Some(email) = email else { return Ok(()) };
        self.group("ram:URIUniversalCommunication", |xml| xml.attributed("ram:URIID", ("schemeID", "EM"), email))
    }

    fn registration(&mut self, scheme: &str, id: Option<&str>) -> Written {
        let Some(id) = id else { return Ok(()) };
        let id = if scheme == "VA" { without_spaces(id) } else { id.to_owned() };
        self.group("ram:SpecifiedTaxRegistration", |xml| xml.attributed("ram:ID", ("schemeID", scheme), &id))
    }

    fn settlement(&mut self, sheet: &InvoiceSheet) -> Written {
        let currency = sheet.total.currency();
        let rates = by_rate(&sheet.lines)?;
        let open = sheet.open()?;
        self.group("ram:ApplicableHeaderTradeSettlement", |xml| {
            xml.text("ram:PaymentReference", &sheet.number.to_string())?;
            xml.text("ram:InvoiceCurrencyCode", currency.code())?;
            // An account beside an invoice that is paid would have it paid twice.
            if sheet.to_pay()?.is_positive() {
                xml.transfer(&sheet.parties.seller)?;
            }
            for (rate, sums) in &rates {
                xml.group("ram:ApplicableTradeTax", |xml| xml.rate(*rate, Some(*sums)))?;
            }
            if open.is_positive() {
                xml.terms(sheet, open)?;
            }
            let net = Amount::sum(currency, rates.values().map(|sums| sums.net))?.decimal();
            let tax = Amount::sum(currency, rates.values().map(|sums| sums.tax))?.decimal();
            xml.group("ram:SpecifiedTradeSettlementHeaderMonetarySummation", |xml| {
                xml.text("ram:LineTotalAmount", &net)?;
                xml.text("ram:TaxBasisTotalAmount", &net)?;
                xml.attributed("ram:TaxTotalAmount", ("currencyID", currency.code()), &tax)?;
                xml.text("ram:GrandTotalAmount", &sheet.total.decimal())?;
                if !sheet.paid.is_zero() {
                    xml.text("ram:TotalPrepaidAmount", &sheet.paid.decimal())?;
                }
                xml.text("ram:DuePayableAmount", &open.decimal())
            })?;
            xml.corrected(sheet.corrects.as_ref())
        })
    }

    fn transfer(&mut self, seller: &Seller) -> Written {
        let Some(iban) = &seller.iban else { return Ok(()) };
        self.group("ram:SpecifiedTradeSettlementPaymentMeans", |xml| {
            xml.text("ram:TypeCode", SEPA_TRANSFER)?;
            xml.group("ram:PayeePartyCreditorFinancialAccount", |xml| {
                xml.text("ram:IBANID", &without_spaces(iban))?;
                xml.text("ram:AccountName", &seller.name)
            })?;
            let Some(bic) = &seller.bic else { return Ok(()) };
            xml.group("ram:PayeeSpecifiedCreditorFinancialInstitution", |xml| {
                xml.text("ram:BICID", &without_spaces(bic))
            })
        })
    }

    /// The invoice that is taken back (BG-3).
    fn corrected(&mut self, corrected: Option<&Corrected>) -> Written {
        let Some(corrected) = corrected else { return Ok(()) };
        let day = corrected.dated.format("%Y%m%d").to_string();
        self.group("ram:InvoiceReferencedDocument", |xml| {
            xml.text("ram:IssuerAssignedID", &corrected.number.to_string())?;
            xml.group("ram:FormattedIssueDateTime", |xml| xml.attributed("qdt:DateTimeString", ("format", "102"), &day))
        })
    }

    fn terms(&mut self, sheet: &InvoiceSheet, open: Amount) -> Written {
        let language = sheet.parties.language;
        if let Some(corrected) = &sheet.corrects {
            let terms = words::takes_back(corrected, language);
            return self.group("ram:SpecifiedTradePaymentTerms", |xml| xml.text("ram:Description", &terms));
        }
        if sheet.is_charged {
            let terms = words::is_charged(open, language);
            return self.group("ram:SpecifiedTradePaymentTerms", |xml| xml.text("ram:Description", &terms));
        }
        let mut terms = words::please_pay(open, sheet.due_on, language);
        if let Some(url) = &sheet.payment_url {
            terms = format!("{terms} {}: {url}", words(language).pay_online);
        }
        self.group("ram:SpecifiedTradePaymentTerms", |xml| {
            xml.text("ram:Description", &terms)?;
            sheet.due_on.map_or(Ok(()), |due| xml.day("ram:DueDateDateTime", due))
        })
    }
}

/// How many, and the net price of one.
///
/// A price may not be negative (BR-27), so a discount is a negative number of a positive price. Where prices hold the tax,
/// the net price is what the line's net comes to for one: with so many decimals that times the quantity it rounds to the
/// line's net again, for a reader that computes it. (A basis quantity would be exact, but readers that overlook it exist.)
fn quantity_and_price(sold: &PricedLine, prices: Prices) -> Result<(String, String), RenderError> {
    let quantity = sold.line.quantity;
    let exponent = sold.net.currency().exponent();
    let minor = u32::try_from(exponent).unwrap_or(0);
    let price = match prices {
        Prices::Net => sold.line.unit_price,
        Prices::Gross => {
            let net = Decimal::new(sold.net.minor(), minor);
            let price = net.checked_div(quantity).ok_or(RenderError::TooLarge { what: "a unit price" })?;
            let whole_digits = u32::try_from(quantity.trunc().to_string().len()).unwrap_or(0);
            price.round_dp(minor + whole_digits + 1)
        }
    };
    let (quantity, price) =
        if price < Decimal::ZERO { (Decimal::ZERO - quantity, price.abs()) } else { (quantity, price) };
    Ok((decimals(quantity, 0), decimals(price, exponent)))
}

/// Two letters: of the address, or those the VAT ID begins with.
fn country_of(address: &Address, vat_id: Option<&str>) -> Option<String> {
    let two = |text: &str| {
        Some(text.to_uppercase()).filter(|two| two.len() == 2 && two.bytes().all(|byte| byte.is_ascii_uppercase()))
    };
    let of_vat_id =
        || two(without_spaces(vat_id?).get(..2)?).map(|two| if two == "EL" { "GR".to_owned() } else { two });
    address.country.as_deref().and_then(two).or_else(of_vat_id)
}

fn without_spaces(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

fn written<T>(result: io::Result<T>) -> Written {
    result.map(drop).map_err(|error| RenderError::Xml { why: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::domain::customer::Language;
    use crate::domain::invoice::pricing::OrderLine;
    use Prices::{Gross, Net};

    /// Every element of this name that holds text, in order.
    fn all(xml: &str, name: &str) -> Vec<String> {
        let (open, close) = (format!("<ram:{name}"), format!("</ram:{name}>"));
        let texts = xml.split(&open).skip(1).filter_map(|rest| rest.split_once(&close)).map(|(text, _)| text);
        texts.filter_map(|text| text.split_once('>')).map(|(_, text)| text.trim().to_owned()).collect()
    }

    #[track_caller]
    fn holds(xml: &str, name: &str, wanted: &[&str]) {
        assert_eq!(all(xml, name), wanted, "{name}");
    }

    #[test]
    fn a_gross_price_is_taken_apart_per_line_and_summed_per_rate() {
        // 3 × 9.99 = 29.97, of which 7 %: 1.96; 119.00, of which 19 %: 19.00.
        let sheet =
            sample::sheet(Gross, "EUR", &[sample::line(1, "3", "9.99", "7"), sample::line(2, "1", "119", "19")]);
        let xml = xml(&sheet).unwrap();
        holds(&xml, "ChargeAmount", &["9.3367", "100.00"]);
        holds(&xml, "BilledQuantity", &["3", "1"]);
        assert!(xml.contains("<ram:BilledQuantity unitCode=\"C62\">3<"));
        holds(&xml, "LineTotalAmount", &["28.01", "100.00", "128.01"]);
        holds(&xml, "CalculatedAmount", &["1.96", "19.00"]);
        holds(&xml, "BasisAmount", &["28.01", "100.00"]);
        holds(&xml, "CategoryCode", &["S", "S", "S", "S"]);
        holds(&xml, "RateApplicablePercent", &["7", "19", "7", "19"]);
        holds(&xml, "TaxBasisTotalAmount", &["128.01"]);
        holds(&xml, "TaxTotalAmount", &["20.96"]);
        holds(&xml, "GrandTotalAmount", &["148.97"]);
        holds(&xml, "TotalPrepaidAmount", &[]);
        holds(&xml, "DuePayableAmount", &["148.97"]);
        holds(&xml, "IBANID", &["DE02120300000000202051"]);
        holds(&xml, "IssuerAssignedID", &["SO-1001"]);
        assert_eq!(all(&xml, "DueDateDateTime"), ["<udt:DateTimeString format=\"102\">20261210</udt:DateTimeString>"]);
    }

    #[test]
    fn a_net_price_stands_as_it_is_and_a_rate_of_nothing_has_its_own_category() {
        let lines = [sample::line(1, "0.125", "10", "0"), sample::line(2, "3", "0.3335", "5.50")];
        let xml = xml(&sample::sheet(Net, "EUR", &lines)).unwrap();
        // 1.25 and nothing; 1.0005 is 1.00, and 5.5 % of that 0.055, 0.06.
        holds(&xml, "ChargeAmount", &["10.00", "0.3335"]);
        holds(&xml, "BilledQuantity", &["0.125", "3"]);
        holds(&xml, "CategoryCode", &["Z", "S", "Z", "S"]);
        holds(&xml, "RateApplicablePercent", &["0", "5.5", "0", "5.5"]);
        holds(&xml, "CalculatedAmount", &["0.00", "0.06"]);
        holds(&xml, "GrandTotalAmount", &["2.31"]);
    }

    #[test]
    fn yen_have_no_decimals() {
        // 2 × 540 = 1080, of which 8 %: 80.
        let xml = xml(&sample::sheet(Gross, "JPY", &[sample::line(1, "2", "540", "8")])).unwrap();
        holds(&xml, "ChargeAmount", &["500"]);
        holds(&xml, "LineTotalAmount", &["1000", "1000"]);
        holds(&xml, "TaxTotalAmount", &["80"]);
        assert!(xml.contains("<ram:TaxTotalAmount currencyID=\"JPY\">80<"));
        holds(&xml, "DuePayableAmount", &["1080"]);
    }

    #[test]
    fn a_discount_is_a_negative_number_of_a_positive_price() {
        for (prices, net) in [(Gross, ["100.00", "-10.00", "90.00"]), (Net, ["119.00", "-11.90", "107.10"])] {
            let lines = [sample::line(1, "1", "119", "19"), sample::line(2, "1", "-11.90", "19")];
            let xml = xml(&sample::sheet(prices, "EUR", &lines)).unwrap();
            holds(&xml, "BilledQuantity", &["1", "-1"]);
            holds(&xml, "LineTotalAmount", &net);
            holds(&xml, "ChargeAmount", &[net[0], net[1].trim_start_matches('-')]);
        }
    }

    #[test]
    fn what_is_paid_is_not_asked_for_again() {
        let mut sheet = sample::sheet(Gross, "EUR", &[sample::line(1, "1", "119", "19")]);
        sheet.paid = Amount::from_minor(5_000, sheet.total.currency());
        let part = xml(&sheet).unwrap();
        holds(&part, "TotalPrepaidAmount", &["50.00"]);
        holds(&part, "DuePayableAmount", &["69.00"]);
        let terms = "Please pay 69.00\u{a0}EUR by 10 December 2026. Pay online: https://pay.nordlicht-kaffee.example/i/4f7c2a9be1";
        holds(&part, "Description", &[terms]);
        sheet.is_charged = true;
        let charged = xml(&sheet).unwrap();
        holds(&charged, "DuePayableAmount", &["69.00"]);
        assert!(
            !charged.contains("IBANID")
                && !charged.contains("https://pay")
                && charged.contains("nothing for you to do")
        );
        sheet.is_charged = false;
        sheet.paid = sheet.total;
        let paid = xml(&sheet).unwrap();
        holds(&paid, "TotalPrepaidAmount", &["119.00"]);
        holds(&paid, "DuePayableAmount", &["0.00"]);
        assert!(!paid.contains("IBANID") && !paid.contains("SpecifiedTradePaymentTerms"));
        // Nothing was to be paid, and nothing was.
        let free = xml(&sample::sheet(Gross, "EUR", &[sample::line(1, "1", "0", "19")])).unwrap();
        holds(&free, "DuePayableAmount", &["0.00"]);
        holds(&free, "TotalPrepaidAmount", &[]);
    }

    #[test]
    fn a_net_price_times_its_quantity_is_the_lines_net_again() {
        for quantity in ["0.0007", "0.3333", "1", "7", "9999", "123456.7891"] {
            for price in ["0.0001", "0.07", "9.99", "1234.5678"] {
                let sheet = sample::sheet(Gross, "EUR", &[sample::line(1, quantity, price, "19")]);
                let (quantity, price) = quantity_and_price(&sheet.lines[0], Gross).unwrap();
                let product = quantity.parse::<Decimal>().unwrap() * price.parse::<Decimal>().unwrap();
                let net = Decimal::new(sheet.lines[0].net.minor(), 2);
                assert!((product - net).abs() < Decimal::new(5, 3), "{quantity} × {price} is not {net}");
            }
        }
    }

    #[test]
    fn what_no_text_of_xml_can_hold_is_left_out() {
        let mut sheet = sample::sheet(Net, "EUR", &[OrderLine { item: None, ..sample::line(1, "1", "1", "19") }]);
        sheet.lines[0].line.description = "a\u{0}b\u{1b}\t<c> & \"d\"\n\u{ffff}".to_owned();
        sheet.parties.customer_name = "Müller & Söhne <GmbH>".to_owned();
        let written = xml(&sheet).unwrap();
        holds(
            &written,
            "Name",
            &["a b &lt;c&gt; &amp; &quot;d&quot;", "Nordlicht Kaffee GmbH", "Müller &amp; Söhne &lt;GmbH&gt;"],
        );
        sheet.lines[0].line.description = " \u{7} ".to_owned();
        holds(&xml(&sheet).unwrap(), "Name", &["-", "Nordlicht Kaffee GmbH", "Müller &amp; Söhne &lt;GmbH&gt;"]);
    }

    #[test]
    fn parties_have_a_country_or_the_one_that_is_missing_is_named() {
        let mut sheet = sample::sheet(Net, "EUR", &[sample::line(1, "1", "1", "19")]);
        sheet.parties.language = Language::De;
        sheet.parties.customer_address = Address::default();
        sheet.parties.customer_vat_id = Some("EL 123456789".to_owned());
        let written = xml(&sheet).unwrap();
        holds(&written, "CountryID", &["DE", "GR"]);
        assert!(written.contains("<ram:ID schemeID=\"VA\">EL123456789</ram:ID>"));
        sheet.parties.customer_vat_id = None;
        holds(&xml(&sheet).unwrap(), "CountryID", &["DE", "DE"]);
        sheet.parties.seller.address.country = None;
        holds(&xml(&sheet).unwrap(), "CountryID", &["DE", "DE"]);
        sheet.parties.seller.vat_id = None;
        assert_eq!(xml(&sheet), Err(RenderError::Missing { what: "the seller's country" }));
        sheet.parties.seller.address.country = Some("DE".to_owned());
        let by_tax_number = xml(&sheet).unwrap();
        assert!(by_tax_number.contains("<ram:ID>48/123/45678</ram:ID>"));
        assert!(by_tax_number.contains("<ram:ID schemeID=\"FC\">48/123/45678</ram:ID>"));
        sheet.parties.seller.tax_number = None;
        assert_eq!(xml(&sheet), Err(RenderError::Missing { what: "the seller's VAT ID or tax number" }));
    }
}
