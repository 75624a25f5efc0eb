-- The ledger, version 12: orders that nobody paid are taken out of the ERP.

-- Two kinds of operations that move no money: `cancel` closes an open payment at the PSP, `delete` takes an order out of the ERP. The
-- CHECKs are only loosened, as in version 6.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(replace(sql,
    'kind = ''journal'' OR kind = ''mail'')', 'kind = ''journal'' OR kind = ''mail'' OR kind = ''cancel'' OR kind = ''delete'')'),
    'CHECK ((kind = ''mail'') = (amount_minor IS NULL))',
    'CHECK ((kind = ''mail'' OR kind = ''cancel'' OR kind = ''delete'') = (amount_minor IS NULL))')
    WHERE type = 'table' AND name = 'operations';
PRAGMA writable_schema = RESET;
-- The order a `delete` takes out of the ERP.
ALTER TABLE operations ADD COLUMN order_id INTEGER REFERENCES orders (id);
CREATE INDEX operations_by_order ON operations (order_id) WHERE order_id IS NOT NULL;
CREATE UNIQUE INDEX operations_cancel_once ON operations (payment_id) WHERE kind = 'cancel' AND state NOT IN ('refused', 'withdrawn');
DROP TRIGGER operations_fixed;
CREATE TRIGGER operations_fixed
    BEFORE UPDATE OF kind, target, payment_id, document_id, journal_id, mail_id, order_id, amount_minor, currency, attempt, key, request_hash, planned_at
    ON operations BEGIN SELECT RAISE(ABORT, 'only the state of an operation moves'); END;

-- A cache: the order has a tombstone that was not taken back. `verify` rebuilds it.
ALTER TABLE orders ADD COLUMN deleted INTEGER NOT NULL DEFAULT 0 CHECK (deleted = 0 OR deleted = 1);
-- What may be cleaned up is few. A query that is to use it says its condition, word for word.
CREATE INDEX orders_unpaid ON orders (id) WHERE (payment_status = 'new' OR payment_status = 'cancelled') AND deleted = 0;
CREATE TRIGGER orders_tombstone_kept BEFORE DELETE ON orders WHEN OLD.deleted = 1
    BEGIN SELECT RAISE(ABORT, 'a deleted order stays as a tombstone'); END;

-- What a `delete` asks of the ERP; found by the operation's key.
CREATE TABLE deletions (
    id                 INTEGER PRIMARY KEY,
    key                TEXT NOT NULL UNIQUE,
    order_id           INTEGER NOT NULL REFERENCES orders (id),
    -- Rises with each restoration: an order is deleted once in each.
    generation         INTEGER NOT NULL CHECK (generation > 0),
    method             TEXT NOT NULL CHECK (method = 'permanent' OR method = 'cancel' OR method = 'flag'),
    -- 0: only put into quarantine; the deletion itself comes later.
    is_final           INTEGER NOT NULL CHECK (is_final = 0 OR is_final = 1),
    reason             TEXT NOT NULL CHECK (reason <> ''),
    -- Who gives the stock back (rule 24).
    stock_released_by  TEXT NOT NULL CHECK (stock_released_by = 'erp' OR stock_released_by = 'payjournal'),
    asked_at           TEXT NOT NULL
) STRICT;
CREATE INDEX deletions_by_order ON deletions (order_id);

-- What let the order through each of the four gates.
CREATE TABLE deletion_gates (
    deletion_id  INTEGER NOT NULL REFERENCES deletions (id),
    gate         TEXT NOT NULL CHECK (gate = 'state' OR gate = 'age' OR gate = 'answer' OR gate = 'closed'),
    evidence     TEXT NOT NULL CHECK (evidence <> ''),
    PRIMARY KEY (deletion_id, gate)
) STRICT, WITHOUT ROWID;

-- A deleted order stays with its payments, so that money that comes later finds it.
CREATE TABLE tombstones (
    id            INTEGER PRIMARY KEY,
    order_id      INTEGER NOT NULL REFERENCES orders (id),
    generation    INTEGER NOT NULL CHECK (generation > 0),
    is_final      INTEGER NOT NULL CHECK (is_final = 0 OR is_final = 1),
    -- Names the method, the reason and who releases the stock.
    deletion_id   INTEGER NOT NULL UNIQUE REFERENCES deletions (id),
    operation_id  INTEGER NOT NULL UNIQUE REFERENCES operations (id),
    deleted_at    TEXT NOT NULL,
    run_id        INTEGER REFERENCES runs (id),
    UNIQUE (order_id, generation, is_final)
) STRICT;
CREATE INDEX tombstones_in_quarantine ON tombstones (order_id) WHERE is_final = 0;

-- A person put an order back; the tombstones of its generation do not count any more.
CREATE TABLE restorations (
    order_id     INTEGER NOT NULL REFERENCES orders (id),
    generation   INTEGER NOT NULL CHECK (generation > 0),
    reason       TEXT NOT NULL CHECK (reason <> ''),
    restored_at  TEXT NOT NULL,
    PRIMARY KEY (order_id, generation)
) STRICT, WITHOUT ROWID;

-- The stock of a line goes back once in each generation, and is reserved again once by a restoration.
CREATE TABLE stock_releases (
    id           INTEGER PRIMARY KEY,
    order_id     INTEGER NOT NULL REFERENCES orders (id),
    line         INTEGER NOT NULL CHECK (line > 0),
    generation   INTEGER NOT NULL CHECK (generation > 0),
    direction    TEXT NOT NULL CHECK (direction = 'release' OR direction = 'reserve'),
    item         TEXT,
    description  TEXT NOT NULL,
    quantity     TEXT NOT NULL,
    released_by  TEXT NOT NULL CHECK (released_by = 'erp' OR released_by = 'payjournal'),
    happened_at  TEXT NOT NULL,
    run_id       INTEGER REFERENCES runs (id),
    UNIQUE (order_id, line, generation, direction)
) STRICT;

-- The entries a deletion cancelled: a restoration opens just these again.
CREATE TABLE cancelled_entries (
    entry_id    INTEGER NOT NULL REFERENCES entries (id),
    order_id    INTEGER NOT NULL REFERENCES orders (id),
    generation  INTEGER NOT NULL CHECK (generation > 0),
    PRIMARY KEY (entry_id, order_id, generation)
) STRICT, WITHOUT ROWID;
DROP TRIGGER entries_cancelled_stay;
CREATE TRIGGER entries_cancelled_stay BEFORE UPDATE ON entries
    WHEN OLD.status = 'cancelled' AND NOT (NEW.status = 'open' AND EXISTS (
        SELECT 1 FROM cancelled_entries c JOIN restorations r ON r.order_id = c.order_id AND r.generation = c.generation
        WHERE c.entry_id = OLD.id))
    BEGIN SELECT RAISE(ABORT, 'a cancelled entry takes part in nothing'); END;

CREATE TRIGGER deletions_fixed BEFORE UPDATE ON deletions BEGIN SELECT RAISE(ABORT, 'deletions are append-only'); END;
CREATE TRIGGER deletions_kept BEFORE DELETE ON deletions BEGIN SELECT RAISE(ABORT, 'deletions are append-only'); END;
CREATE TRIGGER deletion_gates_fixed BEFORE UPDATE ON deletion_gates BEGIN SELECT RAISE(ABORT, 'deletions are append-only'); END;
CREATE TRIGGER deletion_gates_kept BEFORE DELETE ON deletion_gates BEGIN SELECT RAISE(ABORT, 'deletions are append-only'); END;
CREATE TRIGGER tombstones_fixed BEFORE UPDATE ON tombstones BEGIN SELECT RAISE(ABORT, 'tombstones are append-only'); END;
CREATE TRIGGER tombstones_kept BEFORE DELETE ON tombstones BEGIN SELECT RAISE(ABORT, 'tombstones are append-only'); END;
CREATE TRIGGER restorations_fixed BEFORE UPDATE ON restorations BEGIN SELECT RAISE(ABORT, 'restorations are append-only'); END;
CREATE TRIGGER restorations_kept BEFORE DELETE ON restorations BEGIN SELECT RAISE(ABORT, 'restorations are append-only'); END;
CREATE TRIGGER stock_releases_fixed BEFORE UPDATE ON stock_releases BEGIN SELECT RAISE(ABORT, 'stock releases are append-only'); END;
CREATE TRIGGER stock_releases_kept BEFORE DELETE ON stock_releases BEGIN SELECT RAISE(ABORT, 'stock releases are append-only'); END;
CREATE TRIGGER cancelled_entries_fixed BEFORE UPDATE ON cancelled_entries BEGIN SELECT RAISE(ABORT, 'cancelled entries are append-only'); END;
CREATE TRIGGER cancelled_entries_kept BEFORE DELETE ON cancelled_entries BEGIN SELECT RAISE(ABORT, 'cancelled entries are append-only'); END;
