//! The simulation as a library: one seed is one history, and the seeds that once failed do not fail again.

use std::fs;
use std::path::Path;

use payjournal::simulate::{Shape, live, settings};

fn shape(seed: u64, days: u32, planned_days: u32, orders: Vec<u32>) -> Shape {
    Shape { seed, days, planned_days, orders, bills: false, cleans: false }
}

#[test]
fn the_same_seed_lives_the_same_history_twice() {
    let settings = settings().unwrap();
    let short = shape(7, 8, 8, (1..=12).collect());
    let (one, other) = (live(&short, &settings).unwrap(), live(&short, &settings).unwrap());
    assert_eq!(one.digest, other.digest);
    let another = live(&shape(8, 8, 8, (1..=12).collect()), &settings).unwrap();
    assert_ne!(one.digest, another.digest);
}

#[test]
fn a_shop_that_payjournal_bills_lives_another_history_of_the_same_seed() {
    let settings = settings().unwrap();
    let billed = Shape { bills: true, ..shape(7, 8, 8, (1..=12).collect()) };
    let (one, other) = (live(&billed, &settings).unwrap(), live(&billed, &settings).unwrap());
    assert_eq!(one.digest, other.digest);
    assert!(one.failure.is_none(), "{}", one.failure.unwrap().explanation);
    assert!(one.coverage.work["invoices"] > 0);
    let by_erp = live(&shape(7, 8, 8, (1..=12).collect()), &settings).unwrap();
    assert!(one.digest != by_erp.digest && !by_erp.coverage.work.contains_key("invoices"));
}

#[test]
fn a_shop_that_cleans_up_lives_another_history_of_the_same_seed() {
    let settings = settings().unwrap();
    let cleaned = Shape { cleans: true, ..shape(7, 14, 14, (1..=12).collect()) };
    let (one, other) = (live(&cleaned, &settings).unwrap(), live(&cleaned, &settings).unwrap());
    assert_eq!(one.digest, other.digest);
    assert!(one.failure.is_none(), "{}", one.failure.unwrap().explanation);
    assert!(one.coverage.work["orders deleted"] > 0);
    let kept = live(&shape(7, 14, 14, (1..=12).collect()), &settings).unwrap();
    assert!(one.digest != kept.digest && !kept.coverage.work.contains_key("orders deleted"));
}

/// Each line: what it found, then seed, days, days planned for, orders, with `|` between; and `bills` where payjournal makes the
/// invoices, `cleans` where it deletes orders nobody paid.
#[test]
fn histories_that_failed_once_hold_now() {
    let settings = settings().unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/simulation-regressions.txt");
    let text = fs::read_to_string(file).unwrap();
    let mut count = 0;
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let fields: Vec<&str> = line.split('|').map(str::trim).collect();
        let (fields, words) = fields.split_at(fields.len().min(5));
        let [what, seed, days, planned_days, orders] = fields[..] else { panic!("not five fields: {line}") };
        assert!(words.iter().all(|word| ["bills", "cleans"].contains(word)), "{line}");
        let orders = orders.split(',').map(|order| order.parse().unwrap()).collect();
        let shape = shape(seed.parse().unwrap(), days.parse().unwrap(), planned_days.parse().unwrap(), orders);
        let shape = Shape { bills: words.contains(&"bills"), cleans: words.contains(&"cleans"), ..shape };
        let life = live(&shape, &settings).unwrap();
        let failure = life.failure.map(|failure| failure.explanation);
        assert!(failure.is_none(), "{what}: {}", failure.unwrap_or_default());
        count += 1;
    }
    assert!(count > 0);
}
