//! Reading as somebody who is signed in already.

use integration::{Person, Server, Tenant};
use serde_json::json;

use super::browser::Browser;

impl Browser {
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
