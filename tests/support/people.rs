//! People: a software authenticator each, and what they sign.

use std::path::{Path, PathBuf};

use sealbook::authenticator::SoftAuthenticator;
use sealbook::registration;
use sealbook_ledger::canonical;
use sealbook_ledger::encoding::{B64, Hash};
use sealbook_ledger::webauthn::Purpose;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::api::{Answer, Api};

/// The relying party of a server in development mode.
pub const RP_ID: &str = "localhost";

/// A person who is, or may become, a member.
pub struct Person {
    /// The member's id; empty until the person has registered.
    pub id: String,
    /// Asked with the person's session, once there is one.
    pub api: Api,
    /// The file of the person's authenticator.
    pub key_file: PathBuf,
    key: SoftAuthenticator,
    web_origin: String,
}

impl Person {
    /// A person with a new authenticator, whose file lies in `folder`.
    pub fn new(folder: &Path, api: &Api, web_origin: &str) -> Self {
        let file = folder.join(format!("{}.key", Uuid::new_v4()));
        let key = SoftAuthenticator::create(&file, RP_ID).unwrap();
        Self { id: String::new(), api: api.clone(), key_file: file, key, web_origin: web_origin.to_owned() }
    }

    /// The credential as the ledger enrols it.
    pub fn credential(&self) -> Value {
        serde_json::to_value(self.key.credential()).unwrap()
    }

    /// Another authenticator of the same person.
    pub fn with_another_key(&self, folder: &Path) -> Self {
        Self { id: self.id.clone(), ..Self::new(folder, &self.api, &self.web_origin) }
    }

    /// The body of a registration by a ticket.
    pub fn registration(&self, ticket: &str) -> Value {
        let secret = sealbook::http::token::Token::parse(ticket).expect("a ticket");
        let made = self.key.register(registration::challenge(secret.secret()), &self.web_origin).unwrap();
        json!({ "credential": made.credential, "client_data_json": made.client_data_json })
    }

    /// A browser's answer to registration options, as the body of a registration has it.
    pub fn passkey(&self, options: &Value) -> Value {
        let challenge = options["options"]["publicKey"]["challenge"].as_str().expect("a challenge");
        let challenge: B64 = challenge.parse().expect("base64url");
        let challenge = Hash(challenge.as_bytes().try_into().expect("32 bytes"));
        let made = self.key.register(challenge, &self.web_origin).unwrap();
        json!({ "attestation_object": made.attestation_object, "client_data_json": made.client_data_json })
    }

    /// An assertion over a challenge.
    pub fn assert(&self, challenge: Hash) -> Value {
        serde_json::to_value(self.key.assert(challenge, &self.web_origin).unwrap()).unwrap()
    }

    /// An assertion over a document, for a purpose.
    pub fn sign(&self, purpose: Purpose, document: &Value) -> Value {
        self.assert(purpose.challenge(&canonical::value_to_vec(document).unwrap()))
    }

    /// An assertion as a founding or a session takes it: flat, with the member's id.
    pub fn sign_as_member(&self, challenge: Hash) -> Map<String, Value> {
        let Value::Object(mut body) = self.assert(challenge) else { panic!("an assertion is an object") };
        body.insert("member".to_owned(), self.id.clone().into());
        body
    }

    /// The body of a sign-in at a tenant, over a fresh nonce.
    pub fn session_body(&self, tenant: &str) -> Value {
        let nonce = self.api.post(&format!("/v1/tenants/{tenant}/session/challenge"), &json!({}));
        let nonce = nonce.expect(200).json();
        let document = json!({ "nonce": nonce["nonce"], "origin": nonce["origin"], "v": 1 });
        let challenge = Purpose::Session.challenge(&canonical::value_to_vec(&document).unwrap());
        let mut body = self.sign_as_member(challenge);
        body.insert("nonce".to_owned(), nonce["nonce"].clone());
        Value::Object(body)
    }

    /// Signs in: from then on `api` asks with the session.
    pub fn sign_in(&mut self, tenant: &str) {
        let begun = self.api.post(&format!("/v1/tenants/{tenant}/session"), &self.session_body(tenant));
        let token = begun.expect(201).json()["token"].as_str().unwrap().to_owned();
        self.api = self.api.with_token(&token);
    }

    /// `GET` under a tenant, as this person.
    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        self.api.get(path)
    }
}
