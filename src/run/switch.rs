//! Tasks that do nothing until somebody has switched them on.

use crate::config::Settings;
use crate::config::settings::TaskName;
use crate::failure::{Failure, Result};

/// What is deleted by a dry run is nothing: it shows what the switch would do.
pub(super) fn refuse_off(task: TaskName, settings: &Settings, dry_run: bool) -> Result<()> {
    let (why, hint) = match task {
        TaskName::FinalizeInvoices if !settings.invoices.enabled => (
            "`invoices.enabled` is not true: the ERP makes the invoices",
            "set `enabled = true` in `[invoices]` if payjournal is to make them; config.example.toml explains the table",
        ),
        TaskName::CleanupUnpaid if !settings.cleanup.enabled && !dry_run => (
            "`cleanup.enabled` is not true: no order is deleted",
            "look at `payjournal cleanup-unpaid --dry-run` first, then set `enabled = true` in `[cleanup]`",
        ),
        TaskName::Collect if !settings.collect.enabled && !dry_run => (
            "`collect.enabled` is not true: no entry is collected",
            "look at `payjournal collect --dry-run` first, then set `enabled = true` in `[collect]`",
        ),
        TaskName::SyncPayments
        | TaskName::Capture
        | TaskName::Collect
        | TaskName::Refunds
        | TaskName::SyncJournals
        | TaskName::Settlements
        | TaskName::FinalizeInvoices
        | TaskName::CleanupUnpaid => return Ok(()),
    };
    Err(Failure::config(anyhow::anyhow!(why)).hint(hint))
}
