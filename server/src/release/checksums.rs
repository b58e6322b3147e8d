//! `checksums.txt`: digests as coreutils' `sha256sum` writes them, and which names files of a release may have.

use std::collections::BTreeMap;

use sealbook_ledger::encoding::Hash;

use super::{Code, Refusal};

/// Longest name of a file in bytes, folders included.
pub const MAX_NAME: usize = 512;

/// Most folders that a file lies in, and its own name.
const MAX_PARTS: usize = 32;

/// Refuses a name that leaves the folder, that coreutils would have to escape, or that shows as another.
pub fn check_name(name: &str) -> Result<(), Refusal> {
    let refuse = |why: &str| Err(Code::Name.saying(format!("`{}`: {why}", name.escape_debug())));
    if name.is_empty() || name.len() > MAX_NAME {
        return refuse("a name has 1 to 512 bytes");
    }
    if name.chars().any(|c| c.is_control() || c == '\\' || turns(c)) {
        return refuse("a name has no control characters, no backslashes, and none that hide or turn text");
    }
    let mut parts = 0;
    for part in name.split('/') {
        parts += 1;
        if part.is_empty() || part == "." || part == ".." {
            return refuse("a name is relative, and leads nowhere outside the folder");
        }
    }
    if parts > MAX_PARTS { refuse("a name has at most 32 parts") } else { Ok(()) }
}

/// Characters that can't be seen or that change the direction of what follows.
fn turns(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' |
        '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The list of some files, by rising name.
pub fn write(files: &BTreeMap<String, Hash>) -> Vec<u8> {
    let lines = files.iter().map(|(name, sha256)| format!("{sha256}  {name}\n"));
    lines.collect::<String>().into_bytes()
}

/// Reads a list in the one form that [`write`] gives it.
pub fn read(bytes: &[u8]) -> Result<BTreeMap<String, Hash>, Refusal> {
    let refuse = |why: String| Code::Checksums.saying(format!("checksums.txt: {why}"));
    let text = std::str::from_utf8(bytes).map_err(|_| refuse("it is not UTF-8".to_owned()))?;
    let mut files = BTreeMap::new();
    let mut before: Option<&str> = None;
    for (at, line) in text.split_inclusive('\n').enumerate() {
        let wrong = |what: &str| refuse(format!("line {}: {what}", at + 1));
        let form = "it is not 64 lower-case hex digits, two spaces, a name and a line feed";
        let line = line.strip_suffix('\n').ok_or_else(|| wrong(form))?;
        let (sha256, name) = line.split_once("  ").ok_or_else(|| wrong(form))?;
        let sha256: Hash = sha256.parse().map_err(|_| wrong(form))?;
        check_name(name)?;
        if before.is_some_and(|before| before >= name) {
            return Err(wrong("names rise, and each stands once"));
        }
        before = Some(name);
        files.insert(name.to_owned(), sha256);
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_one_form() {
        let files =
            BTreeMap::from([("a b".to_owned(), Hash::ZERO), ("bin/app".to_owned(), Hash::sha256(b"app"))]);
        let text = write(&files);
        assert_eq!(read(&text).unwrap(), files);
        let text = String::from_utf8(text).unwrap();
        let swapped: String = text.lines().rev().map(|line| format!("{line}\n")).collect();
        for bad in [
            swapped,
            text.replace("  a b", " *a b"),
            text.replace("0000", "000A"),
            text.trim_end().to_owned(),
            format!("{text}{text}"),
            text.replace('\n', "\r\n"),
            format!("\n{text}"),
        ] {
            assert!(read(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_stays_in_the_folder_and_shows_as_what_it_is() {
        for good in ["app", "dist/app-1.0.tar.gz", "a b", "-rf", "ä", ".hidden", "a..b"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        let long = "a".repeat(MAX_NAME + 1);
        let deep = ["a"; MAX_PARTS + 1].join("/");
        for bad in [
            "",
            "/etc/passwd",
            "../app",
            "a/../b",
            "a//b",
            "a/",
            "./a",
            "a\\b",
            "a\nb",
            "a\u{202e}b",
            &long,
            &deep,
        ] {
            assert_eq!(check_name(bad).unwrap_err().code, Code::Name, "{bad:?}");
        }
    }
}
