//! Ids as people type them: whole, or the eight or more characters that a story or a sentence prints of them.

use std::fmt::Display;
use std::str::FromStr;

use sealbook_ledger::ids::{ActionId, CertificateId, IncidentId, KeyId, MemberId, ServiceId};

use super::context::Context;
use super::failure::Failure;
use super::incident::{Incidents, console};
use crate::client::answers::{Actions, Certificates, Keys, Members, Rotations, Services};
use crate::client::{Call, Client};

/// Fewest characters that are taken for an id's beginning or end.
const FEWEST: usize = 8;

/// Most candidates that an ambiguous one is told with.
const MOST_TOLD: usize = 8;

/// An id, whole or in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdArg(String);

impl FromStr for IdArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let written = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c) || c == '-';
        let text = text.to_ascii_lowercase();
        if (FEWEST..=36).contains(&text.len()) && text.chars().all(written) {
            Ok(Self(text))
        } else {
            Err("give the id, or at least 8 characters of its beginning or end".to_owned())
        }
    }
}

impl IdArg {
    /// The one id of `all` that this is; a whole id is itself, whether it is known or not.
    fn choose<T: Copy + Display + FromStr>(
        &self,
        what: &str,
        all: impl FnOnce() -> Result<Vec<(T, String)>, Failure>,
    ) -> Result<T, Failure> {
        if let Ok(id) = self.0.parse() {
            return Ok(id);
        }
        let text = self.0.as_str();
        let mut fitting = all()?;
        fitting.retain(|(id, _)| {
            let id = id.to_string();
            id.starts_with(text) || id.ends_with(text)
        });
        match fitting.as_slice() {
            [(id, _)] => Ok(*id),
            [] => {
                let why = format!("no {what} that you may see has an id that begins or ends with {text}");
                Err(Failure::usage(why, "List them, and give the whole id."))
            }
            several => {
                let told = several.iter().take(MOST_TOLD).map(|(id, name)| format!("\n  {id}  {name}"));
                let why = format!("{} {what}s fit {text}:{}", several.len(), told.collect::<String>());
                Err(Failure::usage(why, "Give more characters, or the whole id."))
            }
        }
    }
}

impl Context {
    /// The member that was meant.
    pub(super) fn member_id(&self, given: &IdArg) -> Result<MemberId, Failure> {
        given.choose("member", || {
            let all: Members = self.caller()?.json(&Call::get(self.path("/members")?))?;
            let named = all.members.into_iter();
            Ok(named.map(|member| (member.member, member.display_name.unwrap_or_default())).collect())
        })
    }

    /// The service that was meant.
    pub(super) fn service_id(&self, given: &IdArg) -> Result<ServiceId, Failure> {
        given.choose("service", || {
            let all: Services = self.caller()?.json(&Call::get(self.path("/services")?))?;
            let named = all.services.into_iter();
            Ok(named.map(|service| (service.service, service.display_name.unwrap_or_default())).collect())
        })
    }

    /// The key that was meant.
    pub(super) fn key_id(&self, given: &IdArg) -> Result<KeyId, Failure> {
        given.choose("key", || {
            let all: Keys = self.caller()?.json(&Call::get(self.path("/keys")?))?;
            Ok(all.keys.into_iter().map(|key| (key.key, format!("of slot {}", key.slot))).collect())
        })
    }

    /// The rotation that was meant: of the newest hundred, where not the whole id was given.
    pub(super) fn rotation_id(&self, client: &Client, given: &IdArg) -> Result<ActionId, Failure> {
        given.choose("rotation", || {
            let all: Rotations = client.json(&Call::get(self.path("/rotations")?))?;
            let named = all.rotations.into_iter();
            Ok(named.map(|one| (one.rotation, format!("of slot {} ({})", one.slot, one.state))).collect())
        })
    }

    /// The incident or drill that was meant.
    pub(super) fn incident_id(&self, client: &Client, given: &IdArg) -> Result<IncidentId, Failure> {
        given.choose("incident", || self.incidents(client, &[]))
    }

    /// The drill that was meant.
    pub(super) fn drill_id(&self, client: &Client, given: &IdArg) -> Result<IncidentId, Failure> {
        given.choose("drill", || self.incidents(client, &["drill=true".to_owned()]))
    }

    fn incidents(&self, client: &Client, query: &[String]) -> Result<Vec<(IncidentId, String)>, Failure> {
        let all = Incidents::all(self, client, query)?;
        Ok(all.incidents.iter().map(|one| (one.incident, console::head(one))).collect())
    }

    /// The certificate that was meant.
    pub(super) fn certificate_id(&self, client: &Client, given: &IdArg) -> Result<CertificateId, Failure> {
        given.choose("certificate", || {
            let all: Certificates = client.json(&Call::get(self.path("/certificates")?))?;
            let named = all.certificates.into_iter();
            Ok(named.map(|one| (one.certificate, format!("of slot {} ({})", one.slot, one.state))).collect())
        })
    }

    /// The action that was meant.
    pub(super) fn action_id(&self, client: &Client, given: &IdArg) -> Result<ActionId, Failure> {
        given.choose("action", || {
            let (mut all, mut after) = (Vec::new(), None::<u64>);
            loop {
                let after_this = after.map(|seq| format!("?after={seq}")).unwrap_or_default();
                let page: Actions = client.json(&Call::get(self.path(&format!("/actions{after_this}"))?))?;
                let named = page.actions.into_iter();
                all.extend(
                    named
                        .map(|action| (action.action, format!("{} ({})", action.kind, action.status.name()))),
                );
                let next = page
                    .next
                    .and_then(|next| next.as_u64())
                    .filter(|next| after.is_none_or(|seq| *next > seq));
                let Some(next) = next else { return Ok(all) };
                after = Some(next);
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "01a2015c-8a7e-7a43-9c4f-0d1b5a1d2c3e";
    const B: &str = "01a2015c-8a7e-7a43-9c4f-0d1b5a1dffff";

    fn choose(text: &str) -> Result<MemberId, Failure> {
        let all = [(A.parse().unwrap(), "Ann".to_owned()), (B.parse().unwrap(), "Ben".to_owned())];
        text.parse::<IdArg>().unwrap().choose("member", || Ok(all.to_vec()))
    }

    #[test]
    fn a_unique_beginning_or_end_is_enough() {
        assert_eq!(choose("5a1d2c3e").unwrap().to_string(), A);
        assert_eq!(choose("01A2015C-8A7E-7A43-9C4F-0D1B5A1DF").unwrap().to_string(), B);
        let unknown = "11a2015c-8a7e-7a43-9c4f-0d1b5a1d2c3e";
        assert_eq!(choose(unknown).unwrap().to_string(), unknown);
    }

    #[test]
    fn an_ambiguous_one_is_refused_with_who_fits() {
        let refused = choose("01a2015c").unwrap_err().to_string();
        assert!([A, B, "Ann", "Ben"].iter().all(|told| refused.contains(told)), "{refused}");
        assert!(choose("99999999").unwrap_err().to_string().contains("no member"));
    }

    #[test]
    fn less_than_eight_characters_or_other_ones_are_no_id() {
        for text in ["", "5a1d2c3", "not-an-id", "../../../x", "5a1d2c3e/approve"] {
            assert!(text.parse::<IdArg>().is_err(), "{text}");
        }
    }
}
