-- What an operator opened a ledger with: its founders, and the policy that each of them signs. It is fixed with the
-- ledger's first event; until then an opening that was interrupted may be begun again otherwise.
CREATE TABLE founding_plans (
    ledger_id bigint PRIMARY KEY,
    plan json NOT NULL
);
GRANT SELECT, INSERT ON founding_plans TO sealbook_app;
GRANT UPDATE (plan) ON founding_plans TO sealbook_app;

-- A ticket that was lost on its way is issued again: the new one takes the old one's place.
GRANT UPDATE (ticket_hash, expires_at) ON candidates TO sealbook_app;
