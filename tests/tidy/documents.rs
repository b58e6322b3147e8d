//! What can happen is documented: every type of event, every rule, every error code.

use std::fs;

use sealbook::http::problem;
use sealbook::release::Code;
use sealbook::release::controls::CONTROLS;
use sealbook::release::revocation::{REQUIRED_ACTIONS, REQUIRED_MEMBERS};
use sealbook_ledger::payload::Payload;
use sealbook_ledger::rule::Rule;

use crate::sources::{self, report};

/// A document must name each of `names` in code font. Says why it skips where no documents are there at all.
fn names_all(path: &str, names: impl Iterator<Item = String>) {
    let root = sources::root();
    if !root.join("docs").is_dir() {
        println!("skipped: there is no docs folder");
        return;
    }
    let text = fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let missing: Vec<String> = names
        .filter(|name| !text.contains(&format!("`{name}`")))
        .map(|name| format!("{path} does not say `{name}`"))
        .collect();
    report(&missing);
}

#[test]
fn every_type_of_event_is_in_the_catalogue() {
    names_all("docs/spec/catalogue.md", Payload::TYPE_NAMES.iter().map(ToString::to_string));
}

#[test]
fn every_rule_is_in_the_specification() {
    names_all("docs/spec/rules.md", Rule::ALL.iter().map(|rule| rule.code().to_owned()));
}

#[test]
fn every_error_code_is_explained() {
    names_all("docs/errors.md", problem::table().map(|entry| entry.code.to_owned()));
}

#[test]
fn every_refusal_of_a_release_is_in_its_specification() {
    names_all("docs/spec/release.md", Code::ALL.iter().map(ToString::to_string));
}

#[test]
fn every_control_and_required_member_of_a_release_is_in_its_specification() {
    let actions = REQUIRED_ACTIONS.iter().map(|(id, _)| *id);
    let names = CONTROLS.into_iter().chain(REQUIRED_MEMBERS).chain(actions);
    names_all("docs/spec/release.md", names.map(str::to_owned));
}

/// Cargo reads every member's manifest, whichever of them it builds.
#[test]
fn the_image_is_built_from_every_member_of_the_workspace() {
    let root = sources::root();
    let text =
        |path: &str| fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let (manifest, image) = (text("Cargo.toml"), text("Dockerfile"));
    let manifest: toml::Table = manifest.parse().expect("the manifest is TOML");
    let members = manifest["workspace"]["members"].as_array().expect("the workspace has members");
    let folders = members.iter().filter_map(|member| member.as_str()?.split('/').next());
    let missing: Vec<String> = folders
        .filter(|folder| !image.lines().any(|line| line == format!("COPY {folder} {folder}")))
        .map(|folder| format!("Dockerfile does not copy {folder}"))
        .collect();
    report(&missing);
}
