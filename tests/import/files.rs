//! What a file may look like: columns, quoting, encodings, endings, formats, and damage of every kind.

use std::fs;

use payjournal::command::import::{self, ImportArgs, ImportKind, InputFormat};
use payjournal::exchange::import::{
    DocumentRecord, EntryRecord, ImportKind as Kind, MandateRecord, OrderLineRecord, OrderRecord, PaymentRecord, Row,
    Rows, customer,
};
use payjournal::exit::Exit;
use proptest::prelude::*;

use super::desk::Desk;

const ONE_NEW: &str = "orders: 1 new, 0 changed, 0 unchanged";

#[test]
fn columns_come_in_any_order_and_optional_ones_may_lack() {
    let mut desk = Desk::new();
    desk.orders("ordered_on,total,currency,order\n2026-11-20,12.30,EUR,SO-1\n").done(ONE_NEW);
    let order = desk.order("SO-1");
    assert_eq!((order.total.to_string().as_str(), order.bill_to.as_str()), ("12.30 EUR", "WEB"));
    assert_eq!(order.shop.as_str(), "shop.example");
}

#[test]
fn byte_order_marks_semicolons_and_windows_line_ends_are_read() {
    for text in [
        "\u{feff}order,currency,total,ordered_on\nSO-1,EUR,1.00,2026-11-20\n",
        "order;currency;total;ordered_on\nSO-1;EUR;1.00;2026-11-20\n",
        "\u{feff}order;currency;total;ordered_on\r\nSO-1;EUR;1.00;2026-11-20\r\n",
        "\"order\",\"currency\",\"total\",\"ordered_on\"\r\n\"SO-1\",\"EUR\",\"1.00\",\"2026-11-20\"",
        "\n\norder,currency,total,ordered_on\n\n  \nSO-1,EUR,1.00,2026-11-20",
    ] {
        let mut desk = Desk::new();
        desk.orders(text).done(ONE_NEW);
        assert_eq!(desk.order("SO-1").total.to_string(), "1.00 EUR", "{text:?}");
    }
}

#[test]
fn a_delimiter_inside_quotes_does_not_count() {
    let mut desk = Desk::new();
    desk.orders("order,currency,total,ordered_on,bill_to\n\"SO;,1\",EUR,1.00,2026-11-20,\"say \"\"hi\"\"\"\n")
        .done(ONE_NEW);
    assert_eq!(desk.order("SO;,1").bill_to.as_str(), "say \"hi\"");
}

#[test]
fn quoted_newlines_and_blank_lines_keep_the_line_numbers_right() {
    for end in ["\n", "\r\n"] {
        let text = "order,currency,total,ordered_on\n\
                    \n\
                    \"SO\n1\",EUR,1.00,2026-11-20\n\
                    SO-2,EUR,x,2026-11-20\n\
                    \n\
                    \"SO-\"\"\n\n3\",EUR,1.00,2026-11-20\n\
                    SO-4,EUR,1.005,2026-11-20\n"
            .replace('\n', end);
        let shown = end.escape_default();
        let told = Desk::new().orders(text);
        told.refused(&[
            &format!("orders.csv:3: order `SO{shown}1` holds control characters"),
            "orders.csv:5: total `x` is not a decimal amount; write digits with one point at most, such as `12.30`",
            &format!("orders.csv:7: order `SO-\"{shown}{shown}3` holds control characters"),
            "orders.csv:10: total `1.005` has more decimals than EUR allows (2)",
        ]);
    }
}

#[test]
fn bytes_that_are_not_utf8_are_named_with_line_and_field() {
    let mut desk = Desk::new();
    let told = desk
        .orders(b"order,currency,total,ordered_on,bill_to\nSO-1,EUR,1,2026-11-20,K\xf6ln\n\xff,EUR,1,2026-11-20,\n");
    told.refused(&[
        "orders.csv:2: bill_to `K\u{fffd}ln` is not UTF-8 (byte 2 of the cell)",
        "orders.csv:3: order `\u{fffd}` is not UTF-8 (byte 1 of the cell)",
    ]);
}

#[test]
fn everything_wrong_with_a_header_is_told_at_once() {
    let mut desk = Desk::new();
    let told = desk.orders("order,currency,Totl,order,note\nSO-1,EUR,1,SO-1,x\n");
    told.refused(&[
        "orders.csv:1: Totl in the header is no known field; did you mean `total`?",
        "orders.csv:1: order is in the header twice",
        "orders.csv:1: note in the header is no known field",
        "orders.csv:1: total is required, but the header lacks it",
        "orders.csv:1: ordered_on is required, but the header lacks it",
    ]);
    assert!(told.err.ends_with("nothing was imported: `orders.csv` cannot be read as orders\n"));
    Desk::new().orders("").refused(&[
        "orders.csv:1: the file is empty; its first line names the fields, such as `order,currency,total,ordered_on`",
    ]);
    Desk::new().orders("order,currency,total,ordered_on\n").done("orders: 0 new, 0 changed, 0 unchanged");
}

#[test]
fn many_kinds_of_damage_in_one_file_are_all_told_and_nothing_goes_in() {
    let mut desk = Desk::new();
    let header = "order,currency,total,terms,prepayment_percent,cancelled,bill_to,ordered_on\n";
    let mut text = header.to_owned().into_bytes();
    for row in [
        "SO-1,EUR,10.00,,,,,2026-11-20",
        ",EUR,10.00,,,,,2026-11-20",
        "SO-3,EURO,10.00,,,,,2026-11-20",
        "SO-4,EUR,12.345,,,,,2026-11-20",
        "SO-5,EUR,-1,,,,,2026-11-20",
        "SO-6,EUR,\"1,000.00\",,,,,2026-11-20",
        "SO-7,EUR,10.00,on_acount,,,,2026-11-20",
        "SO-8,EUR,10.00,prepayment,,,,2026-11-20",
        "SO-9,EUR,10.00,online,30,,,2026-11-20",
        "SO-10,EUR,10.00,prepayment,130,gone,,2026-11-20",
        "SO-11,EUR,10.00,,,,,20.11.2026",
        "SO-12,EUR,10.00",
        "SO-13,EUR,10.00,,,,\"A\"B,2026-11-20",
        "\"SO-14,EUR,10.00,,,,,2026-11-20",
        "SO-15,EUR,99999999999999999999,,,, K1,2026-02-30",
    ] {
        text.extend_from_slice(row.as_bytes());
        text.push(b'\n');
    }
    let told = desk.orders(text);
    told.refused(&[
        "orders.csv:3: order is required, but empty",
        "orders.csv:4: currency `EURO` is not an ISO 4217 currency with minor units, such as `EUR`",
        "orders.csv:5: total `12.345` has more decimals than EUR allows (2)",
        "orders.csv:6: total `-1` is negative",
        "orders.csv:7: total `1,000.00` is not a decimal amount; write digits with one point at most, such as `12.30`",
        "orders.csv:8: terms `on_acount` is not one of online, on_account, prepayment; did you mean `on_account`?",
        "orders.csv:9: prepayment_percent is required when terms is prepayment, but empty",
        "orders.csv:10: prepayment_percent `30` is only for rows where terms is prepayment",
        "orders.csv:11: prepayment_percent `130` is not a percentage from 0 to 100 with at most 2 decimals",
        "orders.csv:11: cancelled `gone` is not one of none, rest, full; did you mean `none`?",
        "orders.csv:12: ordered_on `20.11.2026` is not a day such as 2026-11-22",
        "orders.csv:13: the row has 3 cells, the header has 8",
        "orders.csv:14: the row has text after a closing quote; a quote inside a quoted cell is written twice",
        "orders.csv:15: the row opens a quote that is never closed",
        "orders.csv:16: total `99999999999999999999` is larger than the ledger can hold",
        "orders.csv:16: bill_to ` K1` begins or ends with white space",
        "orders.csv:16: ordered_on `2026-02-30` is not a day such as 2026-11-22",
    ]);
    assert!(told.err.contains("nothing was imported: 14 rows of `orders.csv` have problems\n"), "{}", told.err);
    assert!(!desk.has_order("SO-1"), "a file goes in whole or not at all");
}

#[test]
fn a_quote_that_is_never_closed_does_not_swallow_the_rows_behind_it() {
    let mut desk = Desk::new();
    let text =
        "order,currency,total,ordered_on\n\"SO-1,EUR,1,2026-11-20\nSO-2,EUR,1,2026-11-20\n\"SO-3\",EUR,1,2026-11-20\n";
    let told = desk.with_rejects(ImportKind::Orders, "orders.csv", text, "bad.csv");
    assert_eq!(told.out, "orders: 2 new, 0 changed, 0 unchanged, 1 rejected -> bad.csv\n");
    assert!(desk.has_order("SO-2") && desk.has_order("SO-3"));
}

#[test]
fn a_record_without_end_costs_one_row_and_no_memory() {
    let mut desk = Desk::new();
    let mut text = "order,currency,total,ordered_on\n".to_owned();
    text.push_str(&"x".repeat(1_000_000));
    text.push_str("\nSO-2,EUR,1,2026-11-20\n");
    let told = desk.with_rejects(ImportKind::Orders, "orders.csv", text, "bad.csv");
    assert_eq!(told.err, "orders.csv:2: the row is longer than 65536 bytes\n");
    assert!(desk.has_order("SO-2"));
}

#[test]
fn decimals_are_those_of_the_currency() {
    let mut desk = Desk::new();
    desk.orders("order,currency,total,ordered_on\nJ,JPY,1500,2026-11-20\nK,KWD,1.234,2026-11-20\n")
        .done("orders: 2 new, 0 changed, 0 unchanged");
    assert_eq!((desk.order("J").total.minor(), desk.order("K").total.minor()), (1500, 1234));
    Desk::new().orders("order,currency,total,ordered_on\nJ,JPY,15.00,2026-11-20\nK,KWD,1.2345,2026-11-20\n").refused(
        &[
            "orders.csv:2: total `15.00` has more decimals than JPY allows (0)",
            "orders.csv:3: total `1.2345` has more decimals than KWD allows (3)",
        ],
    );
}

#[test]
fn ndjson_says_the_same_with_the_same_names() {
    let mut desk = Desk::new();
    let told = desk.import_file(
        ImportKind::Orders,
        "orders.ndjson",
        "{\"order\":\"SO-1\",\"currency\":\"EUR\",\"total\":\"12.30\",\"ordered_on\":\"2026-11-20\",\"bill_to\":null}\n\n\
         {\"total\":\"1\",\"order\":1002,\"currency\":\"EUR\",\"ordered_on\":\"2026-11-20\",\"bill_to\":\"\"}\n",
    );
    told.done("orders: 2 new, 0 changed, 0 unchanged");
    assert_eq!(desk.order("1002").total.to_string(), "1.00 EUR");
}

#[test]
fn ndjson_damage_is_told_line_by_line() {
    let mut desk = Desk::new();
    let good = "\"currency\":\"EUR\",\"ordered_on\":\"2026-11-20\"";
    let mut text = format!(
        "{{\"order\":\"A\",\"total\":12.30,{good}}}\n\
         {{\"order\":\"B\",\"total\":\"1\",\"total\":\"2\",{good}}}\n\
         {{\"order\":\"C\",\"totl\":\"1\",{good}}}\n\
         {{\"order\":[\"D\"],\"total\":\"1\",{good}}}\n\
         {{\"order\":\"E\",\"total\":\"1\",{good}\n\
         [1]\n\
         {{\"order\":1.5,\"total\":\"1\",{good}}}\n"
    )
    .into_bytes();
    text.extend_from_slice(b"{\"order\":\"\xff\"}\n");
    let told = desk.import_file(ImportKind::Orders, "orders.jsonl", text);
    told.refused(&[
        "orders.jsonl:1: total `12.3` is a JSON number, which may have lost digits; write amounts as text, such as \"12.30\"",
        "orders.jsonl:2: total is given twice",
        "orders.jsonl:3: totl is no known field; did you mean `total`?",
        "orders.jsonl:3: total is required, but empty",
        "orders.jsonl:4: order `[\"D\"]` is not text",
        "orders.jsonl:5: the line is no JSON object: EOF while parsing an object (column 67)",
        "orders.jsonl:6: the line is no JSON object: invalid type: sequence, expected an object such as {\"order\": \"SO-1001\"} (column 0)",
        "orders.jsonl:7: order `1.5` is a JSON number, which may have lost digits; write it as text",
        "orders.jsonl:8: the line is not UTF-8 (byte 11)",
    ]);
}

#[test]
fn standard_input_shows_its_format_by_its_first_character() {
    let csv = "order,currency,total,ordered_on\nSO-1,EUR,1,2026-11-20\n";
    let ndjson = " \n{\"order\":\"SO-1\",\"currency\":\"EUR\",\"total\":\"1\",\"ordered_on\":\"2026-11-20\"}\n";
    for text in [csv, ndjson] {
        let mut desk = Desk::new();
        let args = ImportArgs { file: "-".into(), ..desk.args(ImportKind::Orders, "") };
        desk.run_with_input(&args, text.as_bytes()).unwrap().done(ONE_NEW);
        let args = ImportArgs { format: Some(InputFormat::Csv), ..args };
        let told = desk.run_with_input(&args, b"{}\n").unwrap();
        assert!(told.err.starts_with("stdin:1: {} in the header is no known field\n"), "{}", told.err);
    }
}

#[test]
fn a_file_that_cannot_be_read_is_a_usage_error() {
    let mut desk = Desk::new();
    let args = desk.args(ImportKind::Orders, "missing.csv");
    let failure = desk.run(&args).unwrap_err();
    assert_eq!(failure.exit, Exit::Usage);
    assert!(failure.line().contains("missing.csv"), "{}", failure.line());
    let folder = ImportArgs { file: desk.folder.path().to_owned(), ..args };
    assert_eq!(desk.run(&folder).unwrap_err().exit, Exit::Usage);
}

#[test]
fn a_clean_import_is_silent_unless_asked() {
    let mut desk = Desk::new();
    fs::write(desk.path("o.csv"), "order,currency,total,ordered_on\nSO-1,EUR,1,2026-11-20\n").unwrap();
    let args = ImportArgs { print_summary: false, ..desk.args(ImportKind::Orders, "o.csv") };
    desk.run(&args).unwrap().done("");
}

#[test]
fn json_is_one_document() {
    let mut desk = Desk::new();
    fs::write(
        desk.path("o.csv"),
        "order,currency,total,ordered_on\nSO-1,EUR,1.234,2026-11-20\nSO-2,EUR,1,2026-11-20\n",
    )
    .unwrap();
    let args = ImportArgs { json: true, ..desk.args(ImportKind::Orders, "o.csv") };
    let told = desk.run(&args).unwrap();
    let document: serde_json::Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!(
        document,
        serde_json::json!({
            "schema": "payjournal/import/1", "outcome": "needs_person", "exit_code": 1, "kind": "orders",
            "new": 0, "changed": 0, "unchanged": 0, "rejected": 1, "rejects_file": null, "problems_total": 1,
            "problems": [{"line": 2, "field": "total", "value": "1.234", "why": "has more decimals than EUR allows (2)"}],
        })
    );
    assert_eq!(told.err, "");
}

#[test]
fn a_flood_of_problems_is_counted_and_not_printed() {
    let mut desk = Desk::new();
    let told = desk.orders(format!("order,currency,total,ordered_on\n{}", "SO-1,EUR,x,2026-11-20\n".repeat(1_234)));
    assert_eq!(told.err.lines().count(), 103);
    assert!(told.err.contains("… and 1134 more problems\nnothing was imported: 1234 rows"), "{}", told.err);
}

/// The examples `--describe` gives, as one row.
fn example(kind: Kind) -> String {
    let line = |text: fn(&payjournal::exchange::import::Field) -> &'static str| {
        kind.fields().iter().map(text).collect::<Vec<_>>().join(",")
    };
    format!("{}\n{}\n", line(|field| field.name), line(|field| field.example))
}

#[test]
fn what_describe_gives_as_an_example_is_taken() {
    let mut desk = Desk::new();
    desk.documents(
        "kind,number,currency,total,posted_on\ninvoice,103210,EUR,9,2026-11-20\ninvoice,103211,EUR,9,2026-11-20\n",
    );
    let (orders, documents) = (example(Kind::Orders), example(Kind::Documents));
    desk.orders(orders).done(ONE_NEW);
    desk.import_file(Kind::OrderLines, "lines.csv", example(Kind::OrderLines))
        .done("order lines: 1 new, 0 changed, 0 unchanged");
    desk.import_file(Kind::Customers, "customers.csv", example(Kind::Customers))
        .done("customers: 1 new, 0 changed, 0 unchanged");
    desk.import_file(Kind::Entries, "entries.csv", example(Kind::Entries))
        .done("entries: 1 new, 0 changed, 0 unchanged");
    desk.payments(example(Kind::Payments)).done("payments: 1 new, 0 changed, 0 unchanged");
    desk.documents(documents).done("documents: 1 new, 0 changed, 0 unchanged");
}

#[test]
fn describe_names_every_field() {
    for kind in Kind::ALL {
        let mut out = Vec::new();
        assert_eq!(import::describe(kind, &mut out).unwrap(), Exit::Done);
        let text = String::from_utf8(out).unwrap();
        for field in kind.fields() {
            assert!(text.lines().any(|line| line.trim_start().starts_with(field.name)), "{} in\n{text}", field.name);
        }
    }
}

/// Everything the parsers do to bytes, for all kinds and formats.
fn read_all(bytes: &[u8]) {
    let defaults = Desk::new().defaults;
    let refused = |row: &Row, kind| match kind {
        Kind::Orders => OrderRecord::read(row, &defaults).is_err(),
        Kind::OrderLines => OrderLineRecord::read(row, &defaults).is_err(),
        Kind::Customers => customer::read(row, &defaults).is_err(),
        Kind::Entries => EntryRecord::read(row, &defaults).is_err(),
        Kind::Payments => PaymentRecord::read(row, &defaults).is_err(),
        Kind::Documents => DocumentRecord::read(row, &defaults).is_err(),
        Kind::Mandates => MandateRecord::read(row, &defaults).is_err(),
    };
    for kind in Kind::ALL {
        for format in [InputFormat::Csv, InputFormat::Ndjson] {
            let Ok(rows) = Rows::open(format, kind, bytes) else { continue };
            for row in rows {
                let row = row.unwrap();
                assert!(row.objections.is_empty() || refused(&row, kind));
                refused(&row, kind);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        read_all(&bytes);
    }

    #[test]
    fn no_damage_behind_a_good_header_makes_the_parser_panic(
        kind in prop::sample::select(Kind::ALL.to_vec()),
        pieces in prop::collection::vec(prop::sample::select(vec![
            ",", ";", "\"", "\"\"", "\n", "\r\n", "\r", "\0", "EUR", "1.00", "2026-11-20", "captured", "é", "{", "}", "null", ":",
        ]), 0..80),
    ) {
        read_all(format!("{}{}", example(kind), pieces.concat()).as_bytes());
    }

    /// What a spreadsheet writes is read back cell by cell, whatever the cells hold.
    #[test]
    fn well_formed_csv_is_never_refused_as_csv(cells in prop::collection::vec("[a-z,;\"\r\n é]{0,12}", 4)) {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["order", "currency", "total", "ordered_on"]).unwrap();
        writer.write_record(&cells).unwrap();
        let bytes = writer.into_inner().unwrap();
        let row = Rows::open(InputFormat::Csv, Kind::Orders, &bytes[..]).unwrap().next();
        if let Some(row) = row {
            let row = row.unwrap();
            prop_assert_eq!(row.line, 2);
            prop_assert_eq!(row.objections, vec![]);
        }
    }
}
