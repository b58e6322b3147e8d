//! What people see of a ledger that is damaged.

use integration::{Server, waiting};

/// The gauge that alerts hang on; none where the ledger has none.
pub fn frozen(server: &Server, tenant: &str) -> Option<u64> {
    let metrics = server.api().get("/metrics").expect(200).text();
    let series = format!("sealbook_ledger_frozen{{tenant=\"{tenant}\"}} ");
    metrics.lines().find_map(|line| line.strip_prefix(&series)?.parse().ok())
}

/// What `/readyz` says of a ledger, code and sentence.
pub fn missing(server: &Server, origin: &str) -> Option<(String, String)> {
    let ready = server.api().get("/readyz");
    let missing = ready.json()["missing"].as_array().unwrap().clone();
    let ours = missing.into_iter().find(|one| {
        // The sentence begins with the origin, which may be the beginning of another one.
        one["sentence"].as_str().is_some_and(|sentence| sentence.starts_with(&format!("{origin} ")))
    })?;
    assert_eq!(ready.status, 503);
    Some((ours["code"].as_str().unwrap().to_owned(), ours["sentence"].as_str().unwrap().to_owned()))
}

/// Waits for the alarm about a ledger: gauge, readiness and log. Hands back the sentence.
#[track_caller]
pub fn raised(server: &Server, tenant: &str, origin: &str) -> String {
    let (code, sentence) = waiting::until(&format!("the alarm of {tenant}"), || missing(server, origin));
    assert_eq!(code, "ledger.corrupt", "{sentence}");
    assert_eq!(frozen(server, tenant), Some(1));
    assert!(server.logs().contains("LEDGER FROZEN"));
    sentence
}
