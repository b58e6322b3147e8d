//! Certificates of slots' keys: requests out, chains in and out.

use actix_web::{HttpResponse, get, post, web};
use rustls::pki_types::pem::{PemObject as _, SectionKind};
use sealbook_ledger::certificate::Certificate;
use sealbook_ledger::command::RotationCommand;
use sealbook_ledger::decide::Refusal;
use sealbook_ledger::encoding::{B64, Hash, pem};
use sealbook_ledger::event::Actor;
use sealbook_ledger::ids::{CertificateId, KeyId, SlotName};
use sealbook_ledger::issuance::{Issuance, IssuanceStep};
use sealbook_ledger::rotation::IssuerPolicy;
use sealbook_ledger::rule::Rule;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::auth::{ActingMember, Caller, MemberCaller};
use super::body::Body;
use super::fresh::Fresh;
use super::problem::{Problem, ProblemDocument};
use super::rotations::in_work;
use crate::ledger::{EngineError, failure_code};
use crate::views::certificates::{self, CertificateView};

/// Most certificates of a chain that is brought.
const MAX_CHAIN: usize = 5;

/// Longest text of such a chain, in bytes: five of the longest certificates in base64, and what people write between.
const MAX_PEM: usize = 64 * 1024;

#[derive(Serialize, ToSchema)]
struct CertificateList {
    /// The newest order first.
    certificates: Vec<CertificateView>,
}

/// Which certificates.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct CertificateQuery {
    /// Only of this key.
    #[param(value_type = Option<String>, format = Uuid)]
    key: Option<KeyId>,
    /// Only of this slot's keys.
    #[param(value_type = Option<String>)]
    slot: Option<SlotName>,
}

/// A chain from a CA outside.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChainBody {
    /// One to five certificates as PEM (RFC 7468): the key's own first, each followed by its issuer's, up to one that the
    /// slot's policy names as an anchor.
    chain_pem: String,
}

/// Lists the certificates, the newest order first; a service sees those of the slots that it may use.
#[utoipa::path(tag = "certificates", params(("tenant" = String, Path), CertificateQuery),
    responses((status = 200, body = CertificateList), (status = "4XX", body = ProblemDocument)))]
#[get("/v1/tenants/{tenant}/certificates")]
pub(super) async fn list_certificates(
    caller: Caller,
    query: web::Query<CertificateQuery>,
) -> Result<HttpResponse, Problem> {
    let founded = caller.state.founded()?;
    let wanted = |issuance: &Issuance| {
        query.key.is_none_or(|key| key == issuance.key)
            && query.slot.as_ref().is_none_or(|slot| *slot == issuance.slot)
            && caller.may_see(&issuance.slot).is_ok()
    };
    let mut found: Vec<_> = founded.issuances().iter().filter(|(_, issuance)| wanted(issuance)).collect();
    found.sort_by_key(|(_, issuance)| std::cmp::Reverse(issuance.ordered));
    let views =
        found.into_iter().map(|(id, issuance)| CertificateView::new(*id, issuance, founded, caller.at));
    Ok(HttpResponse::Ok().json(CertificateList { certificates: views.collect::<Result<_, _>>()? }))
}

/// The certificate of an id; one of a slot that the caller may not see is none of the caller's.
fn visible(caller: &Caller, id: CertificateId) -> Result<&Issuance, Problem> {
    let issuance = caller.state.founded()?.issuance(id)?;
    caller.may_see(&issuance.slot).map_err(|_| Rule::CertificateUnknown)?;
    Ok(issuance)
}

/// Shows one certificate.
#[utoipa::path(tag = "certificates", params(("tenant" = String, Path), ("certificate" = uuid::Uuid, Path)),
    responses((status = 200, body = CertificateView), (status = "4XX", body = ProblemDocument)))]
#[get("/v1/tenants/{tenant}/certificates/{certificate}")]
pub(super) async fn show_certificate(
    caller: Caller,
    path: web::Path<(String, CertificateId)>,
) -> Result<HttpResponse, Problem> {
    let (_, id) = path.into_inner();
    let view = CertificateView::new(id, visible(&caller, id)?, caller.state.founded()?, caller.at)?;
    Ok(HttpResponse::Ok().json(view))
}

/// The request for a certificate (PKCS #10, RFC 2986) as PEM: what a CA outside is sent.
#[utoipa::path(tag = "certificates", params(("tenant" = String, Path), ("certificate" = uuid::Uuid, Path)), responses(
    (status = 200, body = str, content_type = "text/x-pem"), (status = "4XX", body = ProblemDocument)
))]
#[get("/v1/tenants/{tenant}/certificates/{certificate}/request.pem")]
pub(super) async fn certificate_request(
    caller: Caller,
    path: web::Path<(String, CertificateId)>,
) -> Result<HttpResponse, Problem> {
    let (_, id) = path.into_inner();
    let missing = || Problem::from(Rule::CertificateStep).saying("The key has not signed the request yet.");
    let csr = visible(&caller, id)?.csr.as_ref().ok_or_else(missing)?;
    Ok(HttpResponse::Ok().content_type("text/x-pem").body(pem("CERTIFICATE REQUEST", csr.as_bytes())))
}

/// A certificate and those above it as PEM, its own first: up to a root of this ledger, or as they were brought.
#[utoipa::path(tag = "certificates", params(("tenant" = String, Path), ("certificate" = uuid::Uuid, Path)), responses(
    (status = 200, body = str, content_type = "application/pem-certificate-chain"),
    (status = "4XX", body = ProblemDocument)
))]
#[get("/v1/tenants/{tenant}/certificates/{certificate}/chain.pem")]
pub(super) async fn certificate_chain(
    caller: Caller,
    path: web::Path<(String, CertificateId)>,
) -> Result<HttpResponse, Problem> {
    let (_, id) = path.into_inner();
    let missing = || Problem::from(Rule::CertificateStep).saying("The certificate is not there yet.");
    let chain = certificates::chain(caller.state.founded()?, visible(&caller, id)?).ok_or_else(missing)?;
    let text: String = chain.iter().map(|der| pem("CERTIFICATE", der.as_bytes())).collect();
    Ok(HttpResponse::Ok().content_type("application/pem-certificate-chain").body(text))
}

/// Brings the chain that a CA outside issued for a request. Bringing it again changes nothing.
#[utoipa::path(tag = "certificates", params(("tenant" = String, Path), ("certificate" = uuid::Uuid, Path)),
    request_body = ChainBody,
    responses((status = 200, body = CertificateView), (status = "4XX", body = ProblemDocument)))]
#[post("/v1/tenants/{tenant}/certificates/{certificate}/chain")]
pub(super) async fn import_chain(
    Fresh(member): Fresh<ActingMember>,
    path: web::Path<(String, CertificateId)>,
    body: Body<ChainBody>,
) -> Result<HttpResponse, Problem> {
    let (member, (_, certificate)) = (MemberCaller::from(member), path.into_inner());
    let correlation = member.founded()?.issuance(certificate)?.correlation;
    let chain = read_chain(&body.value.chain_pem)?;
    let fingerprint = Hash::sha256(chain.first().map(B64::as_bytes).unwrap_or_default());
    let import = RotationCommand::Import { by: member.id, certificate, chain };
    let submitted = member.ledger.submit(in_work(import, correlation)).await;
    let (state, at) = (member.ledger.state(), member.ledger.now());
    let founded = state.founded()?;
    let issuance = founded.issuance(certificate)?;
    match submitted {
        Ok(_) => {}
        Err(EngineError::Refused(Refusal::Rule(Rule::CertificateStep)))
            if issuance.active().is_some_and(|issued| issued.fingerprint == fingerprint) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(HttpResponse::Ok().json(CertificateView::new(certificate, issuance, founded, at)?))
}

/// Gives up a certificate that does not come from its CA outside. Giving it up again changes nothing.
#[utoipa::path(tag = "certificates", params(("tenant" = String, Path), ("certificate" = uuid::Uuid, Path)),
    responses((status = 200, body = CertificateView), (status = "4XX", body = ProblemDocument)))]
#[post("/v1/tenants/{tenant}/certificates/{certificate}/give-up")]
pub(super) async fn give_up_certificate(
    member: ActingMember,
    path: web::Path<(String, CertificateId)>,
) -> Result<HttpResponse, Problem> {
    let (member, (_, certificate)) = (MemberCaller::from(member), path.into_inner());
    let founded = member.founded()?;
    let issuance = founded.issuance(certificate)?;
    if issuance.step != IssuanceStep::Failed {
        // Only what somebody has to bring is given up by people: for the rest the server answers.
        if !matches!(issuance.policy.issuer, IssuerPolicy::Outside { .. }) {
            return Err(Rule::CertificateIssuer.into());
        }
        let (by, code) = (Actor::Member(member.id), failure_code("certificate.given_up"));
        let fail = RotationCommand::FailCertificate { by, certificate, code };
        member.ledger.submit(in_work(fail, issuance.correlation)).await?;
    }
    let (state, at) = (member.ledger.state(), member.ledger.now());
    let founded = state.founded()?;
    let view = CertificateView::new(certificate, founded.issuance(certificate)?, founded, at)?;
    Ok(HttpResponse::Ok().json(view))
}

/// The certificates of a PEM text, each one that can be read. Anything else in it is refused: nobody is to send a private
/// key here and have it go by unnoticed.
fn read_chain(text: &str) -> Result<Vec<B64>, Problem> {
    let refused = |why: String| Problem::from(Rule::CertificateChain).saying(why);
    if text.len() > MAX_PEM {
        return Err(refused(format!("The text of a chain has at most {MAX_PEM} bytes.")));
    }
    let mut chain = Vec::new();
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(text.as_bytes()) {
        let (kind, der) = section.map_err(|_| refused("The text is not PEM (RFC 7468).".to_owned()))?;
        if !matches!(kind, SectionKind::Certificate) {
            return Err(refused("The text holds something else than certificates.".to_owned()));
        }
        if chain.len() == MAX_CHAIN {
            return Err(refused(format!("A chain has at most {MAX_CHAIN} certificates.")));
        }
        let place = chain.len() + 1;
        Certificate::from_der(&der).map_err(|error| {
            refused(format!("Certificate {place} of the chain is not accepted: {error}."))
        })?;
        chain.push(B64::from(der));
    }
    // The reader passes over labels that it does not know.
    if text.matches("-----BEGIN ").count() != chain.len() {
        return Err(refused("The text holds something else than certificates.".to_owned()));
    }
    if chain.is_empty() { Err(refused("The text holds no certificate.".to_owned())) } else { Ok(chain) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> &'static str {
        read_chain(text).unwrap_err().code()
    }

    #[test]
    fn a_chain_is_one_to_five_certificates_and_nothing_else() {
        let key = rcgen::KeyPair::generate().unwrap();
        let made = rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap();
        let one = pem("CERTIFICATE", made.der());
        assert_eq!(read_chain(&one).unwrap(), [B64::from(made.der().to_vec())]);
        assert_eq!(read_chain(&one.repeat(5)).unwrap().len(), 5);
        assert_eq!(code(&one.repeat(6)), "certificate.chain");
        assert_eq!(code(&format!("{one}{}", key.serialize_pem())), "certificate.chain");
        assert_eq!(code(&format!("{one}{}", pem("ENCRYPTED PRIVATE KEY", b"x"))), "certificate.chain");
        assert_eq!(code(&pem("CERTIFICATE", b"not a certificate")), "certificate.chain");
        assert_eq!(code(&format!("{}{one}", " ".repeat(MAX_PEM))), "certificate.chain");
        for text in ["", "a text", "-----BEGIN CERTIFICATE-----\nAAAA\n"] {
            assert_eq!(code(text), "certificate.chain", "{text}");
        }
    }
}
