//! Virtual authenticators (WebAuthn §11): Chromium's own implementation of one, with nobody to touch it.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use integration::Person;
use serde_json::{Value, json};
use uuid::Uuid;

use super::browser::Browser;

/// An authenticator in a browser. It stays until the browser ends or it is taken out.
pub struct Authenticator<'a> {
    browser: &'a Browser,
    id: String,
}

/// A credential with its private key, as it can be taken from one authenticator and put into another.
#[derive(Clone)]
pub struct Key(Value);

impl Browser {
    /// Puts in a security key on USB, whose user is there, verified and willing.
    pub fn security_key(&self) -> Authenticator<'_> {
        self.plug_in("usb")
    }

    /// Gives the device an authenticator of its own, as laptops and phones have.
    pub fn platform_key(&self) -> Authenticator<'_> {
        self.plug_in("internal")
    }

    fn plug_in(&self, transport: &str) -> Authenticator<'_> {
        let authenticator = json!({
            "protocol": "ctap2_1",
            "transport": transport,
            "hasResidentKey": true,
            "hasUserVerification": true,
            "isUserConsenting": true,
            "isUserVerified": true,
        });
        let id = self.command(Method::POST, "webauthn/authenticator", Some(authenticator));
        Authenticator { browser: self, id: id.as_str().expect("an id").to_owned() }
    }
}

impl Authenticator<'_> {
    /// The credentials in it.
    #[track_caller]
    pub fn keys(&self) -> Vec<Key> {
        let keys = self.ask(Method::GET, "/credentials", None);
        keys.as_array().expect("a list").iter().cloned().map(Key).collect()
    }

    /// Its only credential.
    #[track_caller]
    pub fn key(&self) -> Key {
        let mut keys = self.keys();
        assert_eq!(keys.len(), 1, "{} has so many credentials", self.browser.person);
        keys.remove(0)
    }

    /// Puts a credential in: one of another authenticator's, or of a person's software authenticator.
    #[track_caller]
    pub fn put(&self, key: &Key) {
        self.ask(Method::POST, "/credential", Some(key.0.clone()));
    }

    /// Takes a credential away.
    #[track_caller]
    pub fn remove(&self, key: &Key) {
        self.ask(Method::DELETE, &format!("/credentials/{}", key.id()), None);
    }

    /// Whether its user is verified from now on (a PIN or a finger).
    #[track_caller]
    pub fn verifies_user(&self, verified: bool) {
        self.ask(Method::POST, "/uv", Some(json!({ "isUserVerified": verified })));
    }

    /// Takes it out of the browser, with its credentials.
    #[track_caller]
    pub fn unplug(self) {
        self.ask(Method::DELETE, "", None);
    }

    #[track_caller]
    fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        self.browser.command(method, &format!("webauthn/authenticator/{}{path}", self.id), body)
    }
}

impl Key {
    /// The credential of a person who has registered over the API, discoverable as those that browsers make.
    pub fn of(person: &Person) -> Self {
        let file: Value = serde_json::from_slice(&fs::read(&person.key_file).unwrap()).unwrap();
        let member: Uuid = person.id.parse().expect("a person who has registered");
        Self(json!({
            "credentialId": file["credential_id"],
            "isResidentCredential": true,
            "rpId": file["rp_id"],
            "privateKey": file["private_key"],
            "userHandle": URL_SAFE_NO_PAD.encode(member.as_bytes()),
            "signCount": 0,
        }))
    }

    /// The credential's id, in base64url.
    pub fn id(&self) -> &str {
        self.0["credentialId"].as_str().expect("an id")
    }

    /// Whom it signs in, in base64url: the user handle.
    pub fn user_handle(&self) -> Option<&str> {
        self.0["userHandle"].as_str()
    }
}
