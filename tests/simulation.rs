//! The simulation as a library: one seed is one history, and the seeds that once failed do not fail again.
#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::fs;
use std::path::Path;

use payjournal::simulate::{Ground, Life, Shape, live, settings};

fn shape(seed: u64, days: u32, planned_days: u32, orders: Vec<u32>) -> Shape {
    Shape {
        seed,
        days,
        planned_days,
        orders,
        bills: false,
        cleans: false,
        charges: false,
        corrects: false,
        pages: false,
    }
}

/// Lives through it twice: on ground of its own, and on what another shop leaves.
fn twice(shape: &Shape, another: &Shape) -> (Life, Life) {
    let settings = settings().unwrap();
    let alone = live(shape, &settings, &mut Ground::default()).unwrap();
    let mut ground = Ground::default();
    let other = live(another, &settings, &mut ground).unwrap();
    let after_it = live(shape, &settings, &mut ground).unwrap();
    assert_eq!(alone.digest, after_it.digest);
    assert!(alone.failure.is_none(), "{}", alone.failure.unwrap().explanation);
    assert_ne!(alone.digest, other.digest);
    (alone, other)
}

#[test]
fn the_same_seed_lives_the_same_history_twice() {
    let short = |seed| shape(seed, 8, 8, (1..=12).collect());
    twice(&short(7), &short(8));
}

#[test]
fn a_shop_that_payjournal_bills_lives_another_history_of_the_same_seed() {
    let by_erp = shape(7, 8, 8, (1..=12).collect());
    let (billed, by_erp) = twice(&Shape { bills: true, ..by_erp.clone() }, &by_erp);
    assert!(billed.coverage.work["invoices"] > 0);
    assert!(!by_erp.coverage.work.contains_key("invoices"));
}

#[test]
fn a_shop_that_cleans_up_lives_another_history_of_the_same_seed() {
    let kept = shape(7, 14, 14, (1..=12).collect());
    let (cleaned, kept) = twice(&Shape { cleans: true, ..kept.clone() }, &kept);
    assert!(cleaned.coverage.work["orders deleted"] > 0);
    assert!(!kept.coverage.work.contains_key("orders deleted"));
}

/// Each line: what it found, then seed, days, days planned for, orders, with `|` between; and `bills` where payjournal makes the
/// invoices, `charges` where some customers are charged for them, `corrects` where persons take some of them back, `pages` where they bring a payment page, `cleans` where it
/// deletes orders nobody paid.
#[test]
fn histories_that_failed_once_hold_now() {
    let settings = settings().unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/simulation-regressions.txt");
    let text = fs::read_to_string(file).unwrap();
    let mut ground = Ground::default();
    let mut count = 0;
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let fields: Vec<&str> = line.split('|').map(str::trim).collect();
        let (fields, words) = fields.split_at(fields.len().min(5));
        let [what, seed, days, planned_days, orders] = fields[..] else { panic!("not five fields: {line}") };
        assert!(words.iter().all(|word| ["bills", "charges", "corrects", "pages", "cleans"].contains(word)), "{line}");
        let orders = orders.split(',').map(|order| order.parse().unwrap()).collect();
        let shape = shape(seed.parse().unwrap(), days.parse().unwrap(), planned_days.parse().unwrap(), orders);
        let [bills, charges, corrects, pages, cleans] =
            ["bills", "charges", "corrects", "pages", "cleans"].map(|word| words.contains(&word));
        let shape = Shape { bills, charges, corrects, pages, cleans, ..shape };
        let life = live(&shape, &settings, &mut ground).unwrap();
        let failure = life.failure.map(|failure| failure.explanation);
        assert!(failure.is_none(), "{what}: {}", failure.unwrap_or_default());
        count += 1;
    }
    assert!(count > 0);
}
