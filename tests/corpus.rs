//! The kept corpus of the fuzz targets, through the same bodies: whatever was found once stays mended.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests: a panic is the report")]

#[path = "fuzz/src/targets.rs"]
mod targets;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use sealbook::http::forms;
use targets::TARGETS;

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target)
}

fn files(target: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder(target)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn every_file_of_the_corpus_passes_its_target() {
    for (name, run) in TARGETS {
        let files = files(name);
        assert!(!files.is_empty(), "{name} has no corpus");
        for file in files {
            let bytes = std::fs::read(&file).unwrap();
            // A panic names the file.
            println!("{}", file.display());
            run(&bytes);
        }
    }
}

#[test]
fn the_corpus_stays_small() {
    let sizes: Vec<u64> =
        TARGETS.iter().flat_map(|(name, _)| files(name)).map(|file| file.metadata().unwrap().len()).collect();
    assert!(sizes.len() <= 200 && sizes.iter().sum::<u64>() <= 1 << 20, "{} files", sizes.len());
}

/// The targets accept what is genuine: a corpus that nothing gets past would find nothing.
#[test]
fn the_corpus_holds_what_is_accepted_as_well() {
    let read = |target: &str| files(target).into_iter().map(|file| std::fs::read(file).unwrap());
    assert!(read("event").any(|bytes| sealbook_ledger::event::Envelope::parse(&bytes).is_ok()));
    assert!(
        read("checkpoint").any(|bytes| sealbook_ledger::checkpoint::SignedCheckpoint::parse(&bytes).is_ok())
    );
    assert!(read("receipt").any(|bytes| sealbook_ledger::receipt::Receipt::parse(&bytes).is_ok()));
    assert!(read("list").any(|bytes| {
        sealbook_ledger::blast_radius::List::read(&bytes).is_ok_and(|list| list.lines().len() > 1)
    }));
    assert!(read("trust_root").any(|bytes| {
        sealbook_ledger::trust_root::TrustRootFile::parse(&bytes)
            .is_ok_and(|file| file.verify_signature().is_ok())
    }));
    assert!(read("pack").any(|bytes| sealbook_ledger::pack::Pack::open(&bytes).is_ok()));
    assert!(
        read("certificate").any(|bytes| sealbook_ledger::certificate::Certificate::from_der(&bytes).is_ok())
    );
    assert!(read("certificate").any(|bytes| sealbook_ledger::certificate::Request::from_der(&bytes).is_ok()));
    assert!(read("cose").any(|bytes| sealbook_ledger::webauthn::CosePublicKey::parse(&bytes).is_ok()));
    assert!(read("public_key").any(|bytes| {
        let len = usize::from(u16::from_be_bytes([bytes[0], bytes[1]]));
        bytes.get(2..2 + len).is_some_and(|der| sealbook_ledger::public_key::PublicKey::from_der(der).is_ok())
    }));
    for (target, forms) in [("body", forms::BODIES), ("query", forms::QUERIES)] {
        for (form, reads) in forms {
            let bytes = std::fs::read(folder(target).join(form)).unwrap();
            let (name, content) = bytes.split_at(form.len());
            assert_eq!(name, form.as_bytes());
            reads(&content[1..]).unwrap_or_else(|said| panic!("{form}: {said}"));
        }
    }
    let pins = sealbook_ledger::verify::Pins {
        vkeys: vec![std::fs::read_to_string(folder("../vkey")).unwrap().trim().parse().unwrap()],
        ..Default::default()
    };
    let valid = |bytes: Vec<u8>| {
        sealbook_ledger::verify::verify_bundle(bytes.as_slice(), &pins).unwrap().verdict().exit_code() == 0
    };
    assert!(read("bundle").any(valid));
}

/// A form that nobody fuzzes would be a parser that nobody tries.
#[test]
fn every_form_of_the_apis_requests_is_listed() {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/src/http")];
    let mut seen = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let source = std::fs::read_to_string(&path).unwrap();
            for opening in ["Body<", "web::Query<", "Ticketed<ToFound, ", "Ticketed<ToEnrol, "] {
                let names = source.split(opening).skip(1).filter_map(|part| part.split(['>', ',']).next());
                // `T` stands for any of them.
                let named = |name: &&str| name.len() > 1 && name.chars().all(char::is_alphanumeric);
                seen.extend(names.filter(named).map(str::to_owned));
            }
        }
    }
    let listed: BTreeSet<String> =
        forms::BODIES.iter().chain(forms::QUERIES).map(|(form, _)| (*form).to_owned()).collect();
    // Decisions are read by one macro for two forms.
    let decisions = ["DecisionBody", "RejectionBody"].map(str::to_owned);
    assert_eq!(&seen | &BTreeSet::from(decisions), listed);
}
