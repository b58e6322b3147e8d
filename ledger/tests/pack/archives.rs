//! Whatever is done to the zip around a pack is refused, and named.

use sealbook_ledger::pack::{ENVELOPE, MANIFEST};

use crate::parts::{Parts, code, pack, refusal};
use crate::zip::{Zip, ZipMember, member};

/// What a change of the archive is refused with.
fn changed(change: impl FnOnce(&mut Zip)) -> &'static str {
    let mut zip = Parts::new().zip();
    change(&mut zip);
    code(&zip.bytes())
}

/// What saying something else of the second member, in both places, is refused with.
fn said(change: impl Fn(&mut crate::zip::Fields)) -> &'static str {
    changed(|zip| {
        let ZipMember { local, central, .. } = &mut zip.members[1];
        change(local);
        change(central);
    })
}

#[test]
fn the_hand_made_pack_is_the_one_that_is_written() {
    assert_eq!(Parts::new().zip().bytes(), pack());
    assert_eq!(code(&pack()), "sound");
}

#[test]
fn every_change_of_a_byte_is_refused() {
    let pack = pack();
    for at in 0..pack.len() {
        for flip in [1, 0x20, 0x80, 0xff] {
            let mut other = pack.clone();
            other[at] ^= flip;
            assert_ne!(code(&other), "sound", "byte {at} of {}", pack.len());
        }
    }
}

#[test]
fn every_shorter_pack_is_refused() {
    let pack = pack();
    for len in 0..pack.len() {
        let refused = code(&pack[..len]);
        assert_eq!(refused, "pack.truncated", "{len} of {} bytes", pack.len());
        assert_ne!(code(&pack[len + 1..]), "sound");
    }
}

#[test]
fn nothing_stands_around_the_archive() {
    assert_eq!(changed(|zip| zip.prefix = b"MZ".to_vec()), "pack.header");
    assert_eq!(changed(|zip| zip.prefix = zip.bytes()), "pack.residue");
    assert_eq!(changed(|zip| zip.suffix = b"\n".to_vec()), "pack.residue");
    assert_eq!(changed(|zip| zip.suffix = zip.bytes()), "pack.residue");
    assert_eq!(changed(|zip| zip.comment = b"seen".to_vec()), "pack.end");
    assert_eq!(changed(|zip| zip.members.clear()), "pack.header");
}

#[test]
fn nothing_stands_between_members() {
    assert_eq!(changed(|zip| zip.members[1].trailer = b"\0".to_vec()), "pack.header");
    // A descriptor as a member that was compressed on the fly has it (APPNOTE 4.3.9).
    let descriptor = |zip: &mut Zip| {
        let member = &mut zip.members[1];
        let fields = &member.local;
        member.trailer =
            [&b"PK\x07\x08"[..], &fields.crc.to_le_bytes(), &[fields.size.to_le_bytes(); 2].concat()]
                .concat();
        for fields in [&mut member.local, &mut member.central] {
            fields.flags = 8;
        }
        (member.local.crc, member.local.size, member.local.compressed) = (0, 0, 0);
    };
    assert_eq!(changed(descriptor), "pack.header");
}

#[test]
fn members_are_stored_and_say_nothing_besides() {
    assert_eq!(said(|fields| fields.method = 8), "pack.header");
    assert_eq!(said(|fields| fields.flags = 1), "pack.header");
    assert_eq!(said(|fields| fields.flags = 1 << 11), "pack.header");
    assert_eq!(said(|fields| fields.version = 20), "pack.header");
    assert_eq!(said(|fields| fields.time = 1), "pack.header");
    assert_eq!(said(|fields| fields.date = 0x5a21), "pack.header");
    assert_eq!(said(|fields| fields.extra = vec![1, 0, 0, 0]), "pack.header");
    assert_eq!(said(|fields| fields.compressed += 1), "pack.header");
    assert_eq!(said(|fields| fields.crc ^= 1), "pack.crc");
    // Zip64: the size stands in an extra field.
    assert_eq!(said(|fields| (fields.size, fields.compressed) = (u32::MAX, u32::MAX)), "pack.truncated");
}

#[test]
fn a_compressed_member_is_named_with_what_is_wrong() {
    let mut zip = Parts::new().zip();
    zip.members[1].local.method = 8;
    let told = refusal(&zip.bytes()).unwrap().to_string();
    assert_eq!(told, "`REP.pdf` is not stored as a pack's members are: it is compressed");
}

#[test]
fn the_directory_repeats_the_headers() {
    let central = |change: fn(&mut crate::zip::Fields)| changed(|zip| change(&mut zip.members[1].central));
    assert_eq!(central(|fields| fields.name = b"RUP.pdf".to_vec()), "pack.directory");
    assert_eq!(central(|fields| fields.size = 1), "pack.directory");
    assert_eq!(central(|fields| fields.crc = 1), "pack.directory");
    assert_eq!(central(|fields| fields.extra = vec![1, 0, 0, 0]), "pack.directory");
    assert_eq!(changed(|zip| zip.external = 0o777 << 16), "pack.directory");
    assert_eq!(changed(|zip| zip.made_by = 20), "pack.directory");
    assert_eq!(changed(|zip| zip.members[2].listed = false), "pack.directory");
    let local = |change: fn(&mut crate::zip::Fields)| changed(|zip| change(&mut zip.members[1].local));
    assert_eq!(local(|fields| fields.name = b"RUP.pdf".to_vec()), "pack.directory");
    assert_eq!(local(|fields| fields.crc ^= 1), "pack.crc");
}

#[test]
fn a_member_of_the_directory_alone_is_refused() {
    let mut zip = Parts::new().zip();
    let sound = zip.bytes();
    let at = sound.len() - 22;
    let entry_of_first = zip.members[0].name.len() + 46;
    let directory_at = u32::from_le_bytes(sound[at + 16..at + 20].try_into().unwrap()) as usize;
    let entry = &sound[directory_at..directory_at + entry_of_first];
    let twice = [&sound[..at], entry, &sound[at..]].concat();
    assert_eq!(code(&twice), "pack.end");
    zip.members.swap(1, 2);
    let other = zip.bytes();
    // The members of one pack under the directory of another.
    assert_eq!(code(&[&sound[..directory_at], &other[directory_at..]].concat()), "pack.directory");
}

#[test]
fn names_lead_nowhere_else() {
    for name in
        ["../x", "/etc/x", "a/../x", "c:x", "a\\x", "x/", "", "caf\u{e9}", "a\0x", "..", &"x".repeat(201)]
    {
        assert_eq!(changed(|zip| zip.members[1] = member(name, b"")), "pack.name", "{name:?}");
    }
    assert_eq!(changed(|zip| zip.members[1].local.name = vec![0xff]), "pack.name");
    let told = |name| {
        let mut zip = Parts::new().zip();
        zip.members[1] = member(name, b"");
        refusal(&zip.bytes()).unwrap().to_string()
    };
    assert!(told("../x").contains("`../x`"));
    assert!(told("a\u{202e}\n").contains("`a\\u{202e}\\n`"));
}

#[test]
fn members_are_distinct_and_in_their_order() {
    assert_eq!(changed(|zip| zip.members.swap(1, 2)), "pack.order");
    assert_eq!(changed(|zip| zip.members.swap(0, 1)), "pack.order");
    assert_eq!(changed(|zip| zip.members.swap(3, 4)), "pack.order");
    assert_eq!(changed(|zip| zip.members.insert(1, zip.members[1].clone())), "pack.duplicate");
    assert_eq!(changed(|zip| zip.members.push(zip.members[0].clone())), "pack.duplicate");
    assert_eq!(changed(|zip| zip.members.insert(1, member("rep.PDF", b""))), "pack.name_clash");
    assert_eq!(changed(|zip| zip.members.insert(1, member("Ledger/x", b""))), "pack.name_clash");
    assert_eq!(changed(|zip| zip.members.insert(3, member("empty/x", b""))), "pack.name_clash");
    for name in [MANIFEST, ENVELOPE] {
        let without = |zip: &mut Zip| zip.members.retain(|member| member.name != name.as_bytes());
        assert_eq!(changed(without), "pack.missing_member", "{name}");
    }
}

#[test]
fn more_members_than_a_pack_has_are_refused() {
    let many = |count: usize| {
        let members = (0..count).map(|at| member(&format!("f{at:05}"), b"")).collect();
        code(&Zip::of(members).bytes())
    };
    assert_eq!(many(4096), "pack.missing_member");
    assert_eq!(many(4097), "pack.too_many_members");
}
