//! A registration in either of its two forms: from a browser, or from the software authenticator of a command line.

use sealbook_ledger::policy::CredentialRules;
use sealbook_ledger::rule::Rule;
use sealbook_ledger::webauthn::ApprovalRp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::auth::TicketHolder;
use super::problem::Problem;
use crate::passkeys::{self, Begun, CHALLENGE_LIFE_S, MadePasskey, PasskeyResponse};
use crate::registration::{self, Registration};

/// What a browser is to be asked for.
#[derive(Serialize, ToSchema)]
pub(super) struct RegistrationOptions {
    /// The argument of `navigator.credentials.create` as JSON: `publicKey` with base64url in the place of bytes.
    #[schema(value_type = Object)]
    options: Value,
    /// Which authenticators may be enrolled: `hardware_only`, and `aaguids` where only some makes are accepted.
    #[schema(value_type = Object)]
    credential_rules: CredentialRules,
    /// How long they can be answered, in seconds.
    expires_in_s: u32,
}

impl RegistrationOptions {
    pub(super) fn new(options: Value, credential_rules: CredentialRules) -> Self {
        Self { options, credential_rules, expires_in_s: CHALLENGE_LIFE_S }
    }
}

/// The two forms; exactly one of them is sent.
pub(super) struct Forms {
    pub(super) registration: Option<Registration>,
    pub(super) passkey: Option<PasskeyResponse>,
}

impl Forms {
    /// The credential that was registered, checked but for the ledger's own rules.
    ///
    /// A browser can't register a software credential, and a command line nothing else.
    pub(super) fn made(
        self,
        holder: &TicketHolder,
        begun: Option<&Begun>,
        rp: &ApprovalRp,
    ) -> Result<MadePasskey, Problem> {
        let form = match (self.registration, self.passkey) {
            (Some(registration), None) => Ok(registration),
            (None, Some(response)) => Err(response),
            (Some(_), Some(_)) | (None, None) => return Err(Problem::of("registration.form")),
        };
        if holder.invitation.used_at.is_some() {
            return Err(Problem::of("ticket.invalid"));
        }
        match form {
            Ok(registration) => {
                registration.check(registration::challenge(holder.token.secret()), rp)?;
                Ok(MadePasskey { credential: registration.credential, attestation: None })
            }
            Err(response) => {
                let roots = &holder.app.config().attestation_roots;
                Ok(passkeys::finish(begun, &response, rp, roots, holder.ledger.now())?)
            }
        }
    }
}

/// Refuses a credential that the ledger would refuse later, while its owner still sits before it.
pub(super) fn accepted(rules: &CredentialRules, made: &MadePasskey) -> Result<(), Problem> {
    if rules.accept(&made.credential) {
        return Ok(());
    }
    let problem = Problem::from(Rule::CredentialPolicy);
    let credential = &made.credential;
    let told = if rules.aaguids.as_ref().is_some_and(|makes| !makes.contains(&credential.aaguid)) {
        format!(
            "the ledger's policy accepts certain makes of authenticators, and {} is none of them",
            credential.aaguid
        )
    } else {
        "the ledger's policy accepts attested hardware only: a security key whose maker the operator trusts, and no passkey \
         that is copied between devices"
            .to_owned()
    };
    Err(problem.saying(told))
}
