//! The harness itself, on pages of its own: what the other tests here believe of Chromium.

use integration::{Api, Person};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::pages::{POLICY, Page, Pages, Request};
use crate::support::{Browser, Key, walk};

/// A secret cookie as Sealbook sets it.
const COOKIE: &str = "__Host-sealbook=a-session; Path=/; Secure; HttpOnly; SameSite=Strict";

fn pages() -> Pages {
    Pages::serve(|request: &Request| match request.path.as_str() {
        "/passkey" => Page::new("text/html", include_str!("testdata/passkey.html"))
            .with("content-security-policy", POLICY),
        "/passkey.css" => Page::new("text/css", include_str!("testdata/passkey.css")),
        "/passkey.js" => Page::new("text/javascript", include_str!("testdata/passkey.js")),
        "/cookie" => {
            Page::new("text/plain", request.header("cookie").unwrap_or("none")).with("set-cookie", COOKIE)
        }
        "/broken" => Page::new(
            "text/html",
            "<body><img src='data:,'><p onclick='1'>no</p><pre>".to_owned() + &"wide".repeat(900),
        )
        .with("content-security-policy", POLICY),
        // Chromium asks for it by itself, and complains where there is none.
        "/favicon.ico" => Page::new("image/svg+xml", "<svg xmlns='http://www.w3.org/2000/svg'/>"),
        _ => Page::missing(),
    })
}

fn answer(browser: &Browser) -> Value {
    browser.sees("done");
    let answer = browser.run("return document.getElementById('status').dataset.answer", &[]);
    serde_json::from_str(answer.as_str().unwrap()).unwrap()
}

/// What Chromium 156 gives, headless, from a virtual authenticator: attestation `direct` is granted without a prompt;
/// its format is `packed` with a certificate (of no root that anybody knows), the AAGUID is the one below, and the
/// credential is not backup-eligible. EdDSA is taken where it is listed first. The user handle comes back.
#[test]
fn a_passkey_is_made_with_direct_attestation_and_used_without_being_named() {
    const UP_UV_AT: u64 = 0x45;
    const UP_UV: u64 = 0x05;
    let pages = pages();
    walk("harness-passkey", |[ada]| {
        for transport in ["usb", "internal"] {
            let key = if transport == "usb" { ada.security_key() } else { ada.platform_key() };
            ada.visit(&pages.url("/passkey"));
            ada.click("Make a passkey");
            let made = answer(ada);
            assert_eq!((&made["format"], &made["certificate"]), (&json!("packed"), &json!(true)));
            assert_eq!(made["aaguid"], "01020304050607080102030405060708");
            assert_eq!((&made["flags"], &made["algorithm"]), (&json!(UP_UV_AT), &json!(-8)));
            assert_eq!(made["transports"], json!([transport]));

            ada.reload();
            ada.click("Use a passkey");
            let used = answer(ada);
            assert_eq!((&used["id"], &used["flags"]), (&made["id"], &json!(UP_UV)));
            assert_eq!(used["user"].as_str().unwrap().len(), 32, "a user handle of 16 bytes, in hex");
            assert_eq!(key.keys().len(), 1);
            key.unplug();
        }
    });
}

#[test]
fn a_key_can_be_stolen() {
    let pages = pages();
    walk("harness-theft", |[ada, ben]| {
        let (hers, his) = (ada.security_key(), ben.security_key());
        ada.visit(&pages.url("/passkey"));
        ada.click("Make a passkey");
        let made = answer(ada);

        ben.visit(&pages.url("/passkey"));
        ben.click("Use a passkey");
        ben.sees("refused: NotAllowedError");
        his.put(&hers.key());
        ben.click("Use a passkey");
        let used = answer(ben);
        assert_eq!(used["id"], made["id"]);
        assert_eq!(hers.key().user_handle(), his.key().user_handle());

        his.remove(&hers.key());
        assert_eq!(his.keys().len(), 0);
        hers.verifies_user(false);
        ada.click("Use a passkey");
        ada.sees("refused: NotAllowedError");
    });
}

/// People who came over the API go on in a browser.
#[test]
fn a_software_authenticators_key_works_in_a_browser() {
    let (pages, folder) = (pages(), tempfile::tempdir().unwrap());
    // Nothing is asked of the API.
    let mut person = Person::new(folder.path(), &Api::new(1), &pages.url(""));
    person.id = Uuid::new_v4().to_string();
    walk("harness-software", |[ada]| {
        ada.security_key().put(&Key::of(&person));
        ada.visit(&pages.url("/passkey"));
        ada.fill("Your name", "Ada");
        ada.choose("Seat", "security reviewer");
        ada.click("I am sure");
        ada.click("Use a passkey");
        let used = answer(ada);
        assert_eq!(used["user"], person.id.replace('-', ""));
        assert_eq!((&used["name"], &used["seat"]), (&json!("Ada"), &json!("security reviewer")));
        assert_eq!(used["sure"], true);
    });
}

#[test]
fn everything_can_be_done_by_keyboard() {
    let pages = pages();
    walk("harness-keyboard", |[ada]| {
        let _key = ada.security_key();
        ada.visit(&pages.url("/passkey"));
        let keyboard = ada.keyboard();
        keyboard.fill("Your name", "Ada Ünal");
        keyboard.choose("Seat", "security reviewer");
        keyboard.toggle("I am sure");
        keyboard.press("Make a passkey");
        answer(ada);
        ada.reload();
        keyboard.fill("Your name", "Ada Ünal");
        keyboard.choose("Seat", "security reviewer");
        keyboard.toggle("I am sure");
        keyboard.press("Use a passkey");
        let used = answer(ada);
        assert_eq!((&used["seat"], &used["sure"]), (&json!("security reviewer"), &json!(true)));
        assert_eq!(used["name"], "Ada Ünal");
        ada.sees_no_more("ready");
        keyboard.press("A cookie");
        ada.arrives("the page of the link", |path| path == "/cookie");
    });
}

#[test]
fn secure_cookies_of_a_host_are_kept_for_localhost() {
    let pages = pages();
    walk("harness-cookie", |[ada]| {
        ada.visit(&pages.url("/cookie"));
        ada.sees("none");
        ada.reload();
        ada.sees("__Host-sealbook=a-session");
        assert_eq!(ada.run("return document.cookie", &[]), "");
    });
}

#[test]
fn what_is_wrong_with_a_page_is_found() {
    let pages = pages();
    walk("harness-faults", |[ada]| {
        ada.visit(&pages.url("/passkey"));
        ada.looks("passkey");
        ada.expects_quiet();

        ada.visit(&pages.url("/broken"));
        ada.expects_complaint("Content Security Policy");
        let rules: Vec<String> = ada.violations().into_iter().map(|found| found.rule).collect();
        for rule in ["document-title", "html-has-lang", "image-alt"] {
            assert!(rules.iter().any(|found| found == rule), "{rule} is missing of {rules:?}");
        }
        let told = ada.overflow().unwrap();
        assert!(told.contains("px too wide"), "{told}");
        // The screen of a page that is too wide shows it as wide as it is.
        ada.snap("broken");
    });
}
