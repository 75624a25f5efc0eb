//! The sandbox PSP from outside: playing the customer, and reading its own record.

use std::fs::File;
use std::io::{BufReader, Write};
use std::path::Path;

use anyhow::Context;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::import::{ImportDefaults, ImportKind, InputFormat};
use super::table::table;
use crate::config::Settings;
use crate::config::settings::ProviderKind;
use crate::domain::id::{MerchantAccount, OrderNumber, ProviderName, TransactionId};
use crate::domain::mandate::{Mandate, Token};
use crate::domain::money::Amount;
use crate::exchange::import::{OpenError, PaymentRecord, Rows};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::provider::sandbox::{
    Authorisation, OnPage, Paid, RecordedTransaction, Sandbox, SandboxPayout, transaction_of,
};
use crate::provider::{ModificationKind, ModificationState};
use crate::run::ports::Purpose;
use crate::run::{look_at_ledger, refused};

/// Makes the sandbox know the payments of a payments file, as if customers had paid. Known ones stay as they are.
pub fn authorise(
    file: &Path,
    settings: &Settings,
    json: bool,
    now: DateTime<Utc>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<Exit> {
    let name = file.display();
    let opened = File::open(file).map_err(|error| Failure::usage(format!("`{name}` cannot be read: {error}")))?;
    let mut input = BufReader::new(opened);
    let format = InputFormat::guess(file, &mut input).map_err(|error| Failure::usage(format!("`{name}`: {error}")))?;
    let rows = Rows::open(format, ImportKind::Payments, input).map_err(|error| match error {
        OpenError::Io(error) => Failure::usage(format!("`{name}` cannot be read: {error}")),
        OpenError::Header(_) => Failure::usage(format!("`{name}` has no header of a payments file"))
            .hint("`payjournal import payments --describe` prints the fields"),
    })?;
    let defaults = ImportDefaults::of(settings);
    let (mut new, mut known, mut bad) = (0_u64, 0_u64, 0_u64);
    for row in rows {
        let row = row.map_err(|error| Failure::usage(format!("`{name}` cannot be read: {error}")))?;
        let line = row.line;
        match PaymentRecord::read(&row, &defaults) {
            Ok(record) => match sandbox_of(settings, &record, now)?.authorise(&authorisation(&record)) {
                Ok(true) => new += 1,
                Ok(false) => known += 1,
                Err(error) => return Err(Failure::new(Exit::Unreachable, error)),
            },
            Err(objections) => {
                bad += 1;
                for objection in objections {
                    writeln!(err, "{name}:{line}: {objection}").context("stderr").map_err(Failure::bug)?;
                }
            }
        }
    }
    let exit = if bad == 0 { Exit::Done } else { Exit::NeedsPerson };
    let written = if json {
        let document = json!({
            "schema": "payjournal/sandbox/1", "outcome": exit.outcome(), "exit_code": exit.code(),
            "new": new, "known": known, "rejected": bad,
        });
        writeln!(out, "{document:#}")
    } else {
        writeln!(out, "sandbox: {new} payments new, {known} known, {bad} rejected")
    };
    written.context("the answer cannot be written").map_err(Failure::bug)?;
    Ok(exit)
}

fn authorisation(record: &PaymentRecord) -> Authorisation {
    let nothing = Amount::zero(record.currency);
    let order = record.order.as_ref().map(|(_, number)| OrderNumber::as_str(number));
    Authorisation {
        transaction: record.transaction.clone(),
        order_reference: order.unwrap_or_default().to_owned(),
        method: record.method.clone(),
        amount: record.authorised.map_or(nothing, |authorised| authorised.amount),
        status: record.status,
        authorised_at: record.authorised.map(|authorised| authorised.at),
        capture_before: record.capture_before,
    }
}

fn sandbox_of(settings: &Settings, record: &PaymentRecord, now: DateTime<Utc>) -> Result<Sandbox> {
    let provider = settings
        .providers
        .get(&record.provider)
        .ok_or_else(|| Failure::usage(format!("provider `{}` is not in the config", record.provider)))?;
    match &provider.kind {
        ProviderKind::Sandbox(sandbox) => Sandbox::open(sandbox, &provider.merchant_account, Purpose::Act, now)
            .map_err(|error| Failure::new(Exit::Config, error)),
        ProviderKind::Reports => Err(Failure::usage(format!("provider `{}` is no sandbox", record.provider))),
    }
}

/// Has every sandbox account pay out, into `reports` as files too.
pub fn payout(
    reports: Option<&Path>,
    settings: &Settings,
    json: bool,
    now: DateTime<Utc>,
    out: &mut dyn Write,
) -> Result<Exit> {
    if let Some(folder) = reports.filter(|folder| !folder.is_dir()) {
        return Err(Failure::usage(format!("there is no folder `{}` for the reports", folder.display())));
    }
    let mut payouts = Vec::new();
    for (name, account, sandbox) in sandboxes(settings, now)? {
        for payout in sandbox.pay_out().map_err(|error| Failure::new(Exit::Unreachable, error))? {
            if let Some(folder) = reports {
                write_report(folder, &account, &payout)?;
            }
            payouts.push((name.clone(), account.clone(), payout));
        }
    }
    let written = if json {
        let document = json!({
            "schema": "payjournal/sandbox/1",
            "outcome": Exit::Done.outcome(),
            "exit_code": Exit::Done.code(),
            "payouts": payouts.iter().map(|(name, account, payout)| json!({
                "provider": name, "merchant_account": account, "payout": payout.batch.to_string(), "lines": payout.lines.len(),
                "fees": payout.fees(), "paid_out": payout.paid,
            })).collect::<Vec<_>>(),
        });
        writeln!(out, "{document:#}")
    } else if payouts.is_empty() {
        writeln!(out, "sandbox: nothing to pay out")
    } else {
        let rows = payouts.iter().map(|(name, account, payout)| {
            let texts = [
                payout.batch.to_string(),
                payout.lines.len().to_string(),
                payout.fees().to_string(),
                payout.paid.to_string(),
            ];
            [name.to_string(), account.to_string()].into_iter().chain(texts).collect()
        });
        let head = ["provider", "merchant account", "payout", "lines", "fees", "paid out"];
        writeln!(out, "{}", table(&head, rows.collect()))
    };
    written.context("the answer cannot be written").map_err(Failure::bug)?;
    Ok(Exit::Done)
}

/// Into a name that is the report's as soon as it is whole.
fn write_report(folder: &Path, account: &MerchantAccount, payout: &SandboxPayout) -> Result<()> {
    let place: String = account.as_str().chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect();
    let name = format!("settlement_detail_report_{place}_batch_{}.csv", payout.batch);
    let written = || -> anyhow::Result<()> {
        let mut draft = tempfile::Builder::new().prefix(".").tempfile_in(folder)?;
        payout.write_adyen_report(account, &mut draft)?;
        draft.persist_noclobber(folder.join(&name))?;
        Ok(())
    };
    written().with_context(|| format!("the report `{name}` cannot be written to `{}`", folder.display())).map_err(
        |error| {
            let hint = "the payout is made; `payjournal settlements` asks the sandbox for it even without the file";
            Failure::usage(error).hint(hint)
        },
    )
}

/// A customer on a payment page of whichever sandbox account has it.
pub fn pay(
    link: &str,
    fails: bool,
    settings: &Settings,
    json: bool,
    now: DateTime<Utc>,
    out: &mut dyn Write,
) -> Result<Exit> {
    let transaction = TransactionId::parse(transaction_of(link)).map_err(Failure::usage)?;
    let on_page = if fails { OnPage::Fails } else { OnPage::Pays };
    let mut paid = None;
    for (_, _, sandbox) in sandboxes(settings, now)? {
        let here = sandbox.pay(&transaction, on_page).map_err(|error| Failure::new(Exit::Unreachable, error))?;
        paid = paid.or(here);
    }
    let Some(paid) = paid else {
        return Err(Failure::usage(format!("the sandbox has no payment page `{link}`"))
            .hint("`payjournal checkout` makes one, and prints its address"));
    };
    let (word, said) = match paid {
        Paid::Now(amount) => ("paid", format!("{amount} paid; `payjournal sync-payments` learns of it")),
        Paid::Failed => ("refused", "the payment was refused".to_owned()),
        Paid::Before => ("known", "this page was filled in before".to_owned()),
        Paid::Closed => {
            return Err(Failure::usage(format!("the page `{link}` was closed: nothing was paid"))
                .hint("another page took its place, which `checkout` gives; or nothing it asked for was owed any more; or its order was cleaned up, and needs `payjournal restore` first"));
        }
    };
    let written = if json {
        let document = json!({
            "schema": "payjournal/sandbox/1", "outcome": Exit::Done.outcome(), "exit_code": Exit::Done.code(),
            "transaction": transaction, "payment": word,
        });
        writeln!(out, "{document:#}")
    } else {
        writeln!(out, "sandbox: {transaction}: {said}")
    };
    written.context("the answer cannot be written").map_err(Failure::bug)?;
    Ok(Exit::Done)
}

/// Takes a mandate of the ledger back, at every sandbox account that has it.
pub fn revoke(mandate: &str, settings: &Settings, json: bool, now: DateTime<Utc>, out: &mut dyn Write) -> Result<Exit> {
    let token = Token::parse(mandate).map_err(Failure::usage)?;
    let sandboxes = sandboxes(settings, now)?;
    if sandboxes.is_empty() {
        return Err(Failure::usage("no provider of the config is a sandbox"));
    }
    let known: Vec<Mandate> = look_at_ledger(settings)?.mandates().map_err(refused)?;
    let mut is_new = false;
    let mut is_known = false;
    for (provider, account, sandbox) in sandboxes {
        let is_here =
            |known: &Mandate| known.token == token && known.provider == provider && known.merchant_account == account;
        if !known.iter().any(is_here) {
            continue;
        }
        is_known = true;
        is_new |= sandbox.revoke(&token).map_err(|error| Failure::new(Exit::Unreachable, error))?;
    }
    if !is_known {
        return Err(Failure::usage(format!("mandate `{token}` is not known at a sandbox of the config"))
            .hint("`payjournal list mandates` lists those that were imported"));
    }
    let written = if json {
        let document = json!({
            "schema": "payjournal/sandbox/1", "outcome": Exit::Done.outcome(), "exit_code": Exit::Done.code(),
            "ends_in": token.to_string(), "new": is_new,
        });
        writeln!(out, "{document:#}")
    } else {
        writeln!(out, "sandbox: mandate {token} is revoked{}", if is_new { "" } else { "; that was known already" })
    };
    written.context("the answer cannot be written").map_err(Failure::bug)?;
    Ok(Exit::Done)
}

/// A customer's chargeback at whichever sandbox account has the transaction, or its end.
pub fn dispute(
    transaction: &str,
    is_won: bool,
    settings: &Settings,
    json: bool,
    now: DateTime<Utc>,
    out: &mut dyn Write,
) -> Result<Exit> {
    let transaction = TransactionId::parse(transaction).map_err(Failure::usage)?;
    let mut trouble = None;
    let mut disputed = None;
    for (_, _, sandbox) in sandboxes(settings, now)? {
        match sandbox.dispute(&transaction, is_won) {
            Ok(is_new) => disputed = Some(is_new),
            Err(error) => trouble = Some(error),
        }
    }
    let Some(is_new) = disputed else {
        let error = trouble.unwrap_or_else(|| anyhow::anyhow!("no provider of the config is a sandbox"));
        return Err(Failure::usage(error));
    };
    let kind = if is_won { "chargeback_reversed" } else { "chargeback" };
    let written = if json {
        let document = json!({
            "schema": "payjournal/sandbox/1", "outcome": Exit::Done.outcome(), "exit_code": Exit::Done.code(),
            "transaction": transaction, "dispute": kind, "new": is_new,
        });
        writeln!(out, "{document:#}")
    } else {
        let what = if is_won { "the case is won" } else { "the customer has the money taken back" };
        let when = if is_new { "in the next payout" } else { "that was known already" };
        writeln!(out, "sandbox: {transaction}: {what}; {when}")
    };
    written.context("the answer cannot be written").map_err(Failure::bug)?;
    Ok(Exit::Done)
}

/// Every account of the config that is a sandbox's.
fn sandboxes(settings: &Settings, now: DateTime<Utc>) -> Result<Vec<(ProviderName, MerchantAccount, Sandbox)>> {
    let mut all = Vec::new();
    for (name, provider) in &settings.providers {
        let ProviderKind::Sandbox(sandbox) = &provider.kind else { continue };
        let opened = Sandbox::open(sandbox, &provider.merchant_account, Purpose::Act, now)
            .map_err(|error| Failure::new(Exit::Config, error))?;
        all.push((name.clone(), provider.merchant_account.clone(), opened));
    }
    Ok(all)
}

/// What the sandbox itself says happened, whatever the ledger believes.
pub fn record(settings: &Settings, json: bool, now: DateTime<Utc>, out: &mut dyn Write) -> Result<Exit> {
    let mut transactions: Vec<RecordedTransaction> = Vec::new();
    let mut seen = Vec::new();
    for provider in settings.providers.values() {
        let ProviderKind::Sandbox(sandbox) = &provider.kind else { continue };
        // Two accounts may share one file: it is read once.
        if !seen.contains(&&sandbox.file) {
            seen.push(&sandbox.file);
            let found = Sandbox::record(&sandbox.file, now)
                .map_err(|error| Failure::usage(error).hint("`payjournal sandbox authorise FILE` makes payments"))?;
            transactions.extend(found);
        }
    }
    let written = if json {
        let document = json!({
            "schema": "payjournal/sandbox/1",
            "outcome": Exit::Done.outcome(),
            "exit_code": Exit::Done.code(),
            "transactions": transactions.iter().map(as_json).collect::<Vec<_>>(),
        });
        writeln!(out, "{document:#}")
    } else {
        writeln!(out, "{}", as_table(&transactions))
    };
    written.context("the record cannot be written").map_err(Failure::bug)?;
    Ok(Exit::Done)
}

fn as_table(transactions: &[RecordedTransaction]) -> String {
    let rows = transactions
        .iter()
        .map(|transaction| {
            let sum = |kind| {
                let minor = transaction.sum(kind);
                let amount = Amount::from_minor(minor, transaction.authorised.currency());
                if minor == 0 { String::new() } else { amount.to_string() }
            };
            vec![
                transaction.id.to_string(),
                transaction.order_reference.clone(),
                transaction.status.as_str().to_owned(),
                transaction.authorised.to_string(),
                sum(ModificationKind::Capture),
                sum(ModificationKind::Refund),
                sum(ModificationKind::Release),
                transaction.modifications.len().to_string(),
            ]
        })
        .collect();
    table(&["transaction", "order", "status", "authorised", "captured", "refunded", "released", "calls"], rows)
}

fn as_json(transaction: &RecordedTransaction) -> Value {
    let modifications: Vec<Value> = transaction
        .modifications
        .iter()
        .map(|modification| {
            let (state, at) = match &modification.state {
                ModificationState::Accepted => ("accepted", None),
                ModificationState::Confirmed { at } => ("confirmed", Some(at)),
                ModificationState::Failed { at, .. } => ("failed", Some(at)),
            };
            json!({
                "id": modification.id,
                "kind": match modification.kind {
                    ModificationKind::Capture => "capture",
                    ModificationKind::Refund => "refund",
                    ModificationKind::Release => "release",
                },
                "amount": modification.amount,
                "state": state,
                "at": at.map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true)),
                "key": modification.key,
            })
        })
        .collect();
    json!({
        "transaction": transaction.id,
        "merchant_account": transaction.merchant_account,
        "order": transaction.order_reference,
        "method": transaction.method,
        "status": transaction.status,
        "authorised": transaction.authorised,
        "modifications": modifications,
    })
}
