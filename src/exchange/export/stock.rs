//! The stock of deleted orders, for the shop or ERP that keeps it: RFC 4180, one row per line of an order.

use std::io::{self, Write};

use chrono::SecondsFormat;

use crate::domain::deletion::{StockRelease, StockReleasedBy};

/// `event` is the same in every export: who has carried it out leaves it out. `instructs` is `no` where the ERP gives the stock
/// back by itself (rule 24).
const HEADER: [&str; 10] =
    ["event", "at", "shop", "order", "line", "item", "description", "quantity", "action", "instructs"];

pub(super) fn write(releases: &[StockRelease], out: &mut dyn Write) -> io::Result<()> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
    writer.write_record(HEADER)?;
    for release in releases {
        let action = release.direction.as_str();
        let event = format!("{}/{}:{}:{}:{action}", release.shop, release.order, release.line, release.generation);
        let instructs = match release.released_by {
            StockReleasedBy::Payjournal => "yes",
            StockReleasedBy::Erp => "no",
        };
        writer.write_record([
            event.as_str(),
            &release.happened_at.to_rfc3339_opts(SecondsFormat::Secs, true),
            release.shop.as_str(),
            release.order.as_str(),
            &release.line.to_string(),
            release.item.as_deref().unwrap_or_default(),
            &release.description,
            &release.quantity,
            action,
            instructs,
        ])?;
    }
    writer.flush()
}
