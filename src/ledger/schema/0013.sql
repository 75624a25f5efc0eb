-- The ledger, version 13: a web shop (portal) is told of what happens, by an outbox.

-- Telling it is an operation of the kind `event` that moves no money. The CHECKs are only loosened, as in version 6.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(replace(sql,
    'kind = ''cancel'' OR kind = ''delete'')', 'kind = ''cancel'' OR kind = ''delete'' OR kind = ''event'')'),
    'CHECK ((kind = ''mail'' OR kind = ''cancel'' OR kind = ''delete'') = (amount_minor IS NULL))',
    'CHECK ((kind = ''mail'' OR kind = ''cancel'' OR kind = ''delete'' OR kind = ''event'') = (amount_minor IS NULL))')
    WHERE type = 'table' AND name = 'operations';
PRAGMA writable_schema = RESET;

-- There while a portal is told: what happens without it is told to nobody, and nothing of it is told later.
CREATE TABLE portal (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    since  TEXT NOT NULL
) STRICT;

-- What the portal is told, in the order in which it happened.
CREATE TABLE portal_events (
    id           INTEGER PRIMARY KEY,
    -- Its id at the portal, a hash of its natural key and content: an event that is sent again has the same.
    event        TEXT NOT NULL UNIQUE CHECK (length(event) <= 64),
    kind         TEXT NOT NULL,
    -- What it is about: `order:SHOP:NUMBER`. Of one object, an event is sent when all before it have been taken.
    object       TEXT NOT NULL CHECK (object <> ''),
    sequence     INTEGER NOT NULL CHECK (sequence > 0),
    -- As JSON.
    data         TEXT NOT NULL CHECK (json_valid(data)),
    happened_at  TEXT NOT NULL,
    run_id       INTEGER REFERENCES runs (id),
    -- A cache: its operation is confirmed. `verify` rebuilds it.
    is_taken     INTEGER NOT NULL DEFAULT 0 CHECK (is_taken = 0 OR is_taken = 1),
    UNIQUE (object, sequence)
) STRICT;
CREATE INDEX portal_events_waiting ON portal_events (object, id) WHERE is_taken = 0;

ALTER TABLE operations ADD COLUMN event_id INTEGER REFERENCES portal_events (id);
CREATE INDEX operations_by_event ON operations (event_id) WHERE event_id IS NOT NULL;
CREATE UNIQUE INDEX operations_event_once ON operations (event_id) WHERE kind = 'event' AND state NOT IN ('refused', 'withdrawn');
DROP TRIGGER operations_fixed;
CREATE TRIGGER operations_fixed
    BEFORE UPDATE OF kind, target, payment_id, document_id, journal_id, mail_id, order_id, event_id, amount_minor, currency, attempt, key, request_hash,
        planned_at
    ON operations BEGIN SELECT RAISE(ABORT, 'only the state of an operation moves'); END;
CREATE TRIGGER operations_events_in_order BEFORE INSERT ON operations
    WHEN NEW.kind = 'event' AND EXISTS (SELECT 1 FROM portal_events e JOIN portal_events n ON n.object = e.object AND n.id < e.id
                                        WHERE e.id = NEW.event_id AND n.is_taken = 0)
    BEGIN SELECT RAISE(ABORT, 'an earlier event of the same object was not taken yet'); END;

CREATE TRIGGER portal_events_fixed BEFORE UPDATE OF id, event, kind, object, sequence, data, happened_at, run_id ON portal_events
    BEGIN SELECT RAISE(ABORT, 'portal events are append-only'); END;
CREATE TRIGGER portal_events_taken BEFORE UPDATE OF is_taken ON portal_events WHEN OLD.is_taken = 1
    BEGIN SELECT RAISE(ABORT, 'what was taken stays so'); END;
CREATE TRIGGER portal_events_kept BEFORE DELETE ON portal_events BEGIN SELECT RAISE(ABORT, 'portal events are append-only'); END;

-- What the transaction that is under way has changed and the portal wants to know. Every commit makes events of it first, so that it is
-- empty between two transactions, and no change, whoever makes it, goes untold.
CREATE TABLE portal_news (
    id       INTEGER PRIMARY KEY,
    what     TEXT NOT NULL CHECK (what = 'order' OR what = 'document' OR what = 'tombstone' OR what = 'restoration' OR what = 'stock'),
    subject  INTEGER NOT NULL
) STRICT;
CREATE TRIGGER portal_order_news AFTER UPDATE OF payment_status ON orders
    WHEN NEW.payment_status <> OLD.payment_status AND EXISTS (SELECT 1 FROM portal)
    BEGIN INSERT INTO portal_news (what, subject) VALUES ('order', NEW.id); END;
CREATE TRIGGER portal_document_news AFTER INSERT ON documents WHEN EXISTS (SELECT 1 FROM portal)
    BEGIN INSERT INTO portal_news (what, subject) VALUES ('document', NEW.id); END;
CREATE TRIGGER portal_paid_elsewhere_news AFTER UPDATE OF paid_elsewhere_minor ON documents
    WHEN NEW.paid_elsewhere_minor <> OLD.paid_elsewhere_minor AND EXISTS (SELECT 1 FROM portal)
    BEGIN INSERT INTO portal_news (what, subject) VALUES ('document', NEW.id); END;
-- A document is paid once the ERP has its journal line.
CREATE TRIGGER portal_journal_news AFTER UPDATE OF state ON operations
    WHEN NEW.kind = 'journal' AND NEW.state <> OLD.state AND (NEW.state = 'confirmed' OR OLD.state = 'confirmed') AND NEW.document_id IS NOT NULL
        AND EXISTS (SELECT 1 FROM portal)
    BEGIN INSERT INTO portal_news (what, subject) VALUES ('document', NEW.document_id); END;
CREATE TRIGGER portal_correction_news AFTER INSERT ON corrections WHEN EXISTS (SELECT 1 FROM portal)
    BEGIN INSERT INTO portal_news (what, subject) VALUES ('document', NEW.invoice_id); END;
CREATE TRIGGER portal_tombstone_news AFTER INSERT ON tombstones WHEN EXISTS (SELECT 1 FROM portal)
    BEGIN INSERT INTO portal_news (what, subject) VALUES ('tombstone', NEW.id); END;
CREATE TRIGGER portal_restoration_news AFTER INSERT ON restorations WHEN EXISTS (SELECT 1 FROM portal)
    BEGIN INSERT INTO portal_news (what, subject) VALUES ('restoration', NEW.order_id); END;
-- The lines of an order come together: the first stands for all of them.
CREATE TRIGGER portal_stock_news AFTER INSERT ON stock_releases
    WHEN EXISTS (SELECT 1 FROM portal) AND NOT EXISTS (SELECT 1 FROM stock_releases s WHERE s.order_id = NEW.order_id
        AND s.generation = NEW.generation AND s.direction = NEW.direction AND s.id < NEW.id)
    BEGIN INSERT INTO portal_news (what, subject) VALUES ('stock', NEW.id); END;

-- Orders whose PSP could not say how they stand when `cleanup-unpaid` asked: left alone until then, longer each time in a row, so that some
-- that never can be told do not hold up the others. A row goes once there is an answer.
CREATE TABLE unanswered_orders (
    order_id  INTEGER PRIMARY KEY REFERENCES orders (id),
    times     INTEGER NOT NULL CHECK (times > 0),
    until     TEXT NOT NULL
) STRICT;

-- Assignment keys that an order had before its row was changed: money may have come under them.
CREATE TABLE former_order_keys (
    order_id  INTEGER NOT NULL REFERENCES orders (id),
    -- Of entries, or of payments.
    is_entry  INTEGER NOT NULL CHECK (is_entry = 0 OR is_entry = 1),
    key       TEXT NOT NULL,
    PRIMARY KEY (order_id, is_entry, key)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER order_keys_remembered AFTER UPDATE ON order_keys BEGIN
    INSERT INTO former_order_keys (order_id, is_entry, key) SELECT OLD.order_id, 1, OLD.entry_key
        WHERE OLD.entry_key IS NOT NULL AND OLD.entry_key IS NOT NEW.entry_key
          AND NOT EXISTS (SELECT 1 FROM former_order_keys f WHERE f.order_id = OLD.order_id AND f.is_entry = 1 AND f.key = OLD.entry_key);
    INSERT INTO former_order_keys (order_id, is_entry, key) SELECT OLD.order_id, 0, OLD.payment_key
        WHERE OLD.payment_key IS NOT NULL AND OLD.payment_key IS NOT NEW.payment_key
          AND NOT EXISTS (SELECT 1 FROM former_order_keys f WHERE f.order_id = OLD.order_id AND f.is_entry = 0 AND f.key = OLD.payment_key);
END;
CREATE TRIGGER former_order_keys_fixed BEFORE UPDATE ON former_order_keys BEGIN SELECT RAISE(ABORT, 'former keys are append-only'); END;
CREATE TRIGGER former_order_keys_kept BEFORE DELETE ON former_order_keys BEGIN SELECT RAISE(ABORT, 'former keys are append-only'); END;
