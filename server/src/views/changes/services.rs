//! What changes about machine clients.

use sealbook_ledger::action::{ServiceEnrollParams, ServiceGrantParams};
use sealbook_ledger::ids::ServiceId;
use sealbook_ledger::member::Service;

use super::{Change, Now, sentence_case, slots, standing};
use crate::views::sentence::moment;

impl Now<'_> {
    fn service(&self, id: ServiceId) -> Option<&Service> {
        self.founded.services().get(&id)
    }

    pub(super) fn service_enroll(&self, p: &ServiceEnrollParams) -> Vec<Change> {
        vec![
            Change::new("Service", self.names.machine(p.service)),
            Change::new("Slots that it may use", slots(&p.slots)),
            Change::new("Its token holds until", moment(p.token_expires_at)),
            Change::new("SHA-256 of its token", p.token_sha256.to_string()),
        ]
    }

    pub(super) fn service_grant(&self, p: &ServiceGrantParams) -> Vec<Change> {
        let now = self.service(p.service);
        let machine = self.names.machine(p.service);
        let before = now.map_or_else(|| "nothing".to_owned(), |service| slots(&service.slots));
        let mut rows =
            vec![Change::between(format!("Slots that {machine} may use"), before, slots(&p.slots))];
        if let Some(token) = &p.token {
            let before = now.map_or_else(
                || "none".to_owned(),
                |service| format!("one until {}", moment(service.token_expires_at)),
            );
            let after =
                format!("another one until {}; the one before no longer holds", moment(token.expires_at));
            rows.push(Change::between("Token", before, after));
            rows.push(Change::new("SHA-256 of the new token", token.sha256.to_string()));
        }
        rows
    }

    fn service_standing(&self, id: ServiceId) -> String {
        self.service(id).map_or_else(
            || "not there".to_owned(),
            |service| standing(service.removed, service.suspension, self.at),
        )
    }

    pub(super) fn service_remove(&self, id: ServiceId) -> Vec<Change> {
        let used = self.service(id).map_or_else(|| "nothing".to_owned(), |service| slots(&service.slots));
        vec![
            Change::between(
                sentence_case(&self.names.machine(id)),
                self.service_standing(id),
                "removed, for good",
            ),
            Change::gone("Slots that it may use", used),
        ]
    }

    pub(super) fn service_restore(&self, id: ServiceId) -> Vec<Change> {
        vec![Change::between(sentence_case(&self.names.machine(id)), self.service_standing(id), "active")]
    }
}
