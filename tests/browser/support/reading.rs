//! Being signed in: with a passkey, or just to read.

use integration::{Person, Server, Tenant};
use serde_json::json;

use super::authenticator::{Authenticator, Key};
use super::browser::Browser;

impl Browser {
    /// Signs in with a person's passkey, which stays in the browser.
    #[track_caller]
    pub fn signs_in(&self, server: &Server, person: &Person) -> Authenticator<'_> {
        let authenticator = self.security_key();
        authenticator.put(&Key::of(person));
        self.visit(&format!("{}/signin", server.url()));
        self.click("Sign in with a passkey");
        self.arrives("the inbox", |path| path.ends_with("/inbox"));
        authenticator
    }

    /// Reads as a person who has signed in over the API: every request bears that session's token. It is quicker than a
    /// ceremony and enough to look at pages; without a cookie they can change nothing.
    #[track_caller]
    pub fn reads_as(&self, person: &Person) {
        let bearer = format!("Bearer {}", person.api.token().expect("somebody who has signed in"));
        self.devtools("Network.enable", json!({}));
        self.devtools("Network.setExtraHTTPHeaders", json!({ "headers": { "authorization": bearer } }));
    }

    /// Goes to a page of a tenant, e.g. `/inbox`.
    #[track_caller]
    pub fn visits(&self, server: &Server, tenant: &Tenant, page: &str) {
        self.visit(&format!("{}/t/{}{page}", server.url(), tenant.name));
    }
}
