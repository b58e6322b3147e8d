//! Revocation lists: the golden vectors, what is refused, and what openssl says.

use std::process::Command;

use serde::Deserialize;

use super::*;
use crate::algorithm::Algorithm;
use crate::encoding::HexBytes;
use crate::openssl_for_tests::openssl;
use crate::timestamp::Timestamp;

#[derive(Deserialize)]
struct Vectors {
    root: Made,
    leaf: Made,
    revocation_lists: Vec<Listed>,
}

#[derive(Deserialize)]
struct Made {
    certificate: HexBytes,
}

#[derive(Deserialize)]
struct Listed {
    entries: Vec<Revoked>,
    expired_since: Option<Timestamp>,
    list: HexBytes,
    next_update: Timestamp,
    number: u64,
    this_update: Timestamp,
}

impl Listed {
    fn of<'a>(&'a self, issuer: &'a Certificate) -> RevocationList<'a> {
        RevocationList {
            algorithm: Algorithm::Ed25519,
            entries: &self.entries,
            expired_since: self.expired_since,
            issuer,
            next_update: self.next_update,
            number: self.number,
            this_update: self.this_update,
        }
    }
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../../testdata/certificates-v1.json")).unwrap()
}

#[test]
fn lists_are_rebuilt_byte_for_byte() {
    let vectors = vectors();
    let root = Certificate::from_der(&vectors.root.certificate.0).unwrap();
    for listed in &vectors.revocation_lists {
        // An Ed25519 signature is the last 64 bytes.
        let signature = &listed.list.0[listed.list.0.len() - 64..];
        let whole = assemble_crl(&tbs_crl(&listed.of(&root)).unwrap(), Algorithm::Ed25519, signature);
        assert_eq!(HexBytes(whole.unwrap()), listed.list);
    }
}

#[test]
fn the_order_of_entries_does_not_matter_but_each_is_there_once() {
    let vectors = vectors();
    let root = Certificate::from_der(&vectors.root.certificate.0).unwrap();
    let listed = &vectors.revocation_lists[1];
    let list = listed.of(&root);
    let mut entries = listed.entries.clone();
    entries.reverse();
    assert_eq!(tbs_crl(&RevocationList { entries: &entries, ..list }), tbs_crl(&list));
    entries.push(Revoked { reason: None, ..entries[0].clone() });
    let refused = tbs_crl(&RevocationList { entries: &entries, ..list });
    assert_eq!(refused.unwrap_err().code(), "certificate.listed_twice");
}

#[test]
fn who_may_not_sign_lists_signs_none() {
    let vectors = vectors();
    let [root, leaf] =
        [vectors.root, vectors.leaf].map(|made| Certificate::from_der(&made.certificate.0).unwrap());
    let list = vectors.revocation_lists[1].of(&root);
    let code = |list: RevocationList<'_>| tbs_crl(&list).unwrap_err().code();
    let by_leaf = RevocationList { issuer: &leaf, algorithm: Algorithm::EcdsaP256Sha256, ..list };
    assert_eq!(code(by_leaf), "certificate.issuer");
    assert_eq!(code(RevocationList { issuer: &leaf, ..list }), "certificate.key_type");
    assert_eq!(code(RevocationList { next_update: list.this_update, ..list }), "certificate.validity");
    let fraction = Timestamp::from_unix_micros(list.this_update.unix_micros() - 1).unwrap();
    assert_eq!(code(RevocationList { this_update: fraction, ..list }), "certificate.time");
    assert_eq!(code(RevocationList { expired_since: Some(fraction), ..list }), "certificate.time");
}

#[test]
fn openssl_finds_the_certificate_revoked() {
    let vectors = vectors();
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    write("root", &vectors.root.certificate.0);
    write("leaf", &vectors.leaf.certificate.0);
    openssl(folder.path(), "x509 -inform DER -in root -out root.pem");
    openssl(folder.path(), "x509 -inform DER -in leaf -out leaf.pem");
    let text = |n: usize| {
        write("list", &vectors.revocation_lists[n].list.0);
        openssl(folder.path(), &format!("crl -inform DER -in list -out list-{n}.pem"));
        openssl(folder.path(), &format!("crl -in list-{n}.pem -CAfile root.pem -verify -noout -text"))
    };
    assert!(text(0).contains("No Revoked Certificates"));
    let said = text(1);
    for part in ["Key Compromise", "Superseded", "Mar  1 12:00:00 2026 GMT"] {
        assert!(said.contains(part), "{part}\n{said}");
    }
    // The last day of 2049, on which list and certificate are valid.
    let verify = "verify -x509_strict -attime 2524521600 -CAfile root.pem";
    openssl(folder.path(), &format!("{verify} leaf.pem"));
    let with_list = format!("{verify} -crl_check -CRLfile list-1.pem leaf.pem");
    let run = Command::new("openssl").args(with_list.split(' ')).current_dir(folder.path()).output().unwrap();
    let why = String::from_utf8(run.stderr).unwrap();
    assert!(!run.status.success() && why.contains("certificate revoked"), "{why}");
}
