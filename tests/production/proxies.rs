//! A server behind a proxy: it tells whoever asks apart by what a trusted proxy says, and by nobody else's word.

use integration::Api;

use crate::deployment::Deployment;

/// Most attempts that may be needed to find the limit: 120 pass at once, and two a second after that.
const FLOOD: usize = 400;

/// Asks for a challenge to sign in with, as a proxy on this machine passes it on.
fn knocks(api: &Api, forwarded_for: &str) -> u16 {
    let headers = [("content-type", "application/json"), ("x-forwarded-for", forwarded_for)];
    api.send("POST", "/v1/tenants/acme/session/challenge", &headers, b"{}").status
}

fn is_refused(api: &Api, forwarded_for: &str) -> bool {
    (0..FLOOD).any(|_| knocks(api, forwarded_for) == 429)
}

#[test]
fn a_flood_through_a_trusted_proxy_keeps_nobody_else_out() {
    let deployment = Deployment::prepare();
    deployment.operated(["migrate"]).expect(0);
    deployment.goes_behind_a_proxy("trusted_proxies = [\"127.0.0.1\"]");
    let (serving, api) = deployment.serve_plainly();
    assert!(is_refused(&api, "192.0.2.9"), "a flood is not noticed");
    assert_eq!(knocks(&api, "198.51.100.4"), 200, "somebody else pays for it");
    assert_eq!(knocks(&api, "198.51.100.4, 127.0.0.1"), 200, "a second proxy is taken for the asker");
    // What the flood itself writes into the header stands before what the proxy adds.
    assert!(is_refused(&api, "198.51.100.5, 192.0.2.9"), "a flood calls itself somebody else");
    assert!(serving.stop().success());
}

#[test]
fn without_a_trusted_proxy_the_header_is_nobodys_word() {
    let deployment = Deployment::prepare();
    deployment.operated(["migrate"]).expect(0);
    deployment.goes_behind_a_proxy("");
    let (serving, api) = deployment.serve_plainly();
    let refused = (0..FLOOD).any(|n| knocks(&api, &format!("192.0.2.{}", n % 250)) == 429);
    assert!(refused, "whoever writes addresses into the header is not limited");
    assert!(serving.stop().success());
}
