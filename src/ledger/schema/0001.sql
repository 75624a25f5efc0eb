-- The ledger, version 1. Amounts are integers of minor units; times are UTC RFC 3339 text with seconds, days are YYYY-MM-DD.
-- Choices are written with OR: `CHECK (x IN (…))` builds a temporary table for every row inserted.

-- What this ledger is bound to (rule 8): written once.
CREATE TABLE binding (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    mode        TEXT NOT NULL CHECK (mode IN ('test', 'live')),
    created_at  TEXT NOT NULL
) STRICT;

CREATE TABLE orders (
    id              INTEGER PRIMARY KEY,
    shop            TEXT NOT NULL,
    number          TEXT NOT NULL,
    currency        TEXT NOT NULL CHECK (currency GLOB '[A-Z][A-Z][A-Z]'),
    total_minor     INTEGER NOT NULL CHECK (total_minor >= 0),
    terms           TEXT NOT NULL CHECK (terms = 'online' OR terms = 'on_account' OR terms = 'prepayment'),
    -- Hundredths of a percent, with terms = prepayment only.
    prepayment_basis_points INTEGER CHECK (prepayment_basis_points BETWEEN 1 AND 10000),
    cancelled       TEXT NOT NULL CHECK (cancelled = 'none' OR cancelled = 'rest' OR cancelled = 'full'),
    bill_to         TEXT NOT NULL,
    payment_status  TEXT NOT NULL CHECK (payment_status = 'new' OR payment_status = 'in_progress' OR payment_status = 'paid' OR
        payment_status = 'cancelled' OR payment_status = 'error'),
    ordered_on      TEXT NOT NULL,
    UNIQUE (shop, number),
    CHECK ((terms = 'prepayment') = (prepayment_basis_points IS NOT NULL))
) STRICT;

CREATE TABLE payments (
    id                INTEGER PRIMARY KEY,
    provider          TEXT NOT NULL,
    merchant_account  TEXT NOT NULL,
    transaction_id    TEXT NOT NULL,
    order_id          INTEGER REFERENCES orders (id),
    method            TEXT NOT NULL,
    currency          TEXT NOT NULL CHECK (currency GLOB '[A-Z][A-Z][A-Z]'),
    status            TEXT NOT NULL CHECK (status = 'open' OR status = 'pending' OR status = 'authorised' OR status = 'captured' OR
        status = 'released' OR status = 'cancelled' OR status = 'refused' OR
        status = 'expired' OR status = 'error'),
    status_since      TEXT NOT NULL,
    authorised_at     TEXT,
    capture_before    TEXT,
    -- Invoice numbers this payment pays, joined by ';' as the shop's reference has them; empty for an order's payment.
    pays              TEXT NOT NULL DEFAULT '',
    -- When the PSP was last asked how it stands.
    asked_at          TEXT,
    UNIQUE (provider, merchant_account, transaction_id)
) STRICT;
CREATE INDEX payments_by_order ON payments (order_id);

-- The authorised amount is a history (rule 2): the latest row counts.
CREATE TABLE authorisations (
    id            INTEGER PRIMARY KEY,
    payment_id    INTEGER NOT NULL REFERENCES payments (id),
    amount_minor  INTEGER NOT NULL CHECK (amount_minor >= 0),
    seen_at       TEXT NOT NULL
) STRICT;
CREATE INDEX authorisations_by_payment ON authorisations (payment_id);

CREATE TABLE documents (
    id                    INTEGER PRIMARY KEY,
    company               TEXT NOT NULL,
    kind                  TEXT NOT NULL CHECK (kind = 'invoice' OR kind = 'credit_note' OR kind = 'shipment'),
    number                TEXT NOT NULL,
    order_id              INTEGER REFERENCES orders (id),
    bill_to               TEXT NOT NULL,
    currency              TEXT NOT NULL CHECK (currency GLOB '[A-Z][A-Z][A-Z]'),
    total_minor           INTEGER NOT NULL CHECK (total_minor >= 0),
    paid_elsewhere_minor  INTEGER NOT NULL,
    -- The number of the invoice a credit note belongs to.
    references_number     TEXT,
    posted_on             TEXT NOT NULL,
    UNIQUE (company, kind, number)
) STRICT;
CREATE INDEX documents_by_order ON documents (order_id);
CREATE INDEX documents_by_reference ON documents (references_number) WHERE references_number IS NOT NULL;

CREATE TABLE runs (
    id           INTEGER PRIMARY KEY,
    task         TEXT NOT NULL,
    -- started = alive or died; finished = ended by itself; abandoned = found dead by a later run.
    state        TEXT NOT NULL CHECK (state = 'started' OR state = 'finished' OR state = 'abandoned'),
    started_at   TEXT NOT NULL,
    finished_at  TEXT,
    pid          INTEGER NOT NULL,
    exit_code    INTEGER,
    error        TEXT,
    -- Calls and questions that came back: a run without any tells nothing about the other side.
    calls        INTEGER NOT NULL DEFAULT 0,
    log          TEXT NOT NULL
) STRICT;
CREATE INDEX runs_by_task ON runs (task, id);

-- Facts about money (rule 1), whoever caused them.
CREATE TABLE movements (
    id                INTEGER PRIMARY KEY,
    payment_id        INTEGER NOT NULL REFERENCES payments (id),
    kind              TEXT NOT NULL CHECK (kind = 'capture' OR kind = 'refund' OR kind = 'capture_failure' OR kind = 'refund_failure'),
    -- Provider and merchant account are repeated from the payment: they belong to the natural key.
    provider          TEXT NOT NULL,
    merchant_account  TEXT NOT NULL,
    modification_id   TEXT NOT NULL,
    amount_minor      INTEGER NOT NULL CHECK (amount_minor > 0),
    currency          TEXT NOT NULL CHECK (currency GLOB '[A-Z][A-Z][A-Z]'),
    occurred_at       TEXT NOT NULL,
    operation_id      INTEGER REFERENCES operations (id),
    learnt_from       TEXT NOT NULL CHECK (learnt_from = 'answer' OR learnt_from = 'look_up' OR learnt_from = 'import'),
    learnt_at         TEXT NOT NULL,
    UNIQUE (provider, merchant_account, kind, modification_id)
) STRICT;
CREATE INDEX movements_by_payment ON movements (payment_id);

-- Double entry; hangs on a movement (rule 1).
CREATE TABLE journals (
    id            INTEGER PRIMARY KEY,
    movement_id   INTEGER NOT NULL REFERENCES movements (id),
    kind          TEXT NOT NULL CHECK (kind = 'receipt' OR kind = 'prepayment' OR kind = 'application' OR kind = 'refund' OR
        kind = 'reopening' OR kind = 'unapplied_refund'),
    direction     TEXT NOT NULL CHECK (direction IN ('original', 'reversal')),
    document_id   INTEGER REFERENCES documents (id),
    -- The ERP's document number: a hash of the natural key (rule 3).
    number        TEXT NOT NULL UNIQUE CHECK (length(number) <= 20),
    bill_to       TEXT NOT NULL,
    posting_date  TEXT NOT NULL,
    amount_minor  INTEGER NOT NULL CHECK (amount_minor > 0),
    currency      TEXT NOT NULL CHECK (currency GLOB '[A-Z][A-Z][A-Z]'),
    booked_at     TEXT NOT NULL
) STRICT;
-- One journal line per (movement, document), once in each direction.
CREATE UNIQUE INDEX journals_once ON journals (movement_id, ifnull(document_id, 0), direction);
CREATE INDEX journals_by_document ON journals (document_id);

CREATE TABLE postings (
    journal_id    INTEGER NOT NULL REFERENCES journals (id),
    line          INTEGER NOT NULL,
    account       TEXT NOT NULL,
    -- Debit positive, credit negative.
    amount_minor  INTEGER NOT NULL CHECK (amount_minor <> 0),
    PRIMARY KEY (journal_id, line)
) STRICT, WITHOUT ROWID;

CREATE TABLE mails (
    id          INTEGER PRIMARY KEY,
    -- The event's natural key: one mail per event, ever.
    event       TEXT NOT NULL UNIQUE,
    recipient   TEXT NOT NULL CHECK (recipient IN ('administrator', 'payment_notifications')),
    subject     TEXT NOT NULL,
    body        TEXT NOT NULL,
    written_at  TEXT NOT NULL
) STRICT;

-- The intent journal: everything we ever wanted to change in a system that is not ours.
CREATE TABLE operations (
    id               INTEGER PRIMARY KEY,
    kind             TEXT NOT NULL CHECK (kind = 'capture' OR kind = 'refund' OR kind = 'release' OR kind = 'journal' OR kind = 'mail'),
    target           TEXT NOT NULL,
    payment_id       INTEGER REFERENCES payments (id),
    document_id      INTEGER REFERENCES documents (id),
    journal_id       INTEGER REFERENCES journals (id),
    mail_id          INTEGER REFERENCES mails (id),
    amount_minor     INTEGER CHECK (amount_minor > 0),
    currency         TEXT CHECK (currency GLOB '[A-Z][A-Z][A-Z]'),
    attempt          INTEGER NOT NULL CHECK (attempt > 0),
    key              TEXT NOT NULL UNIQUE CHECK (length(key) <= 64),
    request_hash     TEXT NOT NULL,
    state            TEXT NOT NULL CHECK (state = 'planned' OR state = 'sent' OR state = 'accepted' OR state = 'confirmed' OR
        state = 'refused' OR state = 'unknown' OR state = 'given_up' OR state = 'withdrawn'),
    planned_at       TEXT NOT NULL,
    status_since     TEXT NOT NULL,
    -- The first call: some PSPs forget keys after a while. The last call: what may still take effect.
    sent_at          TEXT,
    last_sent_at     TEXT,
    -- The run that sent it last; a Sent operation of a dead run is Unknown.
    run_id           INTEGER REFERENCES runs (id),
    tries            INTEGER NOT NULL DEFAULT 0,
    next_attempt_at  TEXT,
    modification_id  TEXT,
    refusal_code     TEXT,
    refusal_message  TEXT,
    refusal_transient INTEGER NOT NULL DEFAULT 0 CHECK (refusal_transient IN (0, 1)),
    retry_requested  INTEGER NOT NULL DEFAULT 0 CHECK (retry_requested IN (0, 1)),
    -- The last thing that was said about it, for people.
    note             TEXT NOT NULL DEFAULT '',
    CHECK ((kind = 'mail') = (amount_minor IS NULL)),
    CHECK ((amount_minor IS NULL) = (currency IS NULL))
) STRICT;
-- Rule 4: at most one operation per target without an answer, whichever task sent it.
CREATE UNIQUE INDEX operations_unanswered ON operations (target) WHERE state IN ('sent', 'unknown');
-- One live capture per (payment, document), one live refund per (payment, credit note), one live release per payment.
CREATE UNIQUE INDEX operations_once ON operations (kind, payment_id, ifnull(document_id, 0))
    WHERE kind IN ('capture', 'refund', 'release') AND state NOT IN ('refused', 'withdrawn');
-- One live delivery per journal, one per mail.
CREATE UNIQUE INDEX operations_journal_once ON operations (journal_id)
    WHERE kind = 'journal' AND state NOT IN ('refused', 'withdrawn');
CREATE UNIQUE INDEX operations_mail_once ON operations (mail_id)
    WHERE kind = 'mail' AND state NOT IN ('refused', 'withdrawn');
CREATE INDEX operations_by_payment ON operations (payment_id);
CREATE INDEX operations_by_document ON operations (document_id);
CREATE INDEX operations_by_journal ON operations (journal_id) WHERE journal_id IS NOT NULL;
CREATE INDEX operations_by_mail ON operations (mail_id) WHERE mail_id IS NOT NULL;
CREATE INDEX operations_open ON operations (kind, state) WHERE state IN ('planned', 'sent', 'accepted', 'unknown', 'given_up');

CREATE TABLE operation_events (
    id            INTEGER PRIMARY KEY,
    operation_id  INTEGER NOT NULL REFERENCES operations (id),
    run_id        INTEGER REFERENCES runs (id),
    at            TEXT NOT NULL,
    state         TEXT NOT NULL,
    note          TEXT NOT NULL
) STRICT;
CREATE INDEX operation_events_by_operation ON operation_events (operation_id);

-- Things that need a person.
CREATE TABLE exceptions (
    id            INTEGER PRIMARY KEY,
    kind          TEXT NOT NULL,
    subject       TEXT NOT NULL,
    message       TEXT NOT NULL,
    state         TEXT NOT NULL CHECK (state = 'open' OR state = 'acknowledged' OR state = 'resolved'),
    order_id      INTEGER REFERENCES orders (id),
    payment_id    INTEGER REFERENCES payments (id),
    document_id   INTEGER REFERENCES documents (id),
    operation_id  INTEGER REFERENCES operations (id),
    -- The task whose plan raised it, if a plan did: the same plan resolves it when the reason is gone.
    task          TEXT,
    raised_at     TEXT NOT NULL,
    run_id        INTEGER REFERENCES runs (id),
    resolved_at   TEXT
) STRICT;
CREATE UNIQUE INDEX exceptions_once ON exceptions (kind, subject) WHERE state <> 'resolved';
CREATE INDEX exceptions_by_order ON exceptions (order_id) WHERE state <> 'resolved';

-- Facts and intents are never rewritten.
CREATE TRIGGER authorisations_fixed BEFORE UPDATE ON authorisations BEGIN SELECT RAISE(ABORT, 'authorisations are append-only'); END;
CREATE TRIGGER authorisations_kept BEFORE DELETE ON authorisations BEGIN SELECT RAISE(ABORT, 'authorisations are append-only'); END;
CREATE TRIGGER movements_fixed BEFORE UPDATE ON movements BEGIN SELECT RAISE(ABORT, 'movements are append-only'); END;
CREATE TRIGGER movements_kept BEFORE DELETE ON movements BEGIN SELECT RAISE(ABORT, 'movements are append-only'); END;
CREATE TRIGGER journals_fixed BEFORE UPDATE ON journals BEGIN SELECT RAISE(ABORT, 'journals are append-only'); END;
CREATE TRIGGER journals_kept BEFORE DELETE ON journals BEGIN SELECT RAISE(ABORT, 'journals are append-only'); END;
CREATE TRIGGER postings_fixed BEFORE UPDATE ON postings BEGIN SELECT RAISE(ABORT, 'postings are append-only'); END;
CREATE TRIGGER postings_kept BEFORE DELETE ON postings BEGIN SELECT RAISE(ABORT, 'postings are append-only'); END;
CREATE TRIGGER operation_events_fixed BEFORE UPDATE ON operation_events BEGIN SELECT RAISE(ABORT, 'operation events are append-only'); END;
CREATE TRIGGER operation_events_kept BEFORE DELETE ON operation_events BEGIN SELECT RAISE(ABORT, 'operation events are append-only'); END;
CREATE TRIGGER mails_fixed BEFORE UPDATE ON mails BEGIN SELECT RAISE(ABORT, 'mails are append-only'); END;
CREATE TRIGGER mails_kept BEFORE DELETE ON mails BEGIN SELECT RAISE(ABORT, 'mails are append-only'); END;
CREATE TRIGGER binding_fixed BEFORE UPDATE ON binding BEGIN SELECT RAISE(ABORT, 'a ledger is bound once'); END;
CREATE TRIGGER binding_kept BEFORE DELETE ON binding BEGIN SELECT RAISE(ABORT, 'a ledger is bound once'); END;
CREATE TRIGGER operations_kept BEFORE DELETE ON operations BEGIN SELECT RAISE(ABORT, 'operations are never deleted'); END;
CREATE TRIGGER operations_fixed
    BEFORE UPDATE OF kind, target, payment_id, document_id, journal_id, mail_id, amount_minor, currency, attempt, key, request_hash, planned_at
    ON operations BEGIN SELECT RAISE(ABORT, 'only the state of an operation moves'); END;
CREATE TRIGGER payments_kept BEFORE DELETE ON payments BEGIN SELECT RAISE(ABORT, 'payments are never deleted'); END;
CREATE TRIGGER payments_fixed BEFORE UPDATE OF provider, merchant_account, transaction_id, currency, method, pays ON payments
    BEGIN SELECT RAISE(ABORT, 'the identity of a payment is fixed'); END;
-- An order may become known after its payment; once known it stays.
CREATE TRIGGER payments_order_fixed BEFORE UPDATE OF order_id ON payments WHEN OLD.order_id IS NOT NULL AND NEW.order_id IS NOT OLD.order_id
    BEGIN SELECT RAISE(ABORT, 'the order of a payment is fixed'); END;
CREATE TRIGGER documents_kept BEFORE DELETE ON documents BEGIN SELECT RAISE(ABORT, 'posted documents are never deleted'); END;
CREATE TRIGGER documents_fixed
    BEFORE UPDATE OF company, kind, number, order_id, bill_to, currency, total_minor, references_number, posted_on
    ON documents BEGIN SELECT RAISE(ABORT, 'a posted document is fixed'); END;
CREATE TRIGGER orders_kept BEFORE DELETE ON orders
    WHEN EXISTS (SELECT 1 FROM payments WHERE order_id = OLD.id) OR EXISTS (SELECT 1 FROM documents WHERE order_id = OLD.id)
    BEGIN SELECT RAISE(ABORT, 'an order with a payment or document is never deleted'); END;
CREATE TRIGGER orders_fixed BEFORE UPDATE OF shop, number, currency, terms ON orders
    BEGIN SELECT RAISE(ABORT, 'the identity of an order is fixed'); END;
CREATE TRIGGER runs_kept BEFORE DELETE ON runs BEGIN SELECT RAISE(ABORT, 'runs are never deleted'); END;
CREATE TRIGGER exceptions_kept BEFORE DELETE ON exceptions BEGIN SELECT RAISE(ABORT, 'exceptions are never deleted'); END;
