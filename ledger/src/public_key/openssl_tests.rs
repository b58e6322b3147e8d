//! Signatures made by the `openssl` command hold here, and fail for every wrong key, digest and algorithm.

use std::path::Path;
use std::sync::OnceLock;

use sha2::{Digest as _, Sha256};

use super::*;
use crate::algorithm::Algorithm;
use crate::openssl_for_tests::{make_key, openssl, sign};

const MESSAGE: &[u8] = b"a release of some software\n";

const KEY_TYPES: [KeyType; 5] =
    [KeyType::EcP256, KeyType::EcP384, KeyType::Rsa3072, KeyType::Rsa4096, KeyType::Ed25519];

/// What openssl made: two keys of each type, and a signature of each algorithm by the first of them.
struct Made {
    keys: Vec<(KeyType, [MadeKey; 2])>,
    signatures: Vec<(Algorithm, Vec<u8>)>,
}

struct MadeKey {
    der: Vec<u8>,
    pem: String,
}

impl Made {
    fn key(&self, key_type: KeyType, which: usize) -> PublicKey {
        let (_, keys) = self.keys.iter().find(|(of, _)| *of == key_type).unwrap();
        PublicKey::from_der(&keys[which].der).unwrap()
    }
}

/// Made once a run: RSA keys take openssl seconds.
fn made() -> &'static Made {
    static MADE: OnceLock<Made> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let keys = KEY_TYPES.map(|of| (of, [0, 1].map(|which| make_pair(folder.path(), of, which)))).into();
        let signatures = Algorithm::ALL
            .map(|algorithm| {
                (algorithm, sign(folder.path(), &format!("{:?}-0", algorithm.key_type()), algorithm, MESSAGE))
            })
            .into();
        Made { keys, signatures }
    })
}

fn make_pair(folder: &Path, key_type: KeyType, which: usize) -> MadeKey {
    let name = format!("{key_type:?}-{which}");
    make_key(folder, key_type, &name);
    let pem = openssl(folder, &format!("pkey -in {name}.key -pubout"));
    openssl(folder, &format!("pkey -in {name}.key -pubout -outform DER -out {name}.der"));
    MadeKey { der: std::fs::read(folder.join(format!("{name}.der"))).unwrap(), pem }
}

/// The bytes to check a signature against, and how to hand them over.
fn input_for(algorithm: Algorithm, bytes: &[u8]) -> SigningInput<'_> {
    match algorithm.needs_message() {
        true => SigningInput::Message(bytes),
        false => SigningInput::Digest(bytes),
    }
}

fn signed_by(algorithm: Algorithm) -> Vec<u8> {
    if algorithm.needs_message() { MESSAGE.to_vec() } else { algorithm.digest_of(MESSAGE).0 }
}

#[test]
fn keys_of_openssl_come_back_byte_for_byte() {
    for (key_type, keys) in &made().keys {
        for made in keys {
            let key = PublicKey::from_der(&made.der).unwrap();
            assert_eq!(key.key_type(), *key_type);
            assert_eq!(key.der(), made.der);
            assert_eq!(key.to_pem(), made.pem);
            assert_eq!(PublicKey::from_pem(&made.pem).unwrap(), key);
            assert_eq!(key.sha256(), Hash::sha256(&made.der));
        }
    }
}

#[test]
fn a_key_rebuilt_from_its_jwk_is_the_same_key() {
    for key_type in KEY_TYPES {
        let key = made().key(key_type, 0);
        let jwk = key.to_jwk();
        let member = |name: &str| jwk[name].as_str().unwrap().parse::<B64>().unwrap().0;
        let rebuilt = match jwk["kty"].as_str().unwrap() {
            "EC" => PublicKey::from_ec_point(&[vec![4], member("x"), member("y")].concat()),
            "RSA" => PublicKey::from_rsa(&member("n"), &member("e")),
            "OKP" => PublicKey::from_ed25519(&member("x")),
            other => panic!("unexpected kty {other}"),
        };
        assert_eq!(rebuilt.unwrap(), key);
    }
}

#[test]
fn every_algorithm_accepts_what_openssl_signed() {
    for (algorithm, signature) in &made().signatures {
        let key = made().key(algorithm.key_type(), 0);
        let verdict = key.verify(*algorithm, input_for(*algorithm, &signed_by(*algorithm)), signature);
        assert_eq!(verdict, Ok(()), "{algorithm}");
    }
}

#[test]
fn another_digest_or_message_is_refused() {
    for (algorithm, signature) in &made().signatures {
        let key = made().key(algorithm.key_type(), 0);
        let mut other = signed_by(*algorithm);
        other[0] ^= 1;
        let verdict = key.verify(*algorithm, input_for(*algorithm, &other), signature);
        assert_eq!(verdict, Err(SignatureError::DoesNotHold), "{algorithm}");
    }
}

#[test]
fn another_key_of_the_same_type_is_refused() {
    for (algorithm, signature) in &made().signatures {
        let key = made().key(algorithm.key_type(), 1);
        let verdict = key.verify(*algorithm, input_for(*algorithm, &signed_by(*algorithm)), signature);
        assert_eq!(verdict, Err(SignatureError::DoesNotHold), "{algorithm}");
    }
}

#[test]
fn a_signature_holds_under_its_own_algorithm_alone() {
    for (signed_as, signature) in &made().signatures {
        for algorithm in Algorithm::ALL.into_iter().filter(|other| other != signed_as) {
            let key = made().key(signed_as.key_type(), 0);
            let verdict = key.verify(algorithm, input_for(algorithm, &signed_by(algorithm)), signature);
            let expected = match algorithm.key_type() == signed_as.key_type() {
                true => SignatureError::DoesNotHold,
                false => SignatureError::KeyType { algorithm, found: signed_as.key_type() },
            };
            assert_eq!(verdict, Err(expected), "{signed_as} offered as {algorithm}");
        }
    }
}

#[test]
fn a_digest_of_another_length_or_the_wrong_kind_of_input_is_refused() {
    for (algorithm, signature) in &made().signatures {
        let key = made().key(algorithm.key_type(), 0);
        let swapped = match algorithm.needs_message() {
            true => SigningInput::Digest(MESSAGE),
            false => SigningInput::Message(MESSAGE),
        };
        let refusal = SignatureError::InputKind { algorithm: *algorithm };
        assert_eq!(key.verify(*algorithm, swapped, signature), Err(refusal));
        if !algorithm.needs_message() {
            let short = &algorithm.digest_of(MESSAGE).0[1..];
            let refusal = SignatureError::DigestLength { algorithm: *algorithm, found: short.len() };
            assert_eq!(key.verify(*algorithm, SigningInput::Digest(short), signature), Err(refusal));
        }
    }
}

#[test]
fn a_signature_cut_short_or_made_longer_is_refused() {
    for (algorithm, signature) in &made().signatures {
        let key = made().key(algorithm.key_type(), 0);
        let longer = [signature.as_slice(), &[0]].concat();
        for wrong in [&signature[1..], &signature[..signature.len() - 1], &longer, &[]] {
            let verdict = key.verify(*algorithm, input_for(*algorithm, &signed_by(*algorithm)), wrong);
            assert_eq!(verdict, Err(SignatureError::Encoding { algorithm: *algorithm }));
        }
    }
}

#[test]
fn an_ecdsa_signature_has_one_encoding() {
    let algorithm = Algorithm::EcdsaP256Sha256;
    let (_, der) = made().signatures.iter().find(|(of, _)| *of == algorithm).unwrap();
    let key = made().key(KeyType::EcP256, 0);
    let digest = algorithm.digest_of(MESSAGE).0;
    // 30 len 02 rlen r…: the long form of a length, an indefinite length, and a needless leading zero.
    let long_form = [&[0x30, 0x81, der[1]], &der[2..]].concat();
    let indefinite = [&[0x30, 0x80], &der[2..], &[0, 0]].concat();
    let padded = [&[0x30, der[1] + 1, 0x02, der[3] + 1, 0], &der[4..]].concat();
    for wrong in [long_form, indefinite, padded] {
        let verdict = key.verify(algorithm, SigningInput::Digest(&digest), &wrong);
        assert_eq!(verdict, Err(SignatureError::Encoding { algorithm }));
    }
}

#[test]
fn a_pss_salt_of_another_length_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let made = make_pair(folder.path(), KeyType::Rsa3072, 0);
    let digest = Sha256::digest(MESSAGE).to_vec();
    std::fs::write(folder.path().join("input"), &digest).unwrap();
    openssl(
        folder.path(),
        "pkeyutl -sign -inkey Rsa3072-0.key -in input -out max.sig -pkeyopt digest:sha256 \
         -pkeyopt rsa_padding_mode:pss -pkeyopt rsa_pss_saltlen:max",
    );
    let signature = std::fs::read(folder.path().join("max.sig")).unwrap();
    let key = PublicKey::from_der(&made.der).unwrap();
    let verdict = key.verify(Algorithm::Rsa3072PssSha256, SigningInput::Digest(&digest), &signature);
    assert_eq!(verdict, Err(SignatureError::DoesNotHold));
}

#[test]
fn keys_outside_the_registry_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |arguments: &str| {
        openssl(folder.path(), &format!("genpkey {arguments} -out k.key"));
        openssl(folder.path(), "pkey -in k.key -pubout -outform DER -out k.der");
        PublicKey::from_der(&std::fs::read(folder.path().join("k.der")).unwrap()).unwrap_err().code()
    };
    assert_eq!(refused("-algorithm RSA -pkeyopt rsa_keygen_bits:2048"), "public_key.modulus_size");
    let cubic = "-algorithm RSA -pkeyopt rsa_keygen_bits:3072 -pkeyopt rsa_keygen_pubexp:3";
    assert_eq!(refused(cubic), "public_key.exponent");
    assert_eq!(refused("-algorithm EC -pkeyopt ec_paramgen_curve:P-521"), "public_key.point");
    // The length is P-256's, the curve is not.
    assert_eq!(refused("-algorithm EC -pkeyopt ec_paramgen_curve:secp256k1"), "public_key.point");
    assert_eq!(refused("-algorithm X25519"), "public_key.unknown_kind");
    assert_eq!(refused("-algorithm ED448"), "public_key.unknown_kind");
}
