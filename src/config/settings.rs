//! The settings as resolved: every default filled in, every reference checked. What was typed is in `file`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use chrono_tz::Tz;

use super::secret::Secret;
use crate::domain::booking::Accounts;
use crate::domain::customer::Language;
use crate::domain::deletion::{DeletionMethod, StockReleasedBy};
use crate::domain::id::{Company, CustomerNumber, MerchantAccount, MethodName, ProviderName, ShopName};
use crate::domain::invoice::BillWhen;
use crate::domain::invoice::letter::MailTexts;
use crate::domain::invoice::number::NumberRange;
use crate::domain::invoice::pricing::Pricing;
use crate::domain::invoice::sheet::Seller;
use crate::domain::schedule::Schedule;
use crate::domain::settlement::matching::ReferenceRule;
use crate::exchange::export::DatevBooks;
use crate::provider::PartialCapture;
use crate::report_format::Format;

/// The payment method of pages that `checkout` makes, unless the request names another.
pub const CHECKOUT_METHOD: &str = "checkout";

/// Whether money is real. A ledger is bound to one of the two (rule 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Test,
    Live,
}

/// Everything one run needs to know, read once at its start.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The file the settings came from; relative paths in it start at its folder.
    pub config_path: PathBuf,
    pub mode: Mode,
    pub ledger: PathBuf,
    pub allow_network_filesystem: bool,
    pub log_dir: PathBuf,
    /// The zone of posting dates (rule 18) and of `run_time`.
    pub time_zone: Tz,
    pub shop: ShopName,
    pub mail: MailSettings,
    pub accounts: Accounts,
    /// How DATEV knows the books, if they go there.
    pub datev: Option<DatevBooks>,
    pub erp: ErpSettings,
    pub invoices: InvoiceSettings,
    /// Who stands on the invoices; its name may be empty only where none is mailed.
    pub seller: Seller,
    pub invoice_texts: MailTexts,
    pub collect: CollectSettings,
    pub cleanup: CleanupSettings,
    /// Who is told what happens, if anybody.
    pub portal: Option<PortalSettings>,
    pub providers: BTreeMap<ProviderName, ProviderSettings>,
    pub methods: BTreeMap<MethodName, MethodSettings>,
    /// What holds for a payment method without a table of its own.
    pub default_method: MethodSettings,
    /// What holds for payments made on a page of `checkout`, unless they have a table.
    pub checkout_method: MethodSettings,
    pub tasks: BTreeMap<TaskName, TaskSettings>,
}

/// The tasks cron runs, in the order in which a night runs them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskName {
    SyncPayments,
    Capture,
    Collect,
    Refunds,
    SyncJournals,
    Settlements,
    FinalizeInvoices,
    CleanupUnpaid,
}

/// How orders are billed by payjournal itself.
#[derive(Debug, Clone)]
pub struct InvoiceSettings {
    /// Off: the ERP makes the invoices, and `finalize-invoices` refuses to run.
    pub enabled: bool,
    /// All of these must hold of an order.
    pub bill_when: Vec<BillWhen>,
    /// Whether free balances of the customer pay what is open on a plain invoice.
    pub assign_free_balances: bool,
    pub pricing: Pricing,
    pub invoice_numbers: NumberRange,
    /// Starts anew when those of invoices do.
    pub cancellation_numbers: NumberRange,
    pub credit_note_numbers: NumberRange,
    /// Whether customers get their invoices by mail.
    pub mail: bool,
    /// Who makes the page on which what is open of a mailed invoice can be paid; none: nobody.
    pub payment_page: Option<ProviderName>,
    /// Of customers who have none of their own.
    pub language: Language,
    /// Of customers who have none of their own; none: it stays unknown.
    pub country: Option<String>,
    /// Days from the invoice's date until it is due, of customers who have none of their own; none: no day is named.
    pub due_days: Option<u32>,
}

/// Which due entries are collected on a mandate, and how often.
#[derive(Debug, Clone, Copy)]
pub struct CollectSettings {
    /// Off: `collect` runs only as a dry run.
    pub enabled: bool,
    /// Entries without a due date count as due.
    pub without_due_date: bool,
    /// So often an entry is tried that the PSP refuses for now; at least 1.
    pub max_tries: u32,
    /// Between two tries; at least 1.
    pub days_between_tries: u32,
}

/// Which unpaid orders are deleted, and how.
#[derive(Debug, Clone)]
pub struct CleanupSettings {
    /// Off: `cleanup-unpaid` runs only as a dry run.
    pub enabled: bool,
    pub older_than_days: u32,
    /// Orders with the status Cancelled too, besides New.
    pub include_cancelled: bool,
    /// Only orders all of whose payments have one of these methods; empty: any.
    pub methods: Vec<MethodName>,
    /// Orders without any payment too, of which no PSP can say that they are unpaid.
    pub without_payment: bool,
    pub max_deletions: u32,
    pub mode: DeletionMethod,
    /// What the ERP is told.
    pub reason: String,
    /// Between the flag in the ERP and the deletion; 0: no quarantine.
    pub quarantine_days: u32,
}

#[derive(Debug, Clone)]
pub struct TaskSettings {
    pub run_on_schedule: bool,
    /// Interval and fixed time exclude each other.
    pub schedule: Schedule,
    pub mail_on_failure: bool,
    /// After how many unreachable runs (exit 5) in a row one failure mail goes out (rule 26).
    pub mail_after_failed_runs: u32,
    /// Log files kept for this task, the current one included; at least 1.
    pub max_archived_logs: u32,
    /// Cases handled in one batch; a run goes on until no batch is left.
    pub batch_size: u32,
    /// Calls in flight at the same time; at least 1.
    pub concurrency: u32,
    /// Days without success after which the administrator gets one error notification.
    pub error_notification_after_days: u32,
    /// Days in the same status after which an operation or payment is no longer checked.
    pub transaction_valid_days: u32,
    /// First wait between two runs' attempts at one operation; doubles up to `retry_interval_max`.
    pub retry_interval: Duration,
    pub retry_interval_max: Duration,
}

#[derive(Debug, Clone)]
pub struct MailSettings {
    pub transport: MailTransport,
    pub from: String,
    /// Receives "capture done", "refund done", "released", error notifications and failed tasks.
    pub administrator: Vec<String>,
    /// Receives "cannot be captured" and "cannot be refunded"; the administrator's addresses unless given.
    pub payment_notifications: Vec<String>,
}

#[derive(Debug, Clone)]
pub enum MailTransport {
    /// RFC 5322 messages in a maildir.
    File {
        maildir: PathBuf,
    },
    Smtp(Box<SmtpSettings>),
    /// No mail is written at all.
    None,
}

#[derive(Debug, Clone)]
pub struct SmtpSettings {
    pub host: String,
    pub port: u16,
    pub security: SmtpSecurity,
    pub login: Option<SmtpLogin>,
    /// A certificate to trust besides those of the system.
    pub ca_file: Option<PathBuf>,
    /// For each word of the server's.
    pub timeout: Duration,
}

#[derive(Debug, Clone)]
pub struct SmtpLogin {
    pub user: String,
    pub password: Secret,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpSecurity {
    /// Asked for in the clear, and nothing else is said before it.
    StartTls,
    /// From the first byte.
    Tls,
    None,
}

/// The web shop's portal, which is told of orders, invoices and stock.
#[derive(Debug, Clone)]
pub struct PortalSettings {
    /// `https`, or `http` to this machine.
    pub webhook_url: String,
    /// What events are signed with.
    pub secret: Secret,
    /// For one event, from looking up the host to the answer.
    pub timeout: Duration,
    /// A certificate to trust besides those of the system.
    pub ca_file: Option<PathBuf>,
}

#[derive(Debug, Clone)]
pub struct ErpSettings {
    pub kind: ErpKind,
    pub company: Company,
    /// Books money of orders that name no customer.
    pub default_customer: CustomerNumber,
    pub fault: Option<ErpFault>,
    /// Who gives the stock of deleted orders back (rule 24).
    pub stock_released_by: StockReleasedBy,
    /// Whether `sync-journals` delivers the journals of payouts too (rule 19).
    pub post_payout_journals: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErpKind {
    /// Documents come in by import, the books are the ledger's journals.
    Local,
}

impl ErpKind {
    /// Whether its adapter offers `PayoutPosting`: known before anything is opened.
    pub fn takes_payout_journals(self) -> bool {
        match self {
            Self::Local => true,
        }
    }
}

/// What an ERP pretends, to rehearse what happens then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErpFault {
    /// It is down.
    Unreachable,
    /// It lets no order go.
    KeepsOrders,
    /// It takes no journal.
    RefusesJournals,
}

#[derive(Debug, Clone)]
pub struct ProviderSettings {
    pub name: ProviderName,
    pub merchant_account: MerchantAccount,
    pub kind: ProviderKind,
    /// How long one call may take.
    pub timeout: Duration,
    /// How long a payment stays authorised if the PSP names no deadline; past it we still try, and warn (rule 13).
    pub authorisation_valid: Duration,
    /// Where its settlement reports lie, if it has any.
    pub reports: Option<ReportSettings>,
}

/// The settlement reports of a provider: files in a folder.
#[derive(Debug, Clone)]
pub struct ReportSettings {
    pub folder: PathBuf,
    /// `None`: each file says what it is.
    pub format: Option<Format>,
    /// Where an order's number stands in a merchant reference, if lines may be matched by it.
    pub order_in_reference: Option<ReferenceRule>,
    /// Days after which a payout should add up, and captured money be settled.
    pub expected_after_days: u32,
    /// Days after its page expired from which a payment is unpaid that no report has (rule 23); none: never.
    pub unpaid_after_days: Option<u32>,
}

#[derive(Debug, Clone)]
pub enum ProviderKind {
    Sandbox(SandboxSettings),
    /// Known by its settlement reports only.
    Reports,
}

/// The PSP simulator: its own file and what it is told to do wrong.
#[derive(Debug, Clone)]
pub struct SandboxSettings {
    pub file: PathBuf,
    /// The first key a sandbox file sees is the only one it accepts from then on; none = open to everyone.
    pub api_key: Option<Secret>,
    /// A capture or refund is confirmed this long after it was accepted; zero = at once.
    pub confirm_after: Duration,
    /// So long each answer takes, as it would over a network.
    pub latency: Duration,
    /// What it can do with a part of an authorisation (rule 11).
    pub partial_capture: PartialCapture,
    pub faults: SandboxFaults,
}

/// Faults for every call of a kind. A magic order reference does the same for one payment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SandboxFaults {
    pub capture: Option<Fault>,
    pub refund: Option<Fault>,
    pub release: Option<Fault>,
    pub cancel: Option<Fault>,
    pub collect: Option<Fault>,
    /// Of payment pages.
    pub page: Option<Fault>,
    /// Of questions how a payment stands.
    pub look: Option<Fault>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The first try is not carried out and not answered.
    TimeoutBefore,
    /// The first try is carried out but not answered.
    TimeoutAfter,
    /// The first try is answered with HTTP 500 and not carried out.
    ServerError,
    /// The first try is answered with HTTP 429 and `Retry-After`.
    TooManyRequests,
    /// Always refused.
    Refuse,
    /// Refused for now: there is no money on the customer's account.
    InsufficientFunds,
    /// The authorisation has expired.
    Expire,
    /// Not reachable at all.
    Unreachable,
    /// Accepted, confirmed a day later.
    ConfirmLate,
    /// Accepted, and failed a day later.
    FailLate,
    /// The customer pays on the page just after a question was answered, or just before it is closed.
    PaidMeanwhile,
    /// The page is closed, and a payment that was on its way goes through all the same.
    PaidAfterAll,
}

#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one switch of the file, and they are independent of one another"
)]
pub struct MethodSettings {
    pub strategy: CaptureStrategy,
    pub allow_partial_capture: bool,
    /// With a PSP that lets the rest of an authorisation lapse after one partial capture: do it all the same.
    pub accept_losing_remainder: bool,
    pub allow_refund: bool,
    /// Give the rest back when the order is fully invoiced and captured; on cancellation it is always given back.
    pub release_after_full_invoice: bool,
}

/// What triggers a capture (domain 1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaptureStrategy {
    /// The posted invoice; the default.
    Invoice,
    /// The posted shipment; its amount comes with it.
    Shipment,
    /// As soon as the payment is authorised.
    Immediate,
    /// This many days after the authorisation.
    Delay { days: u32 },
    /// The PSP captures by itself; we only observe.
    Automatic,
    /// A person captures in the PSP's back office; we only observe.
    Manual,
}

impl Settings {
    /// The settings of a payment method, or the defaults where it has no table.
    pub fn method(&self, name: &MethodName) -> &MethodSettings {
        let without_table = if name.as_str() == CHECKOUT_METHOD { &self.checkout_method } else { &self.default_method };
        self.methods.get(name).unwrap_or(without_table)
    }
}

impl TaskName {
    pub const ALL: [Self; 8] = [
        Self::SyncPayments,
        Self::Capture,
        Self::Collect,
        Self::Refunds,
        Self::SyncJournals,
        Self::Settlements,
        Self::FinalizeInvoices,
        Self::CleanupUnpaid,
    ];

    /// As typed on the command line and in `[task.NAME]`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SyncPayments => "sync-payments",
            Self::Capture => "capture",
            Self::Collect => "collect",
            Self::Refunds => "refunds",
            Self::SyncJournals => "sync-journals",
            Self::Settlements => "settlements",
            Self::FinalizeInvoices => "finalize-invoices",
            Self::CleanupUnpaid => "cleanup-unpaid",
        }
    }
}

impl std::fmt::Display for TaskName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl Mode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Live => "live",
        }
    }
}
