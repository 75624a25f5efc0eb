//! The invoice as a PDF/A-3 that carries the e-invoice: what `Factur-X` and `ZUGFeRD` ask for.

use chrono::{Datelike as _, NaiveDate};
use krilla::configure::{Archival, ConfigurationBuilder};
use krilla::embed::{AssociationKind, EmbeddedFile, MimeType};
use krilla::error::KrillaError;
use krilla::metadata::{DateTime, Metadata};
use krilla::{Document, SerializeSettings};

use super::paper::Fonts;
use super::words::words;
use super::{RenderError, layout, paper, printable, xml, xmp};
use crate::domain::invoice::sheet::InvoiceSheet;

/// The name that readers of e-invoices look for.
pub(super) const ATTACHMENT: &str = "factur-x.xml";

/// Renders the invoice; the same sheet is always the same bytes.
pub fn pdf(sheet: &InvoiceSheet) -> Result<Vec<u8>, RenderError> {
    let configuration = ConfigurationBuilder::new()
        .with_archival_validator(Archival::A3_U)
        .finish()
        .map_err(|error| RenderError::Pdf { why: format!("{error:?}") })?;
    let mut document =
        Document::new_with(SerializeSettings { configuration, enable_tagging: false, ..SerializeSettings::default() });
    let fonts = Fonts::get()?;
    for marks in layout::pages(sheet)? {
        paper::draw(&mut document, fonts, &marks)?;
    }
    let dated = midnight(sheet.dated);
    let file = EmbeddedFile {
        path: ATTACHMENT.to_owned(),
        mime_type: MimeType::new("text/xml"),
        description: Some("EN 16931 invoice (Factur-X)".to_owned()),
        association_kind: AssociationKind::Alternative,
        data: xml(sheet)?.into_bytes().into(),
        modification_date: Some(dated),
        compress: Some(true),
        location: None,
    };
    document.embed_file(file).ok_or_else(|| RenderError::Pdf { why: "a file is attached twice".to_owned() })?;
    document.set_metadata(metadata(sheet, dated));
    xmp::declare(document.finish().map_err(|error| unwritten(&error))?)
}

fn metadata(sheet: &InvoiceSheet, dated: DateTime) -> Metadata {
    let (parties, words) = (&sheet.parties, words(sheet.parties.language));
    Metadata::new()
        .title(format!("{} {}", words.kind(sheet), sheet.number))
        .authors(vec![printable(&parties.seller.name)])
        .creator("payjournal".to_owned())
        .language(parties.language.as_str().to_owned())
        .creation_date(dated)
        .document_id(format!("{} {}", sheet.number, sheet.dated))
}

fn midnight(day: NaiveDate) -> DateTime {
    let small = |number: u32| u8::try_from(number).unwrap_or(1);
    DateTime::new(u16::try_from(day.year()).unwrap_or(0))
        .month(small(day.month()))
        .day(small(day.day()))
        .hour(0)
        .minute(0)
        .second(0)
        .utc_offset_hour(0)
}

/// The error's own words leave out what is not valid.
fn unwritten(error: &KrillaError) -> RenderError {
    let why = if let KrillaError::Validation(errors) = error {
        let named: Vec<String> = errors.iter().map(|(error, _)| format!("{error:?}")).collect();
        format!("not PDF/A-3: {}", named.join(", "))
    } else {
        error.to_string()
    };
    RenderError::Pdf { why }
}
