//! Markup, script and formulas in everything that people and services can type: it is shown as it was written, on every
//! page where it appears, and nothing of it runs.

use integration::tenant::{Opened, in_seconds, open_with, sha256, signing_policy, text};
use integration::{Server, Service, Tenant};
use sealbook::http::token::{Token, TokenKind};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::pages::{POLICY, Page, Pages, Request};
use crate::support::{Browser, walk};

/// Founders who decide on signatures, too.
const BOARD: [&str; 4] = ["approver", "change_board", "platform_admin", "security_reviewer"];

/// What an attacker types into a field: a formula for spreadsheets, a script, an end of attribute and element, a handler,
/// a link that is a script.
fn hostile(field: &str) -> String {
    format!(
        "=1+1<script>window.ran=1</script>\"'><img src=x onerror=window.ran=1>\
         <a href=javascript:window.ran=1>{field}</a>"
    )
}

/// Notes, in every page from its first moment on, what its policy refused.
const TRAP: &str = "
    window.refusedByPolicy = [];
    document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
        window.refusedByPolicy.push(`${violatedDirective} ${blockedURI}`));";

/// What came of hostile text: whether it ran, what the page's policy had to refuse, and elements that nobody made.
const CAUGHT: &str = r#"
    const scripts = [...document.scripts].filter(({ src }) => !src.startsWith(`${location.origin}/static/`));
    const handlers = [...document.querySelectorAll("*")].filter(element =>
        [...element.attributes].some(({ name }) => name.startsWith("on")));
    const others = document.querySelectorAll("img[src=x], [href^='javascript:' i], [action^='javascript:' i]");
    return [
        ...(window.ran === undefined ? [] : ["it ran"]),
        ...window.refusedByPolicy.map(refused => `refused: ${refused}`),
        ...[...scripts, ...handlers, ...others].map(({ outerHTML }) => outerHTML.slice(0, 200)),
    ];
"#;

impl Browser {
    fn sets_traps(&self) {
        self.devtools("Page.enable", json!({}));
        self.devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": TRAP }));
    }

    fn caught(&self) -> Vec<String> {
        let caught = self.run(CAUGHT, &[]);
        caught.as_array().unwrap().iter().map(|it| text(it).to_owned()).collect()
    }

    /// Fails unless the page shows what was typed into these fields, letter for letter, and nothing of it works.
    #[track_caller]
    fn shows_literally(&self, fields: &[&str]) {
        for field in fields {
            let written = hostile(field);
            self.until(&format!("what was typed as {field}"), || {
                let holds = "const fields = [...document.querySelectorAll('input, textarea')];
                     return [document.body.textContent, ...fields.map(({ value }) => value)]
                         .some(text => text.includes(arguments[0]));";
                self.run(holds, &[written.clone().into()]).as_bool().filter(|held| *held)
            });
        }
        assert_eq!(self.caught(), Vec::<String>::new(), "at {}", self.url());
    }
}

/// A tenant in which whoever could typed what is hostile.
struct Defaced {
    tenant: Tenant,
    /// An action that waits: a proposal with a reason and a name.
    enrolment: Value,
    /// One that a service asked for: an artifact to sign.
    approval: Value,
    /// A release: a list with names.
    release: Value,
    invitation: String,
    /// An incident with a reason and a note.
    incident: String,
}

impl Defaced {
    fn new(server: &Server) -> Self {
        let founders: Vec<Value> = (1..4)
            .map(|n| json!({ "display_name": hostile(&format!("founder {n}")), "roles": BOARD }))
            .collect();
        let opened = open_with(server, &[], &json!({ "founders": founders }));
        let tenant = Tenant::found(server, opened);
        let mut guarded = signing_policy();
        guarded["approval"] = json!(["production"]);
        tenant.slot_with("release", "ecdsa-p256-sha256", &guarded);
        tenant.slot("watched", "ecdsa-p256-sha256");
        let (service, enrolment) = enrolled(&tenant);
        tenant.approved(&enrolment);
        let approval = asked(&tenant, &service);
        let release = listed(&tenant, &service);
        let enrolment = enrolled(&tenant).1;
        says_why(&tenant, &service);
        let invited = tenant
            .post("/candidates", &json!({ "display_name": hostile("candidate"), "roles": ["auditor"] }));
        let invitation = text(&invited.expect(201).json()["ticket"]).to_owned();
        let incident = suspected(&tenant);
        Self { tenant, enrolment, approval, release, invitation, incident }
    }
}

/// Proposes a service, with a hostile name for a hostile reason.
fn enrolled(tenant: &Tenant) -> (Service, Value) {
    let (id, token) = (Uuid::new_v4().to_string(), Token::draw(TokenKind::Service).unwrap());
    let body = json!({
        "type": "service.enroll", "reason": hostile("reason"), "private": { "display_name": hostile("service") },
        "params": {
            "service": id, "slots": ["release"], "token_sha256": token.sha256(),
            "token_expires_at": in_seconds(24 * 60 * 60),
        },
    });
    let proposer = tenant.person(0);
    let draft = tenant.post("/actions/draft", &body).expect(200).json();
    let action =
        tenant.post("/actions", &tenant.proposal(proposer, "platform_admin", &draft)).expect(201).json();
    (Service { id, api: tenant.anonymous().with_token(&token.reveal()) }, action)
}

/// Asks, as a service, for a signature that people approve, and for one that they need not.
fn asked(tenant: &Tenant, service: &Service) -> Value {
    let artifact =
        json!({ "name": hostile("artifact"), "version": hostile("version"), "ticket": hostile("ticket") });
    let path = tenant.path("/slots/release/sign");
    let body = |environment: &str| json!({ "digest": sha256(b"an artifact"), "environment": environment, "artifact": artifact });
    service.api.post(&path, &body("staging")).expect(200);
    let asked = service.api.post(&path, &body("production")).expect(202).json();
    tenant.get(&format!("/actions/{}", text(&asked["action"]))).expect(200).json()
}

/// Asks, as a service, for a release.
fn listed(tenant: &Tenant, service: &Service) -> Value {
    let artifacts = json!([{ "name": hostile("listed"), "digest": sha256(b"another") }]);
    let body = json!({ "artifacts": artifacts, "reason": hostile("release") });
    let asked = service.api.post(&tenant.path("/slots/release/batches"), &body).expect(202).json();
    tenant.get(&format!("/actions/{}", text(&asked["action"]))).expect(200).json()
}

/// Says why somebody and something is stopped, and describes evidence.
fn says_why(tenant: &Tenant, service: &Service) {
    tenant.post("/slots/release/suspend", &json!({ "reason": hostile("slot stopped") })).expect(201);
    let path = format!("/services/{}/suspend", service.id);
    tenant.post(&path, &json!({ "reason": hostile("service stopped") })).expect(201);
    let path = format!("/members/{}/suspend", tenant.person(2).id);
    tenant.post(&path, &json!({ "reason": hostile("member stopped") })).expect(201);
    let evidence = json!({
        "digest": sha256(b"a report"), "media_type": "text/html", "description": hostile("evidence"),
        "subject": { "kind": "slot", "id": "release" },
    });
    tenant.post("/evidence", &evidence).expect(201);
}

/// Opens an incident, whose reason takes no markup, and notes something: about a slot of its own, for it voids what waits to
/// be signed.
fn suspected(tenant: &Tenant) -> String {
    let mut body = json!({ "slot": "watched", "contain": false, "reason": hostile("incident") });
    tenant.post("/incidents", &body).refused(400, "advisory.markup");
    body["reason"] = json!("somebody typed this");
    let opened = tenant.post("/incidents", &body).expect(201).json();
    let path = format!("/incidents/{}", text(&opened["incident"]));
    tenant.post(&format!("{path}/note"), &json!({ "text": hostile("note") })).expect(200);
    path
}

/// The newest event of a type.
fn event(tenant: &Tenant, kind: &str) -> String {
    let events = tenant.get(&format!("/events?type={kind}")).expect(200).json()["events"].clone();
    let newest = events.as_array().unwrap().last().unwrap_or_else(|| panic!("no {kind}"));
    format!("/ledger/{}", newest["seq"])
}

#[test]
fn what_people_and_services_type_is_text_on_every_page() {
    let server = Server::shared();
    let defaced = Defaced::new(&server);
    let tenant = &defaced.tenant;
    let action = |action: &Value| format!("/actions/{}", text(&action["action"]));
    // A program that signed in says its name in a header.
    let session = tenant.person(0).session_body(&tenant.name);
    let agent = [("content-type", "application/json"), ("user-agent", &hostile("agent"))];
    let body = session.to_string();
    tenant.anonymous().send("POST", &tenant.path("/session"), &agent, body.as_bytes()).expect(201);
    let pages: Vec<(String, &[&str])> = vec![
        ("/inbox".into(), &["founder 1", "service", "reason", "release"]),
        (action(&defaced.enrolment), &["founder 1", "service", "reason"]),
        (action(&defaced.approval), &["artifact", "version", "ticket", "service"]),
        (action(&defaced.release), &["release", "listed", "service"]),
        ("/incidents".into(), &["founder 1"]),
        (defaced.incident.clone(), &["founder 1", "note"]),
        ("/slots".into(), &["founder 1"]),
        ("/slots/release".into(), &["founder 1", "artifact", "service"]),
        ("/ledger".into(), &["founder 1", "founder 2", "service"]),
        (event(tenant, "action.proposed"), &["service"]),
        (event(tenant, "service.enrolled"), &["service"]),
        (event(tenant, "signature.authorized"), &["artifact", "version", "ticket"]),
        (event(tenant, "slot.suspended"), &["slot stopped", "founder 1"]),
        (event(tenant, "service.suspended"), &["service stopped", "service"]),
        (event(tenant, "member.suspended"), &["member stopped", "founder 3"]),
        (event(tenant, "evidence.recorded"), &["evidence"]),
        ("/people".into(), &["founder 1", "founder 3", "service", "candidate"]),
        ("/audit".into(), &["founder 1"]),
        ("/audit?list=approvals".into(), &["founder 2"]),
        ("/health".into(), &["founder 1"]),
        ("/sessions".into(), &["agent", "founder 1"]),
        ("/propose".into(), &["founder 1"]),
        ("/propose/slot.create".into(), &["founder 1", "founder 2"]),
        ("/propose/service.grant".into(), &["service"]),
        ("/propose/member.remove".into(), &["founder 2"]),
    ];
    walk("hostile-text", |[ada]| {
        ada.sets_traps();
        ada.signs_in(&server, tenant.person(0));
        for (page, fields) in pages {
            ada.visits(&server, tenant, &page);
            ada.shows_literally(fields);
        }
        // Exchanged by a live page, it is text as well.
        ada.visits(&server, tenant, &action(&defaced.release));
        ada.sees("The digests are those of the document on this page");
        ada.snap("release");
        tenant.decide(tenant.person(1), "change_board", "reject", &defaced.release).expect(200);
        ada.sees("Rejected");
        ada.shows_literally(&["release", "listed", "service"]);
        ada.snap("exchanged");
    });
}

#[test]
fn what_is_typed_for_the_invited_and_for_founders_is_text_on_their_pages() {
    let server = Server::shared();
    let founders: Vec<Value> =
        (1..3).map(|n| json!({ "display_name": hostile(&format!("founder {n}")), "roles": BOARD })).collect();
    let opened = open_with(&server, &[], &json!({ "founders": founders }));
    let Opened { name, tickets, .. } = &opened;
    let defaced = Defaced::new(&server);
    walk("hostile-links", |[ada]| {
        ada.sets_traps();
        let _key = ada.security_key();
        ada.visit(&format!("{}/t/{}/join#{}", server.url(), defaced.tenant.name, defaced.invitation));
        ada.sees("register an authenticator");
        ada.shows_literally(&["candidate"]);
        ada.click("Register an authenticator");
        ada.sees("Registered, and not yet in force");
        assert_eq!(ada.caught(), Vec::<String>::new());

        ada.visit(&format!("{}/t/{name}/found#{}", server.url(), tickets[0]));
        ada.sees("Register your authenticator");
        ada.shows_literally(&["founder 1", "founder 2"]);
        ada.fill("Your name, as the others will see it", &hostile("renamed"));
        ada.click("Register an authenticator");
        ada.sees("You are registered");
        ada.shows_literally(&["founder 2"]);
        ada.snap("founding");
    });
}

/// What is typed into an address comes back on the page that answers it.
#[test]
fn what_is_typed_into_an_address_is_text_on_the_page_that_answers() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 2);
    tenant.slot("apt-repo", "ed25519");
    let typed =
        |field: &str| url::form_urlencoded::byte_serialize(hostile(field).as_bytes()).collect::<String>();
    let own = |rest: String| format!("/t/{}{rest}", tenant.name);
    let shown = own(format!("/ledger?action={}&correlation={}", typed("action"), typed("work")));
    let refused = [
        own(format!("/audit?at={}", typed("at"))),
        own(format!("/audit?list={}", typed("list"))),
        own(format!("/ledger?actor={}", typed("actor"))),
        own(format!("/ledger?slot={}", typed("slot"))),
        own(format!("/propose/slot.resume?slot={}", typed("slot"))),
        own(format!("/propose/{}", typed("type"))),
        own(format!("/slots/{}", typed("slot"))),
        own(format!("/ledger/{}", typed("seq"))),
        own(format!("/actions/{}", typed("action"))),
        format!("/t/{}/inbox", typed("tenant")),
        format!("/t/{}/join", typed("tenant")),
        format!("/t/{}/found", typed("tenant")),
        format!("/{}", typed("path")),
        format!("/signin?next={}", typed("next")),
        "/signin?next=javascript:window.ran=1".to_owned(),
        "/signin?next=//localhost:1/t/".to_owned(),
    ];
    walk("hostile-addresses", |[ada]| {
        ada.sets_traps();
        ada.signs_in(&server, tenant.person(0));
        ada.visit(&format!("{}{shown}", server.url()));
        ada.shows_literally(&["action", "work"]);
        for address in refused {
            ada.visit(&format!("{}{address}", server.url()));
            ada.sees("Sealbook");
            assert_eq!(ada.caught(), Vec::<String>::new(), "{address}");
            assert_eq!(ada.url().host_str(), Some("localhost"));
            assert_eq!(ada.url().port(), Some(server.port()), "led away by {address}");
            ada.forgives("Failed to load resource");
            // A field for a date takes none of it, and says so.
            ada.forgives("does not conform to the required format");
        }
    });
}

/// A cell that begins like a formula would be run by the spreadsheet of whoever opens the auditors' list.
#[test]
fn no_list_of_the_auditors_holds_a_formula() {
    let server = Server::shared();
    let defaced = Defaced::new(&server);
    let list = |what: &str| {
        let list = defaced.tenant.get(&format!("/audit/{what}?format=csv")).expect(200);
        assert_eq!(list.header("content-type"), Some("text/csv; charset=utf-8; header=present"));
        assert_eq!(list.header("x-content-type-options"), Some("nosniff"));
        assert!(list.header("content-disposition").unwrap().starts_with("attachment;"));
        cells(&list.text())
    };
    for (what, named) in
        [("members", "founder 3"), ("approvals", "founder 2"), ("keys", ""), ("refusals", "")]
    {
        let cells = list(what);
        let formula = |cell: &&String| cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
        assert_eq!(cells.iter().find(formula), None, "in the list of {what}");
        let guarded = format!("'{}", hostile(named));
        assert!(named.is_empty() || cells.contains(&guarded), "{named} is not in {cells:?}");
    }
}

/// The cells of RFC 4180 text.
fn cells(text: &str) -> Vec<String> {
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => cell.extend(chars.next()),
            '"' => quoted = !quoted,
            ',' | '\n' if !quoted => cells.push(std::mem::take(&mut cell)),
            '\r' if !quoted => {}
            c => cell.push(c),
        }
    }
    assert!(!quoted && cell.is_empty(), "no end in {text}");
    cells
}

/// The traps themselves: on a page that takes text for markup, they catch it, with a policy or without.
#[test]
fn a_page_that_took_text_for_markup_would_be_caught() {
    let pages = Pages::serve(|request: &Request| {
        let page = |title: &str| Page::new("text/html", format!("<title>{title}</title>{}", hostile("name")));
        match request.path.as_str() {
            "/open" => page("open"),
            "/kept" => page("kept").with("content-security-policy", POLICY),
            _ => Page::missing(),
        }
    });
    walk("traps", |[ada]| {
        ada.sets_traps();
        ada.visit(&pages.url("/open"));
        let caught = ada.caught();
        assert!(caught.contains(&"it ran".to_owned()), "{caught:?}");
        ada.visit(&pages.url("/kept"));
        let caught = ada.caught();
        assert!(!caught.contains(&"it ran".to_owned()), "{caught:?}");
        assert!(caught.iter().any(|it| it.starts_with("refused: script-src")), "{caught:?}");
        for part in ["<script>", "<img", "<a href=\"javascript:"] {
            assert!(caught.iter().any(|it| it.starts_with(part)), "{part} is missing of {caught:?}");
        }
        ada.expects_complaint("Content Security Policy");
        ada.forgives("Failed to load resource");
    });
}
