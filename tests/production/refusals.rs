//! What is refused before anything is served, with a sentence that says what to do.

use crate::authority::Authority;
use crate::deployment::Deployment;

#[test]
fn a_database_under_another_authority_or_name_is_not_spoken_to() {
    let deployment = Deployment::prepare();
    let other = Authority::new(&deployment.at("other"));
    let root = deployment.at("ca/root.crt").display().to_string();
    deployment.reconfigure(&root, &other.root().display().to_string());
    for command in ["migrate", "serve"] {
        let refused = deployment.operated([command]).expect(1);
        assert!(refused.stderr.contains("invalid peer certificate"), "{}", refused.stderr);
        deployment.keeps_its_secrets_from("the refusal", &refused.stderr);
    }
    deployment.reconfigure(&other.root().display().to_string(), &root);
    deployment.reconfigure("deployer@localhost", "deployer@127.0.0.1");
    let refused = deployment.operated(["migrate"]).expect(1);
    assert!(refused.stderr.contains("not valid for name"), "{}", refused.stderr);
}

#[test]
fn a_database_that_was_not_migrated_is_refused_with_what_to_run() {
    let deployment = Deployment::prepare();
    let refused = deployment.operated(["serve"]).expect(1);
    assert!(refused.stderr.contains("sealbook migrate"), "{}", refused.stderr);
    deployment.reconfigure("deployer@", "sealbook_app@");
    let refused = deployment.operated(["migrate"]).expect(1);
    assert!(refused.stderr.contains("database.owner_url"), "{}", refused.stderr);
}

#[test]
fn a_wrong_password_is_refused_and_not_shown() {
    let deployment = Deployment::prepare();
    deployment.operated(["migrate"]).expect(0);
    deployment.write_secret("app_password", "another password");
    let refused = deployment.operated(["serve"]).expect(1);
    assert!(refused.stderr.contains("password authentication failed"), "{}", refused.stderr);
    assert!(!refused.stderr.contains("another password"), "{}", refused.stderr);
}

#[test]
fn what_only_a_development_server_may_have_is_refused_in_production() {
    let deployment = Deployment::prepare();
    for (from, to, key) in [
        ("id = \"sealbook.example.com\"", "id = \"localhost\"", "`rp.id`"),
        ("public_url = \"https://", "public_url = \"http://", "`public_url`"),
        ("tls = \"verify-full\"\n", "tls = \"none\"\n", "`database.tls`"),
    ] {
        deployment.reconfigure(from, to);
        let refused = deployment.operated(["serve"]).expect(1);
        assert!(refused.stderr.contains(key), "{}", refused.stderr);
        deployment.reconfigure(to, from);
    }
    deployment.write_secret("operator_token", "0123456789abcdef0123456789abcdef");
    let refused = deployment.operated(["serve"]).expect(1);
    assert!(refused.stderr.contains("`operator_token_file`"), "{}", refused.stderr);
    assert!(!refused.stderr.contains("0123456789abcdef"), "{}", refused.stderr);
}
