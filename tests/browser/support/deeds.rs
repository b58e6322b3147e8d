//! What people do in the pages, whatever the journey: signing in, proposing, deciding.

use integration::tenant::text;
use integration::{Server, Tenant};

use super::browser::Browser;

impl Browser {
    /// Signs in with the passkey that is plugged in.
    #[track_caller]
    pub fn signs_in_here(&self, server: &Server) {
        self.visit(&format!("{}/signin", server.url()));
        self.click("Sign in with a passkey");
        self.arrives("the inbox", |path| path.ends_with("/inbox"));
    }

    /// Gives the reason, reads what the form would change, and signs it; says the sentence that others decide about.
    #[track_caller]
    pub fn proposes(&self, reason: &str, screen: &str) -> String {
        self.fill("Reason", reason);
        self.click("Show what it changes");
        self.sees("Propose with passkey");
        self.looks(screen);
        self.click("Propose with passkey");
        self.arrives("the action's page", |path| path.contains("/actions/"));
        self.sees("matches");
        let sentence = self.run("return document.getElementById('sentence').textContent", &[]);
        text(&sentence).to_owned()
    }

    /// Goes from the inbox to the action of this sentence, which this browser checks.
    #[track_caller]
    pub fn opens(&self, server: &Server, tenant: &Tenant, sentence: &str) {
        self.visits(server, tenant, "/inbox");
        self.click(sentence);
        self.sees("The digests are those of the document on this page");
    }

    /// Approves the action of this sentence, out of the inbox.
    #[track_caller]
    pub fn approves(&self, server: &Server, tenant: &Tenant, sentence: &str) {
        self.opens(server, tenant, sentence);
        self.click("Approve with passkey");
        self.sees("approved with");
    }
}
