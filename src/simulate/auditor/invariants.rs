//! The names of what the auditor holds against payjournal, and where each comes from.

/// Name and rule, in one sentence. A name never changes its meaning.
pub const INVARIANTS: &[(&str, &str)] = &[
    // Safety: intents.
    (
        "effect-once-per-target",
        "one live effect per transaction, kind and document, one release per transaction (design)",
    ),
    ("effect-once-per-key", "one key makes one effect (rule 3)"),
    ("effect-has-intent", "the operation is committed before anything is sent (design: record intent)"),
    ("effect-as-intended", "what was done is what was committed: kind, transaction, document, amount (design)"),
    ("effect-not-denied", "what may have happened is neither planned nor withdrawn (rule 4)"),
    ("refused-is-not-live", "what the ledger calls refused does not stand (rule 5)"),
    ("confirmed-was-confirmed", "accepted is not confirmed (design: operation states)"),
    ("confirmed-has-effect", "nothing is accepted or confirmed that the PSP does not have (design)"),
    ("one-unanswered-per-payment", "at most one operation of a payment has no answer (rule 4)"),
    ("key-format", "keys have at most 64 characters, document numbers 20 of A-Z0-9- (rule 3)"),
    // Safety: sums.
    ("captures-within-authorised", "payjournal's live captures are at most what is authorised (rule 2)"),
    ("intents-within-authorised", "so are its intents that count (rule 2)"),
    ("refunds-within-captures", "payjournal's live refunds are at most what was captured (rule 2)"),
    ("intents-within-captured", "so are its intents that count, of what the ledger knows (rule 2)"),
    ("document-within-total", "of a document no more is captured or refunded than its total (rules 9, 16)"),
    // Safety: captures.
    ("capture-for-own-order", "a payment pays its order's documents, or the invoices it names (design)"),
    ("document-known-first", "nothing is captured or refunded for a document nobody told of (rules 9, 16)"),
    ("capture-by-trigger", "the method's trigger decides what is captured for what (rule 10)"),
    ("capture-not-too-early", "a delay counts whole days from the authorisation (rule 10)"),
    (
        "no-capture-for-cancelled-invoice",
        "what payjournal billed is not captured once its order is cancelled in full (domain 3.2)",
    ),
    ("on-account-not-captured", "an order on account is never captured (rule 14, domain 1.10)"),
    ("partial-capture-allowed", "a part is captured only where it may be (rule 11)"),
    ("partial-loses-nothing", "what lapses with a part is not what another document needs (rule 11)"),
    ("capture-within-told-outstanding", "at most what was told outstanding, less what is on its way (rule 9)"),
    ("invoice-not-captured-again", "an invoice open again is not captured again by itself (rule 17)"),
    ("prepaid-tied-first", "money captured and untied is tied first, only the rest is captured (rule 10)"),
    ("invoice-payment-within-lacking", "a payment of invoices takes no more than they lack (accounting)"),
    (
        "order-collected-once",
        "what several payments take for one order is no more than the order or its invoices (accounting)",
    ),
    (
        "invoice-left-to-its-payer",
        "what a customer paid of an invoice by name is not taken from the order's payment too (accounting)",
    ),
    ("no-capture-after-release", "what was given back is not captured (rule 12)"),
    // Safety: refunds.
    ("refund-for-credit-note", "a refund is for a credit note that agrees with its invoice (rule 16)"),
    ("refund-within-told-open", "at most the open total, read fresh, less what is on its way (rule 16)"),
    ("refund-to-payer", "money goes back to what paid the invoice, and no more than it paid (rule 16)"),
    ("refund-oldest-first", "the oldest payment of the invoice gets its money back first (rule 16)"),
    ("refund-allowed", "a method that allows no refunds gets none (domain 1.12)"),
    ("outside-refund-waits", "after somebody else refunded, a credit note waits for a person (accounting)"),
    (
        "disputed-is-charged-back",
        "the disputed account of a customer is what was charged back less what was won back (rule 17)",
    ),
    ("charged-back-is-held", "nothing is taken from a payment that was charged back, or given back (rule 17)"),
    // Safety: releases.
    ("release-after-captures", "nothing is released while a capture is unsettled (rule 12)"),
    ("release-with-cause", "a release needs a cancelled, or fully invoiced or shipped order (rule 12)"),
    ("release-within-left", "no more is released than is left (rule 12)"),
    ("release-keeps-needed", "what documents still need is not given back (accounting)"),
    // Safety: refusals.
    ("no-oddities", "no request is made that no correct client makes (rule 3)"),
    ("refusal-explained", "a PSP says no to too much only if somebody else was there before (rule 2)"),
    ("refusal-has-intent", "what a PSP refused was intended before (design: record intent)"),
    ("no-call-past-deadline", "past a deadline the PSP gave nothing is sent (rule 13)"),
    // Safety: movements.
    ("movement-happened", "a movement is a fact: confirmed, with that id, amount and currency (rule 1)"),
    ("failure-happened", "a failure is of a movement that failed after it was confirmed (rule 1)"),
    ("movement-once", "a fact is written down once (rule 1)"),
    ("movements-within-happened", "no money is counted twice under two names (rule 1)"),
    ("movement-of-its-operation", "a movement belongs to the operation that asked for it, or to none (rule 1)"),
    // Safety: books.
    ("journal-sums-to-zero", "the postings of a journal sum to zero (design)"),
    ("postings-by-kind", "each kind of journal has its accounts, debit and credit (accounting: postings)"),
    ("movement-booked-whole", "a movement's journals sum to it; applications are out of its prepayment (rule 15)"),
    ("failure-reversed-whole", "a failed movement is reversed whole, and nothing else is (accounting)"),
    ("journal-for-right-document", "journals are for documents the money belongs to (rules 10, 16, 17)"),
    ("prepayment-used-once", "prepaid money paid back is not applied too (rule 15)"),
    ("prepayment-where-it-came", "prepaid money leaves the account it came to (accounting)"),
    ("clearing-is-the-movements", "clearing is captures less refunds, chargebacks and failures (accounting)"),
    ("document-not-overpaid", "no more is tied to a document than its total (accounting)"),
    // Safety: lines in the ERP.
    ("line-once", "a journal is posted into the ERP once (rule 1)"),
    ("line-is-its-journal", "a line is a journal of the ledger, figure by figure (rule 3)"),
    ("line-after-its-original", "the ERP has what a line undoes or applies before it gets the line (rules 7, 15)"),
    ("line-was-intended", "a line's operation is committed before it is sent (design: record intent)"),
    ("line-as-believed", "delivered is posted, refused is not posted (design)"),
    // Safety: mails.
    ("mail-was-written", "a mail that arrives was written, as it was written (design)"),
    ("mail-once", "one mail per event arrives, once (domain 1.9)"),
    ("mail-is-true", "captured, refunded and released are told after confirmation only (design, domain 1.9)"),
    ("mail-as-believed", "a mail the ledger calls delivered arrived (design)"),
    // Safety: payouts.
    ("line-as-reported", "a settlement line is as its PSP reported it, in its payout (rule 21)"),
    ("settlement-line-once", "a settlement line is there once, however often it is reported (rule 21)"),
    ("payout-closed-adds-up", "a payout is closed only if its lines add up (rule 20)"),
    ("payout-booked", "a closed payout takes from clearing what its lines are over (rule 19)"),
    ("order-settled", "what is settled for an order is what was paid out for its payments (design)"),
    // Safety: invoices.
    ("billed-once", "an order has one invoice (rule 6)"),
    ("invoice-number-once", "an invoice number is given once (domain 3.7)"),
    (
        "invoice-as-sold",
        "an invoice is over what the order sells, to its customer, with the tax of each line (domain 3.6)",
    ),
    ("invoice-booked", "an invoice is receivables against revenue and tax (accounting)"),
    (
        "billed-when-allowed",
        "nothing is billed by a key that is used twice or does not fit, unpaid or cancelled (domain 3.8)",
    ),
    ("invoice-mailed-once", "one mail brings an invoice (domain 3.8)"),
    ("entry-kept-for-its-invoice", "an entry the shop cancels is kept only where it is billed already (domain 3.3)"),
    ("entry-has-its-money", "an entry has what payments for it brought, and at most what it is over (rule 7)"),
    ("free-balance-is-free", "an order's money pays another order only with what it does not need itself (accounting)"),
    // Safety: payment pages.
    ("page-is-known", "a mail brings only a page whose payment the ledger has (rule 4)"),
    (
        "page-of-its-invoice",
        "an invoice's mail brings the page of its own entry, over no more than that is (domain 3.3)",
    ),
    ("page-expired-first", "what is closed counts as expired before: nobody is sent to it any more (rule 4)"),
    ("one-page-per-debt", "of what is open of an entry, one page is open that its customer knows (rule 6)"),
    // Safety: what persons take back.
    (
        "correction-as-asked",
        "a cancellation, credit note or refund request is what one person asked for, once (domain 3.9)",
    ),
    ("correction-number-once", "the number of what takes back or pays back is given once (domain 3.7)"),
    ("correction-is-opposite", "a cancellation is its invoice turned round, a credit note its lines (accounting)"),
    ("credit-within-line", "of no line more is credited than was sold (accounting)"),
    (
        "note-clears-its-invoice",
        "a credit note clears what its invoice lacks before anything is paid back (accounting)",
    ),
    ("cancelled-once", "an invoice is cancelled by one document, and credited by none beside it (rule 6)"),
    ("cancelled-gives-back", "what had paid a cancelled invoice is on its customer's account again (accounting)"),
    ("cancelled-entry-is-over", "the entry of a cancelled invoice has nothing, and takes part in nothing (rule 6)"),
    ("cancelled-not-captured", "for a cancelled invoice nothing is captured (accounting)"),
    ("cancellation-not-refunded", "what a cancellation gave back is never refunded by itself (rule 16)"),
    ("request-within-free", "what is to be paid back on request belongs to no invoice and no entry (accounting)"),
    (
        "refund-as-requested",
        "a request is paid back by its own payment, unless somebody else did meanwhile (accounting)",
    ),
    // Safety: clean-up.
    ("closing-as-intended", "a page is closed by an operation, which is believed to be what it is (rules 4, 23)"),
    ("deletion-as-intended", "an order goes by an operation, which is believed to be what it is (rule 4)"),
    ("deleted-unpaid", "an order goes only if no payment known of it was ever paid, or can still be (rules 22, 23)"),
    ("deletion-has-its-gates", "what let an order through each of the four gates is written down (rule 22)"),
    ("deleted-unprotected", "nothing goes that is cancelled, on account or prepaid in part (rule 22)"),
    ("deleted-old-enough", "an order of exactly so many days stays (domain 5, trap T59)"),
    ("deleted-once", "the ERP lets an order go once (rule 6)"),
    ("tombstone-is-true", "what has a tombstone is gone in the ERP, and the order says so (design)"),
    ("stock-released-once", "the stock of each line goes back once with its order, and else never (rule 24)"),
    // Liveness: facts.
    ("nothing-under-way", "what can finish has finished; the rest was told or the PSP has not settled it (design)"),
    ("refusal-told", "what was refused or given up, and not tried again, was told to a person (rule 5)"),
    ("fact-recorded", "what was confirmed, or failed after it was recorded, is a movement, whoever asked (rules 1, 2)"),
    ("outcome-recorded", "an operation ends as its effect ended (design: operation states)"),
    ("outside-fact-told", "money nobody here asked for is an exception (rule 2)"),
    ("other-amount-told", "an amount that is not what was asked for is an exception (accounting)"),
    ("mail-written", "captures and refunds for documents, and releases, are mailed (domain 1.9)"),
    ("journal-delivered", "every journal is in the ERP's books, or a person was told (domain 1.7)"),
    ("mail-delivered", "every mail arrived, or a person was told (domain 1.9)"),
    ("standing-known", "the ledger knows how each payment stands (domain 1.8)"),
    (
        "clearing-is-the-psps",
        "clearing is the PSPs' own record: captured less refunded, charged back and paid out (accounting)",
    ),
    ("told-is-known", "what was imported is there (rule 25)"),
    // Liveness: payouts.
    ("payout-known", "every payout is known with all its lines, and proved (rules 19, 20)"),
    // Liveness: money.
    (
        "document-paid-or-told",
        "an invoice or shipment somebody authorised money for is captured, or told (rules 9, 11, 13)",
    ),
    ("prepaid-is-tied", "an invoice that lacks money takes what was captured before it (rule 10)"),
    ("credit-note-refunded-or-told", "what is open on a credit note is refunded, or told (rule 16)"),
    ("authorisation-captured-or-told", "an authorisation that triggers its own capture is captured, or told (rule 10)"),
    ("rest-released-or-told", "what will never be needed is given back, or told (rule 12)"),
    (
        "untied-money-told",
        "captured money that no invoice takes is told: of a cancelled order, or more than the order (accounting)",
    ),
    // Liveness: invoices.
    ("billed-or-told", "an order that may be billed is billed; what keeps it back is told (domain 3.8)"),
    ("invoice-mailed", "an invoice is mailed, or a person was told that there is no address (domain 3.8)"),
    ("entry-assigned", "an entry has what was captured for it and kept (domain 3.3)"),
    ("entry-pays-its-invoice", "what an entry has pays its invoice, if that lacks it (accounting)"),
    // Liveness: payment pages.
    ("page-brought", "an invoice of which nothing is paid brings a page, unless the PSP made none (domain 3.3)"),
    ("page-closed", "a page that asks for nothing any more is closed, or what keeps it open is told (accounting)"),
    ("spare-money-told", "what is captured for an entry of which nothing is open is told (accounting)"),
    ("page-pays-its-entry", "what is paid on a page is its entry's, as far as that is open (rule 7)"),
    // Liveness: what persons take back.
    ("request-refunded-or-told", "what was asked to be paid back is, or what keeps it back is told (rule 16)"),
    ("correction-mailed", "what takes back is mailed, or a person was told that there is no address (domain 3.8)"),
    (
        "customer-account",
        "a customer's account is what was invoiced less credited, less paid and not paid back (accounting)",
    ),
    // Liveness: clean-up.
    ("deletion-recorded", "what is gone in the ERP has a tombstone (design)"),
    ("late-money-told", "money on a deleted order is never silent (rule 22)"),
    ("unpaid-deleted-or-told", "an old order nobody paid is deleted, or what keeps it is told (domain 5)"),
    // Liveness: what people see.
    ("order-status", "the status of an order follows from its payments (rule 14)"),
    ("exception-right", "every open exception has what justifies its kind (accounting)"),
];
