//! Mails go to a real mail server once, whatever it does. Runs against `tests/smtpd.py`; without its Python it says so and checks
//! nothing, and in CI it must be there.

#![expect(clippy::unwrap_used, clippy::panic, reason = "in a test a panic is the report")]
#![expect(clippy::disallowed_methods, reason = "the checkers are named by the environment")]
#![expect(clippy::print_stderr, reason = "what could not be checked must be seen")]

mod support;

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use support::Shop;

/// A mail server of its own for each test, gone with the value.
struct Server {
    process: Child,
    folder: tempfile::TempDir,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Server {
    fn start(mode: &str) -> Option<Self> {
        let Ok(python) = std::env::var("PAYJOURNAL_SMTPD_PYTHON") else {
            assert!(std::env::var("CI").is_err(), "PAYJOURNAL_SMTPD_PYTHON names a Python with aiosmtpd");
            eprintln!("not checked: PAYJOURNAL_SMTPD_PYTHON is not set");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        support::certificate(folder.path());
        let mut process = Command::new(python)
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/smtpd.py"))
            .arg(folder.path())
            .arg(mode)
            .stdout(Stdio::piped())
            // What it says of our faults is its own.
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse().unwrap_or_else(|_| panic!("the mail server did not start: `{line}`"));
        Some(Self { process, folder, port })
    }

    fn certificate(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    /// What it took, as it was sent.
    fn mails(&self) -> Vec<String> {
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(self.folder.path()).unwrap().map(|it| it.unwrap().path()).collect();
        files.retain(|path| path.extension().is_some_and(|ending| ending == "eml"));
        files.sort();
        files.iter().map(|path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()).collect()
    }
}

/// A shop whose orders A and B are billed and mailed by this server.
fn shop(server: &Server, more: &str) -> Shop {
    let shop = Shop::with(&format!(
        "[mail]\ntransport = \"smtp\"\nfrom = \"Coffee <invoices@shop.example>\"\nadministrator = [\"admin@shop.example\"]\n\
         [mail.smtp]\nhost = \"localhost\"\nport = {}\nuser = \"shop\"\npassword = {{ env = \"SMTP_PASSWORD\" }}\nca_file = \"{}\"\n\
         timeout = \"5 s\"\n{more}\n[provider.psp]\nkind = \"sandbox\"\nmerchant_account = \"Shop\"\n\
         [task_defaults]\nretry_interval = \"1 min\"\n\
         [invoices]\nenabled = true\nbill_when = []\n[seller]\nname = \"Coffee Ltd.\"\ncountry = \"DE\"\nvat_id = \"DE123456789\"\n",
        server.port,
        server.certificate().display(),
    ));
    let import = |what: &str, text: &str| {
        shop.write("rows.csv", text);
        ok(&shop, &format!("import {what} rows.csv"));
    };
    import(
        "orders",
        "order,currency,total,bill_to,ordered_on\nA,EUR,119.00,C1,2026-11-20\nB,EUR,50.00,C2,2026-11-20\n",
    );
    import(
        "order-lines",
        "order,line,description,quantity,unit_price,tax_rate\nA,1,Grinder,1,119.00,19\nB,1,Bücher,2,25.00,7\n",
    );
    import("customers", "customer,name,email\nC1,Ada Lovelace,ada@example.com\nC2,Käthe Öhm,kaethe@example.de\n");
    shop
}

fn run(shop: &Shop, line: &str) -> support::Ended {
    let args: Vec<&str> = line.split_whitespace().collect();
    support::ended(shop.command(&args).env("SMTP_PASSWORD", "s3cret").output().unwrap())
}

#[track_caller]
fn exits(shop: &Shop, line: &str, code: i32) -> support::Ended {
    let ended = run(shop, line);
    assert_eq!(ended.code, Some(code), "`{line}`\n{}\n{}", ended.stdout, ended.stderr);
    ended
}

#[track_caller]
fn ok(shop: &Shop, line: &str) {
    exits(shop, line, 0);
}

fn log(shop: &Shop) -> String {
    let logs = shop.logs("finalize-invoices");
    logs.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

fn told(shop: &Shop) -> Vec<String> {
    shop.rows("SELECT kind, message FROM exceptions WHERE state = 'open'")
}

fn states(shop: &Shop) -> Vec<String> {
    shop.rows("SELECT state FROM operations WHERE kind = 'mail'")
}

#[test]
fn a_mail_is_taken_once_encrypted_and_with_its_invoice() {
    let Some(server) = Server::start("ok") else { return };
    let shop = shop(&server, "");
    ok(&shop, "finalize-invoices");
    let mails = server.mails();
    assert_eq!(mails.len(), 2);
    let ada = mails.iter().find(|mail| mail.contains("X-To: ada@example.com")).unwrap();
    assert!(ada.contains("X-TLS: True") && ada.contains("X-Peer: shop.example"), "{ada}");
    assert!(ada.contains("Subject: Invoice: 2026-00001") && ada.contains("Content-Type: application/pdf"), "{ada}");
    ok(&shop, "finalize-invoices --as-of 2026-11-22T03:00:00Z");
    assert_eq!(server.mails().len(), 2);
    assert_eq!(states(&shop), ["confirmed", "confirmed"]);
    ok(&shop, "verify --as-of 2026-11-22T03:00:00Z");
}

#[test]
fn a_server_that_breaks_off_after_it_took_the_mail_gets_it_no_second_time_unasked() {
    let Some(server) = Server::start("silent") else { return };
    let shop = shop(&server, "");
    run(&shop, "finalize-invoices");
    assert_eq!(server.mails().len(), 2);
    assert_eq!(states(&shop), ["unknown", "unknown"]);
    for hour in [3, 4] {
        run(&shop, &format!("finalize-invoices --as-of 2026-11-22T0{hour}:00:00Z"));
    }
    assert_eq!(server.mails().len(), 2);
    let told = told(&shop);
    assert!(told.len() == 2 && told[0].contains("the mail to ada@example.com may have arrived, or not"), "{told:?}");
    // A person has looked, and wants it once more.
    let first = shop.rows("SELECT min(id) FROM operations WHERE kind = 'mail'");
    ok(&shop, &format!("retry {}", first[0]));
    run(&shop, "finalize-invoices --as-of 2026-11-22T05:00:00Z");
    assert_eq!(server.mails().len(), 3);
}

#[test]
fn what_the_server_did_not_take_is_tried_again_and_what_it_refuses_is_told() {
    let waits = [("busy", "451"), ("full", "452"), ("cut", "network error"), ("stranger", "535")];
    for (mode, why) in waits {
        let Some(server) = Server::start(mode) else { return };
        let shop = shop(&server, "");
        // Mails never decide an exit code; the log and `status` say that they wait.
        let ended = exits(&shop, "finalize-invoices", 0);
        let log = log(&shop);
        assert!(log.contains(why), "{mode}: {log}");
        assert!(exits(&shop, "status", 0).stdout.contains(why));
        assert_eq!((server.mails().len(), states(&shop).join(" ")), (0, "planned planned".to_owned()), "{mode}");
        assert_eq!(told(&shop), [""; 0], "{mode}");
        assert!(![log, ended.stderr, ended.stdout].concat().contains("s3cret"));
    }
    for (mode, why) in [("nobody", "550"), ("spam", "554")] {
        let Some(server) = Server::start(mode) else { return };
        let shop = shop(&server, "");
        exits(&shop, "finalize-invoices", 1);
        assert_eq!(states(&shop), ["refused", "refused"], "{mode}");
        assert!(told(&shop)[0].contains(why), "{:?}", told(&shop));
    }
}

#[test]
fn after_a_night_without_the_server_everything_goes_out_once() {
    let Some(away) = Server::start("gone") else { return };
    // One call at a time: it leaves after the first.
    let shop = shop(&away, "");
    run(&shop, "finalize-invoices");
    let before = away.mails().len();
    run(&shop, "finalize-invoices --as-of 2026-11-22T03:00:00Z");
    let Some(back) = Server::start("ok") else { return };
    let config = std::fs::read_to_string(shop.path.join("payjournal.toml")).unwrap();
    let config = config.replace(&format!("port = {}", away.port), &format!("port = {}", back.port));
    let config = config.replace(&away.certificate().display().to_string(), &back.certificate().display().to_string());
    shop.write("payjournal.toml", &config);
    ok(&shop, "finalize-invoices --as-of 2026-11-22T04:00:00Z");
    assert_eq!(before + back.mails().len(), 2);
    assert_eq!(states(&shop), ["confirmed", "confirmed"]);
}

#[test]
fn a_certificate_nobody_vouches_for_and_a_password_that_is_not_there_send_nothing() {
    let Some(server) = Server::start("ok") else { return };
    let shop = shop(&server, "");
    let config = std::fs::read_to_string(shop.path.join("payjournal.toml")).unwrap();
    let line = config.lines().find(|line| line.starts_with("ca_file")).unwrap().to_owned();
    shop.write("payjournal.toml", &config.replace(&line, ""));
    exits(&shop, "finalize-invoices", 0);
    let log = log(&shop);
    assert!(log.contains("certificate"), "{log}");
    assert_eq!(server.mails().len(), 0);
    assert_eq!(states(&shop), ["planned", "planned"]);
    let without = shop.run(&["finalize-invoices", "--as-of", "2026-11-22T03:00:00Z"]);
    assert!(without.code != Some(0) && without.stderr.contains("SMTP_PASSWORD"), "{}", without.stderr);
}
