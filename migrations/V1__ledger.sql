-- The tables of version 1. README.md beside this file says who may do what with them, and why.
-- `ledger_id` leads every primary key, nothing refers across ledgers and nothing draws from a sequence.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'sealbook_app') THEN
        RAISE EXCEPTION 'the role sealbook_app does not exist'
            USING HINT = 'Create it as migrations/README.md says, then migrate again.';
    END IF;
END
$$;

-- ---------------------------------------------------------------- the ledgers and their events

CREATE TABLE ledgers (
    ledger_id bigint PRIMARY KEY,
    origin text NOT NULL UNIQUE,
    tenant text NOT NULL UNIQUE,
    opened_at timestamptz NOT NULL
);

-- One row a ledger, rewritten by every append: room on the page keeps those updates off the index.
CREATE TABLE heads (
    ledger_id bigint PRIMARY KEY,
    size bigint NOT NULL CHECK (size >= 0),
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    root bytea NOT NULL CHECK (octet_length(root) = 32),
    end_offset bigint NOT NULL CHECK (end_offset >= 0)
) WITH (fillfactor = 25);

CREATE TABLE events (
    ledger_id bigint NOT NULL,
    seq bigint NOT NULL CHECK (seq BETWEEN 0 AND 9007199254740991),
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    -- Bytes of events.jsonl up to and including this event's line feed.
    end_offset bigint NOT NULL CHECK (end_offset > 0),
    time timestamptz NOT NULL,
    type text NOT NULL,
    bytes bytea NOT NULL CHECK (octet_length(bytes) BETWEEN 2 AND 65535),
    PRIMARY KEY (ledger_id, seq)
);

CREATE TABLE checkpoints (
    ledger_id bigint NOT NULL,
    size bigint NOT NULL CHECK (size > 0),
    note text NOT NULL,
    transition boolean NOT NULL,
    PRIMARY KEY (ledger_id, size)
);
CREATE INDEX checkpoints_transitions ON checkpoints (ledger_id, size) WHERE transition;

CREATE FUNCTION refuse_change() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION '% of % is refused: what a ledger holds is never changed', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
-- ALWAYS: `session_replication_role = replica` does not pass them either.
ALTER TABLE events ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE checkpoints ENABLE ALWAYS TRIGGER append_only;

-- ---------------------------------------------------------------- what travels beside the events

-- `value` holds UTF-8 bytes, because a text column cannot hold U+0000 and a disclosure may.
CREATE TABLE disclosures (
    ledger_id bigint NOT NULL,
    seq bigint NOT NULL CHECK (seq >= 0),
    name text COLLATE "C" NOT NULL,
    salt bytea NOT NULL CHECK (octet_length(salt) = 16),
    value bytea NOT NULL,
    PRIMARY KEY (ledger_id, seq, name)
);

-- `seq` is the first event that refers to the bytes, so that an export takes only what its events name.
CREATE TABLE attachments (
    ledger_id bigint NOT NULL,
    sha256 bytea NOT NULL CHECK (octet_length(sha256) = 32),
    seq bigint NOT NULL CHECK (seq >= 0),
    media_type text NOT NULL,
    size bigint NOT NULL CHECK (size = octet_length(bytes)),
    bytes bytea NOT NULL,
    PRIMARY KEY (ledger_id, sha256)
);

CREATE TABLE idempotency (
    ledger_id bigint NOT NULL,
    key_hash bytea NOT NULL CHECK (octet_length(key_hash) = 32),
    body_hash bytea NOT NULL CHECK (octet_length(body_hash) = 32),
    correlation uuid NOT NULL,
    seq bigint NOT NULL CHECK (seq >= 0),
    PRIMARY KEY (ledger_id, key_hash)
);

-- ---------------------------------------------------------------- what precedes the events

-- The ledger key is made before there is a ledger to record it: the intent is a row, then the outcome is.
CREATE TABLE ledger_key_intents (
    ledger_id bigint NOT NULL,
    key_id uuid NOT NULL,
    label text NOT NULL,
    backend text NOT NULL,
    intended_at timestamptz NOT NULL,
    PRIMARY KEY (ledger_id, key_id)
);

CREATE TABLE ledger_key_made (
    ledger_id bigint NOT NULL,
    key_id uuid NOT NULL,
    vkey text NOT NULL,
    made_at timestamptz NOT NULL,
    PRIMARY KEY (ledger_id, key_id)
);

-- Documents are `json`, not `jsonb`: the latter refuses the escape of U+0000.
CREATE TABLE candidates (
    ledger_id bigint NOT NULL,
    candidate_id uuid NOT NULL,
    ticket_hash bytea NOT NULL CHECK (octet_length(ticket_hash) = 32),
    purpose text NOT NULL,
    body json NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    PRIMARY KEY (ledger_id, candidate_id),
    UNIQUE (ledger_id, ticket_hash)
);

CREATE TABLE founding_assertions (
    ledger_id bigint NOT NULL,
    member uuid NOT NULL,
    assertion json NOT NULL,
    PRIMARY KEY (ledger_id, member)
);

-- ---------------------------------------------------------------- projections: made from the events, rebuilt at will

CREATE TABLE p_actions (
    ledger_id bigint NOT NULL,
    action uuid NOT NULL,
    type text NOT NULL,
    status text NOT NULL,
    proposed_by text NOT NULL,
    proposed_seq bigint NOT NULL,
    last_seq bigint NOT NULL,
    document json NOT NULL,
    PRIMARY KEY (ledger_id, action)
);
CREATE INDEX p_actions_by_seq ON p_actions (ledger_id, proposed_seq);

CREATE TABLE p_keys (
    ledger_id bigint NOT NULL,
    key uuid NOT NULL,
    slot text NOT NULL,
    algorithm text NOT NULL,
    state text NOT NULL,
    spki_sha256 bytea CHECK (octet_length(spki_sha256) = 32),
    created_seq bigint NOT NULL,
    last_seq bigint NOT NULL,
    body json NOT NULL,
    PRIMARY KEY (ledger_id, key)
);
CREATE INDEX p_keys_by_slot ON p_keys (ledger_id, slot);

CREATE TABLE p_slots (
    ledger_id bigint NOT NULL,
    slot text NOT NULL,
    status text NOT NULL,
    last_seq bigint NOT NULL,
    body json NOT NULL,
    PRIMARY KEY (ledger_id, slot)
);

CREATE TABLE p_members (
    ledger_id bigint NOT NULL,
    member uuid NOT NULL,
    status text NOT NULL,
    last_seq bigint NOT NULL,
    body json NOT NULL,
    PRIMARY KEY (ledger_id, member)
);

CREATE TABLE p_services (
    ledger_id bigint NOT NULL,
    service uuid NOT NULL,
    status text NOT NULL,
    last_seq bigint NOT NULL,
    body json NOT NULL,
    PRIMARY KEY (ledger_id, service)
);

CREATE TABLE p_evidence (
    ledger_id bigint NOT NULL,
    evidence uuid NOT NULL,
    seq bigint NOT NULL,
    digest bytea NOT NULL,
    media_type text NOT NULL,
    body json NOT NULL,
    PRIMARY KEY (ledger_id, evidence)
);
CREATE INDEX p_evidence_by_seq ON p_evidence (ledger_id, seq);

-- High volume: insert-only, integer keys, one index beside the key. `seq` is the event that made the row.
CREATE TABLE p_signatures (
    ledger_id bigint NOT NULL,
    seq bigint NOT NULL,
    authorized_seq bigint NOT NULL,
    slot text NOT NULL,
    key uuid NOT NULL,
    digest bytea NOT NULL,
    outcome smallint NOT NULL,
    caller text NOT NULL,
    time timestamptz NOT NULL,
    PRIMARY KEY (ledger_id, seq)
);
CREATE INDEX p_signatures_by_slot ON p_signatures (ledger_id, slot, seq);

CREATE TABLE projection_positions (
    ledger_id bigint NOT NULL,
    name text NOT NULL,
    position bigint NOT NULL CHECK (position >= 0),
    PRIMARY KEY (ledger_id, name)
);

-- ---------------------------------------------------------------- grants

GRANT USAGE ON SCHEMA sealbook TO sealbook_app;
GRANT SELECT ON refinery_schema_history TO sealbook_app;

GRANT SELECT, INSERT ON
    ledgers, heads, events, checkpoints, disclosures, attachments, idempotency,
    ledger_key_intents, ledger_key_made, candidates, founding_assertions
    TO sealbook_app;
GRANT UPDATE (size, hash, root, end_offset) ON heads TO sealbook_app;
GRANT UPDATE (body, used_at) ON candidates TO sealbook_app;

GRANT SELECT, INSERT, UPDATE, DELETE ON
    p_actions, p_keys, p_slots, p_members, p_services, p_evidence, projection_positions
    TO sealbook_app;
GRANT SELECT, INSERT, DELETE ON p_signatures TO sealbook_app;
