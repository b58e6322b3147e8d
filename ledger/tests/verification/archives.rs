//! Archives that mean harm: whatever is not exactly a bundle is refused, by name, and nothing panics.

use std::sync::LazyLock;

use proptest::prelude::*;
use sealbook_ledger::bundle::{BundleWriter, Item, Reader};
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::ids::Seq;
use sealbook_ledger::verify::{Layer, Place, Report, Verdict};
use tar::EntryType;

use crate::ledger::{Ledger, pins, story};
use crate::parts::{Member, append_raw, tar_of};
use crate::{judge, layer_code};

#[track_caller]
fn assert_refused(ledger: &Ledger, bundle: &[u8], rule: &str) -> Report {
    let report = judge(bundle, &pins(ledger));
    assert_eq!((report.verdict(), layer_code(&report, Layer::Bytes)), (Verdict::Invalid, rule));
    report
}

fn header(name: &str, size: u64, kind: EntryType) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.set_path(name).unwrap();
    header.set_size(size);
    header.set_mode(0o644);
    header.set_entry_type(kind);
    header.set_cksum();
    header
}

#[test]
fn members_that_are_unknown_repeated_missing_or_out_of_order_are_refused() {
    let ledger = story();
    let members = ledger.parts().members();
    let altered = |alter: &dyn Fn(&mut Vec<Member>), rule: &str| {
        let mut members = members.clone();
        alter(&mut members);
        assert_refused(&ledger, &tar_of(&members), rule);
    };
    let named = |name: &str| (name.to_owned(), b"x".to_vec());
    altered(&|members| members.push(named("readme.txt")), "bundle.unknown_member");
    altered(&|members| members.push(named("zz/manifest.json")), "bundle.unknown_member");
    altered(&|members| members.insert(3, named("transitions/007")), "bundle.unknown_member");
    altered(&|members| members.insert(3, named("attachments/ABC")), "bundle.unknown_member");
    altered(&|members| members.push(members[2].clone()), "bundle.order");
    altered(&|members| members.insert(3, members[2].clone()), "bundle.order");
    altered(&|members| members.push(members[members.len() - 1].clone()), "bundle.order");
    altered(&|members| members.swap(0, 1), "bundle.missing_member");
    altered(&|members| members.swap(2, 3), "bundle.missing_member");
    altered(&|members| drop(members.remove(1)), "bundle.missing_member");
    altered(&|members| drop(members.remove(2)), "bundle.missing_member");
    altered(&|members| drop(members.pop()), "bundle.missing_member");
    altered(&|members| members.push(named("receipts/1.tlog-proof")), "bundle.mixed");
    altered(&|members| members[0].1 = vec![b' '; 65_537], "bundle.too_large");
    altered(&|members| members[3].0 = "transitions/9".to_owned(), "bundle.checkpoint_size");
    altered(&|members| members[2].1 = b"x".to_vec(), "note.shape");
    let attachment = members.iter().position(|(name, _)| name.starts_with("attachments/")).unwrap();
    altered(&|members| members[attachment].1.push(b'!'), "bundle.attachment_hash");
    altered(
        &|members| members[attachment].0 = format!("attachments/{}", Hash::ZERO),
        "bundle.attachment_hash",
    );
}

#[test]
fn a_damaged_archive_behind_its_last_event_leaves_the_other_layers_judged() {
    let ledger = story();
    let mut bundle = ledger.bundle();
    bundle.extend_from_slice(b"garbage");
    let report = assert_refused(&ledger, &bundle, "bundle.residue");
    for layer in [Layer::Chain, Layer::Seals, Layer::Rules, Layer::Signatures] {
        assert_eq!(layer_code(&report, layer), "valid");
    }
    let mut bundle = ledger.bundle();
    bundle.resize(bundle.len() + 9216, 0);
    assert_eq!(judge(&bundle, &pins(&ledger)).verdict(), Verdict::Valid);
}

#[test]
fn pax_gnu_links_folders_and_devices_are_refused_before_they_are_interpreted() {
    let ledger = story();
    let bundle = ledger.bundle();
    let before = |kind, body: &[u8]| {
        let mut archive = Vec::new();
        append_raw(&mut archive, &header("manifest.json", body.len() as u64, kind), body);
        archive.extend_from_slice(&bundle);
        archive
    };
    let pax = before(EntryType::XHeader, b"19 path=events.jsonl\n");
    assert_refused(&ledger, &pax, "bundle.header");
    for kind in [
        EntryType::XGlobalHeader,
        EntryType::GNULongName,
        EntryType::GNULongLink,
        EntryType::GNUSparse,
        EntryType::Directory,
        EntryType::Symlink,
        EntryType::Link,
        EntryType::Char,
        EntryType::Fifo,
    ] {
        assert_refused(&ledger, &before(kind, b""), "bundle.header");
    }
    let mut prefixed = header("manifest.json", 0, EntryType::Regular);
    prefixed.as_ustar_mut().unwrap().prefix[0] = b'a';
    prefixed.set_cksum();
    let mut archive = Vec::new();
    append_raw(&mut archive, &prefixed, b"");
    assert_refused(&ledger, &archive, "bundle.header");
}

#[test]
fn an_archive_cut_off_among_its_events_is_named_by_the_first_that_is_missing() {
    let ledger = story();
    let tar = ledger.parts().tar();
    let begins = tar.len() - 1024 - ledger.parts().events_len().next_multiple_of(512);
    let third: usize = ledger.events[..3].iter().map(|event| event.len() + 1).sum();
    for (at, place) in [
        // After the third event, within the fourth, before any; and behind the last, where none is missing.
        (begins + third, Place::Event { seq: 3, type_name: None }),
        (begins + third + 40, Place::Event { seq: 3, type_name: None }),
        (begins, Place::Whole),
        (tar.len() - 700, Place::Whole),
    ] {
        let report = assert_refused(&ledger, &tar[..at], "bundle.truncated");
        assert_eq!(*report.failure().unwrap().place(), place);
    }
}

#[test]
fn an_archive_cut_off_anywhere_is_invalid() {
    let ledger = Ledger::founded();
    let bundle = ledger.bundle();
    let places =
        (0..bundle.len()).step_by(97).chain([bundle.len() - 1, bundle.len() - 512, bundle.len() - 1024]);
    for at in places {
        assert_refused(&ledger, &bundle[..at], "bundle.truncated");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_is_done_to_a_bundle_nothing_panics_and_nothing_else_is_sealed(
        harms in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_usize..4, 1_usize..700), 1..4),
    ) {
        static SOUND: LazyLock<(Ledger, Vec<u8>)> = LazyLock::new(|| {
            let ledger = Ledger::founded();
            let bundle = ledger.bundle();
            (ledger, bundle)
        });
        let (ledger, bundle) = &*SOUND;
        let mut harmed = bundle.clone();
        for (at, byte, kind, length) in harms {
            let at = at.index(harmed.len().max(1)).min(harmed.len());
            let end = (at + length).min(harmed.len());
            match kind {
                0 => harmed[at..end.min(at + 1)].fill(byte),
                1 => harmed.splice(at..at, vec![byte; length]).for_each(drop),
                2 => harmed.drain(at..end).for_each(drop),
                _ => harmed.truncate(at),
            }
        }
        let report = judge(&harmed, &pins(ledger));
        if report.verdict() == Verdict::Valid {
            let json = serde_json::to_value(&report).unwrap();
            prop_assert_eq!(&json["root"], &serde_json::json!(ledger.checkpoint().checkpoint().root));
        }
    }
}

#[test]
fn something_in_the_padding_is_refused() {
    let ledger = story();
    let mut bundle = ledger.bundle();
    let end = bundle.len() - 1024;
    assert_eq!(bundle[end - 1], 0);
    bundle[end - 1] = 1;
    assert_refused(&ledger, &bundle, "bundle.residue");
}

#[test]
fn lines_that_are_empty_endless_or_unfinished_are_refused_with_their_place() {
    let ledger = story();
    let with_events = |alter: &dyn Fn(&mut Vec<u8>)| {
        let mut members = ledger.parts().members();
        alter(&mut members.last_mut().unwrap().1);
        assert_refused(&ledger, &tar_of(&members), "bundle.event_line")
    };
    let report = with_events(&|events| events.splice(0..0, *b"\n").for_each(drop));
    assert_eq!(*report.failure().unwrap().place(), Place::Event { seq: 0, type_name: None });
    let report = with_events(&|events| events.extend_from_slice(&vec![b'{'; 3 << 20]));
    assert_eq!(*report.failure().unwrap().place(), Place::Event { seq: ledger.size(), type_name: None });
    with_events(&|events| events.truncate(events.len() - 1));
    // The longest line that is read at all is still no event.
    let mut parts = ledger.parts();
    parts.events[5] = vec![b'x'; 65_535];
    assert_refused(&ledger, &parts.tar(), "bytes.not_canonical");
    parts.events[5].push(b'x');
    assert_refused(&ledger, &parts.tar(), "bundle.event_line");

    let mut parts = ledger.parts();
    parts.disclosures[0] = vec![b'x'; 65_536];
    assert_refused(&ledger, &parts.tar(), "disclosure.too_long");
}

#[test]
fn arbitrary_bytes_are_no_bundle() {
    let ledger = Ledger::founded();
    for bytes in [&b""[..], b"x", &[0; 1024], &[0xff; 2048], b"c2sp.org/tlog-proof@v1\n"] {
        assert_eq!(judge(bytes, &pins(&ledger)).verdict(), Verdict::Invalid);
    }
}

#[test]
fn an_input_that_fails_is_not_a_verdict() {
    struct Broken;
    impl std::io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the disk is gone"))
        }
    }
    assert!(sealbook_ledger::verify::verify_bundle(Broken, &pins(&Ledger::founded())).is_err());
}

#[test]
fn the_writer_refuses_what_readers_would() {
    let ledger = story();
    let start = || BundleWriter::ledger(Vec::new(), &[ledger.vkey()], &ledger.checkpoint()).unwrap();
    let events = |total| start().disclosures(0).unwrap().attachments().unwrap().events(total).unwrap();

    let mut transitions = start();
    transitions.transition(&ledger.transitions[0]).unwrap();
    assert_eq!(transitions.transition(&ledger.transitions[0]).unwrap_err().code(), "bundle.order");

    let mut disclosures = start().disclosures(10_000).unwrap();
    disclosures.disclosure(&ledger.disclosures[1]).unwrap();
    assert_eq!(disclosures.disclosure(&ledger.disclosures[0]).unwrap_err().code(), "bundle.order");
    assert_eq!(disclosures.attachments().map(drop).unwrap_err().code(), "bundle.length");

    let attachments = || start().disclosures(0).unwrap().attachments().unwrap();
    let attach =
        |sha256, size, bytes: &[u8]| attachments().attachment(sha256, size, bytes).unwrap_err().code();
    assert_eq!(attach(Hash::ZERO, 1, b"a"), "bundle.attachment_hash");
    assert_eq!(attach(Hash::sha256(b"a"), 2, b"a"), "bundle.length");
    assert_eq!(attach(Hash::sha256(b"a"), 1, b"ab"), "bundle.length");

    assert_eq!(events(3).event(b"abc").unwrap_err().code(), "bundle.length");
    assert_eq!(events(9).event(b"").unwrap_err().code(), "bundle.event_line");
    assert_eq!(events(9).event(b"a\nb").unwrap_err().code(), "bundle.event_line");
    let mut short = events(9);
    short.event(b"abc").unwrap();
    assert_eq!(short.finish().unwrap_err().code(), "bundle.length");
    assert_eq!(attachments().receipts().map(drop).unwrap_err().code(), "bundle.order");
}

#[test]
fn the_reader_gives_back_what_was_written() {
    let ledger = story();
    let bundle = ledger.bundle();
    let mut reader = Reader::new(bundle.as_slice());
    let (mut events, mut disclosures, mut messages) = (Vec::new(), Vec::new(), 0);
    while let Some(item) = reader.next_item().unwrap() {
        match item {
            Item::Event(bytes) => events.push(bytes.to_vec()),
            Item::Disclosure(disclosure) => disclosures.push(disclosure),
            Item::Attachment { bytes, .. } => messages += usize::from(bytes.is_some()),
            Item::Checkpoint(read) => assert_eq!(read, ledger.checkpoint()),
            Item::Transition(read) => assert_eq!(read, ledger.transitions[0]),
            Item::Receipt(receipt) => panic!("{:?}", Seq::new(receipt.index())),
        }
    }
    assert_eq!((events, disclosures, messages), (ledger.events, ledger.disclosures, 2));
}
