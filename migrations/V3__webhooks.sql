-- Notification by webhooks: what is to be told to whom, how far each ledger's events were looked through, and which
-- devices and ledgers are in trouble. Nothing here is part of a ledger: all of it may be deleted.

-- `ledger_id` is -1 in rows that concern no ledger, such as a device's. `delivery` is what receivers tell repetitions by.
CREATE TABLE webhook_outbox (
    ledger_id bigint NOT NULL,
    delivery uuid NOT NULL,
    destination text NOT NULL,
    kind text NOT NULL,
    body json NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    -- 0 pending, 1 delivered, 2 dead: given up.
    state smallint NOT NULL DEFAULT 0 CHECK (state BETWEEN 0 AND 2),
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    -- When it is tried next; for a row that is being delivered, when its lease ends.
    next_at timestamptz NOT NULL DEFAULT now(),
    tried_at timestamptz,
    outcome text,
    ended_at timestamptz,
    PRIMARY KEY (ledger_id, delivery)
);
CREATE INDEX webhook_outbox_due ON webhook_outbox (destination, next_at) WHERE state = 0;
CREATE INDEX webhook_outbox_dead ON webhook_outbox (destination) WHERE state = 2;
CREATE INDEX webhook_outbox_ended ON webhook_outbox (ended_at) WHERE state <> 0;

CREATE TABLE webhook_positions (
    ledger_id bigint PRIMARY KEY,
    position bigint NOT NULL CHECK (position >= 0)
);

-- What was last told about a device (`ledger_id` -1) or a ledger's sealing, and which server stands by it.
CREATE TABLE webhook_conditions (
    ledger_id bigint NOT NULL,
    subject text NOT NULL,
    level smallint NOT NULL CHECK (level BETWEEN 0 AND 2),
    reporter uuid NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (ledger_id, subject)
);

GRANT SELECT, INSERT, DELETE ON webhook_outbox TO sealbook_app;
GRANT UPDATE (state, attempts, next_at, tried_at, outcome, ended_at) ON webhook_outbox TO sealbook_app;
GRANT SELECT, INSERT ON webhook_positions, webhook_conditions TO sealbook_app;
GRANT UPDATE (position) ON webhook_positions TO sealbook_app;
GRANT UPDATE (level, reporter, seen_at) ON webhook_conditions TO sealbook_app;
