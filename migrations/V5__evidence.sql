-- Evidence is recorded as often as anybody signs. A read table with a random key of its own, written in the transaction
-- that appends, was half of what the database did for such an event; the events themselves say all that it said.

-- A list of evidence looks through nothing else.
CREATE INDEX events_of_evidence ON events (ledger_id, seq) WHERE type = 'evidence.recorded';

-- Servers of version 0.1.0 that still run write to it and list from it; it goes with the first migration after the next
-- release.
COMMENT ON TABLE p_evidence IS 'of servers of version 0.1.0 alone';
