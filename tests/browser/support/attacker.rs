//! What an attacker does who holds somebody's browser, or a page in it: requests that no button sends, assertions over
//! whatever digest, and a record of what the page itself has sent.

use integration::{Server, Tenant};
use serde_json::{Value, json};

use super::browser::Browser;

/// What a request was answered with.
#[derive(Debug)]
pub struct Forced {
    /// The HTTP status.
    pub status: u64,
    /// The body, if it was JSON.
    pub body: Value,
}

/// Asks from within the page, with the session's cookie, and with the page's CSRF token where it is said to.
const FORCE: &str = r#"
    const [method, path, body, token] = arguments;
    const headers = { accept: "application/json" };
    if (body !== null) headers["content-type"] = "application/json";
    if (token) headers["x-sealbook-csrf"] = document.querySelector("meta[name=csrf]")?.content ?? "";
    return fetch(path, { method, headers, body: body === null ? undefined : JSON.stringify(body) })
        .then(async answer => ({ status: answer.status, body: await answer.json().catch(() => null) }));
"#;

/// Has the browser's authenticator sign a digest, given in hex, as the pages' own module would.
const ASSERT: &str = r#"
    const [digest, rpId] = arguments;
    const challenge = Uint8Array.from(digest.match(/../g), pair => parseInt(pair, 16));
    const base64url = buffer => btoa(String.fromCharCode(...new Uint8Array(buffer)))
        .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
    return navigator.credentials.get({ publicKey: { challenge, rpId, userVerification: "required" } })
        .then(({ rawId, response }) => ({
            credential_id: base64url(rawId),
            authenticator_data: base64url(response.authenticatorData),
            client_data_json: base64url(response.clientDataJSON),
            signature: base64url(response.signature),
        }));
"#;

/// Keeps what the page sends to a path that ends like this, over a change of page too.
const TAP: &str = r#"
    const [ending] = arguments;
    const ask = window.fetch;
    window.fetch = (url, options) => {
        if (String(url).endsWith(ending) && options?.body) sessionStorage.setItem("tapped", options.body);
        return ask(url, options);
    };
"#;

impl Browser {
    /// Sends what no button of the page sends, as the page's own module would: with cookie and CSRF token.
    #[track_caller]
    pub fn forces(&self, method: &str, path: &str, body: &Value) -> Forced {
        self.asks(method, path, body, true)
    }

    /// The same without the page's CSRF token.
    #[track_caller]
    pub fn forces_without_token(&self, method: &str, path: &str, body: &Value) -> Forced {
        self.asks(method, path, body, false)
    }

    #[track_caller]
    fn asks(&self, method: &str, path: &str, body: &Value, token: bool) -> Forced {
        let answer = self.run(FORCE, &[method.into(), path.into(), body.clone(), token.into()]);
        let forced =
            Forced { status: answer["status"].as_u64().expect("a status"), body: answer["body"].clone() };
        if forced.status >= 400 {
            self.expects_complaint(&format!("a status of {}", forced.status));
        }
        forced
    }

    /// Has the authenticator that is plugged in sign a digest (hex) for a server of tests.
    #[track_caller]
    pub fn asserts(&self, digest: &str) -> Value {
        self.run(ASSERT, &[digest.into(), "localhost".into()])
    }

    /// From now on keeps what the page sends to a path that ends so.
    #[track_caller]
    pub fn taps(&self, ending: &str) {
        self.run(TAP, &[ending.into()]);
    }

    /// The body that was kept last.
    #[track_caller]
    pub fn tapped(&self) -> Value {
        let body = self.run("return sessionStorage.getItem('tapped')", &[]);
        serde_json::from_str(body.as_str().expect("the page sent something")).expect("it sent JSON")
    }

    /// The value of the cookie that carries the session, which no script can read.
    #[track_caller]
    pub fn session_cookie(&self) -> Option<String> {
        let cookies = self.devtools("Network.getCookies", json!({}))["cookies"].clone();
        let own = cookies.as_array()?.iter().find(|cookie| cookie["name"] == COOKIE)?;
        own["value"].as_str().map(str::to_owned)
    }

    /// Puts a session's cookie into the browser, as whoever had a moment before it might.
    #[track_caller]
    pub fn is_planted(&self, server: &Server, value: &str) {
        let cookie = json!({
            "name": COOKIE, "value": value, "url": server.url(), "path": "/",
            "secure": true, "httpOnly": true, "sameSite": "Strict",
        });
        assert_eq!(self.devtools("Network.setCookie", cookie)["success"], true);
    }
}

/// The cookie's name.
pub const COOKIE: &str = "__Host-sealbook";

impl Forced {
    /// Fails unless it is a problem of this status and code.
    #[track_caller]
    pub fn refused(&self, status: u64, code: &str) {
        assert_eq!((self.status, self.body["code"].as_str()), (status, Some(code)), "{}", self.body);
    }
}

/// Every event of a tenant's ledger but those that tell of refusals, which an attack leaves behind by design.
#[track_caller]
pub fn recorded(tenant: &Tenant) -> Vec<Value> {
    let page = tenant.get("/events?limit=500").expect(200).json();
    assert!(page.get("next").is_none(), "more than a page");
    let events = page["events"].as_array().unwrap().iter().map(|event| event["event"].clone());
    events.filter(|event| event["type"] != "refusal.recorded").collect()
}

/// Runs an attack, and fails if it left anything in a tenant's ledger.
#[track_caller]
pub fn records_nothing(tenant: &Tenant, attack: impl FnOnce()) {
    let before = recorded(tenant);
    attack();
    assert_eq!(recorded(tenant), before, "the attack was recorded");
}
