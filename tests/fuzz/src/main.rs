//! libFuzzer over one target, which `SEALBOOK_FUZZ` names.

#![no_main]

mod targets;

use std::sync::LazyLock;

static TARGET: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("SEALBOOK_FUZZ").unwrap_or_default();
    let found = targets::TARGETS.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("SEALBOOK_FUZZ={name} names no target")).1
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| TARGET(data));
