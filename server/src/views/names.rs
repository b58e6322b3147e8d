//! How people and services are called: disclosures, so a name may be withheld, and nothing depends on one.

use std::collections::{BTreeMap, HashMap};

use sealbook_ledger::action::ActionDocument;
use sealbook_ledger::ids::{MemberId, ProposerId, ServiceId};
use serde_json::Value;

use super::ViewError;
use crate::store::{LedgerId, Store};

/// The display names of one ledger, as far as they are disclosed.
#[derive(Clone, Default)]
pub struct Names(HashMap<String, String>);

impl Names {
    /// Reads the names of a ledger.
    pub async fn load(store: &Store, ledger: LedgerId) -> Result<Self, ViewError> {
        let rows = store.names(ledger).await?;
        Ok(rows.into_iter().map(|row| (row.id, row.name)).collect())
    }

    /// The same names and one more, for a document that brings its own.
    pub fn with(mut self, id: String, name: String) -> Self {
        self.0.insert(id, name);
        self
    }

    /// A person's name.
    pub fn member(&self, id: MemberId) -> Option<&str> {
        self.0.get(&id.to_string()).map(String::as_str)
    }

    /// A service's name.
    pub fn service(&self, id: ServiceId) -> Option<&str> {
        self.0.get(&id.to_string()).map(String::as_str)
    }

    /// The names of the members and services that a document mentions, as far as they are disclosed.
    pub fn in_document(
        &self,
        document: &ActionDocument,
    ) -> Result<BTreeMap<String, String>, serde_json::Error> {
        let mut found = BTreeMap::new();
        self.collect(&serde_json::to_value(document)?, &mut found);
        Ok(found)
    }

    fn collect(&self, value: &Value, found: &mut BTreeMap<String, String>) {
        match value {
            Value::String(id) => {
                if let Some(name) = self.0.get(id) {
                    found.insert(id.clone(), name.clone());
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.collect(item, found)),
            Value::Object(members) => members.values().for_each(|member| self.collect(member, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// A person's name, or words for somebody whose name is withheld.
    pub fn person(&self, id: MemberId) -> String {
        self.member(id).map_or_else(|| format!("member {id}"), str::to_owned)
    }

    /// The name of whoever proposed an action, or words for somebody whose name is withheld.
    pub fn proposer(&self, id: ProposerId) -> String {
        match id {
            ProposerId::Server => "the server".to_owned(),
            ProposerId::Id(_) => self.0.get(&id.to_string()).cloned().unwrap_or_else(|| format!("{id}")),
        }
    }

    /// A service's name, or words for one whose name is withheld.
    pub fn machine(&self, id: ServiceId) -> String {
        self.service(id).map_or_else(|| format!("service {id}"), |name| format!("service {name}"))
    }
}

impl FromIterator<(String, String)> for Names {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}
