//! Every form of /propose sends what the API accepts, whatever the type.

use std::collections::BTreeSet;

use integration::rotating::certify;
use integration::tenant::{sha256, signing_policy, text};
use integration::{Server, Tenant};
use sealbook_ledger::action::ActionType;
use serde_json::json;

use crate::support::{Browser, walk};

/// The roles of whoever proposes and decides here.
const ALL: &[&str] = &["approver", "change_board", "key_owner", "platform_admin", "security_reviewer"];

/// What each form is opened with, and filled in beyond what it begins with.
struct Case {
    kind: ActionType,
    link: String,
    fill: fn(&Browser),
}

/// A tenant in which every type has something to be about: a CA with a certificate among it, and a key that was given up, by
/// their keys.
struct Stage {
    tenant: Tenant,
    credential: String,
    root: String,
    spent: String,
}

/// A CA that certifies itself, and its key.
fn root(tenant: &Tenant) -> String {
    let certificate = json!({ "issuer": { "kind": "self" }, "policies": [], "required": false,
        "subject": { "common_name": "Acme Root" }, "usage": { "kind": "issuing", "path_len": 1 },
        "validity_days": 3650 });
    let mut params = tenant.slot_params("root", "ecdsa-p256-sha256", &signing_policy());
    params["rotation_days"] = json!(1825);
    params["overlap_days"] = json!(90);
    params["rotation"] = json!({ "certificate": certificate, "channels": [], "old_key_signs": false,
        "overlap_days": 90, "propose_days": 14, "revoke_superseded": false, "rotation_days": 1825, "v": 1 });
    text(&tenant.executed("slot.create", &params)["created"]["key"]).to_owned()
}

/// A certificate policy of the slot that the CA is to issue for.
const CERTIFICATE: &str = r#"{"issuer": {"kind": "slot", "slot": "root"}, "policies": [], "required": true,
"subject": {"common_name": "Acme Releases"}, "usage": {"kind": "code_signing"}, "validity_days": 397}"#;

fn stage(server: &Server) -> Stage {
    let recovery: &[&str] = &["recovery"];
    let tenant = Tenant::founded_with(server, &[ALL, ALL, ALL, ALL, recovery, recovery]);
    let mut policy = signing_policy();
    policy["approval"] = json!(["production"]);
    tenant.slot_with("apt-repo", "ecdsa-p256-sha256", &policy);
    let root = root(&tenant);
    certify(&tenant, "root", "active");
    let spent = text(&tenant.slot("spent", "ecdsa-p256-sha256")["created"]["key"]).to_owned();
    tenant.executed("key.revoke", &json!({ "key": spent, "reason": "superseded" }));
    let service = tenant.service(&["apt-repo"]).id;
    let member = &tenant.person(2).id;
    let held = tenant.stranger();
    tenant.executed("credential.add", &json!({ "member": member, "credential": held.credential() }));
    let credential = text(&held.credential()["credential_id"]).to_owned();
    let credential_path = format!("members/{member}/credentials/{credential}");
    for suspended in ["slots/apt-repo", &format!("services/{service}"), &credential_path] {
        tenant.post(&format!("/{suspended}/suspend"), &json!({})).expect(201);
    }
    let again = tenant.post(&format!("/members/{member}/invitations"), &json!({})).expect(201).json();
    for ticket in [tenant.invited(&["approver"]), text(&again["ticket"]).to_owned()] {
        let body = json!({ "registration": tenant.stranger().registration(&ticket) });
        tenant.anonymous().with_token(&ticket).post(&tenant.path("/candidates/register"), &body).expect(201);
    }
    Stage { tenant, credential, root, spent }
}

/// A device's certificate is given whole, or not at all.
fn names_the_devices_certificate(it: &Browser) {
    it.fill("Who can reach it", "Ada");
    it.fill("FIPS 140 certificate of the device (optional)", "4735");
    it.fill("Reason", "A test of its form.");
    it.click("Show what it changes");
    it.sees("Give the FIPS 140 certificate and its level, or neither.");
    it.fill("Security level of that certificate (optional)", "3");
}

fn cases(Stage { tenant, credential, root, spent }: &Stage) -> Vec<Case> {
    use ActionType as T;
    let member = &tenant.person(2).id;
    let about = format!("?member={member}&credential_id={credential}");
    let case = |kind, fill| Case { kind, link: String::new(), fill };
    let linked = |kind, link: &str| Case { kind, link: link.to_owned(), fill: |_| {} };
    vec![
        case(T::ApprovalRpSet, |it| it.fill("Web origins", "https://sealbook.example.com")),
        linked(T::CredentialAdd, &format!("?member={member}")),
        linked(T::CredentialRemove, &about),
        case(T::CertificateIssue, |_| {}),
        case(T::CertificateRevoke, |it| it.at_moment("Not to be believed since (optional)", -1)),
        case(T::HsmAccessReview, |it| {
            it.fill("Who can reach it", "Ada\nthe build farm");
            it.fill("Findings (optional)", "A badge too many.");
        }),
        case(T::HsmAccessReview, names_the_devices_certificate),
        case(T::KeyAdopt, |it| {
            it.fill("Name", "adopted");
            it.fill("Label of the key", "an older key");
            it.fill("SHA-256 of its public key", &sha256(b"its public key"));
        }),
        linked(T::KeyDestroy, &format!("?key={spent}")),
        linked(T::KeyRotate, &format!("?slot=root&old_key={root}")),
        case(T::KeyRotateEmergency, |_| {}),
        case(T::KeyRevoke, |_| {}),
        // That somebody else may hold it can be found out later.
        linked(T::KeyRevoke, &format!("?key={spent}&reason=key_compromise")),
        case(T::KeyRevokeEmergency, |it| {
            it.choose("Why it is revoked", "somebody else may hold or have used it");
            it.at_moment("Suspected since (optional)", -1);
        }),
        case(T::LedgerEvidenceKeySet, |_| {}),
        case(T::LedgerKeyRecover, |_| {}),
        case(T::LedgerKeyRotate, |_| {}),
        case(T::MemberEnroll, |_| {}),
        case(T::MemberRemove, |it| it.choose("Member", "Founder 4")),
        linked(T::MemberRestore, &about),
        case(T::PolicySet, |it| it.click("Only attested hardware authenticators may be enrolled")),
        case(T::RoleGrant, |it| {
            it.choose("Member", "Founder 3");
            it.choose("Role", "incident commander");
            it.at_moment("Until (optional)", 7);
        }),
        case(T::RoleRevoke, |it| {
            it.choose("Member", "Founder 3");
            it.choose("Role", "change board");
        }),
        case(T::ServiceEnroll, |it| {
            it.fill("Name (optional)", "the build farm");
            it.click("apt-repo");
        }),
        case(T::ServiceGrant, |it| it.fill("Days that a new token holds (optional)", "30")),
        case(T::ServiceRemove, |_| {}),
        case(T::ServiceRestore, |_| {}),
        case(T::SigningApprove, |it| {
            it.choose("Environment", "production");
            it.fill("Digest of the artifact", &sha256(b"an artifact"));
            it.fill("Artifact (optional)", "app.bin");
        }),
        case(T::SigningBatch, |it| {
            it.choose("Environment", "production");
            let list = format!("{}  one.bin\n{} *two.bin", sha256(b"one"), sha256(b"two"));
            it.fill("The list", &list);
        }),
        case(T::SlotCreate, |it| it.fill("Name", "release")),
        case(T::SlotPolicySet, |it| it.fill("Signatures a minute (optional)", "30")),
        case(T::SlotResume, |_| {}),
        case(T::SlotRotationSet, |it| {
            it.fill("Channels that have to move before the old key retires (optional)", "web\napt-stable");
            it.fill("Certificate (optional)", CERTIFICATE);
        }),
        linked(T::MemberRecover, &format!("?member={member}")),
    ]
}

#[test]
fn every_form_sends_what_the_api_accepts() {
    let server = Server::shared();
    let stage = stage(&server);
    let (tenant, cases) = (&stage.tenant, cases(&stage));
    // Of the rules that ledgers open under. There are none to adopt beyond them, and that form says so.
    let covered: BTreeSet<ActionType> = cases.iter().map(|case| case.kind).collect();
    let known = ActionType::of(sealbook::ceremony::RULES);
    let left: Vec<ActionType> = known.filter(|kind| !covered.contains(kind)).collect();
    assert_eq!(left, [ActionType::RulesAdopt]);
    walk("forms", |[ada, sealed]| {
        ada.signs_in(&server, tenant.person(0));
        sealed.signs_in(&server, tenant.person(4));
        for Case { kind, link, fill } in cases {
            let person = if kind == ActionType::MemberRecover { sealed } else { ada };
            person.visits(&server, tenant, &format!("/propose/{kind}{link}"));
            // Lists of who has registered come after the page.
            person.sees_no_more("Asking …");
            fill(person);
            person.fill("Reason", "A test of its form.");
            person.click("Show what it changes");
            person.sees("Propose with passkey");
            person.snap(kind.name());
            // Nobody announced a standby key here: that is the rules' to refuse, not the form's.
            if kind == ActionType::LedgerKeyRecover {
                continue;
            }
            if matches!(kind, ActionType::ServiceEnroll | ActionType::ServiceGrant) {
                person.click("I have kept it");
            }
            person.click("Propose with passkey");
            person.arrives(kind.name(), |path| path.contains("/actions/"));
        }
    });
}
