//! A mail as RFC 5322 has it: the same mail is the same bytes, however often it is made.

use anyhow::Context;
use lettre::message::header::ContentType;
use lettre::message::{Attachment, Mailbox, MessageBuilder, MultiPart, MultiPartKind, SinglePart};

use crate::config::settings::MailSettings;
use crate::domain::invoice::letter::file_name;
use crate::domain::letter::Recipient;
use crate::invoice;
use crate::operation::request::MailRequest;

pub(super) fn message(request: &MailRequest, settings: &MailSettings) -> anyhow::Result<lettre::Message> {
    let customer: Vec<String> = request.address.iter().cloned().collect();
    let to = match request.recipient {
        Recipient::Administrator => &settings.administrator,
        Recipient::PaymentNotifications => &settings.payment_notifications,
        Recipient::Customer => &customer,
    };
    let from: Mailbox = settings.from.parse().context("the address in `mail.from` cannot be read")?;
    let mut builder = MessageBuilder::new()
        .from(from)
        .date(request.written_at.into())
        .message_id(Some(format!("<{}@payjournal>", request.key)))
        .subject(&request.subject);
    for address in to {
        builder = builder.to(address.parse().with_context(|| format!("the address `{address}` cannot be read"))?);
    }
    let words = SinglePart::plain(request.body.clone());
    let Some(sheet) = &request.invoice else { return Ok(builder.singlepart(words)?) };
    let page = invoice::pdf(sheet).with_context(|| format!("the invoice {} cannot be rendered", sheet.number))?;
    let page = Attachment::new(file_name(sheet, "pdf")).body(page, ContentType::parse("application/pdf")?);
    let boundary = format!("payjournal-{}", request.key);
    let parts = MultiPart::builder().kind(MultiPartKind::Mixed).boundary(boundary).singlepart(words).singlepart(page);
    Ok(builder.multipart(parts)?)
}
