//! What is not to be believed any more: whether every list says so, the newest list of each CA's key, and what was revoked.

mod listed;
mod lists;
mod rows;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};

use actix_web::{HttpResponse, get, web};
use askama::Template;
use sealbook_ledger::action::ActionType;
use sealbook_ledger::ids::{KeyId, Seq};
use sealbook_ledger::revocation::REVOKING;
use serde::Deserialize;

use super::Visit;
use super::page::{self, Frame, Place};
use super::propose::proposers;
use crate::http::problem::Problem;
use crate::views::revocations::{self, RevokedView, What};
use rows::Row;
use verdict::Verdict;

pub(super) use lists::ListRow;
pub(super) use rows::why;

/// Keys and certificates of a page; a key's certificates stand with it.
const MAX_ROWS: usize = 50;

/// The page.
#[derive(Template)]
#[template(path = "revocations.html")]
struct RevocationsPage {
    frame: Frame,
    verdict: Verdict,
    lists: Vec<ListRow>,
    rows: Vec<Row>,
    /// Whether the page begins further down than at the newest.
    begins_later: bool,
    /// What the next page begins with.
    next: Option<String>,
    /// What can be asked for, in which words, and whether the member may.
    doings: Vec<Doing>,
    /// Whether the rules in force know lists.
    known: bool,
}

/// Something to propose.
struct Doing {
    kind: &'static str,
    title: &'static str,
    about: &'static str,
    may: May,
}

/// Whether the member may propose it.
enum May {
    /// Yes.
    Open,
    /// These may.
    Others(String),
    /// The ledger policy says nothing of it.
    Nobody,
}

/// Where the page begins, as the address says; what can't be read asks for the newest.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    /// The id of a key or a certificate.
    from: String,
}

/// A key, or a certificate that was revoked alone; with a key the certificates that it took along.
struct Group {
    one: RevokedView,
    certificates: Vec<RevokedView>,
}

#[get("/t/{tenant}/revocations")]
pub(super) async fn revocations_page(
    visit: Visit,
    asked: web::Query<Asked>,
) -> Result<HttpResponse, Problem> {
    let (founded, at) = (visit.member.founded()?, visit.member.at);
    let known = founded.rules() >= REVOKING;
    let issuers = if known { revocations::issuers(founded, at) } else { BTreeSet::new() };
    let ledger = &visit.member.ledger;
    let lists = revocations::lists(founded, ledger.tenant().as_str(), &ledger.list_numbers, at);
    let revoked = revocations::revoked(founded);
    let verdict = Verdict::of(founded, &issuers, &lists, &revoked, at);
    let all = groups(revoked);
    let begin = all.iter().position(|group| group.is_about(&asked.from)).unwrap_or(0);
    let next = all.get(begin + MAX_ROWS).map(|group| group.one.id());
    let mut page: Vec<Group> = all.into_iter().skip(begin).take(MAX_ROWS).collect();
    let ones = page.iter_mut().map(|group| &mut group.one).collect();
    revocations::name_askers(visit.store(), visit.ledger(), ones).await?;
    let rows = page.into_iter().map(|group| Row::new(&visit, founded, &issuers, group));
    page::show(&RevocationsPage {
        frame: visit.frame("Revocations", Place::Revocations),
        verdict,
        lists: lists.into_iter().map(|list| ListRow::new(&visit, founded, list, at)).collect(),
        rows: rows.collect::<Result<_, _>>()?,
        begins_later: begin > 0,
        next,
        doings: doings(&visit)?,
        known,
    })
}

/// The newest first. Certificates stand with their key where one event took both.
fn groups(revoked: Vec<RevokedView>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut of_keys: BTreeMap<(Seq, KeyId), usize> = BTreeMap::new();
    for one in revoked {
        let (place, of_key) = (groups.len(), (one.seq, one.key));
        let key = of_keys.get(&of_key).filter(|_| one.what == What::Certificate);
        if let Some(group) = key.and_then(|place| groups.get_mut(*place)) {
            group.certificates.push(one);
            continue;
        }
        if one.what == What::Key {
            of_keys.insert(of_key, place);
        }
        groups.push(Group { one, certificates: Vec::new() });
    }
    groups
}

impl Group {
    /// Whether it is about the key or the certificate of an id.
    fn is_about(&self, id: &str) -> bool {
        std::iter::once(&self.one).chain(&self.certificates).any(|one| one.id() == id)
    }
}

/// What can be asked for here.
fn doings(visit: &Visit) -> Result<Vec<Doing>, Problem> {
    let founded = visit.member.founded()?;
    let about = [
        (
            ActionType::KeyRevoke,
            "Revoke a key",
            "It signs nothing any more, and its certificates go with it.",
        ),
        (
            ActionType::KeyRevokeEmergency,
            "Revoke a key in an emergency",
            "Break-glass: your own signature fills one seat.",
        ),
        (ActionType::CertificateRevoke, "Revoke a certificate", "Its key goes on, and may have another."),
        (ActionType::KeyDestroy, "Destroy a key", "Its device forgets a key that is out of use."),
    ];
    let doing = |(kind, title, about): (ActionType, _, _)| {
        let may = match founded.policy().actions.get(&kind) {
            None => May::Nobody,
            Some(rule) if !rule.proposing(&visit.member.roles).is_empty() => May::Open,
            Some(rule) => May::Others(proposers(rule)),
        };
        Doing { kind: kind.name(), title, about, may }
    };
    let known = about.into_iter().filter(|(kind, ..)| kind.rules() <= founded.rules());
    Ok(known.map(doing).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KEY: &str = "01934f00-0000-7000-8000-0000000000c1";

    fn revoked(seq: u64, key: &str, certificate: Option<&str>) -> RevokedView {
        let what = if certificate.is_some() { "certificate" } else { "key" };
        let mut view = json!({
            "what": what, "slot": "apt-repo", "key": key, "revocation_reason": "superseded", "reason_code": 4,
            "revoked_at": "2026-12-05T10:00:00.000000Z", "action": "01934f00-0000-7000-8000-0000000000a1",
            "seq": seq,
        });
        if let Some(certificate) = certificate {
            view["certificate"] = json!(certificate);
        }
        serde_json::from_value(view).unwrap()
    }

    #[test]
    fn a_keys_certificates_stand_with_it_where_one_event_took_both() {
        let [along, before, others] =
            ["d1", "d2", "d3"].map(|end| format!("01934f00-0000-7000-8000-0000000000{end}"));
        let other = "01934f00-0000-7000-8000-0000000000c2";
        let groups = groups(vec![
            revoked(9, KEY, None),
            revoked(9, KEY, Some(&along)),
            revoked(9, other, Some(&others)),
            revoked(4, KEY, Some(&before)),
        ]);
        let ids: Vec<String> = groups.iter().map(|group| group.one.id()).collect();
        assert_eq!(ids, [KEY, &others, &before]);
        assert_eq!(groups[0].certificates.len(), 1);
        assert!(groups[0].is_about(&along) && groups[0].is_about(KEY) && !groups[0].is_about(&before));
    }
}
