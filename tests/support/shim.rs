//! A device that counts its signatures and fails as it is told: SoftHSM behind [`pkcs11_shim`].

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

pub use pkcs11_shim::plan::{Fault, Function, Rule};
pub use pkcs11_shim::record::{Record, Stage};
pub use pkcs11_shim::rv;
use sealbook::custody::softhsm;
use tempfile::TempDir;

use crate::programs::library;
use crate::server::Options;
use crate::tenant::{Tenant, text};
use crate::waiting;

/// The device of a server, or of several. Its folder outlives them.
pub struct Shim {
    folder: TempDir,
    /// The number of the next rule.
    next: AtomicU64,
}

/// How often something was asked of a key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// `C_Sign` with an output buffer that were entered.
    pub entered: usize,
    /// Those of them that the real module answered with `CKR_OK`.
    pub signed: usize,
    /// Those that it refused.
    pub refused: usize,
}

/// Rules that stand; they are withdrawn when this is dropped.
pub struct Standing<'a> {
    shim: &'a Shim,
    numbers: Vec<u64>,
}

impl Default for Shim {
    fn default() -> Self {
        Self::new()
    }
}

impl Shim {
    /// A device without rules.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("sb-shim-").tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        Self { folder, next: AtomicU64::new(1) }
    }

    /// How a server is started on it.
    pub fn options(&self) -> Options {
        self.options_with(&[])
    }

    /// The same, with more arguments.
    pub fn options_with(&self, arguments: &[&str]) -> Options {
        let module = library("pkcs11_shim").display().to_string();
        let mut all = vec![String::from("--softhsm-module"), module];
        all.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        Options { arguments: all, environment: self.environment() }
    }

    /// The variables that the module needs, for servers that are started in another way.
    pub fn environment(&self) -> Vec<(String, String)> {
        let real = softhsm::find_module().unwrap().display().to_string();
        let folder = self.folder.path().display().to_string();
        vec![(pkcs11_shim::MODULE.to_owned(), real), (pkcs11_shim::FOLDER.to_owned(), folder)]
    }

    /// Sets a rule; see [`plan`](Self::plan).
    #[must_use = "the rule is withdrawn when this is dropped"]
    pub fn set(&self, rule: Rule) -> Standing<'_> {
        self.plan([rule])
    }

    /// Replaces all rules. They hold from the next call on.
    #[must_use = "the rules are withdrawn when this is dropped"]
    pub fn plan(&self, rules: impl IntoIterator<Item = Rule>) -> Standing<'_> {
        let numbered = rules.into_iter().map(|rule| {
            assert!(
                rule.key.as_deref().is_none_or(|key| !key.is_empty() && key != "*" && !key.contains('\t'))
            );
            Rule { number: self.next.fetch_add(1, Ordering::Relaxed), ..rule }
        });
        let rules: Vec<Rule> = numbered.collect();
        let lines: String = rules.iter().map(|rule| format!("{rule}\n")).collect();
        self.write_plan(&lines);
        Standing { shim: self, numbers: rules.iter().map(|rule| rule.number).collect() }
    }

    fn write_plan(&self, text: &str) {
        let draft = self.file("plan.draft");
        fs::write(&draft, text).unwrap();
        fs::rename(draft, self.file(pkcs11_shim::PLAN)).unwrap();
    }

    /// Every step of every signature, in the order in which they happened.
    pub fn calls(&self) -> Vec<Record> {
        let bytes = fs::read(self.file(pkcs11_shim::CALLS)).unwrap_or_default();
        // One that is being appended may be there in part.
        let whole = bytes.len() - bytes.len() % pkcs11_shim::record::RECORD_BYTES;
        Record::all(&bytes[..whole]).unwrap()
    }

    /// What was asked of each key, by its label.
    pub fn counts(&self) -> BTreeMap<String, Count> {
        let mut counts: BTreeMap<String, Count> = BTreeMap::new();
        for record in self.calls() {
            let count = counts.entry(record.key).or_default();
            match record.stage {
                Stage::Entered => count.entered += 1,
                Stage::Signed => count.signed += 1,
                Stage::Refused => count.refused += 1,
            }
        }
        counts
    }

    /// What was asked of one key.
    pub fn count(&self, label: &str) -> Count {
        self.counts().get(label).copied().unwrap_or_default()
    }

    /// The label of a slot's key.
    #[track_caller]
    pub fn slot_key(&self, tenant: &Tenant, slot: &str) -> String {
        let shown = tenant.get(&format!("/slots/{slot}")).expect(200).json();
        format!("{}{}", prefix(tenant), text(&shown["active_key"]))
    }

    /// The label of the key that sealed a tenant's founding: the first that signed for it.
    pub fn ledger_key(&self, tenant: &Tenant) -> String {
        waiting::until("the founding to be sealed", || {
            self.calls().into_iter().map(|call| call.key).find(|key| key.starts_with(&prefix(tenant)))
        })
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.folder().join(name)
    }

    /// Where plan and records are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Standing<'_> {
    /// How often one of the rules has taken effect.
    pub fn fired(&self) -> usize {
        let text = fs::read_to_string(self.shim.file(pkcs11_shim::FIRED)).unwrap_or_default();
        let fired = text.lines().filter_map(|line| line.trim().parse().ok());
        fired.filter(|number| self.numbers.contains(number)).count()
    }

    /// Waits until they have taken effect so often.
    pub fn wait_for(&self, times: usize) {
        waiting::until("a fault to take effect", || (self.fired() >= times).then_some(()));
    }

    /// Withdraws the rules: what hangs goes on.
    pub fn withdraw(self) {}
}

impl Drop for Standing<'_> {
    fn drop(&mut self) {
        // Not those that were set since.
        let plan = fs::read_to_string(self.shim.file(pkcs11_shim::PLAN)).unwrap_or_default();
        let stands = |line: &&str| line.parse().is_ok_and(|rule: Rule| !self.numbers.contains(&rule.number));
        let left: String = plan.lines().filter(stands).map(|line| format!("{line}\n")).collect();
        self.shim.write_plan(&left);
    }
}

/// What the labels of a tenant's keys begin with (`sealbook_ledger::slot::device_label`).
fn prefix(tenant: &Tenant) -> String {
    format!("sealbook/{}/", tenant.origin)
}
