use proptest::prelude::*;

use super::*;
use crate::algorithm::Algorithm;

/// The example key of RFC 8410 §10.1.
const RFC_8410: &str = "-----BEGIN PUBLIC KEY-----\n\
    MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
    -----END PUBLIC KEY-----\n";

fn rfc_8410() -> PublicKey {
    PublicKey::from_pem(RFC_8410).unwrap()
}

#[test]
fn the_example_of_rfc_8410_reads_and_writes() {
    let key = rfc_8410();
    assert_eq!(key.key_type(), KeyType::Ed25519);
    assert_eq!(key.to_pem(), RFC_8410);
    assert_eq!(
        key.to_jwk(),
        json!({"kty": "OKP", "crv": "Ed25519", "x": "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE"})
    );
}

#[test]
fn an_event_holds_a_key_as_base64url_of_its_der() {
    let text = serde_json::to_string(&rfc_8410()).unwrap();
    assert_eq!(text, format!("\"{}\"", B64::from(rfc_8410().der())));
    assert_eq!(serde_json::from_str::<PublicKey>(&text).unwrap(), rfc_8410());
}

#[test]
fn a_key_has_one_der() {
    let der = rfc_8410().der().to_vec();
    let trailing = [der.as_slice(), &[0]].concat();
    let long_form = [&[0x30, 0x81, 0x2a], &der[2..]].concat();
    // RFC 8410 §3: the parameters are absent, not NULL.
    let with_null = [&[0x30, 0x2c, 0x30, 0x07], &der[4..9], &[0x05, 0x00], &der[9..]].concat();
    for wrong in [trailing, long_form, with_null] {
        assert!(PublicKey::from_der(&wrong).is_err(), "{}", base16ct::lower::encode_string(&wrong));
    }
}

#[test]
fn a_private_or_otherwise_labelled_pem_is_refused() {
    let relabelled = RFC_8410.replace("PUBLIC KEY", "PRIVATE KEY");
    assert_eq!(PublicKey::from_pem(&relabelled).unwrap_err().code(), "public_key.pem");
    assert_eq!(PublicKey::from_pem("").unwrap_err().code(), "public_key.pem");
    let long = "x".repeat(PublicKey::MAX_PEM + 1);
    assert_eq!(PublicKey::from_pem(&long).unwrap_err().code(), "public_key.too_long");
    assert_eq!(PublicKey::from_der(long.as_bytes()).unwrap_err().code(), "public_key.too_long");
}

#[test]
fn points_off_the_curve_compressed_or_of_small_order_are_refused() {
    assert!(PublicKey::from_ec_point(&[4; 65]).is_err());
    assert!(PublicKey::from_ec_point(&[4; 97]).is_err());
    assert!(PublicKey::from_ec_point(&[2; 33]).is_err());
    assert!(PublicKey::from_ec_point(&[]).is_err());
    let neutral = {
        let mut bytes = [0; 32];
        bytes[0] = 1;
        bytes
    };
    // y = p + 1, which reduces to the neutral element's.
    let mut unreduced = [0xff; 32];
    (unreduced[0], unreduced[31]) = (0xee, 0x7f);
    for point in [neutral, unreduced, [0; 32]] {
        assert_eq!(PublicKey::from_ed25519(&point).unwrap_err().code(), "public_key.point");
    }
}

#[test]
fn an_even_modulus_or_one_of_a_near_size_is_refused() {
    let exponent = RSA_EXPONENT;
    let code = |modulus: &[u8]| PublicKey::from_rsa(modulus, &exponent).unwrap_err().code();
    assert_eq!(code(&[0xfe; 384]), "public_key.modulus");
    assert_eq!(code(&[0x7f; 384]), "public_key.modulus_size");
    assert_eq!(code(&[0xff; 385]), "public_key.modulus_size");
    assert_eq!(code(&[]), "public_key.modulus_size");
    // A device may pad with zeros: the key is the same.
    let padded = [&[0; 3], [0xff; 384].as_slice()].concat();
    let key = PublicKey::from_rsa(&padded, &[0, 1, 0, 1]).unwrap();
    assert_eq!(key, PublicKey::from_rsa(&[0xff; 384], &exponent).unwrap());
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..700)) {
        let _ = PublicKey::from_der(&bytes);
        let _ = PublicKey::from_ec_point(&bytes);
        let _ = PublicKey::from_rsa(&bytes, &RSA_EXPONENT);
        let _ = PublicKey::from_ed25519(&bytes);
        let _ = PublicKey::from_pem(&String::from_utf8_lossy(&bytes));
        prop_assert!(rfc_8410().verify(Algorithm::Ed25519, SigningInput::Message(b"m"), &bytes).is_err());
    }

    #[test]
    fn a_changed_der_is_refused_or_is_another_key(at in 0usize..44, bit in 0u8..8) {
        let mut der = rfc_8410().der().to_vec();
        der[at] ^= 1 << bit;
        if let Ok(key) = PublicKey::from_der(&der) {
            prop_assert_eq!(key.der(), &der);
            prop_assert_ne!(key, rfc_8410());
        }
    }
}
