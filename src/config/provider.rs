//! `[provider.NAME]`: as typed and as resolved.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use super::choice::{FormatWord, ProviderWord};
use super::report::ReportTable;
use super::resolve::Resolver;
use super::secret::Secret;
use super::settings::{Fault, Mode, ProviderKind, ProviderSettings, ReportSettings, SandboxFaults, SandboxSettings};
use super::table::{Given, Place, Table, Typed};
use super::value::{choice, duration, id, number, path, text};
use crate::domain::id::{MerchantAccount, ProviderName};
use crate::domain::settlement::matching::ReferenceRule;
use crate::provider::PartialCapture;
use crate::report_format::Format;

#[derive(Debug)]
pub(super) struct ProviderTable {
    /// `None` if the name cannot be one; that is reported.
    name: Option<ProviderName>,
    place: Place,
    kind: Given<ProviderWord>,
    merchant_account: Given<MerchantAccount>,
    file: Given<PathBuf>,
    api_key: Given<Secret>,
    timeout: Given<Duration>,
    authorisation_valid: Given<Duration>,
    confirm_after: Given<Duration>,
    latency_ms: Given<u32>,
    partial_capture: Given<PartialCapture>,
    faults: FaultsTable,
    reports: Given<PathBuf>,
    report_format: Given<FormatWord>,
    report_columns: ReportTable,
    order_in_reference: Given<ReferenceRule>,
    settlement_expected_after_days: Given<u32>,
    unpaid_after_days: Given<u32>,
}

#[derive(Debug)]
struct FaultsTable {
    capture: Given<Fault>,
    refund: Given<Fault>,
    release: Given<Fault>,
    cancel: Given<Fault>,
    collect: Given<Fault>,
    page: Given<Fault>,
    look: Given<Fault>,
}

/// The ledger's file, which no sandbox may share.
#[derive(Debug)]
pub(super) struct LedgerFile<'a> {
    pub(super) path: &'a Path,
    pub(super) place: Option<&'a Place>,
}

/// The accounts that have a provider already: two providers in one account would count the same money twice.
#[derive(Debug, Default)]
pub(super) struct SandboxAccounts {
    taken: Vec<(PathBuf, MerchantAccount, ProviderName)>,
}

/// The folders that have a provider already: each is read once, and so as one format.
#[derive(Debug, Default)]
pub(super) struct ReportFolders {
    taken: Vec<ReportFolder>,
}

#[derive(Debug)]
struct ReportFolder {
    folder: PathBuf,
    format: Option<Format>,
    account: MerchantAccount,
    name: ProviderName,
}

const SECOND: Duration = Duration::from_secs(1);

/// A week: what PSPs pay out later than that is worth a look.
const SETTLEMENT_EXPECTED: u32 = 7;

/// 28 days: how long the usual card scheme keeps an authorisation.
const AUTHORISATION_VALID: Duration = Duration::from_hours(28 * 24);

impl ProviderTable {
    pub(super) fn read(name: &str, table: &mut Table<'_, '_>) -> Self {
        let folder = table.reading().folder.as_path();
        let place = table.place().clone();
        let name = ProviderName::parse(name);
        if let Err(error) = &name {
            table.reading().problem_at(&place, &error.to_string());
        }
        Self {
            name: name.ok(),
            place,
            kind: table.take("kind", choice),
            merchant_account: table.require(
                "merchant_account",
                "the account at the provider that is paid out together, as its reports name it",
                id(MerchantAccount::parse),
            ),
            file: table.take("file", path(folder)),
            api_key: table.secret("api_key"),
            timeout: table.take("timeout", duration(SECOND)),
            authorisation_valid: table.take("authorisation_valid", duration(SECOND)),
            confirm_after: table.take("confirm_after", duration(Duration::ZERO)),
            latency_ms: table.take("latency_ms", number(0..=60_000)),
            partial_capture: table.take("partial_capture", choice),
            faults: table.table("faults", |faults| FaultsTable {
                capture: faults.take("capture", choice),
                refund: faults.take("refund", choice),
                release: faults.take("release", choice),
                cancel: faults.take("cancel", choice),
                collect: faults.take("collect", choice),
                page: faults.take("page", choice),
                look: faults.take("look", choice),
            }),
            reports: table.take("reports", path(folder)),
            report_format: table.take("report_format", choice),
            report_columns: table.table("report_columns", ReportTable::read),
            order_in_reference: table.take("order_in_reference", text(ReferenceRule::parse, "(?<order>.+)")),
            settlement_expected_after_days: table.take("settlement_expected_after_days", number(1..=3_650)),
            unpaid_after_days: table.take("unpaid_after_days", number(1..=3_650)),
        }
    }

    /// `None` only after a problem was reported.
    pub(super) fn resolve(
        self,
        mode: Mode,
        ledger: &LedgerFile<'_>,
        accounts: &mut SandboxAccounts,
        folders: &mut ReportFolders,
        all: &mut Resolver<'_, '_>,
    ) -> Option<ProviderSettings> {
        let Self {
            name,
            place,
            kind,
            merchant_account,
            file,
            api_key,
            timeout,
            authorisation_valid,
            confirm_after,
            latency_ms,
            partial_capture,
            faults,
            reports,
            report_format,
            report_columns,
            order_in_reference,
            settlement_expected_after_days,
            unpaid_after_days,
        } = self;
        let table = place.key();
        let kind_place = kind.as_ref().map_or(&place, |typed| &typed.place).clone();
        let kind = all.or(&table, "kind", kind, ProviderWord::Sandbox);
        let account_place = merchant_account.as_ref().map_or(&place, |typed| &typed.place).clone();
        let merchant_account = all.without_default(merchant_account);
        let timeout = all.or(&table, "timeout", timeout, Duration::from_secs(30));
        let authorisation_valid = all.or(&table, "authorisation_valid", authorisation_valid, AUTHORISATION_VALID);
        let sandbox = SandboxTable { file, api_key, confirm_after, latency_ms, partial_capture, faults };
        let (kind, file) = match kind {
            ProviderWord::Sandbox => {
                refuse_live_sandbox(mode, &kind_place, all);
                let sandbox = sandbox.resolve(&place, ledger, all);
                let file = sandbox.file.clone();
                (ProviderKind::Sandbox(sandbox), Some(file))
            }
            ProviderWord::Reports => {
                sandbox.refuse(all);
                if reports.is_none() {
                    all.reading
                        .problem_at(&kind_place, "a provider known by its reports only needs `reports`, their folder");
                }
                (ProviderKind::Reports, None)
            }
        };
        let reports_place = reports.as_ref().map_or(&place, |typed| &typed.place).clone();
        let reports = all.without_default(reports);
        let report_format = formatted(report_format, &place, all);
        let order_in_reference = all.without_default(order_in_reference);
        let expected_after_days =
            all.or(&table, "settlement_expected_after_days", settlement_expected_after_days, SETTLEMENT_EXPECTED);
        let unpaid_after_days = unpaid_after_days.and_then(|days| silence(days, expected_after_days, all));
        let format = report_format.explained(report_columns, all);
        let reports = reports.map(|folder| ReportSettings {
            folder,
            format,
            order_in_reference,
            expected_after_days,
            unpaid_after_days,
        });
        let (name, merchant_account) = (name?, merchant_account?);
        if let Some(reports) = &reports {
            folders.claim(reports, &merchant_account, &name, &reports_place, all);
        }
        if let Some(file) = &file {
            accounts.claim(file, &merchant_account, &name, &account_place, all);
        }
        Some(ProviderSettings { name, merchant_account, kind, timeout, authorisation_valid, reports })
    }
}

/// The word for the format, and where it stands or would.
struct FormatGiven {
    word: FormatWord,
    place: Place,
}

fn formatted(given: Given<FormatWord>, provider: &Place, all: &mut Resolver<'_, '_>) -> FormatGiven {
    let table = provider.key();
    let place = given.as_ref().map_or_else(
        || Place { table: table.clone(), name: "report_format".to_owned(), position: provider.position },
        |typed| typed.place.clone(),
    );
    FormatGiven { word: all.or(&table, "report_format", given, FormatWord::Auto), place }
}

impl FormatGiven {
    /// `None`: each file says what it is.
    fn explained(self, columns: ReportTable, all: &mut Resolver<'_, '_>) -> Option<Format> {
        let described = columns.resolve(self.word == FormatWord::Generic, &self.place, all);
        match self.word {
            FormatWord::Auto => None,
            FormatWord::Adyen => Some(Format::Adyen),
            FormatWord::Stripe => Some(Format::Stripe),
            FormatWord::Paypal => Some(Format::Paypal),
            FormatWord::Klarna => Some(Format::Klarna),
            FormatWord::Generic => described.map(|format| Format::Generic(Box::new(format))),
        }
    }
}

/// What reports do not say counts only once money would have been in them.
fn silence(days: Typed<u32>, expected_after_days: u32, all: &mut Resolver<'_, '_>) -> Option<u32> {
    if days.value < expected_after_days {
        let why =
            format!("captured money may come later, after `settlement_expected_after_days` ({expected_after_days})");
        all.reading.problem_at(&days.place, &why);
    }
    all.without_default(Some(days))
}

/// What only a sandbox has.
#[derive(Debug)]
struct SandboxTable {
    file: Given<PathBuf>,
    api_key: Given<Secret>,
    confirm_after: Given<Duration>,
    latency_ms: Given<u32>,
    partial_capture: Given<PartialCapture>,
    faults: FaultsTable,
}

impl SandboxTable {
    fn resolve(self, place: &Place, ledger: &LedgerFile<'_>, all: &mut Resolver<'_, '_>) -> SandboxSettings {
        let Self { file, api_key, confirm_after, latency_ms, partial_capture, faults } = self;
        let table = place.key();
        let file_place = file.as_ref().map(|typed| typed.place.clone());
        let file = all.or(&table, "file", file, all.reading.folder.join("sandbox.db"));
        if same_file(&file, ledger.path) {
            let place = file_place.as_ref().or(ledger.place).unwrap_or(place);
            all.reading.problem_at(place, "the sandbox and the ledger cannot share one file");
        }
        SandboxSettings {
            file,
            api_key: all.without_default(api_key),
            confirm_after: all.or(&table, "confirm_after", confirm_after, Duration::ZERO),
            latency: Duration::from_millis(u64::from(all.or(&table, "latency_ms", latency_ms, 0))),
            partial_capture: all.or(&table, "partial_capture", partial_capture, PartialCapture::Many),
            faults: faults.resolve(all),
        }
    }

    /// Another kind has none of it.
    fn refuse(&self, all: &Resolver<'_, '_>) {
        let Self { file, api_key, confirm_after, latency_ms, partial_capture, faults } = self;
        let FaultsTable { capture, refund, release, cancel, collect, page, look } = faults;
        let places = [
            file.as_ref().map(|typed| &typed.place),
            api_key.as_ref().map(|typed| &typed.place),
            confirm_after.as_ref().map(|typed| &typed.place),
            latency_ms.as_ref().map(|typed| &typed.place),
            partial_capture.as_ref().map(|typed| &typed.place),
            capture.as_ref().map(|typed| &typed.place),
            refund.as_ref().map(|typed| &typed.place),
            release.as_ref().map(|typed| &typed.place),
            cancel.as_ref().map(|typed| &typed.place),
            collect.as_ref().map(|typed| &typed.place),
            page.as_ref().map(|typed| &typed.place),
            look.as_ref().map(|typed| &typed.place),
        ];
        for place in places.into_iter().flatten() {
            all.reading.problem_at(place, "only a provider of the kind \"sandbox\" has this");
        }
    }
}

impl SandboxAccounts {
    fn claim(
        &mut self,
        file: &Path,
        account: &MerchantAccount,
        name: &ProviderName,
        place: &Place,
        all: &Resolver<'_, '_>,
    ) {
        let same =
            |(other, its, _): &&(PathBuf, MerchantAccount, ProviderName)| its == account && same_file(other, file);
        if let Some((_, _, other)) = self.taken.iter().find(same) {
            let why = format!(
                "the provider `{other}` has this account in the same sandbox file; give one of them another account or `file`"
            );
            all.reading.problem_at(place, &why);
        }
        self.taken.push((file.to_owned(), account.clone(), name.clone()));
    }
}

impl ReportFolders {
    fn claim(
        &mut self,
        reports: &ReportSettings,
        account: &MerchantAccount,
        name: &ProviderName,
        place: &Place,
        all: &Resolver<'_, '_>,
    ) {
        let ReportSettings { folder, format, .. } = reports;
        for other in self.taken.iter().filter(|other| same_file(&other.folder, folder)) {
            let provider = &other.name;
            if other.format != *format {
                let why = format!(
                    "the provider `{provider}` reads this folder as another format; give both the same `report_format` and \
                     `report_columns`, or one of them a folder of its own"
                );
                all.reading.problem_at(place, &why);
            }
            if other.account == *account {
                let why = format!(
                    "the provider `{provider}` has the same `merchant_account`, and nobody could tell whose a line of this folder is; \
                     give one of them a folder of its own"
                );
                all.reading.problem_at(place, &why);
            }
        }
        self.taken.push(ReportFolder {
            folder: folder.clone(),
            format: format.clone(),
            account: account.clone(),
            name: name.clone(),
        });
    }
}

/// Rule 8: a simulator that "captures" in live mode would book money nobody took.
fn refuse_live_sandbox(mode: Mode, place: &Place, all: &Resolver<'_, '_>) {
    if mode == Mode::Live {
        all.reading.problem_at(
            place,
            "a sandbox moves no money, so it cannot stand in a configuration with `mode = \"live\"`",
        );
    }
}

/// Whether two paths mean one file, also when it does not exist yet.
fn same_file(one: &Path, other: &Path) -> bool {
    let existing = |path: &Path| path.canonicalize().unwrap_or_else(|_| without_dots(path));
    without_dots(one) == without_dots(other) || existing(one) == existing(other)
}

fn without_dots(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                clean.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => clean.push(component),
        }
    }
    clean
}

impl FaultsTable {
    fn resolve(self, all: &mut Resolver<'_, '_>) -> SandboxFaults {
        let Self { capture, refund, release, cancel, collect, page, look } = self;
        SandboxFaults {
            capture: all.without_default(capture),
            refund: all.without_default(refund),
            release: all.without_default(release),
            cancel: all.without_default(cancel),
            collect: all.without_default(collect),
            page: all.without_default(page),
            look: all.without_default(look),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_file_under_two_names_is_one_file() {
        assert!(same_file(Path::new("/a/b.db"), Path::new("/a/./c/../b.db")));
        assert!(!same_file(Path::new("/a/b.db"), Path::new("/a/c.db")));
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        std::fs::write(&file, "").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert!(same_file(&file, &link));
    }
}
