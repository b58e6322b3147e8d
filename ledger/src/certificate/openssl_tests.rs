//! What is made here holds for `openssl`: certificates of every algorithm, as chains of three, and requests.

use tempfile::TempDir;

use super::*;
use crate::algorithm::{Algorithm, KeyType};
use crate::encoding::Hash;
use crate::openssl_for_tests::{make_key, openssl, sign};
use crate::public_key::PublicKey;
use crate::timestamp::Timestamp;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn subject(common_name: &str) -> Subject {
    serde_json::from_value(serde_json::json!({
        "common_name": common_name, "country": "DE", "organization": "Example & Söhne, \"AG\"",
    }))
    .unwrap()
}

fn path_len(length: u8) -> Usage {
    Usage::Issuing { path_len: length.try_into().unwrap() }
}

/// Keys `root`, `middle` and `last` of one type, each in a file.
struct Keys {
    folder: TempDir,
    keys: [PublicKey; 3],
}

const NAMES: [&str; 3] = ["root", "middle", "last"];

impl Keys {
    fn new(key_type: KeyType) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = NAMES.map(|name| make_key(folder.path(), key_type, name));
        Self { folder, keys }
    }

    /// A chain of root, CA and a certificate for `usage`, the last one first; each is left in a file.
    fn chain(&self, algorithm: Algorithm, usage: Usage) -> Vec<Certificate> {
        let policies = ["2.23.140.1.4.1".parse().unwrap()];
        let url = "http://crl.example.com/a.crl".parse().unwrap();
        let mut chain: Vec<Certificate> = Vec::new();
        for (n, usage) in [path_len(1), path_len(0), usage].into_iter().enumerate() {
            let signer = NAMES[n.saturating_sub(1)];
            let content = tbs(&Template {
                algorithm,
                crl_url: (n > 0).then_some(&url),
                issuer: chain.first().map_or(Issuer::SelfSigned, Issuer::Certificate),
                key: &self.keys[n],
                not_after: at(["2060-01-01T00:00:00.000000Z", "2050-01-01T00:00:00.000000Z"][n.min(1)]),
                not_before: at("2020-01-01T00:00:00.000000Z"),
                policies: if n == 2 { &policies } else { &[] },
                serial: &SerialNumber::from_random([n as u8; 16]),
                subject: &subject(NAMES[n]),
                usage,
            })
            .unwrap();
            let signature = sign(self.folder.path(), signer, algorithm, &content);
            let der = assemble(&content, algorithm, &signature).unwrap();
            std::fs::write(self.folder.path().join("der"), &der).unwrap();
            self.openssl(&format!("x509 -inform DER -in der -out {}.pem", NAMES[n]));
            chain.insert(0, Certificate::from_der(&der).unwrap());
        }
        chain
    }

    fn openssl(&self, arguments: &str) -> String {
        openssl(self.folder.path(), arguments)
    }
}

fn holds_everywhere(keys: &Keys, algorithm: Algorithm) {
    for usage in [Usage::ClientAuth, Usage::CodeSigning] {
        let chain = keys.chain(algorithm, usage);
        // The purpose `codesign` is known to OpenSSL from 3.2 on.
        let purpose = if usage == Usage::ClientAuth { "sslclient" } else { "any" };
        keys.openssl(&format!(
            "verify -x509_strict -check_ss_sig -purpose {purpose} -CAfile root.pem -untrusted middle.pem last.pem"
        ));
        let anchors = [chain[2].sha256()];
        let now = at("2026-01-01T00:00:00.000000Z");
        verify_path(&chain, &anchors, &keys.keys[2], usage, now).unwrap();
        verify_path(&chain[1..], &anchors, &keys.keys[1], path_len(0), now).unwrap();
        for (n, certificate) in chain.iter().enumerate() {
            let issuer = &keys.keys[1usize.saturating_sub(n)];
            assert!(certificate.is_signed_by(issuer));
            assert_eq!(certificate.algorithm(issuer.key_type()), Some(algorithm));
            assert!(!certificate.is_signed_by(&keys.keys[2]));
        }
    }
    let info = request_info(&subject("last"), &keys.keys[2], Some(Usage::CodeSigning)).unwrap();
    let signature = sign(keys.folder.path(), "last", algorithm, &info);
    let request = assemble_request(&info, algorithm, &signature).unwrap();
    std::fs::write(keys.folder.path().join("request"), &request).unwrap();
    keys.openssl("req -verify -noout -inform DER -in request");
    Request::from_der(&request).unwrap().verify().unwrap();
}

#[test]
fn chains_and_requests_of_every_algorithm_hold_for_openssl() {
    for key_type in [KeyType::EcP256, KeyType::EcP384, KeyType::Ed25519, KeyType::Rsa3072, KeyType::Rsa4096] {
        let keys = Keys::new(key_type);
        let of_it = |algorithm: &Algorithm| algorithm.key_type() == key_type && is_certifiable(*algorithm);
        for algorithm in Algorithm::ALL.into_iter().filter(of_it) {
            holds_everywhere(&keys, algorithm);
        }
    }
}

#[test]
fn openssl_reads_what_was_meant() {
    let keys = Keys::new(KeyType::EcP256);
    keys.chain(Algorithm::EcdsaP256Sha256, Usage::CodeSigning);
    let text = |file: &str| {
        let text = keys.openssl(&format!("x509 -in {file} -noout -text -nameopt RFC2253,-esc_msb"));
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let (root, last) = (text("root.pem"), text("last.pem"));
    for said in [
        "Version: 3 (0x2)",
        "Signature Algorithm: ecdsa-with-SHA256 Issuer: CN=middle,O=Example & Söhne\\, \\\"AG\\\",C=DE",
        "Not Before: Jan 1 00:00:00 2020 GMT Not After : Jan 1 00:00:00 2050 GMT",
        "X509v3 Basic Constraints: critical CA:FALSE X509v3 Key Usage: critical Digital Signature \
         X509v3 Extended Key Usage: Code Signing X509v3 Subject Key Identifier:",
        "X509v3 Certificate Policies: Policy: 2.23.140.1.4.1 X509v3 CRL Distribution Points: Full Name: \
         URI:http://crl.example.com/a.crl Signature Algorithm",
    ] {
        assert!(last.contains(said), "{said}\n{last}");
    }
    let said = "X509v3 Basic Constraints: critical CA:TRUE, pathlen:1 X509v3 Key Usage: critical \
                Certificate Sign, CRL Sign X509v3 Subject Key Identifier:";
    assert!(root.contains(said), "{root}");
}

#[test]
fn digest_signatures_of_ed25519_certify_nothing() {
    let algorithm = Algorithm::Ed25519OverSha256Digest;
    assert!(!is_certifiable(algorithm));
    assert_eq!(assemble(&[], algorithm, &[]).unwrap_err().code(), "certificate.not_certifiable");
    assert_eq!(Algorithm::ALL.into_iter().filter(|algorithm| is_certifiable(*algorithm)).count(), 11);
}

#[test]
fn an_issuer_issues_what_it_may() {
    let keys = Keys::new(KeyType::EcP256);
    let chain = keys.chain(Algorithm::EcdsaP256Sha256, Usage::CodeSigning);
    let refused = |issuer: usize, usage: Usage, name: &str, algorithm: Algorithm, end: &str| {
        let template = Template {
            algorithm,
            crl_url: None,
            issuer: Issuer::Certificate(&chain[issuer]),
            key: &keys.keys[2],
            not_after: at(end),
            not_before: at("2020-01-01T00:00:00.000000Z"),
            policies: &[],
            serial: &SerialNumber::from_random([1; 16]),
            subject: &subject(name),
            usage,
        };
        tbs(&template).map_or_else(|error| error.code(), |_| "made")
    };
    let p256 = Algorithm::EcdsaP256Sha256;
    let end = "2030-01-01T00:00:00.000000Z";
    assert_eq!(refused(1, Usage::CodeSigning, "x", p256, end), "made");
    assert_eq!(refused(2, path_len(0), "x", p256, end), "made");
    assert_eq!(refused(0, Usage::CodeSigning, "x", p256, end), "certificate.issuer");
    assert_eq!(refused(1, path_len(0), "x", p256, end), "certificate.issuer");
    assert_eq!(refused(2, path_len(1), "x", p256, end), "certificate.issuer");
    assert_eq!(refused(1, Usage::CodeSigning, "middle", p256, end), "certificate.issuer");
    assert_eq!(refused(1, Usage::CodeSigning, "x", Algorithm::Ed25519, end), "certificate.key_type");
    let (fraction, before) = ("2030-01-01T00:00:00.000001Z", "2019-12-31T23:59:59.000000Z");
    assert_eq!(refused(1, Usage::CodeSigning, "x", p256, fraction), "certificate.time");
    assert_eq!(refused(1, Usage::CodeSigning, "x", p256, before), "certificate.validity");
    assert_eq!(chain[0].sha256(), Hash::sha256(chain[0].der()));
}
