//! `[datev]`: the numbers that DATEV knows the books by.

use super::resolve::Resolver;
use super::table::{Given, Place, Table};
use super::toml_text::{TomlText, quoted};
use super::value::{entries, number, text};
use crate::domain::money::Currency;
use crate::exchange::export::{DatevAccount, DatevBooks};

#[derive(Debug)]
pub(super) struct DatevTable {
    place: Place,
    is_there: bool,
    consultant: Given<u32>,
    client: Given<u32>,
    year_begins: Given<u32>,
    account_length: Given<u32>,
    currency: Given<Currency>,
    accounts: Given<Accounts>,
}

#[derive(Debug)]
pub(super) struct Accounts(Vec<(String, DatevAccount)>);

impl DatevTable {
    pub(super) fn read(table: &mut Table<'_, '_>) -> Self {
        Self {
            place: table.place().clone(),
            is_there: table.is_there(),
            consultant: table.take("consultant", number(1001..=9_999_999)),
            client: table.take("client", number(1..=99_999)),
            year_begins: table.take("year_begins", number(1..=12)),
            account_length: table.take("account_length", number(4..=8)),
            currency: table.take("currency", text(currency, "EUR")),
            accounts: table.take("accounts", |value| {
                let example = "{ \"Assets:Receivables:*\" = \"1400\" }";
                entries(value, example, |name, number| match number.get_ref().as_str() {
                    Some(number) => DatevAccount::parse(name, number),
                    None => Err("expected a number in quotation marks, such as \"1400\"".to_owned()),
                })
                .map(Accounts)
            }),
        }
    }

    /// `None` without the table.
    pub(super) fn resolve(self, all: &mut Resolver<'_, '_>) -> Option<DatevBooks> {
        let Self { place, is_there, consultant, client, year_begins, account_length, currency, accounts } = self;
        if !is_there {
            return None;
        }
        let euro = Currency::parse("EUR").ok()?;
        let consultant = all.without_default(consultant);
        let client = all.without_default(client);
        let year_begins = all.or("datev", "year_begins", year_begins, 1);
        let account_length = all.or("datev", "account_length", account_length, 4);
        let currency = all.or("datev", "currency", currency, euro);
        let accounts = all.without_default(accounts);
        let lacks = [
            ("consultant", consultant.is_none(), "the adviser's number (Beraternummer)"),
            ("client", client.is_none(), "the client's number (Mandantennummer)"),
            ("accounts", accounts.is_none(), "which number each account has there"),
        ];
        for (key, _, what) in lacks.into_iter().filter(|(_, lacks, _)| *lacks) {
            if !all.reading.is_wrong(&format!("datev.{key}")) {
                all.reading.problem_at(&place, &format!("`datev.{key}` is missing: {what}"));
            }
        }
        let accounts = accounts?.0.into_iter().map(|(_, account)| account).collect();
        Some(DatevBooks { consultant: consultant?, client: client?, year_begins, account_length, currency, accounts })
    }
}

fn currency(text: &str) -> Result<Currency, String> {
    Currency::parse(text).map_err(|error| error.to_string())
}

impl TomlText for Accounts {
    fn toml_text(&self) -> String {
        let entries: Vec<String> = self
            .0
            .iter()
            .map(|(name, account)| {
                let number = account.to_string();
                let number = number.rsplit(" = ").next().unwrap_or_default().to_owned();
                format!("{} = {}", quoted(name), quoted(&number))
            })
            .collect();
        format!("{{ {} }}", entries.join(", "))
    }
}
