//! Who asked, who approved, and with which assertion.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::checks::Check;
use super::people;
use super::{EvidenceError, Facts, Mark};
use crate::action::{ActionDocument, ActionType};
use crate::encoding::B64;
use crate::ids::Aaguid;
use crate::ids::{ActionId, MemberId, ProposerId, Seq};
use crate::payload::Payload;
use crate::policy::{Clause, Role};
use crate::quorum;
use crate::webauthn::{self, CredentialKind, Purpose};

/// The members of a decision that carry it.
macro_rules! signed {
    ($facts:expr, $mark:expr, $of:expr) => {{
        let (mark, of) = ($mark, $of);
        let known = people::credential($facts, of.member, &of.credential_id, mark.seq);
        Approval {
            aaguid: known.map(|credential| credential.aaguid),
            assertion: Assertion {
                authenticator_data: of.authenticator_data.clone(),
                client_data_json: of.client_data_json.clone(),
                signature: of.signature.clone(),
            },
            authenticator: known.map(|credential| credential.kind),
            credential_id: of.credential_id.clone(),
            mark,
            member: of.member,
            role: of.role,
        }
    }};
}

/// A WebAuthn assertion (Level 3 §6.3.3), whole: it can be verified with the credential's public key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Assertion {
    /// WebAuthn §6.1.
    pub authenticator_data: B64,
    /// WebAuthn §5.8.1.
    pub client_data_json: B64,
    /// Over both.
    pub signature: B64,
}

/// Somebody's decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Approval {
    /// The make of the authenticator, where its enrolment is in the pack.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aaguid: Option<Aaguid>,
    /// What the authenticator signed.
    pub assertion: Assertion,
    /// Where its private key lives, where its enrolment is in the pack.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authenticator: Option<CredentialKind>,
    /// Which authenticator.
    pub credential_id: B64,
    /// The event.
    #[serde(flatten)]
    pub mark: Mark,
    /// Who.
    pub member: MemberId,
    /// In which role.
    pub role: Role,
}

/// An action from its proposal to its execution.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Decision {
    /// The action.
    pub action: ActionId,
    /// Who approved, in order.
    pub approvals: Vec<Approval>,
    /// What was asked for, whole.
    pub document: ActionDocument,
    /// When it took effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executed: Option<Mark>,
    /// When it began to take effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executing: Option<Mark>,
    /// When it was asked for.
    pub proposed: Mark,
    /// The proposer's own signature; the server's proposals have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proposer: Option<Approval>,
    /// The type.
    #[serde(rename = "type")]
    pub kind: ActionType,
}

impl Decision {
    pub(super) fn of(facts: &Facts<'_>, action: ActionId) -> Result<Self, EvidenceError> {
        let (event, proposed) = facts
            .first(move |payload| match payload {
                Payload::ActionProposed(p) if p.document.action == action => Some(&**p),
                _ => None,
            })
            .ok_or(EvidenceError::Missing { what: "proposal of its action" })?;
        let executing = facts.mark(move |p| matches!(p, Payload::ActionExecuting(p) if p.action == action));
        let approvals = facts.all(move |payload| match payload {
            Payload::ActionApproved(p) if p.action == action => Some(&**p),
            _ => None,
        });
        let approvals = approvals.map(|(event, p)| signed!(facts, Mark::of(event), p)).collect();
        Ok(Self {
            action,
            approvals,
            document: proposed.document.clone(),
            executed: facts.mark(move |p| matches!(p, Payload::ActionExecuted(p) if p.action == action)),
            executing,
            proposed: Mark::of(event),
            proposer: proposed.signed.as_ref().map(|signed| signed!(facts, Mark::of(event), signed)),
            kind: proposed.document.kind(),
        })
    }

    /// Everybody who had a say, each once.
    pub(super) fn people(&self) -> BTreeSet<MemberId> {
        let proposer = self.proposer.iter().map(|approval| approval.member);
        proposer.chain(self.approvals.iter().map(|approval| approval.member)).collect()
    }

    pub(super) fn seqs(&self) -> impl Iterator<Item = Seq> + '_ {
        let own = [self.proposed.seq].into_iter();
        own.chain(self.approvals.iter().map(|approval| approval.mark.seq))
    }

    /// The last approval.
    pub fn approved(&self) -> Option<Mark> {
        self.approvals.last().map(|approval| approval.mark)
    }

    /// Whether nobody could do it alone, and who decided was apart from who packages.
    pub(super) fn checks(&self, facts: &Facts<'_>) -> [Check; 2] {
        let people = self.people().len();
        let by = match self.document.proposed_by {
            ProposerId::Server => "the server proposed it",
            ProposerId::Id(_) => "a member proposed it",
        };
        let filled = quorum::fillable(&self.document.quorum, &self.candidates());
        let signed = self.signatures_hold(facts);
        let seen = match (filled, signed) {
            (true, true) => format!("{by}; {people} different people signed, and each signature verifies"),
            (false, _) => format!("{by}; the seats of its quorum are not filled"),
            (true, false) => format!("{by}; a signature does not verify under an enrolled authenticator"),
        };
        let dual = Check::new("dual_control", "Two people or more had a say, and the quorum was met")
            .holds(people >= 2 && filled && signed && !self.approvals.is_empty(), seen)
            .at(self.seqs());
        [dual, self.separation(facts)]
    }

    /// Who could fill a seat, each by the role that they signed in.
    fn candidates(&self) -> Vec<(MemberId, BTreeSet<Role>)> {
        let proposer = self.proposer.iter().filter(|_| self.kind.is_emergency());
        let mut seats: BTreeMap<MemberId, BTreeSet<Role>> = BTreeMap::new();
        for approval in proposer.chain(&self.approvals) {
            seats.entry(approval.member).or_default().insert(approval.role);
        }
        seats.into_iter().collect()
    }

    /// Whether every signature is that of an authenticator of its member, as the pack has them, over this document.
    fn signatures_hold(&self, facts: &Facts<'_>) -> bool {
        let Ok(document) = self.document.to_bytes() else { return false };
        let holds = |approval: &Approval, purpose: Purpose| {
            let before = approval.mark.seq;
            let known = people::credential(facts, approval.member, &approval.credential_id, before);
            let rp = people::approval_rp(facts, before);
            let given = &approval.assertion;
            let assertion = webauthn::Assertion::new(
                approval.credential_id.clone(),
                given.authenticator_data.clone(),
                given.client_data_json.clone(),
                given.signature.clone(),
            );
            let (Some(credential), Some(rp), Ok(assertion)) = (known, rp, assertion) else { return false };
            webauthn::verify(&assertion, credential, rp, purpose.challenge(&document)).is_ok()
        };
        let proposed = self.proposer.iter().all(|proposer| holds(proposer, Purpose::Proposal));
        proposed && self.approvals.iter().all(|approval| holds(approval, Purpose::Approval))
    }

    fn separation(&self, facts: &Facts<'_>) -> Check {
        let check = Check::new(
            "separation_of_duties",
            "Nobody approved their own proposal or twice, and no approver packages",
        );
        let proposer = self.proposer.as_ref().map(|approval| approval.member);
        let own = self.approvals.iter().any(|approval| Some(approval.member) == proposer);
        let members: BTreeSet<MemberId> = self.approvals.iter().map(|approval| approval.member).collect();
        let packages = self.approvals.iter().any(|approval| {
            let roles = people::roles_at(facts, approval.mark.seq, approval.mark.time);
            roles.get(&approval.member).is_some_and(|roles| roles.contains(&Role::PackagingEngineer))
        });
        let twice = members.len() < self.approvals.len();
        let seen = match (own, twice, packages) {
            (false, false, false) => "each approval is another person's, in a role apart from packaging",
            (true, ..) => "an approval is the proposer's",
            (_, true, _) => "somebody approved twice",
            (_, _, true) => "an approver is a packaging engineer",
        };
        let enrolled = members.iter().flat_map(|member| people::seqs_of(facts, *member, self.last_seq()));
        check.holds(!own && !twice && !packages, seen).at(self.seqs().chain(enrolled))
    }

    fn last_seq(&self) -> Seq {
        self.approvals.last().map_or(self.proposed.seq, |approval| approval.mark.seq)
    }

    /// The quorum as text, e.g. "approver × 2".
    pub fn quorum_text(quorum: &[Clause]) -> String {
        let clause = |clause: &Clause| match clause.count {
            1 => clause.role.to_string(),
            count => format!("{} \u{d7} {count}", clause.role),
        };
        quorum.iter().map(clause).collect::<Vec<_>>().join(", ")
    }
}
