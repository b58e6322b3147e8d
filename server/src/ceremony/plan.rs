//! What a ledger is opened with: who founds it, and under which policy. Kept from the opening on, so that every founder
//! signs the same document, and a ticket that was lost on its way can be issued again.

use std::collections::BTreeSet;

use sealbook_ledger::encoding::{B64, Hash};
use sealbook_ledger::founding;
use sealbook_ledger::ids::MemberId;
use sealbook_ledger::policy::LedgerPolicy;
use sealbook_ledger::rule::Rule;
use sealbook_ledger::webauthn::ApprovalRp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{
    CandidateBody, FounderInvite, RULES, TICKET_LIFE_S, Ticket, candidate_rows, from_row, issue_ticket,
};
use crate::clock;
use crate::ledger::EngineError;
use crate::store::candidates::FOUNDER;
use crate::store::{LedgerId, Store, StoreError};

/// An opening, as its operator asked for it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Who founds the ledger, in the order of the tickets.
    pub founders: Vec<FounderInvite>,
    /// The ledger policy that they sign.
    pub policy: LedgerPolicy,
    /// The rules version that the ledger opens under.
    #[serde(default = "first_rules")]
    pub rules: u64,
    /// The relying party that they sign for, fixed with the opening: a configuration that changes meanwhile must not
    /// change the document under those who have signed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval_rp: Option<ApprovalRp>,
    /// Whether people are to sign in by passkeys of their own, which never approve.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub separate_sign_in: bool,
    /// Whom those are made for, fixed with the opening as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign_in_rp_id: Option<String>,
}

/// The rules of ledgers that were opened before plans said any, or were kept at all.
pub(super) const FIRST_RULES: u64 = 1;

/// Plans that were kept before rules had versions are of the first.
fn first_rules() -> u64 {
    FIRST_RULES
}

/// A founder's new ticket.
pub struct Issued {
    /// The founder's place in the plan, from 0.
    pub place: usize,
    /// The ticket.
    pub ticket: Ticket,
}

const NO_SIGN_IN: EngineError = EngineError::Conflict {
    code: "tenant.sign_in",
    sentence: "this server has no domain for passkeys that only sign in: its operator sets `rp.sign_in_id`",
};

impl Plan {
    /// A plan of these founders under this policy; the relying party is the server's to say.
    pub fn new(founders: Vec<FounderInvite>, policy: LedgerPolicy) -> Self {
        let (approval_rp, separate_sign_in, sign_in_rp_id) = (None, false, None);
        Self { founders, policy, rules: RULES, approval_rp, separate_sign_in, sign_in_rp_id }
    }

    /// The same under another rules version that is known here.
    pub fn under(self, rules: u64) -> Self {
        Self { rules, ..self }
    }

    /// The plan with the relying parties of the server that opens it.
    pub(crate) fn for_server(
        self,
        approval: &ApprovalRp,
        sign_in: Option<&ApprovalRp>,
    ) -> Result<Self, EngineError> {
        let mut rp = approval.clone();
        let sign_in = sign_in.filter(|_| self.separate_sign_in);
        if self.separate_sign_in {
            if sign_in.is_none() {
                return Err(NO_SIGN_IN);
            }
            rp.shared = false;
        }
        Ok(Self { approval_rp: Some(rp), sign_in_rp_id: sign_in.map(|rp| rp.id.clone()), ..self })
    }

    /// Refuses what no founding could end well with.
    pub fn judge(&self) -> Result<(), Rule> {
        if !founding::FOUNDERS.contains(&self.founders.len()) {
            return Err(Rule::FoundingDocument);
        }
        let roles: Vec<_> = self.founders.iter().map(|founder| founder.roles.clone()).collect();
        founding::judge_policy(&self.policy, &roles, self.rules)
    }

    /// Keeps it, while the ledger has no event yet. [`EngineError::Conflict`] otherwise.
    pub(crate) async fn keep(&self, store: &Store, ledger: LedgerId) -> Result<(), EngineError> {
        let json = serde_json::to_value(self);
        let json = json.map_err(|error| EngineError::fault("a founding's plan has no JSON form", error))?;
        match store.set_founding_plan(ledger, &json).await {
            Ok(()) => Ok(()),
            Err(StoreError::Conflict { .. }) => Err(EngineError::Conflict {
                code: "tenant.exists",
                sentence: "a tenant of this name exists already",
            }),
            Err(error) => Err(error.into()),
        }
    }

    /// The plan of a ledger; `None` for one that was opened before plans were kept.
    pub(crate) async fn of(store: &Store, ledger: LedgerId) -> Result<Option<Self>, EngineError> {
        let Some(json) = store.founding_plan(ledger).await? else { return Ok(None) };
        let plan = serde_json::from_value(json);
        plan.map(Some).map_err(|error| EngineError::fault("a stored plan can't be read", error))
    }
}

/// Issues a ticket to every founder who has not signed; one that was issued before is void from then on. Who has
/// registered needs it to read and sign the document.
pub(crate) async fn issue_tickets(store: &Store, ledger: LedgerId) -> Result<Vec<Issued>, EngineError> {
    let mut rows = Vec::new();
    for row in candidate_rows(store, ledger).await? {
        rows.push((from_row(&row)?, row));
    }
    let planned = Plan::of(store, ledger).await?.map(|plan| plan.founders).unwrap_or_default();
    let mut issued = Vec::new();
    let signed: BTreeSet<MemberId> =
        store.founding_assertions(ledger).await?.into_iter().map(|(member, _)| member).collect();
    for (body, row) in rows.iter().filter(|(body, _)| !signed.contains(&body.member)) {
        let secret: Zeroizing<[u8; 32]> = Zeroizing::new(rand::random());
        let expires_at = clock::now().plus_seconds(TICKET_LIFE_S);
        match store.replace_ticket(ledger, row.candidate, Hash::sha256(secret.as_slice()), expires_at).await {
            Ok(()) => {
                let secret = Zeroizing::new(format!("sbf_{}", B64::from(secret.as_slice())));
                let ticket = Ticket { secret, expires_at, candidate: row.candidate };
                issued.push(Issued { place: body.order, ticket });
            }
            // The row is gone: there is nobody to invite.
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // The opening was interrupted before these were issued at all.
    for (place, invite) in planned.into_iter().enumerate() {
        if rows.iter().all(|(body, _)| body.order != place) {
            let body = CandidateBody::new(place, invite);
            issued.push(Issued { place, ticket: issue_ticket(store, ledger, FOUNDER, &body).await? });
        }
    }
    issued.sort_by_key(|issued| issued.place);
    Ok(issued)
}
