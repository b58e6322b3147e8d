//! The `openssl` command, which signs for the tests as a device would: those of this crate, and those of packs, which
//! include this file.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::algorithm::{Algorithm, KeyType};
use crate::public_key::PublicKey;

/// Runs openssl in a folder and gives what it printed.
pub(crate) fn openssl(folder: &Path, arguments: &str) -> String {
    let run =
        Command::new("openssl").args(arguments.split_whitespace()).current_dir(folder).output().unwrap();
    assert!(run.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8(run.stdout).unwrap()
}

/// Makes the key `NAME.key`, and gives its public half.
pub(crate) fn make_key(folder: &Path, key_type: KeyType, name: &str) -> PublicKey {
    let kind = match key_type {
        KeyType::EcP256 => "EC -pkeyopt ec_paramgen_curve:P-256",
        KeyType::EcP384 => "EC -pkeyopt ec_paramgen_curve:P-384",
        KeyType::Rsa3072 => "RSA -pkeyopt rsa_keygen_bits:3072",
        KeyType::Rsa4096 => "RSA -pkeyopt rsa_keygen_bits:4096",
        KeyType::Ed25519 => "ED25519",
    };
    openssl(folder, &format!("genpkey -algorithm {kind} -out {name}.key"));
    PublicKey::from_pem(&openssl(folder, &format!("pkey -in {name}.key -pubout"))).unwrap()
}

/// Signs with `NAME.key`: a digest where the algorithm takes one, the message itself for pure Ed25519.
pub(crate) fn sign(folder: &Path, name: &str, algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
    let input = if algorithm.needs_message() { message.to_vec() } else { algorithm.digest_of(message).0 };
    let options = match algorithm.key_type() {
        KeyType::Ed25519 => "-rawin".to_owned(),
        KeyType::EcP256 | KeyType::EcP384 | KeyType::Rsa3072 | KeyType::Rsa4096 => {
            let hash = algorithm.name().rsplit('-').next().unwrap();
            let pss = algorithm.name().contains("pss");
            let padding =
                if pss { "-pkeyopt rsa_padding_mode:pss -pkeyopt rsa_pss_saltlen:digest" } else { "" };
            format!("-pkeyopt digest:{hash} {padding}")
        }
    };
    fs::write(folder.join("input"), input).unwrap();
    openssl(folder, &format!("pkeyutl -sign -inkey {name}.key -in input -out signature {options}"));
    fs::read(folder.join("signature")).unwrap()
}
