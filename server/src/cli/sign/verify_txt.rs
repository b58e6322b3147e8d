//! `FILE.VERIFY.txt`: three lines for somebody who has the file and wonders how to check it.

use std::fmt;

use sealbook_ledger::encoding::Hash;
use sealbook_ledger::ids::{Seq, SlotName};
use sealbook_ledger::note::Vkey;

use crate::cli::output::{printable, steers};

/// What the three lines say.
pub(super) struct VerifyTxt<'a> {
    /// The artifact's name, without folders.
    pub(super) name: &'a str,
    /// Where it lies, seen from the folder that this is written to.
    pub(super) artifact: &'a str,
    /// Its SHA-256.
    pub(super) sha256: Hash,
    /// The slot that signed it.
    pub(super) slot: &'a SlotName,
    /// The event that recorded the signature.
    pub(super) seq: Seq,
    /// The file beside it that holds the public key.
    pub(super) pem_name: &'a str,
    /// The ledger key that signed the receipt's checkpoint.
    pub(super) vkey: &'a Vkey,
}

impl fmt::Display for VerifyTxt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |ending: &str| shell_quote(&format!("{}{ending}", self.name));
        writeln!(
            f,
            "Artifact: {} (sha256 {}), signed with {}, event {} of {}",
            printable(self.name),
            self.sha256,
            self.slot,
            self.seq,
            self.vkey.origin()
        )?;
        writeln!(
            f,
            "Check it: sealbook-verify --artifact {} --signature {} --receipt {} --pubkey {} --vkey {}",
            shell_quote(self.artifact),
            quoted(".sig"),
            quoted(".tlog-proof"),
            self.pem_name,
            shell_quote(&self.vkey.to_string())
        )?;
        writeln!(
            f,
            "Trust needs: {} (compare it with the one that you pinned, not with this file)",
            self.vkey
        )
    }
}

/// A word for a POSIX shell; one with control or direction characters in the form `$'…'` that bash and zsh read.
fn shell_quote(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-/+=:@%,".contains(&b);
    // A name that begins with a hyphen would be taken for an option.
    let text = if text.starts_with('-') { format!("./{text}") } else { text.to_owned() };
    if !text.is_empty() && text.bytes().all(plain) {
        return text;
    }
    if !text.chars().any(steers) {
        return format!("'{}'", text.replace('\'', r"'\''"));
    }
    let mut out = String::from("$'");
    for character in text.chars() {
        match character {
            '\'' | '\\' => out.extend(['\\', character]),
            _ if steers(character) => {
                let mut bytes = [0; 4];
                character.encode_utf8(&mut bytes).bytes().for_each(|b| out.push_str(&format!("\\x{b:02x}")));
            }
            _ => out.push(character),
        }
    }
    out.push('\'');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const VKEY: &str = "sealbook.example.com/vectors+879bfe16+AQo5Byq9k/qhDu68vfjiT2aDu0fy9Aw7FTBIIq+/LBql";

    #[test]
    fn three_lines_name_the_artifact_the_command_and_the_key() {
        let text = VerifyTxt {
            name: "app.bin",
            artifact: "../dist/app.bin",
            sha256: Hash::ZERO,
            slot: &"release-p256".parse().unwrap(),
            seq: Seq::new(7).unwrap(),
            pem_name: "release-p256.00000000.pem",
            vkey: &VKEY.parse().unwrap(),
        }
        .to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[0].starts_with("Artifact: app.bin (sha256 0000"));
        let command = format!(
            "sealbook-verify --artifact ../dist/app.bin --signature app.bin.sig --receipt app.bin.tlog-proof \
             --pubkey release-p256.00000000.pem --vkey {VKEY}"
        );
        assert!(lines[1].ends_with(&command), "{}", lines[1]);
        assert!(lines[2].contains(VKEY));
    }

    #[test]
    fn names_stay_one_word_of_one_line() {
        assert_eq!(shell_quote("a b"), "'a b'");
        assert_eq!(shell_quote("it's"), r"'it'\''s'");
        assert_eq!(shell_quote("-rf"), "./-rf");
        assert_eq!(shell_quote("a\nb\u{202e}"), r"$'a\x0ab\xe2\x80\xae'");
        assert_eq!(shell_quote("$(id)"), "'$(id)'");
    }
}
