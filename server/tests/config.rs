//! What `sealbook serve --config FILE` accepts and refuses.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a panic there is the report")]

use sealbook::config::{Config, ConfigError, DatabaseTls, Listener};
use sealbook::notifying::model::Kind;

const TOKEN: &str = "sbo_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A complete configuration; `@TOKEN@` and `@PASSWORD@` stand for files.
const GOOD: &str = r#"
listen = "0.0.0.0:8443"
public_url = "https://sealbook.example.com"
origin_prefix = "sealbook.example.com"
data_folder = "/var/lib/sealbook"
operator_token_file = "@TOKEN@"
behind_proxy = false

[rp]
id = "example.com"
origins = ["https://sealbook.example.com"]

[database]
url = "postgres://sealbook_app@db.example.com/sealbook"
password_file = "@PASSWORD@"

[tls]
cert = "/etc/sealbook/tls.crt"
key = "/etc/sealbook/tls.key"

[custody]
ledger_backend = "hsm"

[custody.backends.hsm]
module = "/usr/lib/softhsm/libsofthsm2.so"
token_label = "sealbook"
pin_env = "HSM_PIN"
"#;

struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token"), format!("{TOKEN}\n")).unwrap();
        std::fs::write(folder.path().join("password"), "secret words\n").unwrap();
        std::fs::write(folder.path().join("empty"), "\n").unwrap();
        Self { folder }
    }

    fn load(&self, text: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let at = |name: &str| self.folder.path().join(name).display().to_string();
        let text = text.replace("@TOKEN@", &at("token")).replace("@PASSWORD@", &at("password"));
        let text = text.replace("@EMPTY@", &at("empty"));
        let path = self.folder.path().join("sealbook.toml");
        std::fs::write(&path, &text).unwrap();
        Config::parse(&text, &|name| {
            environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }
}

#[test]
fn a_complete_file_is_read_into_types() {
    let config = Files::new().load(GOOD, &[]).unwrap();
    assert_eq!(config.listen.port(), 8443);
    assert!(matches!(config.listener, Listener::Tls { .. }));
    assert_eq!(config.rp.id(), "example.com");
    assert_eq!(config.database.tls(), &DatabaseTls::VerifyFull { root_cert: None });
    assert_eq!(config.database.app().get_password(), Some(b"secret words".as_slice()));
    assert!(config.database.owner().is_none());
    assert_eq!(config.custody.ledger_backend().as_str(), "hsm");
    assert_eq!(config.limits.max_unsealed.as_secs(), 5);
    let tenant = "acme".parse().unwrap();
    assert_eq!(config.origin_prefix.origin(&tenant).unwrap().as_str(), "sealbook.example.com/acme");
}

#[test]
fn the_environment_stands_above_the_file() {
    let files = Files::new();
    let environment = [
        ("SEALBOOK_LISTEN", "[::1]:1"),
        ("SEALBOOK_RP_ORIGINS", "https://a.example.com, https://b.example.com"),
        ("SEALBOOK_DATABASE_POOL_SIZE", "7"),
        ("SEALBOOK_TOKEN", "a client's variable, not the server's"),
    ];
    let config = files.load(GOOD, &environment).unwrap();
    assert_eq!(config.listen, "[::1]:1".parse().unwrap());
    assert_eq!(config.rp.origins().len(), 2);
    assert_eq!(config.database.pool_size(), 7);

    let proxies = files.load(GOOD, &[("SEALBOOK_TRUSTED_PROXIES", "10.0.0.7, 10.1.0.0/16")]).unwrap();
    assert_eq!(proxies.trusted_proxies, ["10.0.0.7", "10.1.0.0/16"].map(|proxy| proxy.parse().unwrap()));

    for (name, value) in [("SEALBOOK_DATABASE_POOL_SIZE", "many"), ("SEALBOOK_BEHIND_PROXY", "yes")] {
        let error = files.load(GOOD, &[(name, value)]).expect_err(name);
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn secrets_appear_in_no_debug_output_and_no_error() {
    let files = Files::new();
    let config = files.load(GOOD, &[]).unwrap();
    let shown = format!("{:?}", config.database);
    assert!(!shown.contains("secret words"), "{shown}");
    for bad in [
        GOOD.replace("sealbook_app@", "sealbook_app:hunter2@"),
        GOOD.replace("password_file = \"@PASSWORD@\"", "password = \"hunter2\""),
        GOOD.replace("password_file = \"@PASSWORD@\"", "password = \"hunter2"),
    ] {
        let error = files.load(&bad, &[]).expect_err("a password has no place here");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
}

/// Replaces `from` by `to` in the good file; the refusal names `key`.
const BAD: [(&str, &str, &str); 50] = [
    ("listen = \"0.0.0.0:8443\"", "", "`listen`"),
    ("\"0.0.0.0:8443\"", "\"8443\"", "`listen`"),
    ("\"0.0.0.0:8443\"", "8443", "line 2"),
    ("listen =", "lisen =", "lisen"),
    ("[rp]", "[rp]\nname = \"x\"", "name"),
    ("[database]", "[database]\nhost = \"x\"", "host"),
    ("token_label = \"sealbook\"", "", "token_label"),
    ("token_label = \"sealbook\"", "token_label = \"sealbook\"\npin = \"1\"", "pin"),
    ("public_url = \"https://", "public_url = \"http://", "`public_url`"),
    (
        "public_url = \"https://sealbook.example.com\"",
        "public_url = \"https://a.example.com/\"",
        "`public_url`",
    ),
    (
        "public_url = \"https://sealbook.example.com\"",
        "public_url = \"https://u@a.example.com\"",
        "`public_url`",
    ),
    (
        "public_url = \"https://sealbook.example.com\"",
        "public_url = \"https://a.example.com:443\"",
        "`public_url`",
    ),
    (
        "public_url = \"https://sealbook.example.com\"",
        "public_url = \"https://a.example.com:99999\"",
        "`public_url`",
    ),
    ("origin_prefix = \"sealbook.example.com\"", "", "`origin_prefix`"),
    ("origin_prefix = \"sealbook.example.com\"", "origin_prefix = \"https://a\"", "`origin_prefix`"),
    ("origin_prefix = \"sealbook.example.com\"", "origin_prefix = \"a/\"", "`origin_prefix`"),
    ("\"/var/lib/sealbook\"", "\"data\"", "`data_folder`"),
    ("operator_token_file = \"@TOKEN@\"", "", "`operator_token_file`"),
    ("operator_token_file = \"@TOKEN@\"", "operator_token_file = \"/nowhere\"", "`operator_token_file`"),
    ("operator_token_file = \"@TOKEN@\"", "operator_token_file = \"@EMPTY@\"", "`operator_token_file`"),
    ("operator_token_file = \"@TOKEN@\"", "operator_token_file = \"@PASSWORD@\"", "`operator_token_file`"),
    ("behind_proxy = false", "behind_proxy = true", "`tls`"),
    ("behind_proxy = false", "trusted_proxies = [\"proxy.example.com\"]", "`trusted_proxies`"),
    ("behind_proxy = false", "trusted_proxies = [\"0.0.0.0/0\"]", "`trusted_proxies`"),
    ("behind_proxy = false", "trusted_proxies = [\"10.0.0.7/8\"]", "`trusted_proxies`"),
    ("cert = \"/etc/sealbook/tls.crt\"", "", "`tls.cert`"),
    ("key = \"/etc/sealbook/tls.key\"", "", "`tls.key`"),
    ("id = \"example.com\"", "", "`rp.id`"),
    ("id = \"example.com\"", "id = \"localhost\"", "`rp.id`"),
    ("id = \"example.com\"", "id = \"127.0.0.1\"", "`rp.id`"),
    ("id = \"example.com\"", "id = \"::1\"", "`rp.id`"),
    ("id = \"example.com\"", "id = \"Example.com\"", "`rp.id`"),
    ("id = \"example.com\"", "id = \"com\"", "`rp.id`"),
    ("origins = [\"https://sealbook.example.com\"]", "origins = []", "`rp.origins`"),
    (
        "origins = [\"https://sealbook.example.com\"]",
        "origins = [\"https://badexample.com\"]",
        "`rp.origins`",
    ),
    (
        "origins = [\"https://sealbook.example.com\"]",
        "origins = [\"http://sealbook.example.com\"]",
        "`rp.origins`",
    ),
    ("sealbook_app@db", "sealbook_app:hunter2@db", "password_file"),
    ("db.example.com/sealbook", "db.example.com/sealbook?sslmode=disable", "database.tls"),
    ("password_file =", "tls = \"disable\"\npassword_file =", "`database.tls`"),
    ("password_file =", "tls = \"require\"\npassword_file =", "`database.root_cert`"),
    ("password_file =", "pool_size = 1\npassword_file =", "`database.pool_size`"),
    (
        "password_file =",
        "owner_url = \"postgres://sealbook_app@db/x\"\npassword_file =",
        "`database.owner_url`",
    ),
    ("ledger_backend = \"hsm\"", "ledger_backend = \"other\"", "`custody.ledger_backend`"),
    ("pin_env = \"HSM_PIN\"", "", "`custody.backends.hsm`"),
    ("pin_env =", "pin_file = \"/pin\"\npin_env =", "`custody.backends.hsm`"),
    ("pin_env =", "sessions = 0\npin_env =", "`custody.backends.hsm.sessions`"),
    ("pin_env =", "sessions = 65\npin_env =", "`custody.backends.hsm.sessions`"),
    ("pin_env =", "call_timeout_ms = 0\npin_env =", "`custody.backends.hsm.call_timeout_ms`"),
    ("pin_env =", "fips_certificates = \"1\"\npin_env =", "fips_certificates"),
    (
        "[custody.backends.hsm]",
        "[limits]\nmax_unsealed_seconds = 0\n[custody.backends.hsm]",
        "max_unsealed_seconds",
    ),
];

#[test]
fn every_mistake_is_refused_by_the_name_of_its_key_and_with_what_to_write() {
    let files = Files::new();
    for (from, to, key) in BAD {
        assert!(GOOD.contains(from), "the table has gone stale: {from}");
        let error = files.load(&GOOD.replacen(from, to, 1), &[]).expect_err(to);
        let text = error.to_string();
        assert!(text.contains(key), "{from} → {to}: {text}");
        assert!(
            matches!(error, ConfigError::Syntax { .. } | ConfigError::SecretFile { .. })
                || text.contains("write "),
            "{text}"
        );
    }
}

#[test]
fn a_database_without_tls_must_be_on_this_machine() {
    let files = Files::new();
    for (host, accepted) in [
        ("127.0.0.1", true),
        ("localhost", true),
        ("%2Frun%2Fpostgresql", true),
        ("10.0.0.1", false),
        ("localhost.example.com", false),
        ("localhost,10.0.0.1", false),
    ] {
        let text = GOOD.replace("db.example.com", host).replace("[tls]", "tls = \"disable\"\n[tls]");
        assert_eq!(files.load(&text, &[]).is_ok(), accepted, "{host}");
    }
}

const SECRET: &str = "a receiver's secret, of 32 bytes and more";

/// A destination whose secret is in the environment.
const WEBHOOK: &str = r#"
[[webhooks]]
name = "chat"
url = "https://hooks.example.com/services/T0PSECRET"
secret_env = "HOOK_SECRET"
tenants = ["acme"]
kinds = ["action.waiting", "custody.trouble"]
"#;

#[test]
fn a_destination_is_told_of_its_kinds_and_tenants_alone_and_shows_no_secret() {
    let files = Files::new();
    assert!(files.load(GOOD, &[]).unwrap().webhooks.is_empty());
    let environment = [("HOOK_SECRET", SECRET)];
    let config = files.load(&format!("{GOOD}{WEBHOOK}"), &environment).unwrap();
    let [hook] = &config.webhooks[..] else { panic!("one was configured") };
    let (acme, other) = ("acme".parse().unwrap(), "other".parse().unwrap());
    assert!(hook.wants(Kind::ActionWaiting, Some(&acme)));
    assert!(!hook.wants(Kind::ActionWaiting, Some(&other)));
    assert!(!hook.wants(Kind::ActionRefused, Some(&acme)));
    assert!(hook.wants(Kind::CustodyTrouble, None));
    assert!(!hook.allow_private && !hook.disclose);
    let shown = format!("{config:?}");
    assert!(!shown.contains(SECRET) && !shown.contains("T0PSECRET"), "{shown}");
    let every = WEBHOOK.replace("[\"acme\"]", "\"*\"");
    let config = files.load(&format!("{GOOD}{every}"), &environment).unwrap();
    assert!(config.webhooks[0].wants(Kind::ActionWaiting, Some(&other)));
}

/// Replaces `from` by `to` in the destination; the refusal names `key`.
const BAD_WEBHOOK: [(&str, &str, &str); 17] = [
    ("name = \"chat\"\n", "", "`webhooks.name`"),
    ("\"chat\"", "\"Chat room\"", "`webhooks.name`"),
    ("\"chat\"", "\"\"", "`webhooks.name`"),
    ("url = \"https://hooks.example.com/services/T0PSECRET\"\n", "", "`webhooks.url`"),
    ("https://hooks", "http://hooks", "`webhooks.chat.url`"),
    ("hooks.example.com", "127.0.0.1", "`webhooks.chat.url`"),
    ("hooks.example.com", "10.1.2.3", "`webhooks.chat.url`"),
    ("hooks.example.com", "[fe80::1]", "`webhooks.chat.url`"),
    ("hooks.example.com", "user:word@hooks.example.com", "`webhooks.chat.url`"),
    ("secret_env = \"HOOK_SECRET\"\n", "", "`webhooks.secret_file`"),
    ("HOOK_SECRET", "HOOK_SHORT", "`webhooks.chat.secret`"),
    ("HOOK_SECRET", "HOOK_UNSET", "`webhooks.secret_env`"),
    ("tenants = [\"acme\"]\n", "", "`webhooks.chat.tenants`"),
    ("[\"acme\"]", "\"acme\"", "`webhooks.chat.tenants`"),
    ("[\"acme\"]", "[\"A B\"]", "`webhooks.chat.tenants`"),
    ("\"action.waiting\"", "\"action.everything\"", "`webhooks.chat.kinds`"),
    ("\"action.waiting\", \"custody.trouble\"", "", "`webhooks.chat.kinds`"),
];

#[test]
fn every_mistake_about_a_destination_is_refused_without_showing_its_url() {
    let files = Files::new();
    let environment = [("HOOK_SECRET", SECRET), ("HOOK_SHORT", "short")];
    let refused = |section: &str| {
        let error = files.load(&format!("{GOOD}{section}"), &environment).expect_err(section);
        format!("{error}")
    };
    for (from, to, key) in BAD_WEBHOOK {
        assert!(WEBHOOK.contains(from), "the table has gone stale: {from}");
        let text = refused(&WEBHOOK.replacen(from, to, 1));
        assert!(text.contains(key) && text.contains("write "), "{from} → {to}: {text}");
        assert!(!text.contains("T0PSECRET") && !text.contains("short\""), "{text}");
    }
    assert!(refused(&WEBHOOK.repeat(2)).contains("two destinations"));
    let many: String = (0..17).map(|n| WEBHOOK.replace("\"chat\"", &format!("\"chat-{n}\""))).collect();
    assert!(refused(&many).contains("too many"));
    // Also in clear sight of a private network, clouds' credentials are not for receivers.
    let private = WEBHOOK.replace("hooks.example.com", "169.254.169.254") + "allow_private = true\n";
    assert!(refused(&private).contains("no receiver"));
}
