//! `[method_defaults]` and `[method.NAME]`: as typed and as resolved.

use std::collections::BTreeMap;

use super::choice::StrategyWord;
use super::resolve::{Resolved, Resolver};
use super::settings::{CaptureStrategy, MethodSettings};
use super::table::{Given, Place, Table, dotted};
use super::toml_text::TomlText;
use super::value::{choice, days, flag};
use crate::domain::id::MethodName;

#[derive(Debug)]
pub(super) struct MethodTable {
    place: Place,
    strategy: Given<StrategyWord>,
    delay: Given<DelayDays>,
    allow_partial_capture: Given<bool>,
    accept_losing_remainder: Given<bool>,
    allow_refund: Given<bool>,
    release_after_full_invoice: Given<bool>,
}

/// Written as a duration, `"3 days"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct DelayDays(u32);

/// What holds in one table before the rules between its keys are applied.
#[derive(Debug, Clone)]
struct Layer {
    strategy: Resolved<StrategyWord>,
    delay: Option<Resolved<DelayDays>>,
    allow_partial_capture: Resolved<bool>,
    accept_losing_remainder: Resolved<bool>,
    allow_refund: Resolved<bool>,
    release_after_full_invoice: Resolved<bool>,
}

/// The default method and the methods with a table of their own.
pub(super) fn resolve_all(
    defaults: MethodTable,
    tables: Vec<MethodTable>,
    all: &mut Resolver<'_, '_>,
) -> (MethodSettings, BTreeMap<MethodName, MethodSettings>) {
    let (defaults_layer, default_method) = defaults.resolve("method_defaults", &Layer::builtin(), all);
    let mut methods = BTreeMap::new();
    for table in tables {
        let place = table.place.clone();
        let (_, settings) = table.resolve(&place.key(), &defaults_layer, all);
        match MethodName::parse(&place.name) {
            Ok(name) => {
                methods.insert(name, settings);
            }
            Err(error) => all.reading.problem_at(&place, &error.to_string()),
        }
    }
    (default_method, methods)
}

impl MethodTable {
    pub(super) fn defaults(table: &mut Table<'_, '_>) -> Self {
        Self {
            place: table.place().clone(),
            strategy: table.take("strategy", choice),
            delay: table.take("delay", |value| days(1..=30)(value).map(DelayDays)),
            allow_partial_capture: table.take("allow_partial_capture", flag),
            accept_losing_remainder: table.take("accept_losing_remainder", flag),
            allow_refund: table.take("allow_refund", flag),
            release_after_full_invoice: table.take("release_after_full_invoice", flag),
        }
    }

    pub(super) fn read(_name: &str, table: &mut Table<'_, '_>) -> Self {
        Self::defaults(table)
    }

    fn resolve(self, path: &str, under: &Layer, all: &mut Resolver<'_, '_>) -> (Layer, MethodSettings) {
        let Self {
            place,
            strategy,
            delay,
            allow_partial_capture,
            accept_losing_remainder,
            allow_refund,
            release_after_full_invoice,
        } = self;
        let layer = Layer {
            strategy: under.strategy.overlaid(strategy),
            delay: match delay {
                Some(typed) => Some(Resolved { value: typed.value, place: Some(typed.place) }),
                None => under.delay.clone(),
            },
            allow_partial_capture: under.allow_partial_capture.overlaid(allow_partial_capture),
            accept_losing_remainder: under.accept_losing_remainder.overlaid(accept_losing_remainder),
            allow_refund: under.allow_refund.overlaid(allow_refund),
            release_after_full_invoice: under.release_after_full_invoice.overlaid(release_after_full_invoice),
        };
        let settings = layer.clone().settle(path, &place, all);
        (layer, settings)
    }
}

impl Layer {
    fn builtin() -> Self {
        Self {
            strategy: Resolved::builtin(StrategyWord::Invoice),
            delay: None,
            allow_partial_capture: Resolved::builtin(true),
            accept_losing_remainder: Resolved::builtin(false),
            allow_refund: Resolved::builtin(true),
            release_after_full_invoice: Resolved::builtin(true),
        }
    }

    /// `path` is the table the settings are shown in, `header` where it stands.
    fn settle(self, path: &str, header: &Place, all: &mut Resolver<'_, '_>) -> MethodSettings {
        let Self {
            strategy,
            delay,
            allow_partial_capture,
            accept_losing_remainder,
            allow_refund,
            release_after_full_invoice,
        } = self;
        let strategy_place = strategy.place.clone().unwrap_or_else(|| header.clone());
        let strategy = match all.note(path, "strategy", strategy) {
            StrategyWord::Invoice => CaptureStrategy::Invoice,
            StrategyWord::Shipment => CaptureStrategy::Shipment,
            StrategyWord::Immediate => CaptureStrategy::Immediate,
            StrategyWord::Automatic => CaptureStrategy::Automatic,
            StrategyWord::Manual => CaptureStrategy::Manual,
            StrategyWord::Delay => {
                let days = delay.clone().map(|delay| all.note(path, "delay", delay).0);
                if days.is_none() {
                    require_delay(path, &strategy_place, all);
                }
                // Without a delay the file is refused, so this number is never used.
                let days = days.unwrap_or(1);
                CaptureStrategy::Delay { days }
            }
        };
        if !matches!(strategy, CaptureStrategy::Delay { .. }) {
            refuse_idle_delay(path, delay.as_ref(), all);
        }
        MethodSettings {
            strategy,
            allow_partial_capture: all.note(path, "allow_partial_capture", allow_partial_capture),
            accept_losing_remainder: all.note(path, "accept_losing_remainder", accept_losing_remainder),
            allow_refund: all.note(path, "allow_refund", allow_refund),
            release_after_full_invoice: all.note(path, "release_after_full_invoice", release_after_full_invoice),
        }
    }
}

fn require_delay(path: &str, strategy: &Place, all: &Resolver<'_, '_>) {
    let key = dotted(path, "delay");
    if !all.reading.is_wrong(&key) && !all.reading.is_wrong("method_defaults.delay") {
        let why = format!("`{key}` is missing: the strategy \"delay\" needs it, such as `delay = \"3 days\"`");
        all.reading.problem(strategy.position, &key, why);
    }
}

/// A delay of the table's own that nothing would use. An inherited one is no mistake: the table has another strategy.
fn refuse_idle_delay(path: &str, delay: Option<&Resolved<DelayDays>>, all: &Resolver<'_, '_>) {
    let own = delay.and_then(|delay| delay.place.as_ref()).filter(|place| place.table == path);
    let strategy_is_wrong =
        [path, "method_defaults"].iter().any(|table| all.reading.is_wrong(&dotted(table, "strategy")));
    if let Some(place) = own.filter(|_| !strategy_is_wrong) {
        all.reading.problem_at(place, "only the strategy \"delay\" has a delay");
    }
}

impl TomlText for DelayDays {
    fn toml_text(&self) -> String {
        let Self(days) = self;
        format!("\"{days} day{}\"", if *days == 1 { "" } else { "s" })
    }
}
