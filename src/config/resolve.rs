//! From what was typed to what holds: defaults, inheritance and the rules between settings.
//!
//! Every table is taken apart field by field, so a key that is read but not resolved does not compile.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use chrono_tz::Tz;
use serde::Serialize;

use super::file::{AccountsTable, ErpTable, File, ShopTable};
use super::problem::Position;
use super::provider::ProviderTable;
use super::settings::{CaptureStrategy, ErpKind, ErpSettings, MethodSettings, Mode, ProviderSettings, Settings};
use super::table::{Given, Place, Reading, Typed, dotted};
use super::toml_text::TomlText;
use super::{invoices, method, provider, seller, task};
use crate::domain::booking::Accounts;
use crate::domain::deletion::StockReleasedBy;
use crate::domain::id::{Company, CustomerNumber, IdError, ProviderName, ShopName};

/// One line of `check --show`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownSetting {
    /// Dotted.
    pub key: String,
    /// As TOML text; of a secret its source only.
    pub value: String,
    /// `default`, `file line 14`, or `task_defaults (line 12)` where it was inherited.
    pub source: String,
}

/// A value that holds, and where it was typed; `None` is the built-in default.
#[derive(Debug, Clone)]
pub(super) struct Resolved<T> {
    pub(super) value: T,
    pub(super) place: Option<Place>,
}

/// What resolving needs and gathers.
#[derive(Debug)]
pub(super) struct Resolver<'r, 's> {
    pub(super) reading: &'r Reading<'s>,
    shown: Vec<ShownSetting>,
}

impl<T> Resolved<T> {
    pub(super) fn builtin(value: T) -> Self {
        Self { value, place: None }
    }

    /// What was typed goes before what is inherited.
    pub(super) fn overlaid(&self, given: Given<T>) -> Self
    where
        T: Clone,
    {
        match given {
            Some(Typed { value, place }) => Self { value, place: Some(place) },
            None => self.clone(),
        }
    }
}

impl<'r, 's> Resolver<'r, 's> {
    pub(super) fn new(reading: &'r Reading<'s>) -> Self {
        Self { reading, shown: Vec::new() }
    }

    /// Takes a setting of its own table with its default, and notes it for display.
    pub(super) fn or<T: TomlText>(&mut self, table: &str, name: &str, given: Given<T>, default: T) -> T {
        let resolved = match given {
            Some(Typed { value, place }) => Resolved { value, place: Some(place) },
            None => Resolved::builtin(default),
        };
        self.note(table, name, resolved)
    }

    /// A setting that has no default.
    pub(super) fn without_default<T: TomlText>(&mut self, given: Given<T>) -> Option<T> {
        let Typed { value, place } = given?;
        let (table, name) = (place.table.clone(), place.name.clone());
        Some(self.note(&table, &name, Resolved { value, place: Some(place) }))
    }

    /// Notes a setting for display.
    pub(super) fn note<T: TomlText>(&mut self, table: &str, name: &str, resolved: Resolved<T>) -> T {
        let Resolved { value, place } = resolved;
        let source = Source { shown_in: table, place: place.as_ref() }.to_string();
        self.shown.push(ShownSetting { key: dotted(table, name), value: value.toml_text(), source });
        value
    }

    /// All settings in the order of the reference file.
    pub(super) fn into_shown(self) -> Vec<ShownSetting> {
        self.shown
    }
}

/// Where a setting came from, in words.
struct Source<'a> {
    shown_in: &'a str,
    place: Option<&'a Place>,
}

impl fmt::Display for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            None => f.write_str("default"),
            Some(place) if place.table == self.shown_in => write!(f, "file line {}", place.position.line),
            Some(place) => write!(f, "{} (line {})", place.table, place.position.line),
        }
    }
}

/// Settles every setting. The error can only come from a built-in identifier and so is a bug; what is wrong with the
/// file itself goes to the reading.
pub(super) fn resolve(
    file: File,
    config_path: PathBuf,
    reading: &Reading<'_>,
) -> Result<(Settings, Vec<ShownSetting>), IdError> {
    let File {
        mode,
        ledger,
        log_dir,
        time_zone,
        allow_network_filesystem,
        shop,
        mail,
        accounts,
        datev,
        erp,
        invoices,
        seller,
        invoice_texts,
        collect,
        cleanup,
        portal,
        providers,
        method_defaults,
        methods,
        task_defaults,
        tasks,
    } = file;
    let ledger_place = ledger.as_ref().map(|typed| typed.place.clone());
    let mut resolver = Resolver::new(reading);
    let all = &mut resolver;
    let mode = all.or("", "mode", mode, Mode::Test);
    let ledger = all.or("", "ledger", ledger, reading.folder.join("payjournal.db"));
    let log_dir = all.or("", "log_dir", log_dir, reading.folder.join("logs"));
    let time_zone = all.or("", "time_zone", time_zone, Tz::UTC);
    let allow_network_filesystem = all.or("", "allow_network_filesystem", allow_network_filesystem, false);
    let shop = resolve_shop(shop, all)?;
    let mail = mail.resolve(all);
    let (accounts, datev) = (resolve_accounts(accounts, all), datev.resolve(all));
    let erp = resolve_erp(erp, all)?;
    let (page_position, billing) = (invoices.page_position(), invoices.resolve(&accounts.receivables, all));
    let seller = seller.resolve(all);
    let invoice_texts = seller::resolve_texts(invoice_texts, all);
    seller::check_mailed(&seller, &billing, all);
    let (collect, cleanup) = (collect.resolve(all), cleanup.resolve(all));
    let portal = portal.resolve(all);
    let ledger_file = provider::LedgerFile { path: &ledger, place: ledger_place.as_ref() };
    let providers = resolve_providers(providers, mode, &ledger_file, all);
    invoices::check_page(&billing, page_position, &providers, all);
    let (default_method, methods) = method::resolve_all(method_defaults, methods, all);
    let settings = Settings {
        config_path,
        mode,
        ledger,
        allow_network_filesystem,
        log_dir,
        time_zone,
        shop,
        mail,
        accounts,
        datev,
        erp,
        invoices: billing,
        seller,
        invoice_texts,
        collect,
        cleanup,
        portal,
        providers,
        methods,
        // A page takes the money at once: there is nothing to capture.
        checkout_method: MethodSettings { strategy: CaptureStrategy::Automatic, ..default_method.clone() },
        default_method,
        tasks: task::resolve_all(task_defaults, tasks, all),
    };
    Ok((settings, resolver.into_shown()))
}

fn resolve_shop(table: ShopTable, all: &mut Resolver<'_, '_>) -> Result<ShopName, IdError> {
    let ShopTable { name } = table;
    Ok(all.or("shop", "name", name, ShopName::parse("webshop")?))
}

fn resolve_accounts(table: AccountsTable, all: &mut Resolver<'_, '_>) -> Accounts {
    let AccountsTable {
        clearing,
        receivables,
        prepayments,
        disputed,
        fees,
        input_tax,
        reserve,
        corrections,
        exchange,
        rounding,
        money_in_transit,
        revenue,
        output_tax,
    } = table;
    let mut named: Vec<(&'static str, Position, String)> = Vec::new();
    let mut account = |name, given: Given<String>, default: &str| {
        let position = given.as_ref().map_or(Position::START, |given| given.place.position);
        let template = all.or("accounts", name, given, default.to_owned());
        named.push((name, position, template.clone()));
        template
    };
    let accounts = Accounts {
        clearing: account("clearing", clearing, "Assets:PSP:{provider}:{merchant_account}:{currency}"),
        receivables: account("receivables", receivables, "Assets:Receivables:{customer}"),
        prepayments: account("prepayments", prepayments, "Liabilities:Prepayments:{customer}"),
        disputed: account("disputed", disputed, "Assets:Receivables:Disputed:{customer}"),
        fees: account("fees", fees, "Expenses:PSP:{provider}:Fees"),
        input_tax: account("input_tax", input_tax, "Assets:InputTax"),
        reserve: account("reserve", reserve, "Assets:PSP:{provider}:{merchant_account}:Reserve:{currency}"),
        corrections: account("corrections", corrections, "Expenses:PSP:{provider}:Corrections"),
        exchange: account("exchange", exchange, "Equity:Exchange:{currency}"),
        rounding: account("rounding", rounding, "Expenses:PSP:{provider}:Rounding"),
        money_in_transit: account("money_in_transit", money_in_transit, "Assets:MoneyInTransit:{currency}"),
        revenue: account("revenue", revenue, "Income:Sales:{tax_rate}"),
        output_tax: account("output_tax", output_tax, "Liabilities:OutputTax:{tax_rate}"),
    };
    for (name, position, template) in named.iter().skip(1).filter(|(_, _, template)| same(&accounts.clearing, template))
    {
        let key = format!("accounts.{name}");
        let why = format!(
            "`{key}`: `{template}` is the clearing account (`accounts.clearing`) too: a journal between the two would book nothing"
        );
        all.reading.problem(*position, &key, why);
    }
    accounts
}

/// Whether two templates make the same account for some currency.
fn same(one: &str, other: &str) -> bool {
    let is_code = |part: &str| part.len() == 3 && part.bytes().all(|byte| byte.is_ascii_uppercase());
    let meets = |one: &str, other: &str| one == other || one == "{currency}" && is_code(other);
    let (one, other): (Vec<&str>, Vec<&str>) = (one.split(':').collect(), other.split(':').collect());
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| meets(one, other) || meets(other, one))
}

fn resolve_erp(table: ErpTable, all: &mut Resolver<'_, '_>) -> Result<ErpSettings, IdError> {
    let ErpTable { kind, company, default_customer, stock_released_by, post_payout_journals, fault } = table;
    let position = post_payout_journals.as_ref().map_or(Position::START, |typed| typed.place.position);
    let kind = all.or("erp", "kind", kind, ErpKind::Local);
    let company = all.or("erp", "company", company, Company::parse("main")?);
    let default_customer = all.or("erp", "default_customer", default_customer, CustomerNumber::parse("CASH")?);
    let stock_released_by = all.or("erp", "stock_released_by", stock_released_by, StockReleasedBy::Payjournal);
    let post_payout_journals = all.or("erp", "post_payout_journals", post_payout_journals, false);
    if post_payout_journals && !kind.takes_payout_journals() {
        let key = "erp.post_payout_journals";
        all.reading.problem(
            position,
            key,
            format!("`{key}` is true, and this kind of ERP takes no journals of payouts"),
        );
    }
    Ok(ErpSettings {
        kind,
        company,
        default_customer,
        stock_released_by,
        post_payout_journals,
        fault: all.without_default(fault),
    })
}

fn resolve_providers(
    tables: Vec<ProviderTable>,
    mode: Mode,
    ledger: &provider::LedgerFile<'_>,
    all: &mut Resolver<'_, '_>,
) -> BTreeMap<ProviderName, ProviderSettings> {
    if tables.is_empty() && !all.reading.is_wrong("provider") {
        all.reading.problem(
            Position::START,
            "provider",
            "no payment provider is configured; add a table such as `[provider.psp]` with its `merchant_account`",
        );
    }
    let mut accounts = provider::SandboxAccounts::default();
    let mut folders = provider::ReportFolders::default();
    tables
        .into_iter()
        .filter_map(|table| table.resolve(mode, ledger, &mut accounts, &mut folders, all))
        .map(|provider| (provider.name.clone(), provider))
        .collect()
}
