//! Settlement reports written line by line: of Adyen's form, of Stripe's two, and of Paypal's.

use super::Shop;

pub const HEAD: &str = "Company Account,Merchant Account,Psp Reference,Merchant Reference,Payment Method,Creation Date,TimeZone,Type,\
Modification Reference,Gross Currency,Gross Debit (GC),Gross Credit (GC),Exchange Rate,Net Currency,Net Debit (NC),Net Credit (NC),\
Commission (NC),Markup (NC),Scheme Fees (NC),Interchange (NC),Payment Method Variant,Modification Merchant Reference,Batch Number";

/// A PSP that is known by its reports only.
pub const ADYEN: &str = "
[provider.adyen]
kind = \"reports\"
merchant_account = \"ShopEU\"
reports = \"reports\"
";

/// A shop of which `provider` captured 100.00 EUR for the order SO-1.
pub fn captured_shop(config: &str, (provider, transaction): (&str, &str)) -> Shop {
    let shop = Shop::with(config);
    std::fs::create_dir(shop.path.join("reports")).unwrap();
    shop.orders("SO-1,EUR,100.00,online,,none,C1,2026-11-01\n");
    shop.write(
        "payments.csv",
        &format!(
            "provider,transaction,order,method,currency,status,authorised,authorised_at,captured_at\n\
             {provider},{transaction},SO-1,card,EUR,captured,100.00,2026-11-02T08:00:00Z,2026-11-02T08:00:00Z\n"
        ),
    );
    shop.ok("import payments payments.csv");
    shop
}

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

/// The two of Stripe's reports a payout is proved by: what it consists of, and what went to the bank.
pub const STRIPE_LINES: &str = "automatic_payout_id,balance_transaction_id,created_utc,currency,gross,fee,net,reporting_category,source_id,\
customer_facing_amount,customer_facing_currency,charge_id,payment_intent_id,invoice_number,payment_method_type,\
payment_metadata[order_no]";
pub const STRIPE_PAYOUTS: &str =
    "payout_id,effective_at_utc,currency,gross,fee,net,reporting_category,payout_status,balance_transaction_id";

/// `SIDE HUNDREDTHS`, as Paypal has it; nothing where there is nothing.
fn paypal_sided(amount: i64, currency: &str) -> String {
    match amount {
        0 => ",,".to_owned(),
        debit if debit < 0 => format!("DR,{},{currency}", -debit),
        credit => format!("CR,{credit},{currency}"),
    }
}

/// A row of a Paypal day: `ID INVOICE REFERENCE EVENT CURRENCY GROSS FEE`, in signed hundredths, `-` for nothing.
#[derive(Debug)]
struct PaypalRow {
    text: String,
    currency: String,
    gross: i64,
    fee: i64,
}

fn paypal_row(date: &str, text: &str) -> PaypalRow {
    let [id, invoice, reference, event, currency, gross, fee] =
        text.split_whitespace().collect::<Vec<_>>().try_into().unwrap();
    let nothing = |text: &str| if text == "-" { String::new() } else { text.to_owned() };
    let kind = if reference == "-" { "" } else { "TXN" };
    let (gross, fee): (i64, i64) = (gross.parse().unwrap(), fee.parse().unwrap());
    let amounts = format!("{},{}", paypal_sided(gross, currency), paypal_sided(fee, currency));
    let text = format!(
        "\"SB\",{id},{},{},{kind},{event},{date} 10:00:30 +0100,{date} 10:06:00 +0100,{amounts},,P1,,,,,,\n",
        nothing(invoice),
        nothing(reference),
    );
    PaypalRow { text, currency: currency.to_owned(), gross, fee }
}

fn paypal_foot(rows: &[PaypalRow], balance: &str) -> String {
    let mut cells = balance.split_whitespace();
    let currency = cells.next().unwrap();
    let own = || rows.iter().filter(|row| row.currency == currency);
    let gains = |amounts: Vec<i64>| -> i64 { amounts.into_iter().filter(|amount| *amount > 0).sum() };
    let totals = [
        gains(own().map(|row| row.gross).collect()),
        gains(own().map(|row| -row.gross).collect()),
        gains(own().map(|row| row.fee).collect()),
        gains(own().map(|row| -row.fee).collect()),
    ];
    let totals = totals.map(|total| total.to_string()).join(",");
    let sided = cells.map(|cell| cell.strip_prefix('-').map_or(format!(",CR,{cell}"), |owed| format!(",DR,{owed}")));
    let balances: String = sided.collect();
    format!("{currency},{totals}{balances}")
}

/// A day at Paypal of the account `EZ78`, such as `2026/11/10`. Each balance is `CURRENCY OPENING CLOSING` in hundredths; a footer
/// without one has the currency alone.
pub fn paypal_day(date: &str, rows: &[&str], balances: &[&str]) -> String {
    let rows: Vec<PaypalRow> = rows.iter().map(|row| paypal_row(date, row)).collect();
    let feet = |word: &str| {
        let feet: Vec<String> =
            balances.iter().map(|balance| format!("\"{word}\",{}\n", paypal_foot(&rows, balance))).collect();
        feet.concat()
    };
    let (section, whole) = (feet("SF"), feet("RF"));
    let lines: String = rows.iter().map(|row| row.text.as_str()).collect();
    let count = rows.len();
    format!(
        "\u{feff}\"RH\",{date} 05:00:00 +0100,A,EZ78,009,\n\"FH\",01\n\
         \"SH\",\"{date} 00:00:00 +0100\",\"{date} 23:59:59 +0100\",EZ78,\n\
         \"CH\",Transaction ID,Invoice ID,PayPal Reference ID,PayPal Reference ID Type,Transaction Event Code,\
         Transaction Initiation Date,Transaction Completion Date,Transaction Debit or Credit,Gross Transaction Amount,\
         Gross Transaction Currency,Fee Debit or Credit,Fee Amount,Fee Currency,Custom Field,Consumer ID,Payment Tracking ID,\
         Store ID,Bank Reference ID,Credit Transactional Fee,Credit Promotional Fee,Credit Term\n\
         {lines}{section}\"SC\",{count}\n{whole}\"RC\",{count}\n\"FF\",1\n"
    )
}
