//! Pages of a large ledger beside those of a small one, of one server.

use std::time::Instant;

use integration::{Api, Person, Tenant};
use sealbook_ledger::encoding::{B64, Hash};
use serde_json::json;

use crate::measure::{median, percentile};
use crate::report::{Goal, Row};

/// Requests of each page and ledger in a round.
const ASKED: usize = 200;

/// Rounds, by turns.
const ROUNDS: usize = 5;

/// A browser's session of a tenant's first person.
pub(crate) struct Browser<'a> {
    tenant: &'a Tenant,
    api: Api,
    cookie: String,
}

impl<'a> Browser<'a> {
    pub(crate) fn signed_in(tenant: &'a Tenant) -> Self {
        let own = [("sec-fetch-site", "same-origin"), ("content-type", "application/json")];
        let api = tenant.anonymous().clone();
        let asked = api.send("POST", "/v1/session/challenge", &own, b"{}").expect(200).json();
        let challenge: B64 =
            asked["public_key"]["challenge"].as_str().expect("a challenge").parse().expect("base64url");
        let person: &Person = tenant.person(0);
        let mut answer = person.assert(Hash(challenge.as_bytes().try_into().expect("32 bytes")));
        let handle = uuid::Uuid::parse_str(&person.id).expect("an id");
        answer["user_handle"] = json!(B64::from(handle.as_bytes().as_slice()).to_string());
        answer["challenge"] = asked["challenge"].clone();
        let begun = api.send("POST", "/v1/session", &own, answer.to_string().as_bytes()).expect(201);
        let set = begun.header("set-cookie").expect("a cookie");
        let cookie = set.split(';').next().expect("a cookie").to_owned();
        Self { tenant, api, cookie }
    }

    /// Milliseconds that a page took.
    fn time(&self, page: &str) -> f64 {
        let path = format!("/t/{}/{page}", self.tenant.name);
        let began = Instant::now();
        self.api.send("GET", &path, &[("cookie", &self.cookie), ("accept", "text/html")], &[]).expect(200);
        began.elapsed().as_secs_f64() * 1000.0
    }
}

/// The 99th percentiles of the story's first page, of one event's and of a slot's.
pub(crate) fn measure(large: &Tenant, small: &Tenant) -> Row {
    let (large, small) = (Browser::signed_in(large), Browser::signed_in(small));
    let mut beside = Vec::new();
    let mut worst: Option<(f64, f64)> = None;
    for (page, of_large, of_small) in [
        ("slots/release", "slot page, 1 M events, p99 ms", "slot page, 1 k events, p99 ms"),
        ("ledger", "story, 1 M events, p99 ms", "story, 1 k events, p99 ms"),
        ("ledger/500", "event page, 1 M events, p99 ms", "event page, 1 k events, p99 ms"),
    ] {
        let (mut at_large, mut at_small) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            for (browser, figures) in [(&large, &mut at_large), (&small, &mut at_small)] {
                let mut round: Vec<f64> = (0..ASKED).map(|_| browser.time(page)).collect();
                figures.push(percentile(&mut round, 0.99));
            }
        }
        let (value, baseline) = (median(at_large), median(at_small));
        beside.extend([(of_large, value), (of_small, baseline)]);
        if worst.is_none_or(|(large, small)| value / baseline > large / small) {
            worst = Some((value, baseline));
        }
    }
    let (value, baseline) = worst.unwrap_or_default();
    Row {
        name: "page_1m",
        value,
        unit: "ms",
        baseline: Some(baseline),
        goal: Some(Goal::RatioAtMost(2.0)),
        beside,
    }
}
