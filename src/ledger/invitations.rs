//! Mails that invite a buyer to pay, each with the page it is about.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, Row};

use super::row::Columns;
use super::{Ledger, Result, Writer};
use crate::domain::id::{MailId, PaymentId};
use crate::domain::letter::{CustomerLetter, Letter, Recipient};

/// A mail that was written for a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    pub mail: MailId,
    pub written_at: DateTime<Utc>,
    /// The mail server has it, or the folder.
    pub is_sent: bool,
}

impl Ledger {
    /// What was written for a page, the first first.
    pub fn invitations(&self, page: PaymentId) -> Result<Vec<Invitation>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT m.id, m.written_at,
               EXISTS (SELECT 1 FROM operations o WHERE o.mail_id = m.id AND o.state = 'confirmed') AS is_sent
             FROM invitations i JOIN mails m ON m.id = i.mail_id WHERE i.payment_id = ?1 ORDER BY m.id",
        )?;
        let invitation = |row: &Row<'_>| {
            let (mail, written_at) = (row.id("id", MailId)?, row.time("written_at")?);
            Ok(Invitation { mail, written_at, is_sent: row.plain("is_sent")? })
        };
        statement.query_and_then([page.0], invitation)?.collect()
    }
}

impl Writer<'_> {
    /// Queues a mail for a page, if its event has none yet.
    pub fn invite(&self, page: PaymentId, letter: &CustomerLetter) -> Result<()> {
        let CustomerLetter { event, address, subject, body } = letter.clone();
        let mail = self.add_letter(&Letter { event, recipient: Recipient::Customer, subject, body })?;
        if let Some(mail) = mail {
            self.connection
                .prepare_cached("INSERT INTO invitations (mail_id, payment_id, address) VALUES (?1, ?2, ?3)")?
                .execute((mail.0, page.0, address))?;
        }
        Ok(())
    }
}

/// Where the mail of an invitation goes.
pub(super) fn address(connection: &Connection, mail: MailId) -> Result<Option<String>> {
    let mut statement = connection.prepare_cached("SELECT address FROM invitations WHERE mail_id = ?1")?;
    statement.query_and_then([mail.0], |row| row.plain("address"))?.next().transpose()
}

/// An invitation to a page that is not open any more: it was paid, closed, or it expired.
pub(super) fn is_over(connection: &Connection, mail: MailId) -> Result<bool> {
    Ok(connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM invitations i JOIN payments p ON p.id = i.payment_id
                            WHERE i.mail_id = ?1 AND p.status <> 'open')",
        )?
        .query_row([mail.0], |row| row.get(0))?)
}
