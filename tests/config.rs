//! The configuration, through the library: what loads, what is refused and with which words, and what is shown.
#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::NaiveTime;
use payjournal::command::{check, init};
use payjournal::config::settings::{CaptureStrategy, ErpFault, Fault, MailTransport, Mode, ProviderKind, TaskName};
use payjournal::config::{self, Loaded};
use payjournal::domain::id::{MethodName, ProviderName};
use payjournal::domain::schedule::Schedule;
use payjournal::exit::Exit;
use payjournal::failure::Failure;
use payjournal::provider::PartialCapture;
use payjournal::report_format::Format;
use tempfile::TempDir;

const MINIMAL: &str = "[provider.sandbox]\nmerchant_account = \"DemoMerchant\"\n";

/// What must appear in no output at all.
const PLANTED: &str = "sk_live_PLANTED";

fn data(kind: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/config").join(kind);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    assert!(!files.is_empty());
    files
}

fn example() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config.example.toml")).unwrap()
}

fn load_text(text: &str) -> (TempDir, Result<Loaded, Failure>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("payjournal.toml");
    std::fs::write(&path, text).unwrap();
    let loaded = config::load(&path);
    (folder, loaded)
}

fn loaded(text: &str) -> Loaded {
    load_text(text).1.unwrap()
}

/// Key → value and source, with the folder cut off.
fn shown(text: &str) -> BTreeMap<String, (String, String)> {
    let (folder, loaded) = load_text(text);
    let folder = format!("{}/", folder.path().display());
    let shown = loaded.unwrap();
    shown
        .shown()
        .iter()
        .map(|setting| (setting.key.clone(), (setting.value.replace(&folder, ""), setting.source.clone())))
        .collect()
}

fn rendered(failure: &Failure, path: &Path) -> String {
    let mut text = Vec::new();
    failure.render(&mut text).unwrap();
    String::from_utf8(text).unwrap().replace(&path.display().to_string(), "[FILE]")
}

#[test]
fn every_valid_sample_loads() {
    for file in data("valid") {
        let loaded = config::load(&file);
        assert!(loaded.is_ok(), "{}: {loaded:?}", file.display());
    }
}

/// `PAYJOURNAL_UPDATE_SAMPLES=1 cargo test` writes the texts anew; read the difference before keeping it.
#[test]
fn every_invalid_sample_fails_with_the_text_beside_it() {
    #[expect(clippy::disallowed_methods, reason = "a switch for the developer")]
    let update = std::env::var_os("PAYJOURNAL_UPDATE_SAMPLES").is_some();
    for file in data("invalid") {
        let failure = config::load(&file).expect_err(&file.display().to_string());
        assert_eq!(failure.exit, Exit::Config, "{}", file.display());
        let text = rendered(&failure, &file);
        let expected = file.with_extension("txt");
        if update {
            std::fs::write(&expected, &text).unwrap();
        }
        assert_eq!(text, std::fs::read_to_string(&expected).unwrap_or_default(), "{}", file.display());
        assert!(!format!("{text}{failure:?}{}", failure.json()).contains(PLANTED), "{text}");
    }
}

#[test]
fn the_reference_file_holds_the_defaults() {
    let values = |shown: BTreeMap<String, (String, String)>| -> BTreeMap<String, String> {
        shown.into_iter().map(|(key, (value, _))| (key, value)).collect()
    };
    assert_eq!(values(shown(&example())), values(shown(MINIMAL)));
}

#[test]
fn the_reference_file_still_loads_with_every_setting_switched_on() {
    // By another one that is switched on.
    const EXCLUDED: [&str; 5] = ["run_interval_minutes", "#credit", "#debit", "#currency", "#payout"];
    let mut text: String = example()
        .lines()
        .filter(|line| !EXCLUDED.iter().any(|key| line.starts_with(&format!("{key} = "))))
        .map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line))
        .fold(String::new(), |text, line| text + line + "\n");
    text = text.replace("strategy = \"invoice\"", "strategy = \"delay\"");
    text = text.replace("report_format = \"auto\"", "report_format = \"generic\"");
    let settings = loaded(&text).settings;
    assert_eq!(settings.default_method.strategy, CaptureStrategy::Delay { days: 3 });
    let provider = settings.providers.values().next().unwrap();
    let ProviderKind::Sandbox(sandbox) = &provider.kind else { panic!("no sandbox") };
    let Some(Format::Generic(format)) = &provider.reports.as_ref().unwrap().format else { panic!("{provider:?}") };
    assert_eq!((format.note.as_deref(), format.kinds.len()), (Some("Text"), 3));
    assert_eq!(sandbox.faults.refund, Some(Fault::ServerError));
    assert_eq!(format!("{:?}", sandbox.api_key), r#"Some({ env = "SANDBOX_API_KEY" })"#);
    assert_eq!(sandbox.partial_capture, PartialCapture::Many);
    assert_eq!(settings.erp.fault, Some(ErpFault::Unreachable));
}

#[test]
fn the_settings_are_shown_in_the_order_of_the_reference_file() {
    let loaded = loaded(MINIMAL);
    let keys: Vec<&str> = loaded.shown().iter().map(|setting| setting.key.as_str()).collect();
    let (first, last) = (keys.first().unwrap(), keys.last().unwrap());
    assert_eq!((*first, *last), ("mode", "task.cleanup-unpaid.retry_interval_max"));
    // The top level, and each table once, as the reference has them; there `task_defaults` stands for each task.
    let text = example();
    let mut from = 0;
    for key in keys.iter().filter(|key| !key.starts_with("task.") || key.starts_with("task.capture.")) {
        let (table, name) = key.rsplit_once('.').unwrap_or(("", key));
        let header = match table {
            "" => String::new(),
            "task.capture" => "\n[task_defaults]\n".to_owned(),
            table => format!("\n[{table}]\n"),
        };
        let table_at = text.find(&header).unwrap();
        let at = table_at + text.get(table_at..).unwrap().find(&format!("\n{name} = ")).unwrap();
        assert!(at > from, "{key}");
        from = at;
    }
}

#[test]
fn relative_paths_start_at_the_folder_of_the_file() {
    let (folder, loaded) = load_text(MINIMAL);
    let settings = loaded.unwrap().settings;
    assert_eq!(settings.ledger, folder.path().join("payjournal.db"));
    assert_eq!(settings.log_dir, folder.path().join("logs"));
    let MailTransport::File { maildir } = settings.mail.transport else { panic!("{:?}", settings.mail) };
    assert_eq!(maildir, folder.path().join("mail"));
    assert_eq!(settings.config_path, folder.path().join("payjournal.toml"));
}

#[test]
fn methods_and_tasks_inherit_and_say_where_from() {
    let text = format!(
        "{MINIMAL}[method_defaults]\nstrategy = \"delay\"\ndelay = \"2 days\"\n[method.card]\nallow_refund = false\n\
         [method.bank]\nstrategy = \"shipment\"\n\
         [task_defaults]\nrun_time = \"01:00\"\nconcurrency = 8\n\
         [task.capture]\nrun_interval_minutes = 10\n[task.refunds]\nretry_interval = \"7 h\"\nretry_interval_max = \"1 day\"\n"
    );
    let settings = loaded(&text).settings;
    let method = |name: &str| settings.method(&MethodName::parse(name).unwrap());
    assert_eq!(method("card").strategy, CaptureStrategy::Delay { days: 2 });
    assert!(!method("card").allow_refund);
    assert_eq!(method("bank").strategy, CaptureStrategy::Shipment);
    assert!(method("unknown").allow_refund);
    let task = |name| settings.tasks.get(&name).unwrap();
    assert_eq!(task(TaskName::Capture).schedule, Schedule::Every { minutes: 10 });
    assert_eq!(task(TaskName::Refunds).schedule, Schedule::At(NaiveTime::from_hms_opt(1, 0, 0).unwrap()));
    assert_eq!(task(TaskName::Refunds).retry_interval, Duration::from_hours(7));
    assert_eq!(task(TaskName::SyncPayments).concurrency, 8);

    let shown = shown(&text);
    let source = |key: &str| shown.get(key).unwrap().clone();
    assert_eq!(source("method.card.delay"), ("\"2 days\"".to_owned(), "method_defaults (line 5)".to_owned()));
    assert_eq!(source("method.card.allow_refund"), ("false".to_owned(), "file line 7".to_owned()));
    assert_eq!(source("method_defaults.strategy"), ("\"delay\"".to_owned(), "file line 4".to_owned()));
    assert_eq!(source("task.refunds.run_time"), ("\"01:00\"".to_owned(), "task_defaults (line 11)".to_owned()));
    assert_eq!(source("task.capture.run_interval_minutes"), ("10".to_owned(), "file line 14".to_owned()));
    assert_eq!(source("task.capture.batch_size"), ("500".to_owned(), "default".to_owned()));
    assert!(!shown.contains_key("task.capture.run_time"));
    assert!(!shown.contains_key("method.bank.delay"));
}

#[test]
fn a_secret_is_in_no_output() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("payjournal.toml");
    std::fs::write(folder.path().join("key"), PLANTED).unwrap();
    for source in ["{ file = \"key\" }".to_owned(), format!("{{ command = [\"echo\", \"{PLANTED}\"] }}")] {
        std::fs::write(&path, format!("{MINIMAL}api_key = {source}\n")).unwrap();
        let loaded = config::load(&path).unwrap();
        let mut out = format!("{loaded:?}").into_bytes();
        check::run(&path, true, false, &mut out).unwrap();
        check::run(&path, true, true, &mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert!(out.contains("provider.sandbox.api_key"), "{out}");
        assert!(!out.contains(PLANTED), "{out}");
    }
}

#[test]
fn a_file_cut_off_anywhere_neither_panics_nor_repeats_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("payjournal.toml");
    let text = format!("{MINIMAL}api_key = \"{PLANTED}\"\ntimeout = \"5 s\"\n[shop]\nname = \"Büro\"\n");
    for length in 0..=text.len() {
        std::fs::write(&path, text.as_bytes().get(..length).unwrap()).unwrap();
        let output = match config::load(&path) {
            Ok(loaded) => format!("{loaded:?}"),
            Err(failure) => format!("{failure:?}{}{}", rendered(&failure, &path), failure.json()),
        };
        assert!(!output.contains("PLANTED"), "{output}");
    }
}

#[test]
fn a_missing_file_says_how_to_get_one() {
    let failure = config::load(Path::new("/nowhere/payjournal.toml")).unwrap_err();
    assert_eq!(failure.exit, Exit::Config);
    assert!(failure.line().contains("`/nowhere/payjournal.toml`"), "{failure:?}");
    assert_eq!(failure.hints, ["`payjournal init /nowhere/payjournal.toml` writes one to start from"]);
}

#[test]
fn a_file_that_is_not_utf8_names_the_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("payjournal.toml");
    std::fs::write(&path, b"mode = \"test\"\n# \xff\n").unwrap();
    let failure = config::load(&path).unwrap_err();
    assert_eq!(failure.line(), format!("{}:2:3: the file is not UTF-8", path.display()));
}

#[test]
fn check_says_ok_and_creates_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("payjournal.toml");
    std::fs::write(&path, MINIMAL).unwrap();
    let mut out = Vec::new();
    assert_eq!(check::run(&path, false, false, &mut out).unwrap(), Exit::Done);
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text, format!("{}: ok\nmode test, 1 provider, 0 payment methods, 8 tasks\n", path.display()));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn check_as_json_is_one_document() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("payjournal.toml");
    std::fs::write(&path, MINIMAL).unwrap();
    let mut out = Vec::new();
    check::run(&path, false, true, &mut out).unwrap();
    let document: serde_json::Value = serde_json::from_slice(&out).unwrap();
    let text = |pointer: &str| document.pointer(pointer).unwrap().to_string();
    assert_eq!(text("/schema"), "\"payjournal/check/1\"");
    assert_eq!(text("/outcome"), "\"done\"");
    assert_eq!(text("/exit_code"), "0");
    assert_eq!(text("/settings/0"), r#"{"key":"mode","source":"default","value":"\"test\""}"#);
}

#[test]
fn init_writes_a_short_file_that_is_right_and_private() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let mut out = Vec::new();
    assert_eq!(init::run(folder.path(), &mut out).unwrap(), Exit::Done);
    let path = folder.path().join("payjournal.toml");
    assert!(String::from_utf8(out).unwrap().contains(&format!("payjournal check --config {}", path.display())));

    let settings = config::load(&path).unwrap().settings;
    assert_eq!(settings.mode, Mode::Test);
    assert!(settings.providers.contains_key(&ProviderName::parse("sandbox").unwrap()));
    let text = std::fs::read_to_string(&path).unwrap();
    let setting_lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).count();
    assert!(setting_lines < 20, "{setting_lines}");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn init_never_replaces_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.toml");
    std::fs::write(&path, "mine").unwrap();
    let failure = init::run(&path, &mut Vec::new()).unwrap_err();
    assert_eq!(failure.exit, Exit::Usage);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);

    let failure = init::run(&folder.path().join("none/payjournal.toml"), &mut Vec::new()).unwrap_err();
    assert!(failure.line().contains("does not exist"), "{failure:?}");
}
