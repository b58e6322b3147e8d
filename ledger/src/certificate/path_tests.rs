//! Chains of outside CAs, made by openssl: a good one is accepted, and each defect refused with its code and place.

use tempfile::TempDir;

use super::*;
use crate::algorithm::KeyType;
use crate::openssl_for_tests::{make_key, openssl};
use crate::public_key::PublicKey;
use crate::timestamp::Timestamp;

const ROOT: &str = "basicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign,cRLSign\n\
                    subjectKeyIdentifier=hash";
const MIDDLE: &str = "basicConstraints=critical,CA:true,pathlen:0\nkeyUsage=critical,keyCertSign\n\
                      subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid";
const LAST: &str = "basicConstraints=CA:false\nkeyUsage=critical,digitalSignature\n\
                    extendedKeyUsage=codeSigning\nsubjectAltName=DNS:a.example.com";

/// What openssl makes a chain of; tests alter one thing.
struct Ca {
    folder: TempDir,
    key: PublicKey,
    days: [u32; 3],
    extensions: [String; 3],
}

impl Ca {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["root", "middle"] {
            make_key(folder.path(), KeyType::EcP384, name);
        }
        let key = make_key(folder.path(), KeyType::EcP256, "last");
        Self { folder, key, days: [30; 3], extensions: [ROOT, MIDDLE, LAST].map(str::to_owned) }
    }

    fn with(n: usize, extensions: &str) -> Self {
        let mut ca = Self::new();
        ca.extensions[n] = extensions.to_owned();
        ca
    }

    fn openssl(&self, arguments: &str) -> String {
        openssl(self.folder.path(), arguments)
    }

    /// One certificate for the key `name`, signed by the key and in the name of `issuer`.
    fn issue(&self, name: &str, issuer: &str, days: u32, extensions: &str) -> Vec<u8> {
        std::fs::write(self.folder.path().join("ext"), format!("{extensions}\n")).unwrap();
        self.openssl(&format!("req -new -key {name}.key -subj /O=Outside/CN={name} -out csr"));
        let by = match issuer == name {
            true => format!("-signkey {name}.key"),
            false => format!("-CA {issuer}.pem -CAkey {issuer}.key"),
        };
        self.openssl(&format!("x509 -req -sha384 -in csr {by} -days {days} -extfile ext -out {name}.pem"));
        self.openssl(&format!("x509 -in {name}.pem -outform DER -out der"));
        std::fs::read(self.folder.path().join("der")).unwrap()
    }

    fn ders(&self) -> Vec<Vec<u8>> {
        let [root, middle, last] = &self.extensions;
        let mut ders = vec![
            self.issue("root", "root", self.days[0], root),
            self.issue("middle", "root", self.days[1], middle),
            self.issue("last", "middle", self.days[2], last),
        ];
        ders.reverse();
        ders
    }

    fn chain(&self) -> Vec<Certificate> {
        self.ders().iter().map(|der| Certificate::from_der(der).unwrap()).collect()
    }

    /// What becomes of the chain a moment after it was made.
    fn verdict(&self) -> Result<(), PathError> {
        let chain = self.chain();
        let at = chain[0].not_before().plus_seconds(60);
        self.verdict_of(&chain, at)
    }

    fn verdict_of(&self, chain: &[Certificate], at: Timestamp) -> Result<(), PathError> {
        let anchor = chain.last().unwrap().sha256();
        verify_path(chain, &[anchor], &self.key, Usage::CodeSigning, at)
    }
}

fn code_and_place(verdict: Result<(), PathError>) -> (&'static str, Option<usize>) {
    let error = verdict.unwrap_err();
    let n = match &error {
        PathError::NotYetValid { n, .. }
        | PathError::Expired { n, .. }
        | PathError::NotACa { n }
        | PathError::PathTooLong { n, .. }
        | PathError::WrongUsage { n, .. }
        | PathError::NotSignedByNext { n, .. }
        | PathError::NameConstraints { n } => Some(*n),
        PathError::Length { .. }
        | PathError::KeyMismatch
        | PathError::UnpinnedAnchor { .. }
        | PathError::Refused(_) => None,
    };
    (error.code(), n)
}

#[test]
fn a_good_chain_is_accepted_for_what_it_is_good_for() {
    let ca = Ca::new();
    let chain = ca.chain();
    let at = chain[0].not_before().plus_seconds(60);
    ca.verdict_of(&chain, at).unwrap();
    // The anchor may be any CA of the chain.
    ca.verdict_of(&chain[..2], at).unwrap();
    let anchors = [chain[2].sha256()];
    let refused = verify_path(&chain, &anchors, &ca.key, Usage::ClientAuth, at);
    assert_eq!(code_and_place(refused), ("certificate.wrong_usage", Some(0)));
    let issuing = |path_len: u8, chain: &[Certificate]| {
        let key = chain[0].public_key().unwrap();
        verify_path(chain, &anchors, &key, Usage::Issuing { path_len: path_len.try_into().unwrap() }, at)
    };
    issuing(0, &chain[1..]).unwrap();
    issuing(3, &chain[2..]).unwrap();
    assert_eq!(code_and_place(issuing(1, &chain[1..])), ("certificate.path_too_long", Some(0)));
    assert_eq!(code_and_place(issuing(0, &chain)), ("certificate.not_a_ca", Some(0)));
}

#[test]
fn keys_and_anchors_are_the_expected_ones() {
    let ca = Ca::new();
    let chain = ca.chain();
    let at = chain[0].not_before().plus_seconds(60);
    let pinned = [chain[2].sha256()];
    let other = make_key(ca.folder.path(), KeyType::EcP256, "other");
    let verdict = verify_path(&chain, &pinned, &other, Usage::CodeSigning, at);
    assert_eq!(code_and_place(verdict), ("certificate.key_mismatch", None));
    for anchors in [&[][..], &[chain[0].sha256(), chain[1].sha256()]] {
        let verdict = verify_path(&chain, anchors, &ca.key, Usage::CodeSigning, at);
        assert_eq!(code_and_place(verdict), ("certificate.unpinned_anchor", None));
    }
    let alone = verify_path(&chain[..1], &[chain[0].sha256()], &ca.key, Usage::CodeSigning, at);
    assert_eq!(code_and_place(alone), ("certificate.not_a_ca", Some(0)));
    let middle_key = chain[1].public_key().unwrap();
    let alone = verify_path(&chain[1..2], &[chain[1].sha256()], &middle_key, Usage::CodeSigning, at);
    assert_eq!(code_and_place(alone), ("certificate.wrong_usage", Some(0)));
    let empty = verify_path(&[], &pinned, &ca.key, Usage::CodeSigning, at);
    assert_eq!(code_and_place(empty), ("certificate.chain_length", None));
    let long = [chain[..2].to_vec(), vec![chain[2].clone(); 4]].concat();
    assert_eq!(code_and_place(ca.verdict_of(&long, at)), ("certificate.chain_length", None));
}

#[test]
fn every_certificate_of_the_chain_has_to_be_valid_at_that_time() {
    for n in 0..3 {
        let mut ca = Ca::new();
        ca.days[2 - n] = 10;
        let chain = ca.chain();
        let end = chain[n].not_after();
        ca.verdict_of(&chain, end).unwrap();
        let within = Timestamp::from_unix_micros(end.unix_micros() + 999_999).unwrap();
        ca.verdict_of(&chain, within).unwrap();
        assert_eq!(
            code_and_place(ca.verdict_of(&chain, end.plus_seconds(1))),
            ("certificate.expired", Some(n))
        );
    }
    let ca = Ca::new();
    let chain = ca.chain();
    let before = Timestamp::from_unix_micros(chain[2].not_before().unix_micros() - 1).unwrap();
    assert_eq!(code_and_place(ca.verdict_of(&chain, before)), ("certificate.not_yet_valid", Some(0)));
}

#[test]
fn who_issues_is_a_ca_of_sufficient_length() {
    let with = |n: usize, from: &str, to: &str| {
        let ca = Ca::new();
        let altered = ca.extensions[n].replace(from, to);
        assert_ne!(altered, ca.extensions[n]);
        code_and_place(Ca::with(n, &altered).verdict())
    };
    let not_a_ca = "certificate.not_a_ca";
    assert_eq!(with(1, "CA:true,pathlen:0", "CA:false"), (not_a_ca, Some(1)));
    assert_eq!(with(1, "basicConstraints=critical,CA:true,pathlen:0\n", ""), (not_a_ca, Some(1)));
    assert_eq!(with(1, "keyCertSign", "cRLSign"), (not_a_ca, Some(1)));
    assert_eq!(with(0, "CA:true", "CA:false"), (not_a_ca, Some(2)));
    assert_eq!(with(0, "keyCertSign,", ""), (not_a_ca, Some(2)));
    assert_eq!(with(0, "CA:true", "CA:true,pathlen:0"), ("certificate.path_too_long", Some(2)));
}

#[test]
fn purposes_have_to_be_named_where_any_are() {
    let wrong = "certificate.wrong_usage";
    for (last, expected) in [
        ("extendedKeyUsage=serverAuth", Some(0)),
        ("extendedKeyUsage=anyExtendedKeyUsage", Some(0)),
        ("keyUsage=critical,digitalSignature", Some(0)),
        ("extendedKeyUsage=codeSigning\nkeyUsage=critical,keyEncipherment", Some(0)),
        ("extendedKeyUsage=codeSigning\nbasicConstraints=CA:true", Some(0)),
    ] {
        assert_eq!(code_and_place(Ca::with(2, last).verdict()), (wrong, expected), "{last}");
    }
    for good in [
        "extendedKeyUsage=codeSigning",
        "extendedKeyUsage=critical,clientAuth,codeSigning\nsubjectAltName=critical,DNS:a.example.com",
    ] {
        Ca::with(2, good).verdict().unwrap();
    }
    let middle = |purposes: &str| Ca::with(1, &format!("{MIDDLE}\nextendedKeyUsage={purposes}")).verdict();
    middle("codeSigning,timeStamping").unwrap();
    assert_eq!(code_and_place(middle("serverAuth,clientAuth")), (wrong, Some(1)));
    let root = Ca::with(0, &format!("{ROOT}\nextendedKeyUsage=serverAuth")).verdict();
    assert_eq!(code_and_place(root), (wrong, Some(2)));
}

#[test]
fn each_is_signed_by_the_next() {
    let ca = Ca::new();
    let chain = ca.chain();
    let at = chain[0].not_before().plus_seconds(60);
    let unsigned = "certificate.not_signed_by_next";
    let verdict = ca.verdict_of(&[chain[0].clone(), chain[2].clone()], at);
    assert_eq!(code_and_place(verdict), (unsigned, Some(0)));
    // The same names, other keys.
    let others = Ca::new().chain();
    for (n, mixed) in [[&chain[0], &others[1], &others[2]], [&chain[0], &chain[1], &others[2]]]
        .map(|chain| chain.map(Clone::clone))
        .iter()
        .enumerate()
    {
        assert_eq!(code_and_place(ca.verdict_of(mixed, at)), (unsigned, Some(n)));
    }
    let order = [chain[0].clone(), chain[2].clone(), chain[1].clone()];
    assert_eq!(code_and_place(ca.verdict_of(&order, at)), ("certificate.path_too_long", Some(2)));
}

#[test]
fn constraints_on_names_are_kept() {
    let constrained =
        |to: &str| Ca::with(1, &format!("{MIDDLE}\nnameConstraints=critical,permitted;DNS:{to}"));
    constrained("example.com").verdict().unwrap();
    let ca = constrained("example.org");
    assert_eq!(code_and_place(ca.verdict()), ("certificate.path_refused", None));
    let chain = ca.chain();
    let verdict = verify_path(
        &chain[1..],
        &[chain[2].sha256()],
        &chain[1].public_key().unwrap(),
        Usage::Issuing { path_len: 0.try_into().unwrap() },
        chain[1].not_before().plus_seconds(60),
    );
    assert_eq!(code_and_place(verdict), ("certificate.name_constraints", Some(0)));
}

#[test]
fn what_is_critical_and_unknown_is_refused() {
    for unknown in ["1.2.3.4=critical,ASN1:NULL", "certificatePolicies=critical,1.2.3.4"] {
        let last = Ca::with(2, &format!("{LAST}\n{unknown}")).ders().swap_remove(0);
        assert_eq!(Certificate::from_der(&last).unwrap_err().code(), "certificate.critical_extension");
    }
    Ca::with(2, &format!("{LAST}\n1.2.3.4=ASN1:NULL\ncertificatePolicies=1.2.3.4")).verdict().unwrap();
}

#[test]
fn extensions_that_say_nothing_or_too_much_are_refused() {
    for wrong in [
        // Flags with zero bits at their end, a default that is spelled out, a path length without a CA.
        "2.5.29.15=DER:03:02:00:80",
        "2.5.29.19=DER:30:03:01:01:00",
        "2.5.29.19=DER:30:03:02:01:00",
        "2.5.29.37=DER:30:00",
        "2.5.29.14=DER:04:01:01:00",
    ] {
        let last = Ca::with(2, wrong).ders().swap_remove(0);
        assert_eq!(Certificate::from_der(&last).unwrap_err().code(), "certificate.extension", "{wrong}");
    }
    let mut twice = rcgen::CertificateParams::default();
    for _ in 0..2 {
        twice
            .custom_extensions
            .push(rcgen::CustomExtension::from_oid_content(&[2, 5, 29, 37], vec![0x30, 0]));
    }
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let empty = Certificate::from_der(twice.self_signed(&pair).unwrap().der());
    assert_eq!(empty.unwrap_err().code(), "certificate.extension");
    for extension in &mut twice.custom_extensions {
        *extension = rcgen::CustomExtension::from_oid_content(&[1, 2, 3], vec![5, 0]);
    }
    let doubled = Certificate::from_der(twice.self_signed(&pair).unwrap().der());
    assert_eq!(doubled.unwrap_err().code(), "certificate.duplicate_extension");
}

#[test]
fn cas_may_have_keys_outside_the_registry() {
    let ca = Ca::new();
    for kind in ["RSA -pkeyopt rsa_keygen_bits:2048", "EC -pkeyopt ec_paramgen_curve:P-521"] {
        ca.openssl(&format!("genpkey -algorithm {kind} -out root.key"));
        let chain = ca.chain();
        assert!(chain[2].public_key().is_err());
        ca.verdict_of(&chain, chain[0].not_before().plus_seconds(60)).unwrap();
    }
    ca.openssl("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out root.key");
    let weak = ca.chain();
    let verdict = ca.verdict_of(&weak, weak[0].not_before().plus_seconds(60));
    assert_eq!(code_and_place(verdict), ("certificate.not_signed_by_next", Some(1)));
}
