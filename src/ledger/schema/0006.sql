-- The ledger, version 6: facts about money that only settlement lines tell (rule 21).

-- A movement may be learnt from a settlement line. SQLite changes no CHECK; where one is only loosened, so that all rows still
-- fit, the text of the schema may be edited (https://www.sqlite.org/lang_altertable.html#otheralter). A table made anew would copy
-- every movement, and journals refer to them.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, 'learnt_from = ''import'')', 'learnt_from = ''import'' OR learnt_from = ''settlement'')')
    WHERE type = 'table' AND name = 'movements';
PRAGMA writable_schema = RESET;

-- Lines of a file in a payout that were not held against the ledger's movements yet: written with the lines, gone with the
-- rows of `payments_to_learn` they make. What a killed run left is taken up by the next.
CREATE TABLE lines_to_learn (
    payout_id  INTEGER NOT NULL REFERENCES payouts (id),
    file_id    INTEGER NOT NULL REFERENCES report_files (id),
    PRIMARY KEY (payout_id, file_id)
) STRICT, WITHOUT ROWID;

-- Payments whose lines may say what the ledger does not know. A row goes when they do not, and stays where a person has to tell or
-- an answer is still to come: it is looked at again when the payment has a movement or a step of an operation that was not seen.
CREATE TABLE payments_to_learn (
    payment_id     INTEGER PRIMARY KEY REFERENCES payments (id),
    -- The last movement and the last step when it was looked at; NULL: look at it.
    movement_seen  INTEGER,
    event_seen     INTEGER
) STRICT;

-- What earlier versions took over.
INSERT INTO lines_to_learn (payout_id, file_id) SELECT DISTINCT payout_id, file_id FROM settlement_lines;
