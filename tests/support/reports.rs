//! Settlement reports of Adyen's form, written line by line.

use super::Shop;

pub const HEAD: &str = "Company Account,Merchant Account,Psp Reference,Merchant Reference,Payment Method,Creation Date,TimeZone,Type,\
Modification Reference,Gross Currency,Gross Debit (GC),Gross Credit (GC),Exchange Rate,Net Currency,Net Debit (NC),Net Credit (NC),\
Commission (NC),Markup (NC),Scheme Fees (NC),Interchange (NC),Payment Method Variant,Modification Merchant Reference,Batch Number";

/// `PSP REFERENCE TYPE MODIFICATION GROSS NET COMMISSION BATCH`, amounts signed, `-` for nothing.
pub fn line(text: &str) -> String {
    let [psp, reference, kind, modification, gross, net, commission, batch] =
        text.split_whitespace().collect::<Vec<_>>().try_into().unwrap();
    let nothing = |text: &str| if text == "-" { String::new() } else { text.to_owned() };
    let sided = |amount: &str| match amount.strip_prefix('-') {
        Some("") => (String::new(), String::new()),
        Some(debit) => (debit.to_owned(), String::new()),
        None => (String::new(), amount.to_owned()),
    };
    let ((gross_debit, gross_credit), (net_debit, net_credit)) = (sided(gross), sided(net));
    let gross_currency = if gross == "-" { "" } else { "EUR" };
    format!(
        "Shop,ShopEU,{},{},visa,2026-11-10 12:00:00,CET,{kind},{},{gross_currency},{gross_debit},{gross_credit},1,EUR,{net_debit},\
         {net_credit},{},0,0,0,visa,,{batch}",
        nothing(psp),
        nothing(reference),
        nothing(modification),
        nothing(commission),
    )
}

pub fn report(lines: &[&str]) -> String {
    let mut text = format!("{HEAD}\n");
    for entry in lines {
        text.push_str(&line(entry));
        text.push('\n');
    }
    text
}

pub fn drop_report(shop: &Shop, name: &str, text: &str) {
    std::fs::write(shop.path.join("reports").join(name), text).unwrap();
}
