//! Packs in the hands of tools that nobody here wrote: `unzip`, Python's `zipfile`, `openssl`, and the reader that the
//! specification prints.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use sealbook_ledger::algorithm::KeyType;
use sealbook_ledger::pack::{Pack, envelope_algorithm};
use sealbook_ledger::public_key::PublicKey;

use crate::openssl;
use crate::parts::{files, unsigned};

fn run(folder: &Path, program: &str, arguments: &str) -> Output {
    let arguments = arguments.split_whitespace();
    Command::new(program).args(arguments).current_dir(folder).output().unwrap()
}

fn sound(folder: &Path, program: &str, arguments: &str) -> String {
    let output = run(folder, program, arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

fn is_there(program: &str) -> bool {
    let there = Command::new(program).arg("-h").output().is_ok();
    if !there {
        println!("skipped: there is no {program}");
    }
    there
}

/// A pack that `openssl` signed with a new key: `pack.zip` and `key.pem` in the folder.
fn signed(folder: &Path, key_type: KeyType) -> (PublicKey, Vec<u8>) {
    let key = openssl::make_key(folder, key_type, "signer");
    let unsigned = unsigned();
    let signature = openssl::sign(folder, "signer", envelope_algorithm(key_type), &unsigned.pae());
    let pack = unsigned.sign(&key, signature).unwrap();
    std::fs::write(folder.join("key.pem"), key.to_pem()).unwrap();
    std::fs::write(folder.join("pack.zip"), &pack).unwrap();
    (key, pack)
}

#[test]
fn a_key_of_every_type_signs_packs() {
    for key_type in [KeyType::EcP256, KeyType::EcP384, KeyType::Rsa3072, KeyType::Rsa4096, KeyType::Ed25519] {
        let folder = tempfile::tempdir().unwrap();
        let (key, pack) = signed(folder.path(), key_type);
        assert_eq!(key.key_type(), key_type);
        assert!(Pack::open(&pack).unwrap().verify(&key).is_ok(), "{key_type:?}");
    }
}

#[test]
fn any_zip_tool_takes_a_pack_apart() {
    let folder = tempfile::tempdir().unwrap();
    signed(folder.path(), KeyType::EcP256);
    let took_apart = |into: &str| {
        for file in files() {
            let path = folder.path().join(into).join(file.name.as_str());
            assert_eq!(std::fs::read(path).unwrap(), file.bytes, "{into}/{}", file.name);
        }
    };
    if is_there("unzip") {
        assert!(sound(folder.path(), "unzip", "-t pack.zip").contains("No errors detected"));
        sound(folder.path(), "unzip", "-q pack.zip -d unzipped");
        took_apart("unzipped");
    }
    if is_there("python3") {
        sound(folder.path(), "python3", "-m zipfile -t pack.zip");
        sound(folder.path(), "python3", "-m zipfile -e pack.zip extracted");
        took_apart("extracted");
    }
}

/// The specification, where it lies beside the crate.
fn specification() -> Option<String> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    if !docs.is_dir() {
        println!("skipped: there is no docs folder");
        return None;
    }
    Some(std::fs::read_to_string(docs.join("spec/packs.md")).unwrap())
}

fn put(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn the_reader_that_the_specification_prints_agrees() {
    let Some(specification) = specification() else { return };
    if !is_there("python3") {
        return;
    }
    let reader = specification.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "check.py", reader.as_bytes());
    let (_, pack) = signed(folder.path(), KeyType::EcP256);
    assert_eq!(sound(folder.path(), "python3", "check.py pack.zip key.pem").trim(), "Verified OK");
    let refused = |bytes: &[u8], key: &str| {
        put(folder.path(), "other.zip", bytes);
        !run(folder.path(), "python3", &format!("check.py other.zip {key}")).status.success()
    };
    for at in (0..pack.len()).step_by(pack.len() / 12) {
        let mut other = pack.clone();
        other[at] ^= 1;
        assert!(refused(&other, "key.pem"), "byte {at}");
    }
    assert!(refused(&[&pack, &b"\n"[..]].concat(), "key.pem"));
    sound(folder.path(), "openssl", "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out other");
    sound(folder.path(), "openssl", "pkey -in other -pubout -out other.pem");
    assert!(refused(&pack, "other.pem"));
}

/// Every code of a refusal is in the specification.
#[test]
fn the_specification_names_every_code() {
    let Some(specification) = specification() else { return };
    let source = include_str!("../../src/pack/error.rs");
    let codes: Vec<&str> = source.split('"').filter(|text| text.starts_with("pack.")).collect();
    assert!(codes.len() > 25, "{codes:?}");
    let missing: Vec<_> = codes.iter().filter(|code| !specification.contains(&format!("`{code}`"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
