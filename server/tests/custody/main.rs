//! The PKCS#11 backend against a real SoftHSM: `cargo test -p sealbook --test custody [CASE]`.
//!
//! SoftHSM takes its configuration from the environment of the process, and a login counts for a whole process. Each
//! case therefore runs in a process of its own, with a token of its own in a temporary folder.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how a case reports its failure")]

mod faults;
mod keys;
mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use sealbook::custody::softhsm;

/// A name and what runs under it, in the folder of its token.
type Case = (&'static str, fn(&Path));

const CASES: [Case; 15] = [
    ("every_algorithm_signs_what_openssl_verifies", keys::every_algorithm_signs_what_openssl_verifies),
    ("a_generated_key_is_confined_and_found_again", keys::a_generated_key_is_confined_and_found_again),
    ("a_label_that_is_taken_is_never_overwritten", keys::a_label_that_is_taken_is_never_overwritten),
    ("a_label_is_made_once_however_many_ask", keys::a_label_is_made_once_however_many_ask),
    ("an_unknown_label_is_not_found", keys::an_unknown_label_is_not_found),
    ("two_keys_under_one_label_are_not_guessed_between", keys::two_keys_under_one_label),
    ("input_that_does_not_fit_is_refused", keys::input_that_does_not_fit_is_refused),
    ("a_late_call_is_quarantined_and_replaced", faults::a_late_call_is_quarantined_and_replaced),
    ("a_pool_full_of_hung_calls_says_so", faults::a_pool_full_of_hung_calls_says_so),
    ("a_token_that_was_away_comes_back_by_itself", faults::a_token_that_was_away_comes_back_by_itself),
    ("eight_tasks_sign_at_once_and_every_signature_is_counted", keys::eight_tasks_sign_at_once),
    (
        "keys_that_are_made_at_once_are_each_shown_whole",
        keys::keys_that_are_made_at_once_are_each_shown_whole,
    ),
    ("a_wrong_pin_is_tried_once_and_a_corrected_one_works", faults::a_wrong_pin_is_tried_once),
    ("preparing_a_token_twice_keeps_it", faults::preparing_a_token_twice_keeps_it),
    ("a_module_that_is_missing_is_an_error_at_the_start", faults::a_module_that_is_missing),
];

const CASE_VARIABLE: &str = "CUSTODY_CASE";

fn main() -> ExitCode {
    if let Ok(name) = std::env::var(CASE_VARIABLE) {
        let (_, case) = CASES.iter().find(|(case, _)| *case == name).expect("a case of this program");
        let folder = PathBuf::from(std::env::var_os("CUSTODY_FOLDER").expect("the case's folder"));
        case(&folder);
        return ExitCode::SUCCESS;
    }
    let filters: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let wanted = |name: &str| filters.is_empty() || filters.iter().any(|filter| name.contains(filter));
    let mut failed = 0;
    for (name, _) in CASES.iter().filter(|(name, _)| wanted(name)) {
        let began = Instant::now();
        let passed = in_a_process_of_its_own(name);
        println!("custody {name} ... {} ({:.1?})", if passed { "ok" } else { "FAILED" }, began.elapsed());
        failed += u32::from(!passed);
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn in_a_process_of_its_own(case: &str) -> bool {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (name, value) = softhsm::environment(folder.path());
    let status = Command::new(std::env::current_exe().expect("this program's path"))
        .env(CASE_VARIABLE, case)
        .env("CUSTODY_FOLDER", folder.path())
        .env(name, value)
        .status();
    status.expect("this program starts").success()
}
