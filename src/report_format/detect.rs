//! Which report a file holds, by how it begins.

use std::io::{self, Cursor, Read};

use super::{Format, adyen, paypal, stripe};

/// More than this is not looked at.
const MOST: usize = 64 << 10;
const MOST_BYTES: u64 = 64 << 10;
const MOST_LINES: usize = 20;

/// The format of a file that begins with these bytes, unpacked; `None` where it is none this version knows.
pub fn detect(head: &[u8]) -> Option<Format> {
    let head = head.get(..MOST).unwrap_or(head);
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    if head.trim_ascii_start().first() == Some(&b'{') {
        return has_list(head).then_some(Format::Klarna);
    }
    let table = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(head);
    table.into_byte_records().map_while(Result::ok).take(MOST_LINES).find_map(|record| format_of(&record))
}

/// The format of an input, and the input with its beginning given back.
pub fn detect_in(mut input: Box<dyn Read + Send>) -> io::Result<(Option<Format>, Box<dyn Read + Send>)> {
    let mut head = Vec::new();
    input.by_ref().take(MOST_BYTES).read_to_end(&mut head)?;
    Ok((detect(&head), Box::new(Cursor::new(head).chain(input))))
}

fn format_of(record: &csv::ByteRecord) -> Option<Format> {
    let has = |name: &str| record.iter().any(|cell| cell.trim_ascii() == name.as_bytes());
    if has(adyen::SIGN) {
        return has(adyen::MARK).then_some(Format::Adyen);
    }
    if has(stripe::SIGN) {
        return Some(Format::Stripe);
    }
    let is_names = record.get(0) == Some(b"CH");
    (is_names && has(paypal::MARK) && !has(paypal::OTHER_MARK)).then_some(Format::Paypal)
}

/// Klarna's lists, one of whose fields is in whatever the head holds of it.
fn has_list(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head);
    let lists = ["\"transactions\"", "\"payouts\""];
    let fields = ["\"payment_reference\"", "\"detailed_type\"", "\"currency_code\"", "\"merchant_settlement_type\""];
    lists.iter().any(|name| text.contains(name)) && fields.iter().any(|name| text.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_by_its_head_what_it_is() {
        for (head, format) in [
            ("Company Account,Psp Reference,Net Debit (NC),Net Credit (NC)\n", Format::Adyen),
            ("External\n,\n\n\n\u{feff}x,\"Company Account\",Net Debit (NC)\r\nShop", Format::Adyen),
            ("net,\"balance_transaction_id\"\n1,txn", Format::Stripe),
            (
                "\u{feff}\"RH\",2026/01/07\n\"FH\",01\n\"SH\",a,b\n\"CH\",\"Transaction ID\",Transaction Event Code\n",
                Format::Paypal,
            ),
            (" {\"transactions\" : [{\"amount\":1,\"currency_code\":\"EUR\"", Format::Klarna),
            ("{\"payouts\":[{\"payment_reference\":\"", Format::Klarna),
        ] {
            assert_eq!(detect(head.as_bytes()), Some(format), "{head}");
        }
    }

    #[test]
    fn an_input_is_whole_after_its_head_was_looked_at() {
        let text = "balance_transaction_id,net\n".to_owned() + &"txn_1,1.00\n".repeat(10_000);
        let (format, mut input) = detect_in(Box::new(Cursor::new(text.clone()))).unwrap();
        let mut read = String::new();
        input.read_to_string(&mut read).unwrap();
        assert_eq!((format, read == text), (Some(Format::Stripe), true));
    }

    #[test]
    fn what_is_not_known_is_not_guessed() {
        for head in [
            "",
            "date,amount,currency\n",
            // The payments accounting report, and the transaction detail report.
            "Company Account,Psp Reference,Payable (SC)\n",
            "CH,Transaction ID,Transactional Status,Transaction Event Code\n",
            "{\"transactions\":[]}",
            "{\"orders\":[{\"currency_code\":\"EUR\"}]}",
            "PK\u{3}\u{4}",
        ] {
            assert_eq!(detect(head.as_bytes()), None, "{head}");
        }
        assert_eq!(detect(&vec![0xff; 100_000]), None);
        let late = "x\n".repeat(20) + "balance_transaction_id,net\n";
        assert_eq!(detect(late.as_bytes()), None);
    }
}
