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

/// The relying party of passkeys that only sign in, on a server in development mode that keeps them apart.
pub const SIGN_IN_RP_ID: &str = "sealbook.localhost";

/// A person who is, or may become, a member.
pub struct Person {
    /// The member's id; empty until the person has registered.
    pub id: String,
    /// Asked with the person's session, once there is one.
    pub api: Api,
    /// The file of the person's authenticator.
    pub key_file: PathBuf,
    key: SoftAuthenticator,
    /// What the person signs in by, where that is another one.
    pub sign_in_key: Option<Passkey>,
    web_origin: String,
}

/// An authenticator of somebody, beside the one that approves.
pub struct Passkey {
    /// Its file.
    pub file: PathBuf,
    key: SoftAuthenticator,
}

impl Passkey {
    /// One that signs in and never approves.
    pub fn to_sign_in(folder: &Path) -> Self {
        let file = folder.join(format!("{}.key", Uuid::new_v4()));
        let key = SoftAuthenticator::create(&file, SIGN_IN_RP_ID).unwrap();
        Self { file, key }
    }
}

impl Person {
    /// A person with a new authenticator, whose file lies in `folder`.
    pub fn new(folder: &Path, api: &Api, web_origin: &str) -> Self {
        let file = folder.join(format!("{}.key", Uuid::new_v4()));
        // Approvals are made for the host of the pages.
        let host = web_origin.split("//").nth(1).unwrap().split(':').next().unwrap();
        let key = SoftAuthenticator::create(&file, host).unwrap();
        let (api, web_origin) = (api.clone(), web_origin.to_owned());
        Self { id: String::new(), api, key_file: file, key, sign_in_key: None, web_origin }
    }

    /// Registers by a ticket, everything that it asks for; answers what the last registration did.
    #[track_caller]
    pub fn register(&mut self, ticket: &str, path: &str, folder: &Path) -> Value {
        let send = |registration: Value| {
            let body = json!({ "registration": registration });
            self.api.with_token(ticket).post(path, &body).expect(201).json()
        };
        let mut made = send(self.registration(ticket));
        if made["next"] == "sign_in" {
            let second = Passkey::to_sign_in(folder);
            made = send(self.registration_of(&second, ticket));
            self.sign_in_key = Some(second);
        }
        assert!(made.get("next").is_none(), "{made}");
        self.id = made["member"].as_str().unwrap().to_owned();
        made
    }

    /// The body of a registration of another authenticator by a ticket.
    pub fn registration_of(&self, passkey: &Passkey, ticket: &str) -> Value {
        self.registration_by(&passkey.key, ticket)
    }

    fn registration_by(&self, key: &SoftAuthenticator, ticket: &str) -> Value {
        let secret = sealbook::http::token::Token::parse(ticket).expect("a ticket");
        let made = key.register(registration::challenge(secret.secret()), &self.web_origin).unwrap();
        json!({ "credential": made.credential, "client_data_json": made.client_data_json })
    }

    /// All credentials, as an enrolment takes them.
    pub fn credentials(&self) -> Vec<Value> {
        let second = self.sign_in_key.iter().map(|passkey| &passkey.key);
        let all = std::iter::once(&self.key).chain(second).map(SoftAuthenticator::credential);
        let mut all: Vec<Value> = all.map(|held| serde_json::to_value(held).unwrap()).collect();
        all.sort_by_key(|held| held["credential_id"].as_str().unwrap().to_owned());
        all
    }

    /// An assertion over a challenge, by the authenticator that signs in.
    pub fn assert_sign_in(&self, challenge: Hash) -> Value {
        let key = self.sign_in_key.as_ref().map_or(&self.key, |passkey| &passkey.key);
        serde_json::to_value(key.assert(challenge, &self.web_origin).unwrap()).unwrap()
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
        self.registration_by(&self.key, ticket)
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
        let Value::Object(mut body) = self.assert_sign_in(challenge) else {
            panic!("an assertion is an object")
        };
        body.insert("member".to_owned(), self.id.clone().into());
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
