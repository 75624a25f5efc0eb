//! `[task_defaults]` and `[task.NAME]`: as typed and as resolved.

use std::collections::BTreeMap;
use std::time::Duration;

use super::problem::nearest;
use super::resolve::{Resolved, Resolver};
use super::settings::{TaskName, TaskSettings};
use super::table::{Given, Place, Table, Typed};
use super::toml_text::TomlText as _;
use super::value::{clock, duration, flag, number};
use crate::domain::schedule::Schedule;

#[derive(Debug)]
pub(super) struct TaskTable {
    place: Place,
    run_on_schedule: Given<bool>,
    /// From `run_interval_minutes` or `run_time`.
    schedule: Given<Schedule>,
    mail_on_failure: Given<bool>,
    mail_after_failed_runs: Given<u32>,
    max_archived_logs: Given<u32>,
    batch_size: Given<u32>,
    concurrency: Given<u32>,
    error_notification_after_days: Given<u32>,
    transaction_valid_days: Given<u32>,
    retry_interval: Given<Duration>,
    retry_interval_max: Given<Duration>,
}

/// What holds in one table.
#[derive(Debug, Clone)]
struct Layer {
    run_on_schedule: Resolved<bool>,
    schedule: Resolved<Schedule>,
    mail_on_failure: Resolved<bool>,
    mail_after_failed_runs: Resolved<u32>,
    max_archived_logs: Resolved<u32>,
    batch_size: Resolved<u32>,
    concurrency: Resolved<u32>,
    error_notification_after_days: Resolved<u32>,
    transaction_valid_days: Resolved<u32>,
    retry_interval: Resolved<Duration>,
    retry_interval_max: Resolved<Duration>,
}

/// Every task, with or without a table of its own.
pub(super) fn resolve_all(
    defaults: TaskTable,
    tables: Vec<TaskTable>,
    all: &mut Resolver<'_, '_>,
) -> BTreeMap<TaskName, TaskSettings> {
    let defaults = Layer::builtin().overlaid(defaults);
    defaults.check(all);
    let mut layers: BTreeMap<TaskName, Layer> = TaskName::ALL.map(|task| (task, defaults.clone())).into();
    for table in tables {
        let name = table.place.name.clone();
        match TaskName::ALL.into_iter().find(|task| task.as_str() == name) {
            Some(task) => {
                let layer = defaults.overlaid(table);
                layer.check(all);
                layers.insert(task, layer);
            }
            None => refuse_name(&table.place, all),
        }
    }
    // In the order of a night's run, which is the order of the enum.
    layers.into_iter().map(|(task, layer)| (task, layer.settle(&format!("task.{task}"), all))).collect()
}

fn refuse_name(place: &Place, all: &Resolver<'_, '_>) {
    let names = || TaskName::ALL.iter().map(|task| task.as_str());
    let advice = match nearest(&place.name, names()) {
        Some(near) => format!("no task has this name; the nearest is `{near}`"),
        None => format!("no task has this name; valid: {}", names().collect::<Vec<_>>().join(", ")),
    };
    all.reading.problem_at(place, &advice);
}

impl TaskTable {
    pub(super) fn defaults(table: &mut Table<'_, '_>) -> Self {
        Self {
            place: table.place().clone(),
            run_on_schedule: table.take("run_on_schedule", flag),
            schedule: schedule(table),
            mail_on_failure: table.take("mail_on_failure", flag),
            mail_after_failed_runs: table.take("mail_after_failed_runs", number(1..=1_000)),
            max_archived_logs: table.take("max_archived_logs", number(1..=100_000)),
            batch_size: table.take("batch_size", number(1..=100_000)),
            concurrency: table.take("concurrency", number(1..=64)),
            error_notification_after_days: table.take("error_notification_after_days", number(1..=3_650)),
            transaction_valid_days: table.take("transaction_valid_days", number(1..=3_650)),
            retry_interval: table.take("retry_interval", duration(Duration::from_secs(1))),
            retry_interval_max: table.take("retry_interval_max", duration(Duration::from_secs(1))),
        }
    }

    pub(super) fn read(_name: &str, table: &mut Table<'_, '_>) -> Self {
        Self::defaults(table)
    }
}

fn schedule(table: &mut Table<'_, '_>) -> Given<Schedule> {
    /// A week; what runs less often than that is a fixed time's work.
    const LONGEST_INTERVAL: u32 = 10_080;
    let interval = table.take("run_interval_minutes", number(1..=LONGEST_INTERVAL));
    let time = table.take("run_time", clock);
    match (interval, time) {
        (Some(_), Some(time)) => {
            table
                .reading()
                .problem_at(&time.place, "`run_interval_minutes` and `run_time` exclude each other; keep one of them");
            None
        }
        (Some(Typed { value: minutes, place }), None) => Some(Typed { value: Schedule::Every { minutes }, place }),
        (None, Some(Typed { value, place })) => Some(Typed { value: Schedule::At(value), place }),
        (None, None) => None,
    }
}

impl Layer {
    fn builtin() -> Self {
        Self {
            run_on_schedule: Resolved::builtin(true),
            schedule: Resolved::builtin(Schedule::Every { minutes: 60 }),
            mail_on_failure: Resolved::builtin(true),
            mail_after_failed_runs: Resolved::builtin(3),
            max_archived_logs: Resolved::builtin(30),
            batch_size: Resolved::builtin(500),
            concurrency: Resolved::builtin(4),
            error_notification_after_days: Resolved::builtin(3),
            transaction_valid_days: Resolved::builtin(90),
            retry_interval: Resolved::builtin(Duration::from_mins(5)),
            retry_interval_max: Resolved::builtin(Duration::from_hours(6)),
        }
    }

    fn overlaid(&self, table: TaskTable) -> Self {
        let TaskTable {
            place: _,
            run_on_schedule,
            schedule,
            mail_on_failure,
            mail_after_failed_runs,
            max_archived_logs,
            batch_size,
            concurrency,
            error_notification_after_days,
            transaction_valid_days,
            retry_interval,
            retry_interval_max,
        } = table;
        Self {
            run_on_schedule: self.run_on_schedule.overlaid(run_on_schedule),
            schedule: self.schedule.overlaid(schedule),
            mail_on_failure: self.mail_on_failure.overlaid(mail_on_failure),
            mail_after_failed_runs: self.mail_after_failed_runs.overlaid(mail_after_failed_runs),
            max_archived_logs: self.max_archived_logs.overlaid(max_archived_logs),
            batch_size: self.batch_size.overlaid(batch_size),
            concurrency: self.concurrency.overlaid(concurrency),
            error_notification_after_days: self.error_notification_after_days.overlaid(error_notification_after_days),
            transaction_valid_days: self.transaction_valid_days.overlaid(transaction_valid_days),
            retry_interval: self.retry_interval.overlaid(retry_interval),
            retry_interval_max: self.retry_interval_max.overlaid(retry_interval_max),
        }
    }

    /// The longest wait cannot be shorter than the first. Reported where the later of the two was typed; the built-in
    /// pair is right, so one of them was.
    fn check(&self, all: &Resolver<'_, '_>) {
        let Self { retry_interval: first, retry_interval_max: longest, .. } = self;
        if first.value <= longest.value {
            return;
        }
        let place = [&first.place, &longest.place].into_iter().flatten().max_by_key(|place| place.position);
        if let Some(place) = place {
            let (first, longest) = (first.value.toml_text(), longest.value.toml_text());
            let why = format!("`retry_interval_max` ({longest}) cannot be shorter than `retry_interval` ({first})");
            all.reading.problem_at(place, &why);
        }
    }

    /// `path` is the table the settings are shown in.
    fn settle(self, path: &str, all: &mut Resolver<'_, '_>) -> TaskSettings {
        let Self {
            run_on_schedule,
            schedule: Resolved { value: schedule, place },
            mail_on_failure,
            mail_after_failed_runs,
            max_archived_logs,
            batch_size,
            concurrency,
            error_notification_after_days,
            transaction_valid_days,
            retry_interval,
            retry_interval_max,
        } = self;
        let run_on_schedule = all.note(path, "run_on_schedule", run_on_schedule);
        match schedule {
            Schedule::Every { minutes } => {
                all.note(path, "run_interval_minutes", Resolved { value: minutes, place });
            }
            Schedule::At(time) => {
                all.note(path, "run_time", Resolved { value: time, place });
            }
        }
        TaskSettings {
            run_on_schedule,
            schedule,
            mail_on_failure: all.note(path, "mail_on_failure", mail_on_failure),
            mail_after_failed_runs: all.note(path, "mail_after_failed_runs", mail_after_failed_runs),
            max_archived_logs: all.note(path, "max_archived_logs", max_archived_logs),
            batch_size: all.note(path, "batch_size", batch_size),
            concurrency: all.note(path, "concurrency", concurrency),
            error_notification_after_days: all.note(
                path,
                "error_notification_after_days",
                error_notification_after_days,
            ),
            transaction_valid_days: all.note(path, "transaction_valid_days", transaction_valid_days),
            retry_interval: all.note(path, "retry_interval", retry_interval),
            retry_interval_max: all.note(path, "retry_interval_max", retry_interval_max),
        }
    }
}
