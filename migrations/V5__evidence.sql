-- Evidence is recorded as often as anybody signs. A read table with a random key of its own, written in the transaction
-- that appends, was half of what the database did for such an event; the events themselves say all that it said.
DROP TABLE p_evidence;

-- A list of evidence looks through nothing else. Insertions are at its right end.
CREATE INDEX events_of_evidence ON events (ledger_id, seq) WHERE type = 'evidence.recorded';
