//! A ledger in memory, and the command as the command line calls it.

use std::fs;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use payjournal::command::import::{self, ImportArgs, ImportDefaults, ImportKind};
use payjournal::command::output::Replaced;
use payjournal::domain::booking::{Accounts, Books};
use payjournal::domain::document::Document;
use payjournal::domain::id::{Company, CustomerNumber, MerchantAccount, ProviderName, ShopName};
use payjournal::domain::order::Order;
use payjournal::domain::payment::Payment;
use payjournal::exit::Exit;
use payjournal::failure::Failure;
use payjournal::ledger::Ledger;
use tempfile::TempDir;

pub(super) struct Desk {
    pub(super) ledger: Ledger,
    pub(super) folder: TempDir,
    pub(super) defaults: ImportDefaults,
}

#[derive(Debug)]
pub(super) struct Told {
    pub(super) exit: Exit,
    pub(super) out: String,
    pub(super) err: String,
}

/// A file to write to.
pub(super) fn replaced(path: &Path) -> Replaced {
    Replaced::named(path, Path::new("payjournal.toml")).unwrap()
}

pub(super) fn now() -> DateTime<Utc> {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

impl Desk {
    pub(super) fn new() -> Self {
        Self::with_clearing("Clearing:{provider}:{currency}")
    }

    /// With another template for the clearing account.
    pub(super) fn with_clearing(clearing: &str) -> Self {
        let default_customer = CustomerNumber::parse("WEB").unwrap();
        let accounts = Accounts {
            clearing: clearing.to_owned(),
            receivables: "Receivables".to_owned(),
            prepayments: "Prepayments".to_owned(),
            disputed: "Disputed".to_owned(),
            fees: "Fees".to_owned(),
            input_tax: "InputTax".to_owned(),
            reserve: "Reserve".to_owned(),
            corrections: "Corrections".to_owned(),
            exchange: "Exchange".to_owned(),
            rounding: "Rounding".to_owned(),
            money_in_transit: "MoneyInTransit".to_owned(),
            revenue: "Sales".to_owned(),
            output_tax: "OutputTax".to_owned(),
        };
        let books = Books {
            mode: "test",
            shop: ShopName::parse("shop.example").unwrap(),
            time_zone: chrono_tz::Europe::Berlin,
            accounts,
            company: Company::parse("MAIN").unwrap(),
            default_customer: default_customer.clone(),
        };
        let defaults = ImportDefaults {
            shop: ShopName::parse("shop.example").unwrap(),
            company: Company::parse("MAIN").unwrap(),
            default_customer,
            providers: [(ProviderName::parse("psp").unwrap(), MerchantAccount::parse("ShopDE").unwrap())].into(),
        };
        Self { ledger: Ledger::in_memory("", books, now()).unwrap(), folder: TempDir::new().unwrap(), defaults }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn args(&self, what: ImportKind, name: &str) -> ImportArgs {
        ImportArgs { what, file: self.path(name), rejects: None, format: None, json: false, print_summary: true }
    }

    pub(super) fn run(&mut self, args: &ImportArgs) -> Result<Told, Failure> {
        self.run_with_input(args, b"")
    }

    pub(super) fn run_with_input(&mut self, args: &ImportArgs, mut input: &[u8]) -> Result<Told, Failure> {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let exit = import::run(args, &self.defaults, &mut self.ledger, now(), &mut input, &mut out, &mut err)?;
        // Paths differ from run to run; what is told of them does not.
        let text = |bytes| String::from_utf8(bytes).unwrap().replace(&format!("{}/", self.folder.path().display()), "");
        Ok(Told { exit, out: text(out), err: text(err) })
    }

    /// Imports `content` as the file `name`.
    pub(super) fn import_file(&mut self, what: ImportKind, name: &str, content: impl AsRef<[u8]>) -> Told {
        fs::write(self.path(name), content).unwrap();
        let args = self.args(what, name);
        self.run(&args).unwrap()
    }

    pub(super) fn orders(&mut self, content: impl AsRef<[u8]>) -> Told {
        self.import_file(ImportKind::Orders, "orders.csv", content)
    }

    pub(super) fn payments(&mut self, content: impl AsRef<[u8]>) -> Told {
        self.import_file(ImportKind::Payments, "payments.csv", content)
    }

    pub(super) fn documents(&mut self, content: impl AsRef<[u8]>) -> Told {
        self.import_file(ImportKind::Documents, "documents.csv", content)
    }

    /// Imports the rejected rows to a file of their own.
    pub(super) fn with_rejects(
        &mut self,
        what: ImportKind,
        name: &str,
        content: impl AsRef<[u8]>,
        rejects: &str,
    ) -> Told {
        fs::write(self.path(name), content).unwrap();
        let args = ImportArgs { rejects: Some(replaced(&self.path(rejects))), ..self.args(what, name) };
        self.run(&args).unwrap()
    }

    pub(super) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub(super) fn has_order(&self, number: &str) -> bool {
        !self.ledger.orders_numbered(number).unwrap().is_empty()
    }

    #[track_caller]
    pub(super) fn order(&self, number: &str) -> Order {
        let ids = self.ledger.orders_numbered(number).unwrap();
        assert_eq!(ids.len(), 1, "orders {number}");
        self.ledger.order(ids[0]).unwrap()
    }

    #[track_caller]
    pub(super) fn payment(&self, transaction: &str) -> Payment {
        let mut payments = self.ledger.payments_with_transaction(transaction).unwrap();
        assert_eq!(payments.len(), 1, "payments {transaction}");
        payments.remove(0)
    }

    #[track_caller]
    pub(super) fn document(&self, number: &str) -> Document {
        let mut documents = self.ledger.documents_numbered(number).unwrap();
        assert_eq!(documents.len(), 1, "documents {number}");
        documents.remove(0)
    }
}

impl Told {
    #[track_caller]
    pub(super) fn done(&self, summary: &str) {
        assert_eq!((self.exit, self.err.as_str(), self.out.trim_end()), (Exit::Done, "", summary));
    }

    /// Refused as a whole, for exactly these reasons.
    #[track_caller]
    pub(super) fn refused(&self, problems: &[&str]) {
        let told: Vec<&str> = self.err.lines().take_while(|line| !line.starts_with("nothing was imported")).collect();
        assert_eq!(told, problems);
        assert_eq!((self.exit, self.out.as_str()), (Exit::NeedsPerson, ""));
    }
}
