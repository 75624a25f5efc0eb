//! An encrypted portal in Python, which verifies signatures as the README shows. Runs against `tests/portal.py`; without its Python it
//! says so and checks nothing, and in CI it must be there.
#![expect(clippy::disallowed_methods, reason = "the checkers are named by the environment")]

mod support;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use support::portal::SECRET;
use support::{CONFIG, Shop};

/// Gone with the value.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn an_encrypted_portal_is_told_if_its_certificate_is_trusted() {
    let Ok(python) = std::env::var("PAYJOURNAL_SMTPD_PYTHON") else {
        assert!(std::env::var("CI").is_err(), "PAYJOURNAL_SMTPD_PYTHON names a Python");
        eprintln!("not checked: PAYJOURNAL_SMTPD_PYTHON is not set");
        return;
    };
    let shop = Shop::new();
    support::certificate(&shop.path);
    let mut server = Command::new(python);
    server.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/portal.py")).arg(&shop.path).arg(SECRET);
    let mut server = Server(server.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let mut port = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut port).unwrap();
    shop.write("portal-secret", SECRET);
    let table = format!(
        "{CONFIG}[portal]\nwebhook_url = \"https://localhost:{}/\"\nsecret = {{ file = \"portal-secret\" }}\n",
        port.trim()
    );
    shop.write("payjournal.toml", &table);
    shop.one_order("A");
    shop.ok("capture");
    let events = || std::fs::read_to_string(shop.path.join("events")).unwrap_or_default();
    assert_eq!(events(), "", "nobody vouches for it");
    assert!(shop.json("status").to_string().contains("certificate"));
    shop.write("payjournal.toml", &format!("{table}ca_file = \"cert.pem\"\n"));
    shop.ok("capture --as-of 2026-11-22T03:00:00Z");
    assert!(events().lines().count() >= 1 && events().lines().all(|line| line.starts_with("True {")), "{}", events());
    assert_eq!(shop.rows("SELECT count(*) FROM portal_events WHERE is_taken = 0"), ["0"]);
}
