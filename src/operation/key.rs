//! Idempotency keys and ERP document numbers: hashes of natural keys only (rule 3), so that a restored backup makes the
//! same ones. Never of row ids, time or randomness.

use std::fmt;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::Kind;
use crate::domain::document::DocumentKind;
use crate::domain::payment::Payment;

/// At most 64 characters of `a–z0–9-`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Key(String);

/// What makes one intent the same intent again.
#[derive(Debug, Clone, Copy)]
pub struct NaturalKey<'a> {
    pub mode: &'a str,
    pub provider: &'a str,
    pub merchant_account: &'a str,
    pub transaction: &'a str,
    /// `invoice:103210`, or `AUTH` where there is no document.
    pub document: &'a str,
    pub attempt: u32,
}

/// What makes one journal the same journal again.
#[derive(Debug, Clone, Copy)]
pub struct JournalKey<'a> {
    pub mode: &'a str,
    pub provider: &'a str,
    pub merchant_account: &'a str,
    pub movement_kind: &'a str,
    pub modification: &'a str,
    /// `invoice:103210`, or `PREPAYMENT` where there is no document.
    pub document: &'a str,
    pub direction: &'a str,
}

/// What makes one journal of a payout the same journal again.
#[derive(Debug, Clone, Copy)]
pub struct PayoutKey<'a> {
    pub mode: &'a str,
    pub provider: &'a str,
    pub merchant_account: &'a str,
    /// As the PSP names it.
    pub payout: &'a str,
    pub kind: &'a str,
    pub posting_date: &'a str,
    pub currency: &'a str,
    /// The n-th journal of these.
    pub part: i64,
    /// What is booked of it before and with this journal: another content is another number.
    pub booked: [i64; 2],
}

impl<'a> NaturalKey<'a> {
    pub fn of_payment(mode: &'a str, payment: &'a Payment, document: &'a str, attempt: u32) -> Self {
        Self {
            mode,
            provider: payment.provider.as_str(),
            merchant_account: payment.merchant_account.as_str(),
            transaction: payment.transaction.as_str(),
            document,
            attempt,
        }
    }

    /// Of taking what is due of an entry: there is no transaction yet, and the entry stands in its place, with the shop it is of, since
    /// several may have one merchant account.
    pub fn of_collection(
        mode: &'a str,
        account: (&'a str, &'a str),
        (shop, entry): (&'a str, &'a str),
        attempt: u32,
    ) -> Self {
        let (provider, merchant_account) = account;
        Self { mode, provider, merchant_account, transaction: entry, document: shop, attempt }
    }
}

impl Key {
    pub fn of(kind: Kind, natural: NaturalKey<'_>) -> Self {
        let digest = digest(&[
            natural.mode,
            natural.provider,
            natural.merchant_account,
            natural.transaction,
            kind.as_str(),
            natural.document,
            &natural.attempt.to_string(),
        ]);
        Self(format!("pj-{}-{}", kind.as_str(), hexadecimal(digest.get(..20).unwrap_or_default())))
    }

    /// A journal or mail carries its own natural key already; the attempt tells repeated tries apart.
    pub fn of_text(kind: Kind, natural: &str, attempt: u32) -> Self {
        let digest = digest(&[kind.as_str(), natural, &attempt.to_string()]);
        Self(format!("pj-{}-{}", kind.as_str(), hexadecimal(digest.get(..20).unwrap_or_default())))
    }

    pub fn from_ledger(text: String) -> Self {
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The key of a payment page: mode, provider, merchant account, references of the entries, whose they are, currency, minor units and how
/// many pages were made for them before.
pub fn link_key(natural: [&str; 8]) -> Key {
    let digest = digest(&natural);
    Key(format!("pj-link-{}", hexadecimal(digest.get(..20).unwrap_or_default())))
}

/// The ERP's document number of a journal line: 19 characters of `A–Z0–9-`, 80 bits of the hash.
pub fn journal_number(natural: JournalKey<'_>) -> String {
    let digest = digest(&[
        natural.mode,
        natural.provider,
        natural.merchant_account,
        natural.movement_kind,
        natural.modification,
        natural.document,
        natural.direction,
    ]);
    format!("PJ-{}", base32(digest.get(..10).unwrap_or_default()))
}

/// The document number of a payout's journal, of the same form. (Journals of movements hash seven parts, these hash eleven.)
pub fn payout_journal_number(natural: PayoutKey<'_>) -> String {
    let [before, after] = natural.booked;
    let digest = digest(&[
        natural.mode,
        natural.provider,
        natural.merchant_account,
        "payout",
        natural.payout,
        natural.kind,
        natural.posting_date,
        natural.currency,
        &natural.part.to_string(),
        &before.to_string(),
        &after.to_string(),
    ]);
    format!("PJ-{}", base32(digest.get(..10).unwrap_or_default()))
}

/// The document number of the journal of a document of ours, of the same form: mode, company, the document's number, its order,
/// currency and total in minor units. (With its kind it hashes eight parts.)
pub fn invoice_journal_number(kind: DocumentKind, natural: [&str; 6]) -> String {
    let [mode, company, number, order, currency, total] = natural;
    let digest = digest(&[kind.as_str(), mode, company, number, order, currency, total, "original"]);
    format!("PJ-{}", base32(digest.get(..10).unwrap_or_default()))
}

/// The key of a deletion: mode, shop, order, method, stage and generation; the attempt tells repeated tries apart.
pub fn deletion_key(natural: [&str; 6], attempt: u32) -> Key {
    let attempt = attempt.to_string();
    let parts: Vec<&str> = std::iter::once("delete").chain(natural).chain([attempt.as_str()]).collect();
    Key(format!("pj-delete-{}", hexadecimal(digest(&parts).get(..20).unwrap_or_default())))
}

/// The id of a portal event: mode, type, object, its number among the events of the object, and what it says.
pub fn portal_event(natural: [&str; 5]) -> String {
    format!("pj-event-{}", hexadecimal(digest(&natural).get(..20).unwrap_or_default()))
}

/// Each part is preceded by its length, so that no two different lists hash alike.
fn digest(parts: &[&str]) -> Vec<u8> {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.len().to_string());
        hasher.update(":");
        hasher.update(part);
    }
    hasher.finalize().to_vec()
}

/// Two lower-case digits a byte.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn base32(bytes: &[u8]) -> String {
    const ALPHABET: [char; 32] = [
        'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O', 'P', 'Q', 'R', 'S', 'T', 'U', 'V',
        'W', 'X', 'Y', 'Z', '2', '3', '4', '5', '6', '7',
    ];
    let bits: Vec<bool> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1)).collect();
    bits.chunks(5)
        .filter_map(|group| ALPHABET.get(group.iter().fold(0_usize, |value, bit| value * 2 + usize::from(*bit))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NATURAL: NaturalKey<'static> = NaturalKey {
        mode: "test",
        provider: "sandbox",
        merchant_account: "SHOP",
        transaction: "T-1",
        document: "invoice:103210",
        attempt: 1,
    };

    const JOURNAL: JournalKey<'static> = JournalKey {
        mode: "test",
        provider: "sandbox",
        merchant_account: "SHOP",
        movement_kind: "capture",
        modification: "C-1",
        document: "invoice:103210",
        direction: "original",
    };

    /// Written out on purpose: a restored backup must make the same keys with every later version.
    #[test]
    fn keys_and_numbers_never_change_between_versions() {
        assert_eq!(Key::of(Kind::Capture, NATURAL).as_str(), "pj-capture-8fcc8991bd0cd85ac667de5d1bc134324e1545f4");
        let collection = NaturalKey::of_collection("test", ("sandbox", "SHOP"), ("webshop", "entry:E-1"), 1);
        assert_eq!(Key::of(Kind::Collect, collection).as_str(), "pj-collect-ff728fa44069396d8b509e993508939345e65de4");
        assert_eq!(journal_number(JOURNAL), "PJ-6X3VJBGPN5CK4UX6");
        let deletion = deletion_key(["test", "webshop", "SO-1", "cancel", "final", "1"], 1);
        assert_eq!(deletion.as_str(), "pj-delete-a0c1e9cf2a66b1867ecf36818a2bfbcf450b72de");
        let event = portal_event(["test", "order.status", "order:webshop:SO-1", "1", "{}"]);
        assert_eq!(event, "pj-event-b1af9dddb957ae6994fa6744c1f2f89cc07a7fcd");
    }

    #[test]
    fn each_part_of_the_natural_key_makes_another_key() {
        let first = Key::of(Kind::Capture, NATURAL);
        for other in [
            NaturalKey { mode: "live", ..NATURAL },
            NaturalKey { provider: "other", ..NATURAL },
            NaturalKey { merchant_account: "SHO", ..NATURAL },
            NaturalKey { transaction: "PT-1", ..NATURAL },
            NaturalKey { document: "AUTH", ..NATURAL },
            NaturalKey { attempt: 2, ..NATURAL },
        ] {
            assert_ne!(Key::of(Kind::Capture, other), first, "{other:?}");
        }
        assert_ne!(Key::of(Kind::Refund, NATURAL), first);
    }

    #[test]
    fn keys_and_numbers_fit_the_strictest_system() {
        assert!(Key::of(Kind::Capture, NATURAL).as_str().len() <= 64);
        let number = journal_number(JOURNAL);
        assert!(number.len() <= 20);
        assert!(number.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-'));
    }
}
