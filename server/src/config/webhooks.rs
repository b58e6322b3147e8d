//! `[[webhooks]]`: the only place that says where notices go.

use std::collections::BTreeSet;

use aws_lc_rs::hmac;
use sealbook_ledger::ids::TenantName;

use super::{ConfigError, Environment, raw, secret};
use crate::notifying::model::{Endpoint, Kind, MAX_WEBHOOKS, MIN_SECRET, Tenants, Webhook};

const WRITE_NAME: &str = "1 to 63 of a-z, 0-9 and inner hyphens, another for each";

/// Checks every destination.
pub(super) fn parse(
    sections: Vec<raw::Webhook>,
    environment: Environment<'_>,
) -> Result<Vec<Webhook>, ConfigError> {
    if sections.len() > MAX_WEBHOOKS {
        return Err(ConfigError::value("webhooks", "are too many", "at most 16 sections"));
    }
    let mut webhooks: Vec<Webhook> = Vec::with_capacity(sections.len());
    for section in sections {
        let webhook = one(section, environment)?;
        if webhooks.iter().any(|other| other.name == webhook.name) {
            let key = format!("webhooks.{}", webhook.name);
            return Err(ConfigError::value(key, "is the name of two destinations", WRITE_NAME));
        }
        webhooks.push(webhook);
    }
    Ok(webhooks)
}

fn one(raw: raw::Webhook, environment: Environment<'_>) -> Result<Webhook, ConfigError> {
    let name = raw.name.ok_or(ConfigError::Missing { key: "webhooks.name", write: WRITE_NAME })?;
    if !is_name(&name) {
        return Err(ConfigError::value("webhooks.name", "is no name", WRITE_NAME));
    }
    let key = |part: &str| format!("webhooks.{name}.{part}");
    let write = "where notices go, e.g. \"https://hooks.example.com/sealbook\"";
    let url = raw.url.ok_or(ConfigError::Missing { key: "webhooks.url", write })?;
    let endpoint = Endpoint::parse(&url, raw.allow_private)
        .map_err(|problem| ConfigError::value(key("url"), problem, write))?;
    let file = ("webhooks.secret_file", raw.secret_file);
    let found = secret(file, ("webhooks.secret_env", raw.secret_env), environment)?;
    let write = "a file (secret_file) or variable (secret_env) with 32 characters or more, \
         e.g. of: openssl rand -hex 32";
    let found = found.ok_or(ConfigError::Missing { key: "webhooks.secret_file", write })?;
    if found.len() < MIN_SECRET {
        return Err(ConfigError::value(key("secret"), "is too short", write));
    }
    Ok(Webhook {
        endpoint,
        key: hmac::Key::new(hmac::HMAC_SHA256, found.as_bytes()),
        tenants: tenants(raw.tenants, &key("tenants"))?,
        kinds: kinds(&raw.kinds, &key("kinds"))?,
        allow_private: raw.allow_private,
        disclose: raw.disclose,
        name,
    })
}

fn is_name(text: &str) -> bool {
    let clean = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(clean)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn tenants(raw: Option<raw::Names>, key: &str) -> Result<Tenants, ConfigError> {
    let write = "a list of tenants, e.g. [\"acme\"], or \"*\" for all of them";
    let names = match raw {
        Some(raw::Names::One(text)) if text == "*" => return Ok(Tenants::All),
        Some(raw::Names::Several(names)) if !names.is_empty() => names,
        Some(_) | None => return Err(ConfigError::value(key, "names no tenant", write)),
    };
    let parsed: Result<BTreeSet<TenantName>, _> = names.iter().map(|name| name.parse()).collect();
    parsed.map(Tenants::These).map_err(|_| ConfigError::value(key, "lists what is no tenant's name", write))
}

fn kinds(names: &[String], key: &str) -> Result<BTreeSet<Kind>, ConfigError> {
    let write = "a list of action.waiting, action.approved, action.refused, action.overdue, custody.trouble, \
         sealing.trouble";
    let kinds: Option<BTreeSet<Kind>> = names.iter().map(|name| Kind::named(name)).collect();
    match kinds {
        Some(kinds) if !kinds.is_empty() => Ok(kinds),
        Some(_) => Err(ConfigError::value(key, "names nothing to tell of", write)),
        None => Err(ConfigError::value(key, "lists what nobody tells of", write)),
    }
}
