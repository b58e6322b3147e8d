//! Ledgers of rules version 3: revocation lists, and keys that are destroyed.

use sealbook_ledger::action::{
    FipsCertificate, HsmAccessReviewParams, KeyDestroyParams, KeyRevokeParams, Params, RevocationReason,
};
use sealbook_ledger::command::{Command, CrlCommand, CrlLife, CrlOutcome};
use sealbook_ledger::encoding::B64;
use sealbook_ledger::event::Event;
use sealbook_ledger::ids::{ActionId, CertificateId, KeyId, Seq};
use sealbook_ledger::rule::Rule;
use sealbook_ledger::timestamp::Timestamp;

use super::{DAY, DECIDING, Ledger, rule_of};

/// A root CA, a slot under it, and its key's certificate.
pub struct Pki {
    pub ledger: Ledger,
    pub root: KeyId,
    pub leaf: KeyId,
    pub certificate: CertificateId,
}

pub fn pki_under(rules: u64) -> Pki {
    let founders = (0..3).map(|_| DECIDING.to_vec()).collect();
    let mut ledger = Ledger::founded_under(rules, "acme", founders, |_| {});
    let root = ledger.root_ca("root");
    let leaf = ledger.rotating_slot("releases", Ledger::certified_by("root"));
    let certificate = ledger.certify("releases", leaf);
    Pki { ledger, root, leaf, certificate }
}

pub fn pki() -> Pki {
    pki_under(3)
}

impl Ledger {
    pub fn list(&mut self, command: CrlCommand) -> Result<Vec<Event>, Rule> {
        self.run(Command::List(command)).map_err(rule_of)
    }

    pub fn authorize_list(&mut self, key: KeyId) -> Result<Seq, Rule> {
        let lasting = CrlLife::Seconds(7 * DAY);
        self.list(CrlCommand::Authorize { key, lasting, life_s: 60 }).map(|events| events[0].seq)
    }

    pub fn list_settled(&mut self, authorization: Seq) -> Result<Event, Rule> {
        let outcome = CrlOutcome::Signed(B64::from([7; 64].as_slice()));
        self.list(CrlCommand::Settle { authorization, outcome }).map(|mut events| events.remove(0))
    }

    pub fn listed(&mut self, key: KeyId) -> Seq {
        let authorization = self.authorize_list(key).unwrap();
        self.list_settled(authorization).unwrap();
        authorization
    }

    pub fn revoke(&mut self, key: KeyId, reason: RevocationReason, since: Option<Timestamp>) {
        self.decree(Params::KeyRevoke(KeyRevokeParams { compromised_since: since, key, reason }));
    }

    pub fn destruction(&mut self, key: KeyId) -> Result<ActionId, Rule> {
        self.propose(0, Params::KeyDestroy(KeyDestroyParams { key })).map_err(rule_of)
    }

    pub fn destroying(&mut self, key: KeyId) -> ActionId {
        let action = self.approved(Params::KeyDestroy(KeyDestroyParams { key }));
        self.begin(action).unwrap();
        action
    }

    pub fn destroyed(&mut self, action: ActionId) -> Result<Vec<Event>, Rule> {
        self.run(Command::KeyDestroyed(action)).map_err(rule_of)
    }
}

/// What a review of the tests' device says.
pub fn review(fips: Option<FipsCertificate>) -> Params {
    Params::HsmAccessReview(HsmAccessReviewParams {
        backend: "softhsm".parse().unwrap(),
        findings_digest: None,
        fips,
        holder_count: 2,
        holders_digest: B64::from([3; 32].as_slice()),
    })
}

pub fn earlier(at: Timestamp, days: i64) -> Timestamp {
    Timestamp::from_unix_micros(at.unix_micros() - days * 86_400_000_000).unwrap()
}
