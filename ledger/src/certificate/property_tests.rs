//! Whatever is made reads back as the same facts, and nothing that is read makes the reader fail.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::algorithm::Algorithm;
use crate::encoding::Hash;
use crate::public_key::PublicKey;
use crate::timestamp::Timestamp;

/// The base point of P-256 (SEC 2 §2.4.2): a valid public key that nobody should use.
fn key() -> PublicKey {
    let point = "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296\
                 4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
    PublicKey::from_ec_point(&point.parse::<crate::encoding::HexBytes>().unwrap().0).unwrap()
}

#[derive(Debug, Clone)]
struct Facts {
    crl_url: Option<CrlUrl>,
    not_after: Timestamp,
    not_before: Timestamp,
    policies: Vec<PolicyOid>,
    serial: SerialNumber,
    subject: Subject,
    usage: Usage,
}

fn text() -> impl Strategy<Value = NameText> {
    "\\PC{1,64}".prop_filter_map("not a text of a name", |text| text.parse().ok())
}

fn subject() -> impl Strategy<Value = Subject> {
    let country = option::of("[A-Z]{2}".prop_map(|country| country.parse().unwrap()));
    (text(), country, option::of(text()), option::of(text()), option::of(text()), option::of(text()))
        .prop_map(|(common_name, country, locality, organization, organizational_unit, province)| Subject {
            common_name,
            country,
            locality,
            organization,
            organizational_unit,
            province,
        })
}

fn usage() -> impl Strategy<Value = Usage> {
    let issuing = (0..=PathLen::MAX).prop_map(|n| Usage::Issuing { path_len: n.try_into().unwrap() });
    prop_oneof![Just(Usage::CodeSigning), Just(Usage::ClientAuth), issuing]
}

/// From 1970 to the end of the year 9999.
fn second() -> impl Strategy<Value = Timestamp> {
    (0..253_402_300_800_i64).prop_map(|second| Timestamp::from_unix_micros(second * 1_000_000).unwrap())
}

fn facts() -> impl Strategy<Value = Facts> {
    let policies = vec("2\\.[1-3]?[0-9](\\.[1-9][0-9]{0,8}){1,5}", 0..=MAX_POLICIES);
    let url = option::of("https?://[a-z]{1,63}(\\.[a-z]{1,20}){0,3}(/[a-zA-Z0-9_.~-]{0,20}){0,3}");
    (subject(), usage(), second(), second(), any::<[u8; 16]>(), policies, url).prop_map(
        |(subject, usage, one, other, random, policies, url)| {
            let mut policies: Vec<PolicyOid> = policies.iter().map(|text| text.parse().unwrap()).collect();
            policies.sort();
            policies.dedup();
            Facts {
                crl_url: url.map(|url| url.parse().unwrap()),
                not_after: one.max(other),
                not_before: one.min(other),
                policies,
                serial: SerialNumber::from_random(random),
                subject,
                usage,
            }
        },
    )
}

fn made(facts: &Facts) -> Vec<u8> {
    let content = tbs(&Template {
        algorithm: Algorithm::EcdsaP256Sha256,
        crl_url: facts.crl_url.as_ref(),
        issuer: Issuer::SelfSigned,
        key: &key(),
        not_after: facts.not_after,
        not_before: facts.not_before,
        policies: &facts.policies,
        serial: &facts.serial,
        subject: &facts.subject,
        usage: facts.usage,
    })
    .unwrap();
    assemble(&content, Algorithm::EcdsaP256Sha256, b"a signature").unwrap()
}

/// All that a certificate says.
fn said(certificate: &Certificate) -> impl PartialEq + std::fmt::Debug + use<> {
    (
        (certificate.serial().clone(), certificate.not_before(), certificate.not_after()),
        (certificate.issuer().clone(), certificate.subject().clone(), certificate.spki().to_vec()),
        (certificate.signature_algorithm().to_vec(), certificate.signature().to_vec()),
        certificate.extensions().clone(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_is_made_reads_back_as_the_same_facts(facts in facts()) {
        let read = Certificate::from_der(&made(&facts)).unwrap();
        prop_assert_eq!(read.serial(), &facts.serial);
        prop_assert_eq!((read.not_before(), read.not_after()), (facts.not_before, facts.not_after));
        prop_assert_eq!(read.subject().der(), facts.subject.to_der().unwrap());
        prop_assert_eq!(read.subject(), read.issuer());
        prop_assert_eq!(read.public_key().unwrap(), key());
        let extensions = read.extensions();
        prop_assert_eq!(&extensions.policies, &facts.policies);
        prop_assert_eq!(&extensions.crl_urls, &facts.crl_url.iter().map(|url| url.to_string()).collect::<Vec<_>>());
        prop_assert_eq!(&extensions.subject_key_id, &extensions.authority_key_id);
        let path_len = match facts.usage {
            Usage::Issuing { path_len } => Some(path_len.get()),
            Usage::CodeSigning | Usage::ClientAuth => None,
        };
        prop_assert_eq!((extensions.ca, extensions.path_len), (path_len.is_some(), path_len));
        prop_assert_eq!(extensions.names_purpose_of(facts.usage), path_len.is_none());
        prop_assert_eq!(extensions.may_issue(), path_len.is_some());
        prop_assert_eq!(made(&facts), read.der());
    }

    #[test]
    fn another_bit_is_refused_or_says_something_else(facts in facts(), at in any::<prop::sample::Index>()) {
        let der = made(&facts);
        let bit = at.index(der.len() * 8);
        let mut changed = der.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        if let Ok(read) = Certificate::from_der(&changed) {
            prop_assert_ne!(said(&read), said(&Certificate::from_der(&der).unwrap()), "bit {}", bit);
        }
    }

    #[test]
    fn facts_survive_json(facts in facts()) {
        let subject = serde_json::to_string(&facts.subject).unwrap();
        prop_assert_eq!(serde_json::from_str::<Subject>(&subject).unwrap(), facts.subject);
        let usage = serde_json::to_string(&facts.usage).unwrap();
        prop_assert_eq!(serde_json::from_str::<Usage>(&usage).unwrap(), facts.usage);
        let serial = serde_json::to_string(&facts.serial).unwrap();
        prop_assert_eq!(serde_json::from_str::<SerialNumber>(&serial).unwrap(), facts.serial);
    }

    #[test]
    fn requests_read_back(subject in subject(), usage in option::of(usage())) {
        let info = request_info(&subject, &key(), usage).unwrap();
        let der = assemble_request(&info, Algorithm::EcdsaP256Sha256, b"a signature").unwrap();
        let read = Request::from_der(&der).unwrap();
        prop_assert_eq!(read.subject().der(), subject.to_der().unwrap());
        prop_assert_eq!(read.public_key().unwrap(), key());
        prop_assert_eq!(read.extensions().ca, matches!(usage, Some(Usage::Issuing { .. })));
        prop_assert!(read.verify().is_err());
    }

    #[test]
    fn arbitrary_bytes_are_refused(bytes in vec(any::<u8>(), 0..600)) {
        prop_assert!(Certificate::from_der(&bytes).is_err());
        prop_assert!(Request::from_der(&bytes).is_err());
    }

    #[test]
    fn damaged_certificates_make_nothing_fail(
        facts in facts(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut der = made(&facts);
        for (at, byte) in damage {
            let at = at.index(der.len());
            der[at] = byte;
        }
        if let Ok(read) = Certificate::from_der(&der) {
            let shown = format!("{} {:?}", read.subject(), read.extensions());
            prop_assert!(!shown.contains('\n'));
            let anchors = [Hash::sha256(&der)];
            let chain = [read.clone(), read];
            for usage in [Usage::CodeSigning, facts.usage] {
                prop_assert!(verify_path(&chain, &anchors, &key(), usage, facts.not_before).is_err());
            }
        }
        let _ = Request::from_der(&der);
    }
}
