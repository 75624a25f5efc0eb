//! The file as typed: which tables and keys there are. Nothing is defaulted here; `resolve` does that.

use std::path::PathBuf;

use chrono_tz::Tz;

use super::cleanup::CleanupTable;
use super::collect::CollectTable;
use super::datev::DatevTable;
use super::invoices::InvoicesTable;
use super::mail::MailTable;
use super::method::MethodTable;
use super::portal::PortalTable;
use super::provider::ProviderTable;
use super::seller::{SellerTable, TextTable};
use super::settings::{ErpFault, ErpKind, Mode};
use super::table::{Given, Table};
use super::task::TaskTable;
use super::value::{account, choice, flag, id, path, time_zone};
use crate::domain::deletion::StockReleasedBy;
use crate::domain::id::{Company, CustomerNumber, ShopName};

#[derive(Debug)]
pub(super) struct File {
    pub(super) mode: Given<Mode>,
    pub(super) ledger: Given<PathBuf>,
    pub(super) log_dir: Given<PathBuf>,
    pub(super) time_zone: Given<Tz>,
    pub(super) allow_network_filesystem: Given<bool>,
    pub(super) shop: ShopTable,
    pub(super) mail: MailTable,
    pub(super) accounts: AccountsTable,
    pub(super) datev: DatevTable,
    pub(super) erp: ErpTable,
    pub(super) invoices: InvoicesTable,
    pub(super) seller: SellerTable,
    pub(super) invoice_texts: Vec<TextTable>,
    pub(super) collect: CollectTable,
    pub(super) cleanup: CleanupTable,
    pub(super) portal: PortalTable,
    pub(super) providers: Vec<ProviderTable>,
    pub(super) method_defaults: MethodTable,
    pub(super) methods: Vec<MethodTable>,
    pub(super) task_defaults: TaskTable,
    pub(super) tasks: Vec<TaskTable>,
}

#[derive(Debug)]
pub(super) struct ShopTable {
    pub(super) name: Given<ShopName>,
}

#[derive(Debug)]
pub(super) struct AccountsTable {
    pub(super) clearing: Given<String>,
    pub(super) receivables: Given<String>,
    pub(super) prepayments: Given<String>,
    pub(super) disputed: Given<String>,
    pub(super) fees: Given<String>,
    pub(super) input_tax: Given<String>,
    pub(super) reserve: Given<String>,
    pub(super) corrections: Given<String>,
    pub(super) exchange: Given<String>,
    pub(super) rounding: Given<String>,
    pub(super) money_in_transit: Given<String>,
    pub(super) revenue: Given<String>,
    pub(super) output_tax: Given<String>,
}

/// What a journal can put into the name of an account.
const PLACEHOLDERS: [&str; 4] = ["customer", "provider", "merchant_account", "currency"];

/// What a PSP owes and what it keeps is settled per merchant account, never per customer.
const OF_ACCOUNT: [&str; 3] = ["provider", "merchant_account", "currency"];

/// What an invoice of ours is booked to.
const OF_INVOICE: [&str; 3] = ["customer", "currency", "tax_rate"];

#[derive(Debug)]
pub(super) struct ErpTable {
    pub(super) kind: Given<ErpKind>,
    pub(super) company: Given<Company>,
    pub(super) default_customer: Given<CustomerNumber>,
    pub(super) stock_released_by: Given<StockReleasedBy>,
    pub(super) post_payout_journals: Given<bool>,
    pub(super) fault: Given<ErpFault>,
}

impl File {
    pub(super) fn read(table: &mut Table<'_, '_>) -> Self {
        let folder = table.reading().folder.as_path();
        Self {
            mode: table.take("mode", choice),
            ledger: table.take("ledger", path(folder)),
            log_dir: table.take("log_dir", path(folder)),
            time_zone: table.take("time_zone", time_zone),
            allow_network_filesystem: table.take("allow_network_filesystem", flag),
            shop: table.table("shop", ShopTable::read),
            mail: table.table("mail", MailTable::read),
            accounts: table.table("accounts", AccountsTable::read),
            datev: table.table("datev", DatevTable::read),
            erp: table.table("erp", ErpTable::read),
            invoices: table.table("invoices", InvoicesTable::read),
            seller: table.table("seller", SellerTable::read),
            invoice_texts: table.named_tables("invoice_text", TextTable::read),
            collect: table.table("collect", CollectTable::read),
            cleanup: table.table("cleanup", CleanupTable::read),
            portal: table.table("portal", PortalTable::read),
            providers: table.named_tables("provider", ProviderTable::read),
            method_defaults: table.table("method_defaults", MethodTable::defaults),
            methods: table.named_tables("method", MethodTable::read),
            task_defaults: table.table("task_defaults", TaskTable::defaults),
            tasks: table.named_tables("task", TaskTable::read),
        }
    }
}

impl ShopTable {
    fn read(table: &mut Table<'_, '_>) -> Self {
        Self { name: table.take("name", id(ShopName::parse)) }
    }
}

impl AccountsTable {
    fn read(table: &mut Table<'_, '_>) -> Self {
        Self {
            clearing: table.take("clearing", account(&OF_ACCOUNT)),
            receivables: table.take("receivables", account(&PLACEHOLDERS)),
            prepayments: table.take("prepayments", account(&PLACEHOLDERS)),
            disputed: table.take("disputed", account(&PLACEHOLDERS)),
            fees: table.take("fees", account(&OF_ACCOUNT)),
            input_tax: table.take("input_tax", account(&OF_ACCOUNT)),
            reserve: table.take("reserve", account(&OF_ACCOUNT)),
            corrections: table.take("corrections", account(&OF_ACCOUNT)),
            exchange: table.take("exchange", account(&OF_ACCOUNT)),
            rounding: table.take("rounding", account(&OF_ACCOUNT)),
            money_in_transit: table.take("money_in_transit", account(&OF_ACCOUNT)),
            revenue: table.take("revenue", account(&OF_INVOICE)),
            output_tax: table.take("output_tax", account(&OF_INVOICE)),
        }
    }
}

impl ErpTable {
    fn read(table: &mut Table<'_, '_>) -> Self {
        Self {
            kind: table.take("kind", choice),
            company: table.take("company", id(Company::parse)),
            default_customer: table.take("default_customer", id(CustomerNumber::parse)),
            stock_released_by: table.take("stock_released_by", choice),
            post_payout_journals: table.take("post_payout_journals", flag),
            fault: table.take("fault", choice),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use toml::de::DeTable;

    use super::*;
    use crate::config::table::Reading;

    const REFERENCE: &str = include_str!("../../config.example.toml");

    #[test]
    fn every_key_the_code_knows_is_in_the_reference_file() {
        let method_and_task = "[provider.x]\n[method.x]\n[task.x]\n[invoice_text.x]\n";
        let reading = Reading::new(method_and_task, Path::new("/"));
        reading.document(DeTable::parse(method_and_task).unwrap().get_ref(), File::read);
        for (table, names) in reading.known() {
            // What a method or task takes is explained once, with the defaults; faults stand in an inline table.
            let (header, inline) = match table.as_str() {
                "" => (String::new(), false),
                "provider.NAME" => ("\n[provider.sandbox]\n".to_owned(), false),
                "provider.NAME.report_columns" => ("\n#[provider.sandbox.report_columns]\n".to_owned(), false),
                "provider.NAME.faults" => ("\n#faults = {".to_owned(), true),
                "method.NAME" => ("\n[method_defaults]\n".to_owned(), false),
                "task.NAME" => ("\n[task_defaults]\n".to_owned(), false),
                "invoice_text.NAME" => ("\n#[invoice_text.en]\n".to_owned(), false),
                "mail.smtp" | "datev" | "portal" => (format!("\n#[{table}]\n"), false),
                table => (format!("\n[{table}]\n"), false),
            };
            let (_, section) = REFERENCE.split_once(&header).unwrap();
            let section = section.split("\n[").next().unwrap().split("\n#[").next().unwrap();
            for name in names {
                let written = if inline { format!(" {name} = ") } else { format!("\n{name} = ") };
                let switched_off = format!("\n#{name} = ");
                let inner = format!("[{}.{name}]", table.replace("NAME", "sandbox"));
                let is_table = if table.is_empty() { format!("[{name}") } else { inner };
                let is_table = REFERENCE.contains(&is_table);
                assert!(
                    section.contains(&written) || section.contains(&switched_off) || is_table,
                    "`{name}` of `{table}` is not in config.example.toml"
                );
            }
        }
    }
}
