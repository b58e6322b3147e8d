//! What can be done to a bundle as bytes, and as members of a tar.

use super::Mutated;
use super::genuine::Genuine;
use crate::dice::Dice;
use crate::parts::{Member, append_raw, tar_of};

/// Bytes of the archive, wherever they lie.
pub fn bytes(genuine: &Genuine, dice: &mut Dice) -> Mutated {
    let mut tar = genuine.tar.clone();
    let at = dice.below(tar.len());
    let end = (at + 1 + dice.below(700)).min(tar.len());
    let kind = match dice.below(8) {
        0 | 1 => {
            tar[at] ^= 1 << dice.below(8);
            "bytes: a bit flipped"
        }
        2 => {
            tar[at] = dice.bytes(1)[0];
            "bytes: one set"
        }
        3 => {
            tar.drain(at..end);
            "bytes: some deleted"
        }
        4 => {
            let some = if dice.one_in(3) { vec![0; end - at] } else { dice.bytes(end - at) };
            tar.splice(at..at, some);
            "bytes: some inserted"
        }
        5 => {
            tar.truncate(at);
            "bytes: the end cut off"
        }
        6 => {
            let other = dice.below(tar.len() - (end - at));
            let piece = tar[other..other + (end - at)].to_vec();
            tar[at..end].copy_from_slice(&piece);
            "bytes: some written over with others"
        }
        _ => {
            let (block, other) = (dice.below(tar.len() / 512), dice.below(tar.len() / 512));
            (0..512).for_each(|n| tar.swap(block * 512 + n, other * 512 + n));
            "bytes: two blocks exchanged"
        }
    };
    Mutated::new(kind, tar)
}

/// Members renamed, moved, doubled, dropped, padded, exchanged; headers that say something else.
pub fn members(genuine: &Genuine, dice: &mut Dice) -> Mutated {
    let mut members = genuine.parts.members();
    let at = dice.below(members.len());
    let other = dice.below(members.len());
    let kind = match dice.below(9) {
        0 => {
            members[at].0 = renamed(&members, at, dice);
            "members: renamed"
        }
        1 => {
            members.swap(at, other);
            "members: two moved"
        }
        2 => {
            members.remove(at);
            "members: dropped"
        }
        3 => {
            let member = members[at].clone();
            members.insert(other, member);
            "members: doubled"
        }
        4 => {
            let name = renamed(&members, at, dice);
            members.insert(at, (name, dice.bytes(9)));
            "members: one more"
        }
        5 => {
            let some = dice.below(40) + 1;
            let padding = [vec![0; some], vec![b'\n'; some], vec![b' '; some], dice.bytes(some)];
            members[at].1.extend_from_slice(&padding[dice.below(4)]);
            "members: padded within"
        }
        6 => {
            let (left, right) = (members[at].1.clone(), members[other].1.clone());
            (members[at].1, members[other].1) = (right, left);
            "members: contents exchanged"
        }
        7 => return Mutated::new("members: a header says something else", other_header(&members, at, dice)),
        _ => return Mutated::new("members: zeros behind the end", zeros(genuine, dice)),
    };
    Mutated::new(kind, tar_of(&members))
}

fn renamed(members: &[Member], at: usize, dice: &mut Dice) -> String {
    let name = members[at].0.clone();
    match dice.below(6) {
        0 => members[dice.below(members.len())].0.clone(),
        1 => format!("./{name}"),
        2 => name.to_uppercase(),
        3 => format!("transitions/{}", dice.below(50)),
        4 => format!("attachments/{}", "0123456789abcdef".repeat(4)),
        _ => ["readme.txt", "checkpoint ", "events.jsonl.bak"][dice.below(3)].to_owned(),
    }
}

fn zeros(genuine: &Genuine, dice: &mut Dice) -> Vec<u8> {
    let mut tar = genuine.tar.clone();
    tar.resize(tar.len() + 1 + dice.below(20_000), 0);
    tar
}

/// One header changed as another tool might write it, or as nobody should; its checksum is right.
fn other_header(members: &[Member], at: usize, dice: &mut Dice) -> Vec<u8> {
    let mut out = Vec::new();
    for (n, (name, bytes)) in members.iter().enumerate() {
        let mut header = tar::Header::new_ustar();
        header.set_path(name).unwrap();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(1_795_305_600);
        if n == at {
            match dice.below(8) {
                0 => header.set_mode(0o755),
                1 => header.set_mtime(dice.next() >> 40),
                2 => header.set_uid(dice.next() >> 50),
                3 => header.set_username("root").unwrap(),
                4 => header.set_size((bytes.len() + 1 + dice.below(600)) as u64),
                5 => header.set_size((bytes.len() - dice.below(bytes.len().max(1))) as u64),
                6 => header.set_entry_type(tar::EntryType::new(*dice.pick(b"1234567xgLK\0"))),
                _ => {
                    let field = dice.below(512);
                    header.as_mut_bytes()[field] = dice.bytes(1)[0];
                }
            }
        }
        header.set_cksum();
        append_raw(&mut out, &header, bytes);
    }
    out.resize(out.len() + 1024, 0);
    out
}
