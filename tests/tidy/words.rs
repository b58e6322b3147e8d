//! Sizes, names and words.

use crate::sources::{self, report};

/// Lines of a Rust file beyond which it holds two things.
const MOST_LINES: usize = 500;

#[test]
fn a_file_of_rust_fits_in_a_readers_head() {
    let mut complaints = Vec::new();
    for source in sources::rust() {
        let lines = source.text.lines().count();
        if lines > MOST_LINES {
            complaints.push(format!("{} has {lines} lines; split it beside its siblings", source.path));
        }
    }
    report(&complaints);
}

#[test]
fn a_module_is_named_by_what_is_in_it() {
    let nameless = ["util", "utils", "common", "helper", "helpers", "misc", "stuff", "shared"];
    let sources = sources::rust();
    let folder_is_nameless = |path: &str| path.split('/').rev().skip(1).any(|part| nameless.contains(&part));
    let complaints: Vec<String> = sources
        .iter()
        .filter(|source| nameless.contains(&source.stem()) || folder_is_nameless(&source.path))
        .map(|source| format!("{}: a name that says nothing", source.path))
        .collect();
    report(&complaints);
}

#[test]
fn nothing_is_left_for_later() {
    // Written so that this file does not find itself.
    let words = ["to\u{64}o!", "unimplemente\u{64}!", "TO\u{44}O", "FIX\u{4d}E", "XX\u{58}", "dbg\u{21}("];
    let mut complaints = Vec::new();
    for source in sources::all() {
        for (at, line) in source.lines() {
            complaints.extend(
                words
                    .iter()
                    .filter(|word| line.contains(*word))
                    .map(|word| format!("{}:{at}: {word}", source.path)),
            );
        }
    }
    report(&complaints);
}

#[test]
fn what_is_switched_off_says_why() {
    let ignored = concat!("#[igno", "re]");
    let mut complaints = Vec::new();
    for source in sources::rust() {
        for (at, line) in source.lines() {
            let line = line.trim();
            if line == ignored {
                complaints.push(format!("{}:{at}: ignored without a reason", source.path));
            }
        }
        // An attribute may span lines: it ends at its first `]`.
        for opening in ["#[allow(", "#![allow("] {
            for (start, _) in source.text.match_indices(opening) {
                let attribute = source.text[start..].split(']').next().unwrap_or_default();
                if !attribute.contains("reason") && !source.path.starts_with("tests/tidy/") {
                    complaints.push(format!("{}: {attribute}] without a reason", source.path));
                }
            }
        }
    }
    report(&complaints);
}

/// Places of one machine, and hosts that packages come from: a clone works anywhere, with whatever registry is
/// configured there. A path below `/home` that belongs to a package manager's own layout is not a person's.
#[test]
fn nothing_names_a_machine_or_a_registry() {
    let places = [
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/."),
        concat!("/Use", "rs/"),
        concat!("/ho", "me/"),
        concat!("index.crates", ".io"),
        concat!("static.crates", ".io"),
        concat!("cache-", "proxy"),
        concat!("sparse+ht", "tp"),
    ];
    let package_manager = concat!("/ho", "me/linuxbrew/");
    let mut complaints = Vec::new();
    for source in sources::all() {
        for (at, line) in source.lines() {
            let named = places.iter().any(|place| line.contains(place)) && !line.contains(package_manager);
            if named {
                complaints.push(format!("{}:{at}: {}", source.path, line.trim()));
            }
        }
    }
    report(&complaints);
}

#[test]
fn a_file_ends_where_its_last_line_does() {
    let mut complaints = Vec::new();
    for source in sources::all().iter().filter(|source| !source.text.is_empty()) {
        if source.text.contains('\r') {
            complaints.push(format!("{}: carriage returns", source.path));
        }
        if !source.text.ends_with('\n') && !source.path.contains("testdata/") {
            complaints.push(format!("{}: no line feed at its end", source.path));
        }
    }
    report(&complaints);
}
