//! How an incident or drill begins, and what is expected of those who respond.

use std::collections::BTreeMap;
use std::str::FromStr;

use clap::Args;
use sealbook_ledger::ids::SlotName;
use sealbook_ledger::incident::{IncidentStep, MAX_ACKNOWLEDGE_S, MAX_TARGET_S};
use serde_json::{Value, json};

use super::show;
use crate::cli::context::{Context, now};
use crate::cli::failure::Failure;
use crate::cli::short_id::IdArg;
use crate::client::Call;

/// What may have happened.
#[derive(Debug, Args)]
pub struct OpenArgs {
    /// The slot
    #[arg(long)]
    slot: SlotName,
    /// The key; the one that the slot signs with, if absent
    #[arg(long)]
    key: Option<IdArg>,
    /// Since when it is suspected, RFC 3339
    #[arg(long, value_name = "TIME")]
    suspected_since: Option<String>,
    /// Let the slot sign on: it is not suspended
    #[arg(long)]
    no_contain: bool,
    #[command(flatten)]
    expected: Expected,
}

/// What is said of an incident or drill as it begins.
#[derive(Debug, Clone, Args)]
pub struct Expected {
    /// Why, in plain text: the statement quotes it
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Within how many minutes those who are called have to answer
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_ACKNOWLEDGE_S / 60)))]
    acknowledge_within: Option<u32>,
    /// Within how many minutes a step is to be taken; give it for each
    #[arg(long = "target", value_name = "STEP=MINUTES")]
    targets: Vec<TargetArg>,
}

/// A step, and within how many seconds from the opening it is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct TargetArg(IncidentStep, u32);

impl FromStr for TargetArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (step, minutes) = text.split_once('=').ok_or("write it as contained=5")?;
        let known = IncidentStep::ALL.into_iter().find(|one| name(*one) == step);
        let step =
            known.ok_or_else(|| format!("a step is one of {}", IncidentStep::ALL.map(name).join(", ")))?;
        let within = minutes.parse().ok().filter(|minutes| (1..=MAX_TARGET_S / 60).contains(minutes));
        let minutes: u32 = within.ok_or_else(|| format!("1 to {} minutes", MAX_TARGET_S / 60))?;
        Ok(Self(step, minutes * 60))
    }
}

/// A step as the API names it.
pub(in crate::cli) fn name(step: IncidentStep) -> String {
    json!(step).as_str().unwrap_or_default().to_owned()
}

impl Expected {
    /// The members of a request that say so.
    pub(in crate::cli) fn members(&self) -> Result<[(&'static str, Option<Value>); 3], Failure> {
        let by = match self.acknowledge_within {
            Some(minutes) => Some(json!(now()?.plus_seconds(minutes * 60))),
            None => None,
        };
        let targets: BTreeMap<IncidentStep, u32> = self.targets.iter().map(|one| (one.0, one.1)).collect();
        let targets = (!targets.is_empty()).then(|| json!(targets));
        let reason = self.reason.clone().map(Value::from);
        Ok([("reason", reason), ("acknowledge_by", by), ("targets", targets)])
    }
}

/// An object of those members that are there.
pub(in crate::cli) fn stated(members: impl IntoIterator<Item = (&'static str, Option<Value>)>) -> Value {
    let there = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(there.collect())
}

pub(super) fn open(context: &Context, args: &OpenArgs) -> Result<(), Failure> {
    let key = args.key.as_ref().map(|key| context.key_id(key)).transpose()?;
    let about = [
        ("slot", Some(json!(args.slot))),
        ("key", key.map(|key| json!(key))),
        ("suspected_since", args.suspected_since.clone().map(Value::from)),
        ("contain", args.no_contain.then_some(json!(false))),
    ];
    let body = stated(about.into_iter().chain(args.expected.members()?));
    show(context, &context.person()?.client.json(&Call::post(context.path("/incidents")?, &body)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_step_and_minutes() {
        let target: TargetArg = "contained=5".parse().unwrap();
        assert_eq!(target, TargetArg(IncidentStep::Contained, 300));
        for wrong in ["contained", "contained=0", "contained=7201", "contained=5m", "opened=5", "=5"] {
            assert!(wrong.parse::<TargetArg>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_was_not_said_is_not_sent() {
        let body = stated([("slot", Some(json!("apt"))), ("reason", None)]);
        assert_eq!(body.to_string(), r#"{"slot":"apt"}"#);
    }
}
