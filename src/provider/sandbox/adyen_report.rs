//! The sandbox's payouts as files of Adyen's settlement details report, so that the way through a folder can be tried too.

use std::io::{self, Write};

use super::payouts::{SandboxLineKind, SandboxPayout};
use crate::domain::id::MerchantAccount;
use crate::domain::money::Amount;

const HEAD: [&str; 23] = [
    "Company Account",
    "Merchant Account",
    "Psp Reference",
    "Merchant Reference",
    "Payment Method",
    "Creation Date",
    "TimeZone",
    "Type",
    "Modification Reference",
    "Gross Currency",
    "Gross Debit (GC)",
    "Gross Credit (GC)",
    "Exchange Rate",
    "Net Currency",
    "Net Debit (NC)",
    "Net Credit (NC)",
    "Commission (NC)",
    "Markup (NC)",
    "Scheme Fees (NC)",
    "Interchange (NC)",
    "Payment Method Variant",
    "Modification Merchant Reference",
    "Batch Number",
];

impl SandboxPayout {
    pub fn write_adyen_report(&self, account: &MerchantAccount, out: &mut dyn Write) -> io::Result<()> {
        let mut writer = csv::Writer::from_writer(out);
        writer.write_record(HEAD)?;
        let batch = self.batch.to_string();
        let currency = self.paid.currency().code();
        for line in &self.lines {
            let ([gross_debit, gross_credit], [net_debit, net_credit]) = (sided(line.gross), sided(line.net()));
            writer.write_record([
                "Sandbox",
                account.as_str(),
                line.transaction.as_str(),
                &line.order_reference,
                &line.method,
                &line.happened_at.format("%Y-%m-%d %H:%M:%S").to_string(),
                "UTC",
                type_of(line.kind),
                line.id.as_str(),
                currency,
                &gross_debit,
                &gross_credit,
                "1",
                currency,
                &net_debit,
                &net_credit,
                &line.fee.decimal(),
                "0",
                "0",
                "0",
                &line.method,
                "",
                &batch,
            ])?;
        }
        let [debit, credit] = sided(self.paid.negated());
        let paid_at = self.paid_at.format("%Y-%m-%d %H:%M:%S").to_string();
        let name = self.name();
        let mut payout = [""; HEAD.len()];
        let filled = [
            ("Company Account", "Sandbox"),
            ("Merchant Account", account.as_str()),
            ("Creation Date", paid_at.as_str()),
            ("TimeZone", "UTC"),
            ("Type", "MerchantPayout"),
            ("Modification Reference", name.as_str()),
            ("Net Currency", currency),
            ("Net Debit (NC)", debit.as_str()),
            ("Net Credit (NC)", credit.as_str()),
            ("Batch Number", batch.as_str()),
        ];
        for (cell, name) in payout.iter_mut().zip(HEAD) {
            *cell = filled.iter().find(|(filled, _)| *filled == name).map_or("", |(_, value)| value);
        }
        writer.write_record(payout)?;
        writer.flush()
    }
}

/// Debit and credit: one of them is empty.
fn sided(amount: Amount) -> [String; 2] {
    if amount.is_negative() { [amount.negated().decimal(), String::new()] } else { [String::new(), amount.decimal()] }
}

fn type_of(kind: SandboxLineKind) -> &'static str {
    match kind {
        SandboxLineKind::Sale => "Settled",
        SandboxLineKind::Refund => "Refunded",
        SandboxLineKind::Chargeback => "Chargeback",
        SandboxLineKind::ChargebackReversed => "ChargebackReversed",
    }
}
