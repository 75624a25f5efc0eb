//! Says in a PDF's metadata that it is a `Factur-X` (`ZUGFeRD`) invoice.
//!
//! krilla writes XMP of its own and takes no more, so the metadata are written again with what is to be added, and appended
//! as PDF's incremental update does: nothing of what krilla wrote moves.

use super::RenderError;
use super::pdf::ATTACHMENT;

const NAMESPACE: &str = "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#";

/// What the extension holds: name, value, and what it is.
const PROPERTIES: [(&str, &str, &str); 4] = [
    ("DocumentFileName", ATTACHMENT, "The name of the embedded XML invoice file"),
    ("DocumentType", "INVOICE", "The type of the hybrid document"),
    ("Version", "1.0", "The version of the XML schema that applies"),
    ("ConformanceLevel", "EN 16931", "The conformance level of the XML data"),
];

/// Where krilla's own extensions end, and where everything does.
const EXTENSIONS_END: &str = "</rdf:Bag></pdfaExtension:schemas>";
const END: &str = "</rdf:RDF>";

/// Appends the metadata with the extension to the file.
pub(super) fn declare(mut pdf: Vec<u8>) -> Result<Vec<u8>, RenderError> {
    let update = update(&pdf).ok_or_else(|| RenderError::Pdf {
        why: "its metadata are not where they are expected; krilla writes them in another way now".to_owned(),
    })?;
    pdf.extend_from_slice(update.as_bytes());
    Ok(pdf)
}

/// The new object, and the table and trailer that put it in the place of the old one.
fn update(pdf: &[u8]) -> Option<String> {
    let dictionary = last(pdf, b"/Type/Metadata")?;
    let head = pdf.get(..dictionary)?;
    let number = text(after(head, last(head, b"endobj\n")?, b"endobj\n")?)?.split_once(" 0 obj")?.0;
    let number: u32 = number.parse().ok()?;
    let stream = after(pdf, last(pdf, b"stream\n<?xpacket")?, b"stream\n")?;
    let metadata = text(stream.get(..last(stream, b"\nendstream")?)?)?;
    let metadata = extended(metadata)?;
    let trailer = text(after(pdf, last(pdf, b"trailer\n<<")?, b"trailer\n<<")?)?;
    let (entries, rest) = trailer.split_once(">>\nstartxref\n")?;
    let previous: u32 = rest.lines().next()?.parse().ok()?;
    let length = metadata.len();
    let object = format!(
        "{number} 0 obj\n<</Length {length}/Type/Metadata/Subtype/XML>>\nstream\n{metadata}\nendstream\nendobj\n"
    );
    let at = pdf.len() + 1;
    let table = at + object.len();
    Some(format!(
        "\n{object}xref\n{number} 1\n{at:010} 00000 n\r\ntrailer\n<<{entries}/Prev {previous}>>\nstartxref\n{table}\n%%EOF\n"
    ))
}

fn extended(metadata: &str) -> Option<String> {
    let (start, rest) = metadata.split_once(EXTENSIONS_END)?;
    let (middle, end) = rest.split_once(END)?;
    let described: Vec<String> = PROPERTIES
        .iter()
        .map(|(name, _, description)| {
            format!(
                "<rdf:li rdf:parseType=\"Resource\"><pdfaProperty:name>{name}</pdfaProperty:name>\
                 <pdfaProperty:valueType>Text</pdfaProperty:valueType><pdfaProperty:category>external</pdfaProperty:category>\
                 <pdfaProperty:description>{description}</pdfaProperty:description></rdf:li>"
            )
        })
        .collect();
    let values: Vec<String> =
        PROPERTIES.iter().map(|(name, value, _)| format!("<fx:{name}>{value}</fx:{name}>")).collect();
    let (described, values) = (described.concat(), values.concat());
    Some(format!(
        "{start}<rdf:li rdf:parseType=\"Resource\">\
         <pdfaSchema:schema>Factur-X PDFA Extension Schema</pdfaSchema:schema>\
         <pdfaSchema:namespaceURI>{NAMESPACE}</pdfaSchema:namespaceURI><pdfaSchema:prefix>fx</pdfaSchema:prefix>\
         <pdfaSchema:property><rdf:Seq>{described}</rdf:Seq></pdfaSchema:property></rdf:li>{EXTENSIONS_END}{middle}\
         <rdf:Description rdf:about=\"\" xmlns:fx=\"{NAMESPACE}\">{values}</rdf:Description>{END}{end}"
    ))
}

fn last(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).rposition(|window| window == wanted)
}

fn after<'a>(bytes: &'a [u8], at: usize, wanted: &[u8]) -> Option<&'a [u8]> {
    bytes.get(at + wanted.len()..)
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::super::{pdf, sample};

    #[test]
    fn the_new_metadata_take_the_place_of_the_old() {
        let pdf = pdf(&sample::long()).unwrap();
        let end = String::from_utf8_lossy(&pdf[pdf.len() - 400..]).into_owned();
        let table: usize = end.split("startxref\n").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
        let table = std::str::from_utf8(&pdf[table..]).unwrap();
        let mut lines = table.lines();
        assert_eq!(lines.next(), Some("xref"));
        let number = lines.next().unwrap().strip_suffix(" 1").unwrap();
        let at: usize = lines.next().unwrap().split_once(' ').unwrap().0.parse().unwrap();
        assert!(table.contains("/Root ") && table.contains("/Prev "), "{table}");
        let object = String::from_utf8_lossy(&pdf[at..]).into_owned();
        assert!(object.starts_with(&format!("{number} 0 obj\n<</Length ")), "{object:.80}");
        assert!(object.contains("<fx:ConformanceLevel>EN 16931</fx:ConformanceLevel>"));
        assert!(object.contains("<pdfaid:part>3</pdfaid:part>"));
    }
}
