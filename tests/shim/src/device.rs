//! The real module, and what is known of the calls into it.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use cryptoki_sys::{CK_FUNCTION_LIST, CK_MECHANISM_TYPE, CK_SESSION_HANDLE, CK_ULONG, CKR_OK};
use libloading::Library;

use crate::faults::Faults;
use crate::record::{Record, Stage};
use crate::{CALLS, FOLDER, MODULE};

/// Bytes of a signature's input that are recorded.
const RECORDED_INPUT: usize = 32;

/// The real module and the files of the folder, once for the process.
pub(crate) struct Device {
    pub(crate) real: CK_FUNCTION_LIST,
    pub(crate) faults: Faults,
    calls: File,
    numbers: AtomicU64,
    operations: Mutex<HashMap<CK_SESSION_HANDLE, Operation>>,
}

/// A signature that was begun on a session.
#[derive(Clone)]
pub(crate) struct Operation {
    /// The key's label.
    pub(crate) key: String,
    pub(crate) mechanism: CK_MECHANISM_TYPE,
    /// The mechanism's parameters, in words so that they are aligned.
    pub(crate) parameters: Vec<CK_ULONG>,
    pub(crate) parameter_bytes: CK_ULONG,
}

/// A `C_Sign` on record.
pub(crate) struct Call<'a> {
    device: &'a Device,
    record: Record,
}

impl Device {
    pub(crate) fn get() -> &'static Self {
        static DEVICE: OnceLock<Device> = OnceLock::new();
        DEVICE.get_or_init(Self::open)
    }

    fn open() -> Self {
        let variable =
            |name| PathBuf::from(std::env::var_os(name).unwrap_or_else(|| panic!("{name} is not set")));
        let folder = variable(FOLDER);
        let calls = OpenOptions::new().create(true).append(true).open(folder.join(CALLS));
        Self {
            real: load(variable(MODULE)),
            faults: Faults::open(&folder),
            calls: calls.expect("the folder can be written"),
            numbers: AtomicU64::new(0),
            operations: Mutex::default(),
        }
    }

    pub(crate) fn begun(&self, session: CK_SESSION_HANDLE, operation: Operation) {
        self.operations.lock().unwrap_or_else(PoisonError::into_inner).insert(session, operation);
    }

    /// The signature that was last begun on a session.
    pub(crate) fn operation(&self, session: CK_SESSION_HANDLE) -> Option<Operation> {
        self.operations.lock().unwrap_or_else(PoisonError::into_inner).get(&session).cloned()
    }

    /// Puts a call on record, before anything is forwarded.
    pub(crate) fn enter(&self, key: &str, input: &[u8]) -> Call<'_> {
        let input = &input[..input.len().min(RECORDED_INPUT)];
        let record = Record {
            stage: Stage::Entered,
            process: std::process::id(),
            call: self.numbers.fetch_add(1, Ordering::Relaxed) + 1,
            input: input.iter().map(|byte| format!("{byte:02x}")).collect(),
            key: key.to_owned(),
        };
        self.append(&record);
        Call { device: self, record }
    }

    fn append(&self, record: &Record) {
        (&self.calls).write_all(&record.to_bytes()).expect("a call can be recorded");
    }
}

impl Call<'_> {
    /// Records what the real module answered.
    pub(crate) fn answered(mut self, value: cryptoki_sys::CK_RV) {
        self.record.stage = if value == CKR_OK { Stage::Signed } else { Stage::Refused };
        self.device.append(&self.record);
    }
}

fn load(path: PathBuf) -> CK_FUNCTION_LIST {
    // SAFETY: a PKCS#11 module's initialisers are as trustworthy as the module, which the test chose.
    let library =
        unsafe { Library::new(&path) }.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    // Never unloaded: its functions are called until the process ends.
    let library: &'static Library = Box::leak(Box::new(library));
    type GetFunctionList = unsafe extern "C" fn(*mut *mut CK_FUNCTION_LIST) -> cryptoki_sys::CK_RV;
    // SAFETY: the standard gives the function of this name this type.
    let get = unsafe { library.get::<GetFunctionList>(b"C_GetFunctionList") }.expect("a PKCS#11 module");
    let mut list = std::ptr::null_mut();
    // SAFETY: `list` is a place for one pointer.
    let value = unsafe { get(&mut list) };
    assert_eq!(value, CKR_OK, "C_GetFunctionList");
    // SAFETY: after CKR_OK it points to the module's own list, which lives as long as the module.
    unsafe { *list }
}
