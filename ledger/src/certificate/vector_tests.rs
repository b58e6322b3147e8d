//! The golden vectors of `testdata/certificates-v1.json`: the encoding can't drift.

use serde::Deserialize;

use super::*;
use crate::algorithm::Algorithm;
use crate::encoding::HexBytes;
use crate::public_key::PublicKey;
use crate::timestamp::Timestamp;

#[derive(Deserialize)]
struct Vectors {
    root: Made,
    leaf: Made,
    requests: Vec<Asked>,
}

#[derive(Deserialize)]
struct Made {
    certificate: HexBytes,
    crl_url: Option<CrlUrl>,
    not_after: Timestamp,
    not_before: Timestamp,
    #[serde(default)]
    policies: Vec<PolicyOid>,
    serial: SerialNumber,
    spki: HexBytes,
    subject: Subject,
    usage: Usage,
}

#[derive(Deserialize)]
struct Asked {
    request: HexBytes,
    spki: HexBytes,
    subject: Subject,
    usage: Option<Usage>,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../../testdata/certificates-v1.json")).unwrap()
}

fn tbs_of(made: &Made, issuer: Issuer<'_>) -> Vec<u8> {
    let key = PublicKey::from_der(&made.spki.0).unwrap();
    tbs(&Template {
        algorithm: Algorithm::Ed25519,
        crl_url: made.crl_url.as_ref(),
        issuer,
        key: &key,
        not_after: made.not_after,
        not_before: made.not_before,
        policies: &made.policies,
        serial: &made.serial,
        subject: &made.subject,
        usage: made.usage,
    })
    .unwrap()
}

#[test]
fn certificates_are_rebuilt_byte_for_byte() {
    let Vectors { root: made_root, leaf: made_leaf, .. } = vectors();
    let root = Certificate::from_der(&made_root.certificate.0).unwrap();
    let leaf = Certificate::from_der(&made_leaf.certificate.0).unwrap();
    let root_key = root.public_key().unwrap();
    for (certificate, again) in [
        (&root, tbs_of(&made_root, Issuer::SelfSigned)),
        (&leaf, tbs_of(&made_leaf, Issuer::Certificate(&root))),
    ] {
        assert_eq!(HexBytes(certificate.tbs().to_vec()), HexBytes(again.clone()));
        assert!(certificate.is_signed_by(&root_key));
        let whole = assemble(&again, Algorithm::Ed25519, certificate.signature()).unwrap();
        assert_eq!(certificate.der(), whole);
    }
}

#[test]
fn requests_are_rebuilt_byte_for_byte() {
    for asked in vectors().requests {
        let request = Request::from_der(&asked.request.0).unwrap();
        let key = PublicKey::from_der(&asked.spki.0).unwrap();
        let info = request_info(&asked.subject, &key, asked.usage).unwrap();
        assert_eq!(HexBytes(request.info().to_vec()), HexBytes(info.clone()));
        request.verify().unwrap();
        let whole = assemble_request(&info, Algorithm::Ed25519, request.signature()).unwrap();
        assert_eq!(request.der(), whole);
    }
}

#[test]
fn what_the_vectors_say_is_read_back() {
    let vectors = vectors();
    let leaf = Certificate::from_der(&vectors.leaf.certificate.0).unwrap();
    assert_eq!(
        leaf.subject().to_string(),
        "CN=Releases Größe 1,OU=Build\\, Test & Ship,O=Example GmbH,L=Köln,ST=Nordrhein-Westfalen,C=DE"
    );
    assert_eq!(leaf.issuer().to_string(), "CN=Example Root 1,O=Example GmbH,C=DE");
    assert_eq!((leaf.not_before(), leaf.not_after()), (vectors.leaf.not_before, vectors.leaf.not_after));
    assert_eq!(*leaf.serial(), vectors.leaf.serial);
    let extensions = leaf.extensions();
    assert_eq!(extensions.policies, vectors.leaf.policies);
    assert_eq!(extensions.crl_urls, ["http://crl.example.com/root-1.crl"]);
    assert_eq!(extensions.key_uses.unwrap().names(), ["digitalSignature"]);
    assert!(extensions.names_purpose_of(Usage::CodeSigning) && !extensions.ca);
    let root = Certificate::from_der(&vectors.root.certificate.0).unwrap();
    assert_eq!(extensions.authority_key_id, root.extensions().subject_key_id);
    assert_eq!(root.extensions().key_uses.unwrap().names(), ["keyCertSign", "cRLSign"]);
    assert_eq!((root.extensions().ca, root.extensions().path_len), (true, Some(1)));
}

#[test]
fn no_bit_of_a_certificate_can_be_changed_unnoticed() {
    let vectors = vectors();
    let root = Certificate::from_der(&vectors.root.certificate.0).unwrap();
    let key = root.public_key().unwrap();
    let der = vectors.leaf.certificate.0;
    for bit in 0..der.len() * 8 {
        let mut changed = der.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        if let Ok(read) = Certificate::from_der(&changed) {
            assert_eq!(read.der(), changed);
            assert!(!read.is_signed_by(&key), "bit {bit}");
        }
    }
}

#[test]
fn what_is_cut_short_or_followed_by_something_is_refused() {
    let vectors = vectors();
    let der = vectors.leaf.certificate.0;
    for cut in 0..der.len() {
        assert!(Certificate::from_der(&der[..cut]).is_err());
    }
    assert_eq!(Certificate::from_der(&[&der[..], &[0]].concat()).unwrap_err().code(), "certificate.der");
    let long = vec![0x30; Certificate::MAX_LEN + 1];
    assert_eq!(Certificate::from_der(&long).unwrap_err().code(), "certificate.too_long");
    let request = &vectors.requests[0].request.0;
    for cut in 0..request.len() {
        assert!(Request::from_der(&request[..cut]).is_err());
    }
    assert_eq!(Request::from_der(&long).unwrap_err().code(), "certificate.too_long");
}
