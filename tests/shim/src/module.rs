//! The functions that the server calls in place of the real module's.

use std::sync::OnceLock;

use cryptoki_sys::{
    CK_ATTRIBUTE, CK_BYTE, CK_FLAGS, CK_FUNCTION_LIST, CK_MECHANISM, CK_NOTIFY, CK_OBJECT_CLASS,
    CK_OBJECT_HANDLE, CK_RV, CK_SESSION_HANDLE, CK_SESSION_INFO, CK_SLOT_ID, CK_TOKEN_INFO, CK_ULONG,
    CK_USER_TYPE, CK_UTF8CHAR, CKA_CLASS, CKA_LABEL, CKF_RW_SESSION, CKF_SERIAL_SESSION, CKO_PRIVATE_KEY,
    CKR_ARGUMENTS_BAD, CKR_OK,
};

use crate::device::{Device, Operation};
use crate::plan::{Fault, Function, Rule};

/// The longest label that is read.
const MAX_LABEL: usize = 255;

/// Calls the real module's function.
macro_rules! real {
    ($name:ident($($argument:expr),* $(,)?)) => {
        (Device::get().real.$name.expect("every module has every function of its list"))($($argument),*)
    };
}

/// Functions that are forwarded as they are, unless a rule fires.
macro_rules! forwarded {
    ($($name:ident is $function:ident, $real:ident($($argument:ident: $type:ty),*);)*) => {
        $(unsafe extern "C" fn $name($($argument: $type),*) -> CK_RV {
            let faults = &Device::get().faults;
            let rule = faults.next(Function::$function, None);
            // SAFETY: the caller keeps the standard's contract for these arguments; they are handed on untouched.
            faults.around(rule.as_ref(), || unsafe { real!($real($($argument),*)) })
        })*
    };
}

forwarded! {
    initialize is Initialize, C_Initialize(arguments: *mut std::ffi::c_void);
    get_slot_list is GetSlotList, C_GetSlotList(present: CK_BYTE, list: *mut CK_SLOT_ID, count: *mut CK_ULONG);
    get_token_info is GetTokenInfo, C_GetTokenInfo(slot: CK_SLOT_ID, info: *mut CK_TOKEN_INFO);
    open_session is OpenSession, C_OpenSession(slot: CK_SLOT_ID, flags: CK_FLAGS, application: *mut std::ffi::c_void,
        notify: CK_NOTIFY, session: *mut CK_SESSION_HANDLE);
    get_session_info is GetSessionInfo, C_GetSessionInfo(session: CK_SESSION_HANDLE, info: *mut CK_SESSION_INFO);
    login is Login, C_Login(session: CK_SESSION_HANDLE, user: CK_USER_TYPE, pin: *mut CK_UTF8CHAR, length: CK_ULONG);
    find_objects_init is FindObjectsInit, C_FindObjectsInit(session: CK_SESSION_HANDLE, template: *mut CK_ATTRIBUTE,
        count: CK_ULONG);
    get_attribute_value is GetAttributeValue, C_GetAttributeValue(session: CK_SESSION_HANDLE,
        object: CK_OBJECT_HANDLE, template: *mut CK_ATTRIBUTE, count: CK_ULONG);
    generate_key_pair is GenerateKeyPair, C_GenerateKeyPair(session: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM,
        public: *mut CK_ATTRIBUTE, publics: CK_ULONG, private: *mut CK_ATTRIBUTE, privates: CK_ULONG,
        public_key: *mut CK_OBJECT_HANDLE, private_key: *mut CK_OBJECT_HANDLE);
}

/// The list that the server gets: the real module's, with the functions of this file in it.
///
/// # Safety
/// `list` points to a place for one pointer, or is null.
#[unsafe(no_mangle)]
#[allow(non_snake_case, reason = "the standard's name")]
pub unsafe extern "C" fn C_GetFunctionList(list: *mut *mut CK_FUNCTION_LIST) -> CK_RV {
    static LIST: OnceLock<CK_FUNCTION_LIST> = OnceLock::new();
    if list.is_null() {
        return CKR_ARGUMENTS_BAD;
    }
    let ours = LIST.get_or_init(|| CK_FUNCTION_LIST {
        C_GetFunctionList: Some(C_GetFunctionList),
        C_Initialize: Some(initialize),
        C_GetSlotList: Some(get_slot_list),
        C_GetTokenInfo: Some(get_token_info),
        C_OpenSession: Some(open_session),
        C_GetSessionInfo: Some(get_session_info),
        C_Login: Some(login),
        C_FindObjectsInit: Some(find_objects_init),
        C_GetAttributeValue: Some(get_attribute_value),
        C_GenerateKeyPair: Some(generate_key_pair),
        C_SignInit: Some(sign_init),
        C_Sign: Some(sign),
        ..Device::get().real
    });
    // SAFETY: not null, so by the contract a place for one pointer. Nobody writes to a module's list (PKCS#11 §5.4).
    unsafe { *list = std::ptr::from_ref(ours).cast_mut() };
    CKR_OK
}

unsafe extern "C" fn sign_init(
    session: CK_SESSION_HANDLE,
    mechanism: *mut CK_MECHANISM,
    key: CK_OBJECT_HANDLE,
) -> CK_RV {
    let device = Device::get();
    let label = label_of(session, key);
    let rule = device.faults.next(Function::SignInit, Some(&label));
    device.faults.around(rule.as_ref(), || {
        // SAFETY: the caller keeps the standard's contract for these arguments; they are handed on untouched.
        let value = unsafe { real!(C_SignInit(session, mechanism, key)) };
        if value == CKR_OK {
            // SAFETY: the real module has just read it, so it points to a mechanism.
            device.begun(session, unsafe { operation(label, &*mechanism) });
        }
        value
    })
}

unsafe extern "C" fn sign(
    session: CK_SESSION_HANDLE,
    data: *mut CK_BYTE,
    length: CK_ULONG,
    signature: *mut CK_BYTE,
    signature_length: *mut CK_ULONG,
) -> CK_RV {
    let device = Device::get();
    let operation = device.operation(session);
    let key = operation.as_ref().map_or("", |operation| operation.key.as_str());
    // SAFETY: the caller keeps the standard's contract for these arguments; they are handed on untouched.
    let forward = || unsafe { real!(C_Sign(session, data, length, signature, signature_length)) };
    if signature.is_null() {
        let rule = device.faults.next(Function::SignLength, Some(key));
        return device.faults.around(rule.as_ref(), forward);
    }
    // SAFETY: the standard demands `length` bytes at `data`.
    let input = unsafe { bytes(data, length) };
    let call = device.enter(key, input);
    let rule = device.faults.next(Function::Sign, Some(key));
    let value = device.faults.around(rule.as_ref(), || {
        let value = forward();
        call.answered(value);
        value
    });
    if let (CKR_OK, Some(Rule { fault, .. }), Some(operation)) = (value, &rule, &operation) {
        // SAFETY: after CKR_OK the buffer holds as many bytes as the module has put into it.
        let output = unsafe { std::slice::from_raw_parts_mut(signature, *signature_length as usize) };
        alter(fault, session, operation, input, output);
    }
    value
}

/// Makes of a signature what a rule wants.
fn alter(fault: &Fault, session: CK_SESSION_HANDLE, operation: &Operation, input: &[u8], output: &mut [u8]) {
    match fault {
        Fault::WrongSignature => {
            if let Some(last) = output.last_mut() {
                *last ^= 1;
            }
        }
        Fault::SignatureOf(label) => {
            let other = signature_of(label, session, operation, input);
            assert_eq!(other.len(), output.len(), "{label} is of another type than {}", operation.key);
            output.copy_from_slice(&other);
        }
        _ => {}
    }
}

/// What another key signs over the same input, in a session of its own.
fn signature_of(label: &str, session: CK_SESSION_HANDLE, operation: &Operation, input: &[u8]) -> Vec<u8> {
    let mut info = CK_SESSION_INFO::default();
    let mut own = 0;
    let flags = CKF_SERIAL_SESSION | CKF_RW_SESSION;
    // SAFETY: `info` and `own` are places for what comes back.
    unsafe {
        succeeded(real!(C_GetSessionInfo(session, &mut info)));
        succeeded(real!(C_OpenSession(info.slotID, flags, std::ptr::null_mut(), None, &mut own)));
    }
    let key = private_key(own, label);
    let mut parameters = operation.parameters.clone();
    let mut mechanism = CK_MECHANISM {
        mechanism: operation.mechanism,
        pParameter: if parameters.is_empty() { std::ptr::null_mut() } else { parameters.as_mut_ptr().cast() },
        ulParameterLen: operation.parameter_bytes,
    };
    let mut output = vec![0; 1024];
    let mut length = output.len() as CK_ULONG;
    let data = input.as_ptr().cast_mut();
    // SAFETY: mechanism, input and output live until the calls are over, and have the lengths that are given.
    unsafe {
        succeeded(real!(C_SignInit(own, &mut mechanism, key)));
        succeeded(real!(C_Sign(own, data, input.len() as CK_ULONG, output.as_mut_ptr(), &mut length)));
        succeeded(real!(C_CloseSession(own)));
    }
    output.truncate(length as usize);
    output
}

/// The one private key of a label.
fn private_key(session: CK_SESSION_HANDLE, label: &str) -> CK_OBJECT_HANDLE {
    let mut class: CK_OBJECT_CLASS = CKO_PRIVATE_KEY;
    let mut label_bytes = label.as_bytes().to_vec();
    let mut template = [
        CK_ATTRIBUTE {
            type_: CKA_CLASS,
            pValue: std::ptr::from_mut(&mut class).cast(),
            ulValueLen: size_of::<CK_OBJECT_CLASS>() as CK_ULONG,
        },
        CK_ATTRIBUTE {
            type_: CKA_LABEL,
            pValue: label_bytes.as_mut_ptr().cast(),
            ulValueLen: label_bytes.len() as CK_ULONG,
        },
    ];
    let (mut found, mut count) = ([0; 2], 0);
    // SAFETY: the template's values live until the calls are over; `found` has two places.
    unsafe {
        succeeded(real!(C_FindObjectsInit(session, template.as_mut_ptr(), template.len() as CK_ULONG)));
        succeeded(real!(C_FindObjects(session, found.as_mut_ptr(), found.len() as CK_ULONG, &mut count)));
        succeeded(real!(C_FindObjectsFinal(session)));
    }
    assert_eq!(count, 1, "private keys labelled {label}");
    found[0]
}

/// A key's label; empty where the device gives none, as when the session is gone.
fn label_of(session: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE) -> String {
    let mut label = [0; MAX_LABEL];
    let mut attribute = CK_ATTRIBUTE {
        type_: CKA_LABEL,
        pValue: label.as_mut_ptr().cast(),
        ulValueLen: label.len() as CK_ULONG,
    };
    // SAFETY: the attribute's value has as many bytes as it says.
    let value = unsafe { real!(C_GetAttributeValue(session, key, &mut attribute, 1)) };
    match value {
        CKR_OK => String::from_utf8_lossy(&label[..attribute.ulValueLen as usize]).into_owned(),
        _ => String::new(),
    }
}

/// What is kept of a signature that was begun.
///
/// # Safety
/// The mechanism's parameters have the length that it gives.
unsafe fn operation(key: String, mechanism: &CK_MECHANISM) -> Operation {
    // SAFETY: by the contract.
    let given = unsafe { bytes(mechanism.pParameter.cast(), mechanism.ulParameterLen) };
    let word = |chunk: &[u8]| {
        let mut whole = [0; size_of::<CK_ULONG>()];
        whole[..chunk.len()].copy_from_slice(chunk);
        CK_ULONG::from_ne_bytes(whole)
    };
    Operation {
        key,
        mechanism: mechanism.mechanism,
        parameters: given.chunks(size_of::<CK_ULONG>()).map(word).collect(),
        parameter_bytes: mechanism.ulParameterLen,
    }
}

/// # Safety
/// `length` bytes can be read at `data`, unless it is null.
unsafe fn bytes<'a>(data: *const CK_BYTE, length: CK_ULONG) -> &'a [u8] {
    if data.is_null() {
        return &[];
    }
    // SAFETY: by the contract.
    unsafe { std::slice::from_raw_parts(data, length as usize) }
}

/// What the module itself asks of the device is expected to work.
fn succeeded(value: CK_RV) {
    assert_eq!(value, CKR_OK, "the real module refuses");
}
