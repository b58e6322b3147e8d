-- What pages and filters read, so that it stays as fast at a million events as at a hundred.

-- Nearly every event of a busy ledger is about a signature. Everything else (people, slots, keys, policies, actions) is
-- found by this index without looking through those; an insert of a signature's event does not touch it.
CREATE INDEX events_beside_signatures ON events (ledger_id, seq) WHERE type NOT LIKE 'signature.%';

-- Outcomes a slot and UTC day, counted by the projector with the rows themselves: a sparkline reads 30 rows, not a million.
CREATE TABLE p_signature_days (
    ledger_id bigint NOT NULL,
    slot text NOT NULL,
    day date NOT NULL,
    created bigint NOT NULL,
    -- Failed, withheld or abandoned.
    missed bigint NOT NULL,
    PRIMARY KEY (ledger_id, slot, day)
);
INSERT INTO p_signature_days (ledger_id, slot, day, created, missed)
    SELECT ledger_id, slot, (time AT TIME ZONE 'UTC')::date,
        count(*) FILTER (WHERE outcome = 1), count(*) FILTER (WHERE outcome > 1)
    FROM p_signatures WHERE outcome > 0 GROUP BY 1, 2, 3;

GRANT SELECT, INSERT, UPDATE, DELETE ON p_signature_days TO sealbook_app;
