//! Invoices as their readers take them: pages with text that can be copied, and an e-invoice that keeps the rules of EN 16931.

#![expect(clippy::unwrap_used, clippy::panic, reason = "in a test a panic is the report")]
#![expect(clippy::print_stderr, reason = "what could not be checked must be seen")]

use std::path::{Path, PathBuf};
use std::process::Command;

use payjournal::domain::customer::{Address, Language};
use payjournal::domain::id::DocumentNumber;
use payjournal::domain::invoice::pricing::{OrderLine, Prices, Pricing, Rounding, total};
use payjournal::domain::invoice::sheet::{Corrected, InvoiceSheet, Parties, Seller};
use payjournal::domain::money::{Amount, Currency};
use payjournal::invoice::{RenderError, pdf, xml};
use tempfile::TempDir;

const CHECKER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/einvoice.py");

fn address(street: &str, postcode: &str, city: &str, country: &str) -> Address {
    let [street, postcode, city, country] = [street, postcode, city, country].map(|text| Some(text.to_owned()));
    Address { street, postcode, city, country }
}

fn parties() -> Parties {
    let some = |text: &str| Some(text.to_owned());
    Parties {
        seller: Seller {
            name: "Nordlicht Kaffee GmbH".to_owned(),
            address: address("Hafenstraße 12", "20457", "Hamburg", "DE"),
            email: some("rechnung@nordlicht.example"),
            vat_id: some("DE123456789"),
            tax_number: some("48/123/45678"),
            iban: some("DE02 1203 0000 0000 2020 51"),
            bic: some("BYLADEM1001"),
            note: some("Amtsgericht Hamburg, HRB 123456"),
        },
        customer_number: "C-10017".to_owned(),
        customer_name: "Jörg Müller".to_owned(),
        customer_address: address("Königsallee 7", "40212", "Düsseldorf", "DE"),
        customer_vat_id: None,
        customer_email: some("joerg@example.org"),
        language: Language::En,
    }
}

fn line(number: u32, quantity: &str, unit_price: &str, tax_rate: &str) -> OrderLine {
    OrderLine {
        line: number,
        item: Some(format!("ART-{number:04}")),
        description: format!("Espresso beans, lot {number}"),
        quantity: quantity.parse().unwrap(),
        unit_price: unit_price.parse().unwrap(),
        tax_rate: tax_rate.parse().unwrap(),
    }
}

fn sheet(prices: Prices, code: &str, lines: &[OrderLine]) -> InvoiceSheet {
    let currency = Currency::parse(code).unwrap();
    let tax_rates = lines.iter().map(|line| line.tax_rate).collect();
    let lines = Pricing { prices, rounding: Rounding::HalfUp, tax_rates }.price(lines, currency).unwrap();
    InvoiceSheet {
        number: DocumentNumber::parse("RE-2026-00042").unwrap(),
        corrects: None,
        dated: "2026-11-26".parse().unwrap(),
        due_on: Some("2026-12-10".parse().unwrap()),
        order: "SO-1001".to_owned(),
        ordered_on: "2026-11-20".parse().unwrap(),
        parties: parties(),
        prices,
        total: total(&lines, currency).unwrap(),
        lines,
        paid: Amount::zero(currency),
        is_charged: false,
        payment_url: Some("https://pay.nordlicht.example/i/4f7c2a9be1".to_owned()),
    }
}

/// An invoice with what must be seen of it: how many pages, and which texts.
struct Case {
    name: &'static str,
    sheet: InvoiceSheet,
    pages: std::ops::RangeInclusive<usize>,
    texts: Vec<String>,
}

fn case(name: &'static str, pages: std::ops::RangeInclusive<usize>, sheet: InvoiceSheet, texts: &[&str]) -> Case {
    Case { name, sheet, pages, texts: texts.iter().map(|text| (*text).to_owned()).collect() }
}

fn named(customer: &str, language: Language) -> InvoiceSheet {
    let mut sheet = sheet(Prices::Net, "EUR", &[line(1, "1.5", "1234.56", "19")]);
    customer.clone_into(&mut sheet.parties.customer_name);
    sheet.parties.language = language;
    sheet
}

/// As long as a shop may write, each word its own number.
fn wordy() -> InvoiceSheet {
    let words: Vec<String> = (0..900).map(|number| format!("word{number}")).collect();
    let described = OrderLine { description: words.join(" "), ..line(1, "1", "119", "19") };
    sheet(Prices::Gross, "EUR", &[described, line(2, "3", "9.99", "7")])
}

fn cases() -> Vec<Case> {
    use Prices::{Gross, Net};
    let two_rates = [line(1, "3", "9.99", "7"), line(2, "1", "119", "19"), line(3, "1", "-11.90", "19")];
    let two_rates = sheet(Gross, "EUR", &two_rates);
    let many: Vec<OrderLine> = (1..=120).map(|number| line(number, "2", "9.90", "7")).collect();
    let part = InvoiceSheet { paid: Amount::from_minor(5_000, two_rates.total.currency()), ..two_rates.clone() };
    let paid = InvoiceSheet { paid: two_rates.total, ..two_rates.clone() };
    let charged = InvoiceSheet { is_charged: true, ..part.clone() };
    let taken_back = |is_cancelled| Corrected {
        is_cancelled,
        number: DocumentNumber::parse("RE-2026-00017").unwrap(),
        dated: "2026-11-03".parse().unwrap(),
        reason: "wrong address".to_owned(),
    };
    let mut cancellation = InvoiceSheet { corrects: Some(taken_back(true)), due_on: None, ..two_rates.clone() };
    cancellation.payment_url = None;
    let mut credit_note = InvoiceSheet { corrects: Some(taken_back(false)), ..cancellation.clone() };
    credit_note.parties.language = Language::De;
    let mut abroad = named("Юлія Шевченко", Language::De);
    abroad.parties.customer_vat_id = Some("ATU12345678".to_owned());
    abroad.parties.customer_address.country = Some("AT".to_owned());
    let mut bare = sheet(Net, "EUR", &[OrderLine { item: None, ..line(1, "1", "10", "0") }]);
    (bare.payment_url, bare.due_on, bare.parties.customer_email) = (None, None, None);
    bare.parties.customer_address = Address::default();
    bare.parties.seller = Seller { name: "Bob".to_owned(), tax_number: Some("12/345".to_owned()), ..Seller::default() };
    bare.parties.seller.address.country = Some("DE".to_owned());
    let tokyo = named("東京 GmbH", Language::En);
    let texts = ["Invoice RE-2026-00042", "3 9.99 7% 29.97", "-11.90 19% -11.90", "137.07 EUR", "Page 1 of 1"];
    vec![
        case("one line", 1..=1, sheet(Net, "EUR", &[line(1, "1", "100", "19")]), &["119.00 EUR", "DE02 1203 0000"]),
        case("two rates", 1..=1, two_rates, &texts),
        case("part paid", 1..=1, part, &["Please pay 87.07 EUR by 10 December 2026.", "-50.00 EUR"]),
        case(
            "cancellation",
            1..=1,
            cancellation,
            &[
                "Cancellation of an invoice RE-2026-00042",
                "cancels our invoice RE-2026-00017 of 3 November 2026",
                "137.07 EUR",
            ],
        ),
        case(
            "credit note",
            1..=1,
            credit_note,
            &["Rechnungskorrektur RE-2026-00042", "einen Teil unserer Rechnung RE-2026-00017 vom 03.11.2026"],
        ),
        case("paid", 1..=1, paid, &["Paid in full. Thank you!", "0.00 EUR"]),
        case(
            "charged",
            1..=1,
            charged,
            &["nothing for you to do: 87.07 EUR is taken by the payment you made with your order"],
        ),
        case("120 lines", 4..=6, sheet(Gross, "EUR", &many), &["lot 1 ", "lot 120 ", "2,376.00 EUR", "Page 3 of"]),
        case("very long", 2..=4, wordy(), &["word0 word1", "word899", "lot 2 3 9.99 7% 29.97"]),
        case("Cyrillic, German", 1..=1, abroad, &["Юлія Шевченко", "ÖSTERREICH", "1.851,84", "26.11.2026", "19 %"]),
        case("Polish", 1..=1, named("Żółć Gęślą-Jaźń", Language::En), &["Żółć Gęślą-Jaźń", "1,851.84"]),
        case("Greek", 1..=1, named("Φίλιππος Αγγελόπουλος", Language::En), &["Φίλιππος Αγγελόπουλος"]),
        case("no font has it", 1..=1, tokyo, &["東京 GmbH"]),
        case("yen", 1..=1, sheet(Gross, "JPY", &[line(1, "2", "540", "8")]), &["1,080 JPY", "1,000 80 1,080"]),
        case("nothing", 1..=1, sheet(Gross, "EUR", &[line(1, "1", "0", "19")]), &["There is nothing to pay."]),
        case("bare", 1..=1, bare, &["Please pay 10.00 EUR on receipt of this invoice.", "Tax number 12/345"]),
    ]
}

/// The PDFs of all cases, as files.
fn rendered() -> (TempDir, Vec<(Case, PathBuf)>) {
    let folder = tempfile::tempdir().unwrap();
    let render = |(number, case): (usize, Case)| {
        let path = folder.path().join(format!("{number}.pdf"));
        std::fs::write(&path, pdf(&case.sheet).unwrap_or_else(|error| panic!("{}: {error}", case.name))).unwrap();
        (case, path)
    };
    let files = cases().into_iter().enumerate().map(render).collect();
    (folder, files)
}

/// What the program prints, if it is there; in CI it must be.
fn said(program: &str, args: &[&str]) -> Option<String> {
    match Command::new(program).args(args).output() {
        Ok(output) => {
            let text =
                format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            assert!(output.status.success(), "{program} {args:?}:\n{text}");
            Some(text)
        }
        Err(error) => {
            assert!(!is_ci(), "CI needs {program}: {error}");
            eprintln!("NOT CHECKED: {program} cannot be started: {error}");
            None
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the test environment says which checkers must be there")]
fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| value == "true")
}

/// The Python that has `factur-x` and `saxonche`.
#[expect(clippy::disallowed_methods, reason = "the test environment says where the checker of e-invoices is")]
fn python() -> Option<String> {
    let Ok(path) = std::env::var("PAYJOURNAL_EINVOICE_PYTHON") else {
        assert!(!is_ci(), "CI needs PAYJOURNAL_EINVOICE_PYTHON");
        eprintln!("NOT CHECKED: PAYJOURNAL_EINVOICE_PYTHON names no Python with `factur-x` and `saxonche`");
        return None;
    };
    assert!(Path::new(&path).exists(), "PAYJOURNAL_EINVOICE_PYTHON names `{path}`, which is not there");
    Some(path)
}

/// As the page tree counts them.
fn pages(pdf: &[u8]) -> usize {
    let text = String::from_utf8_lossy(pdf);
    let digits = text.split("/Count ").nth(1).unwrap();
    digits.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
}

#[test]
fn an_invoice_has_as_many_pages_as_it_takes() {
    for case in cases() {
        let pages = pages(&pdf(&case.sheet).unwrap());
        assert!(case.pages.contains(&pages), "{}: {pages} pages", case.name);
    }
}

#[test]
fn the_same_sheet_is_the_same_bytes() {
    for case in cases() {
        assert!(pdf(&case.sheet) == pdf(&case.sheet), "{}", case.name);
    }
}

#[test]
fn any_text_becomes_a_page() {
    let letters: Vec<char> = (0..0x2_0000).step_by(7).filter_map(char::from_u32).collect();
    for chunk in letters.chunks(1_500) {
        let mut sheet = named(&chunk.iter().take(300).collect::<String>(), Language::De);
        sheet.lines[0].line.description = chunk.iter().flat_map(|letter| [*letter, 'a']).collect();
        pdf(&sheet).unwrap_or_else(|error| panic!("{:?}: {error}", chunk.first()));
    }
}

#[test]
fn text_can_be_copied_from_the_page() {
    let (_folder, files) = rendered();
    for (case, path) in files {
        let Some(text) = said("pdftotext", &["-layout", path.to_str().unwrap(), "-"]) else { return };
        let words: Vec<&str> = text.split_whitespace().collect();
        let text = words.join(" ");
        for wanted in &case.texts {
            assert!(text.contains(wanted.as_str()), "{}: no `{wanted}` in\n{text}", case.name);
        }
    }
}

#[test]
fn qpdf_finds_nothing_wrong_with_the_file() {
    let (_folder, files) = rendered();
    for (case, path) in files {
        let Some(text) = said("qpdf", &["--check", path.to_str().unwrap()]) else { return };
        assert!(text.contains("No syntax or stream encoding errors found"), "{}:\n{text}", case.name);
    }
}

#[test]
fn fonts_are_embedded_as_subsets_with_their_letters() {
    let (_folder, files) = rendered();
    for (case, path) in files {
        let Some(fonts) = said("pdffonts", &[path.to_str().unwrap()]) else { return };
        let fonts: Vec<&str> = fonts.lines().skip(2).collect();
        assert_eq!(fonts.len(), 2, "{}: {fonts:?}", case.name);
        assert!(fonts.iter().all(|font| font.contains("NotoSans") && font.contains("yes yes yes")), "{fonts:?}");
    }
}

#[test]
fn the_link_is_on_the_page_as_long_as_it_is_wanted() {
    for case in cases() {
        let pdf = pdf(&case.sheet).unwrap();
        let linked = String::from_utf8_lossy(&pdf).contains("/URI(https://pay.nordlicht.example/i/4f7c2a9be1)");
        let wanted = case.sheet.payment_url.is_some() && case.sheet.to_pay().unwrap().is_positive();
        assert_eq!(linked, wanted, "{}", case.name);
    }
}

#[test]
fn the_e_invoice_keeps_the_schema_and_the_rules_of_en_16931() {
    let Some(python) = python() else { return };
    let (_folder, files) = rendered();
    let paths: Vec<&str> = files.iter().map(|(_, path)| path.to_str().unwrap()).collect();
    let args: Vec<&str> = std::iter::once(CHECKER).chain(paths).collect();
    let text = said(&python, &args).unwrap();
    assert!(text.contains(&format!("{} invoices, 0 mistakes", files.len())), "{text}");
}

#[test]
fn a_sheet_that_cannot_be_an_e_invoice_says_what_is_missing() {
    let mut sheet = sheet(Prices::Net, "EUR", &[line(1, "1", "1", "19")]);
    sheet.parties.seller.vat_id = None;
    sheet.parties.seller.tax_number = None;
    let missing = RenderError::Missing { what: "the seller's VAT ID or tax number" };
    assert_eq!(xml(&sheet), Err(missing.clone()));
    assert_eq!(pdf(&sheet), Err(missing));
}
