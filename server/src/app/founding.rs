//! What founders ask of the server.

use sealbook_ledger::encoding::Hash;
use sealbook_ledger::ids::MemberId;
use sealbook_ledger::payload::FounderAssertion;
use sealbook_ledger::webauthn::ApprovalRp;

use super::App;
use crate::ceremony::{self, FoundingView, Plan};
use crate::ledger::{EngineError, Ledger};
use crate::passkeys::MadePasskey;

impl App {
    /// The relying party that a founding's document names: the configuration's of the moment when it was opened.
    pub(crate) async fn founding_rp(&self, ledger: &Ledger) -> Result<ApprovalRp, EngineError> {
        let plan = Plan::of(&self.0.store, ledger.id()).await?;
        Ok(plan.and_then(|plan| plan.approval_rp).unwrap_or_else(|| self.0.config.approval_rp.clone()))
    }

    /// What a founder's browser is to be asked for.
    pub async fn begin_founders_registration(
        &self,
        ledger: &Ledger,
        ticket_sha256: Hash,
    ) -> Result<serde_json::Value, EngineError> {
        ceremony::begin(&self.0.store, ledger, &self.founding_rp(ledger).await?, ticket_sha256).await
    }

    /// Registers a founder's authenticator.
    pub async fn register_founder(
        &self,
        ledger: &Ledger,
        ticket_sha256: Hash,
        made: MadePasskey,
        display_name: Option<String>,
    ) -> Result<MemberId, EngineError> {
        let (store, ledger) = (&self.0.store, ledger.id());
        let body = ceremony::register_founder(store, ledger, ticket_sha256, made, display_name).await?;
        Ok(body.member)
    }

    /// Where a founding stands.
    pub async fn founding(&self, ledger: &Ledger) -> Result<FoundingView, EngineError> {
        ceremony::view(&self.0.store, ledger, &self.founding_rp(ledger).await?).await
    }

    /// Takes a founder's signature.
    pub async fn sign_founding(
        &self,
        ledger: &Ledger,
        ticket_sha256: Hash,
        assertion: FounderAssertion,
    ) -> Result<FoundingView, EngineError> {
        let rp = self.founding_rp(ledger).await?;
        ceremony::sign(&self.0.store, ledger, &rp, ticket_sha256, assertion).await
    }
}
