//! What founders ask of the server.

use sealbook_ledger::encoding::Hash;
use sealbook_ledger::payload::FounderAssertion;
use sealbook_ledger::rule::Rule;

use super::{App, OpenedTenant};
use crate::ceremony::{self, CandidateBody, FoundingView, Plan};
use crate::ledger::{EngineError, Ledger};
use crate::passkeys::MadePasskey;
use crate::relying_parties::RelyingParties;

impl App {
    /// Issues tickets to the founders who have not registered; those issued before are void.
    pub async fn issue_tickets(&self, ledger: &Ledger) -> Result<OpenedTenant, EngineError> {
        let _one_at_a_time = self.0.opening.lock().await;
        let state = ledger.state();
        if state.founded().is_ok() {
            return Err(Rule::FoundingDone.into());
        }
        let key = state.ledger_key().ok_or(Rule::FoundingMissing)?;
        let tickets = ceremony::issue_tickets(&self.0.store, ledger.id()).await?;
        Ok(OpenedTenant { origin: ledger.origin().clone(), vkey: key.vkey.clone(), tickets })
    }

    /// For whom founders register and sign: the configuration's of the moment when the founding was opened.
    pub(crate) async fn founding_parties(&self, ledger: &Ledger) -> Result<RelyingParties, EngineError> {
        let plan = Plan::of(&self.0.store, ledger.id()).await?;
        let (rp, sign_in_id) = plan.map(|plan| (plan.approval_rp, plan.sign_in_rp_id)).unwrap_or_default();
        Ok(RelyingParties::new(rp.unwrap_or_else(|| self.0.config.approval_rp.clone()), sign_in_id))
    }

    /// What a founder's browser is to be asked for.
    pub async fn begin_founders_registration(
        &self,
        ledger: &Ledger,
        ticket_sha256: Hash,
    ) -> Result<serde_json::Value, EngineError> {
        ceremony::begin(&self.0.store, ledger, &self.founding_parties(ledger).await?, ticket_sha256).await
    }

    /// Registers a founder's authenticator.
    pub async fn register_founder(
        &self,
        ledger: &Ledger,
        ticket_sha256: Hash,
        made: MadePasskey,
        display_name: Option<String>,
    ) -> Result<CandidateBody, EngineError> {
        let parties = self.founding_parties(ledger).await?;
        let (store, ledger) = (&self.0.store, ledger.id());
        ceremony::register_founder(store, ledger, &parties, ticket_sha256, made, display_name).await
    }

    /// Where a founding stands.
    pub async fn founding(&self, ledger: &Ledger) -> Result<FoundingView, EngineError> {
        ceremony::view(&self.0.store, ledger, &self.founding_parties(ledger).await?).await
    }

    /// Takes a founder's signature.
    pub async fn sign_founding(
        &self,
        ledger: &Ledger,
        ticket_sha256: Hash,
        assertion: FounderAssertion,
    ) -> Result<FoundingView, EngineError> {
        let parties = self.founding_parties(ledger).await?;
        ceremony::sign(&self.0.store, ledger, &parties, ticket_sha256, assertion).await
    }
}
