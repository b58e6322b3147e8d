//! `sealbook doctor`: what stands in the way, from where you are.

use std::path::Path;

use sealbook_ledger::ids::TenantName;
use sealbook_ledger::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::context::{Context, now};
use super::failure::Failure;
use super::output::{printable, table};
use crate::client::answers::Tenants;
use crate::client::{Call, Client, Probe};

/// How far clocks may differ, in seconds: beyond it the server refuses to append, and tokens expire early.
const MAX_SKEW_S: i64 = 2;

/// Programs that people check signatures with.
const TOOLS: [&str; 1] = ["openssl"];

#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    ok: bool,
    found: String,
}

/// Check the server, the clocks and the tools from here
#[derive(Debug, clap::Args)]
pub struct DoctorCommand {
    /// Also have every sealed event read again, now (takes the operator's token)
    #[arg(long)]
    scrub: bool,
}

#[derive(Deserialize)]
struct Scrubbed {
    events: u64,
    unexplained: usize,
}

/// Runs the command.
pub fn run(command: &DoctorCommand, context: &Context) -> Result<(), Failure> {
    let client = context.anonymous()?;
    let alive = client.probe("/healthz");
    let mut checks = vec![reachable(&client, alive.as_ref())];
    if let Ok(probe) = &alive {
        checks.push(skew(probe)?);
        checks.push(ready(&client));
    }
    checks.extend(TOOLS.map(tool));
    if command.scrub {
        checks.extend(scrub(context)?);
    }
    let failed = checks.iter().filter(|check| !check.ok).count();
    let rows: Vec<Vec<String>> = checks
        .iter()
        .map(|check| {
            vec![if check.ok { "ok" } else { "NO" }.to_owned(), check.name.to_owned(), check.found.clone()]
        })
        .collect();
    context.out.show(&checks, || table(&["", "CHECK", "FOUND"], &rows))?;
    match failed {
        0 => Ok(()),
        failed => Err(Failure::Unhealthy { failed, checks: checks.len() }),
    }
}

/// Has the sealed events of every tenant read again and the devices looked through.
fn scrub(context: &Context) -> Result<Vec<Check>, Failure> {
    let operator = context.operator()?;
    let tenants: Tenants = operator.json(&Call::get("/v1/tenants"))?;
    let one = |tenant: &TenantName| -> Result<Check, Failure> {
        let call = Call::post(format!("/v1/tenants/{tenant}/scrub"), &serde_json::json!({}))?;
        Ok(match operator.json::<Scrubbed>(&call) {
            Ok(Scrubbed { events, unexplained: 0 }) => Check {
                name: "scrub",
                ok: true,
                found: format!("{tenant}: {events} sealed events are as they were"),
            },
            Ok(Scrubbed { unexplained, .. }) => Check {
                name: "scrub",
                ok: false,
                found: format!("{tenant}: {unexplained} objects in the devices that no event explains"),
            },
            Err(error) => Check { name: "scrub", ok: false, found: format!("{tenant}: {error}") },
        })
    };
    tenants.tenants.iter().map(|entry| one(&entry.tenant)).collect()
}

fn reachable(client: &Client, probe: Result<&Probe, &crate::client::ClientError>) -> Check {
    let (ok, found) = match probe {
        Ok(probe) => (probe.status == 200, format!("{} answers {}", client.base(), probe.status)),
        Err(error) => (false, error.to_string()),
    };
    Check { name: "server", ok, found }
}

fn ready(client: &Client) -> Check {
    let (ok, found) = match client.probe("/readyz") {
        Ok(probe) if probe.status == 200 => (true, "ready".to_owned()),
        Ok(probe) => {
            let missing: Option<Value> = serde_json::from_slice(&probe.body).ok();
            let text =
                missing.map_or_else(|| format!("status {}", probe.status), |missing| missing.to_string());
            (false, printable(&text))
        }
        Err(error) => (false, error.to_string()),
    };
    Check { name: "readiness", ok, found }
}

/// `Date` has whole seconds, and the answer took a moment: one second is no skew.
fn skew(probe: &Probe) -> Result<Check, Failure> {
    let server = probe.date.as_deref().and_then(parse_http_date);
    let Some(server) = server else {
        return Ok(Check { name: "clock", ok: false, found: "the server does not say its time".to_owned() });
    };
    let apart = (now()?.unix_micros() - server.unix_micros()) / 1_000_000;
    let found = format!("{} s apart", apart.abs());
    Ok(Check { name: "clock", ok: apart.abs() <= MAX_SKEW_S, found })
}

/// IMF-fixdate (RFC 9110 §5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
fn parse_http_date(text: &str) -> Option<Timestamp> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut parts = text.split(' ').skip(1);
    let (day, month, year, time) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let month = MONTHS.iter().position(|&name| name == month)? + 1;
    format!("{year}-{month:02}-{day}T{time}.000000Z").parse().ok()
}

fn tool(name: &'static str) -> Check {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let own = std::env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_owned));
    let found = std::env::split_paths(&path).chain(own).map(|folder| folder.join(name)).find(|f| f.is_file());
    Check {
        name,
        ok: found.is_some(),
        found: found.map_or_else(|| "not on the PATH".to_owned(), |file| file.display().to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_date_is_read() {
        let at = parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        assert_eq!(at.to_string(), "1994-11-06T08:49:37.000000Z");
        assert!(parse_http_date("yesterday").is_none());
    }
}
