//! Rules: which call fails, and how.
//!
//! ```
//! use pkcs11_shim::plan::{Fault, Function, Rule};
//! use pkcs11_shim::rv;
//!
//! // Every call says that the device is gone, until the rule is withdrawn.
//! let gone = Rule::new(Function::Any, Fault::Return(rv::CKR_DEVICE_REMOVED));
//! // The fourth signature of a key is made and never reported: the process dies.
//! let killed = Rule::new(Function::Sign, Fault::KillAfter).of_key("sealbook/…").after(3).times(1);
//! ```

use std::fmt;
use std::str::FromStr;

use cryptoki_sys::CK_RV;

use crate::record::Unreadable;

/// The functions that rules are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Function {
    /// Each of the others.
    Any,
    /// `C_Initialize`.
    Initialize,
    /// `C_GetSlotList`.
    GetSlotList,
    /// `C_GetTokenInfo`.
    GetTokenInfo,
    /// `C_OpenSession`.
    OpenSession,
    /// `C_GetSessionInfo`.
    GetSessionInfo,
    /// `C_Login`.
    Login,
    /// `C_FindObjectsInit`.
    FindObjectsInit,
    /// `C_GetAttributeValue`.
    GetAttributeValue,
    /// `C_GenerateKeyPair`.
    GenerateKeyPair,
    /// `C_SignInit`.
    SignInit,
    /// `C_Sign` that asks for the length of a signature only.
    SignLength,
    /// `C_Sign` with an output buffer.
    Sign,
}

const FUNCTIONS: [(Function, &str); 13] = [
    (Function::Any, "*"),
    (Function::Initialize, "C_Initialize"),
    (Function::GetSlotList, "C_GetSlotList"),
    (Function::GetTokenInfo, "C_GetTokenInfo"),
    (Function::OpenSession, "C_OpenSession"),
    (Function::GetSessionInfo, "C_GetSessionInfo"),
    (Function::Login, "C_Login"),
    (Function::FindObjectsInit, "C_FindObjectsInit"),
    (Function::GetAttributeValue, "C_GetAttributeValue"),
    (Function::GenerateKeyPair, "C_GenerateKeyPair"),
    (Function::SignInit, "C_SignInit"),
    (Function::SignLength, "C_Sign(length)"),
    (Function::Sign, "C_Sign"),
];

/// What happens in place of, or to, a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The device isn't asked; this value comes back.
    Return(CK_RV),
    /// The device does its work, and this value comes back all the same.
    ReturnAfter(CK_RV),
    /// The call hangs before the device is asked, until the rule is withdrawn; then it goes on.
    Hang,
    /// The call hangs after the device has done its work, until the rule is withdrawn; then it comes back.
    HangAfter,
    /// `kill -9` of the own process before the device is asked.
    Kill,
    /// `kill -9` of the own process after the device has done its work.
    KillAfter,
    /// [`Function::Sign`] only: the device signs, and a bit of the signature is flipped.
    WrongSignature,
    /// [`Function::Sign`] only: the device signs, and what comes back is the signature of the key with this label over the
    /// same bytes. It is not counted.
    SignatureOf(String),
}

/// A rule of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Which rule it is: no two of a folder have the same number, also when one was withdrawn.
    pub number: u64,
    /// Calls of this function.
    pub function: Function,
    /// Calls with the key of this label; without, with any key and those that have none. Only [`Function::SignInit`],
    /// [`Function::SignLength`] and [`Function::Sign`] have one.
    pub key: Option<String>,
    /// Calls that fit and are let pass first, in each process anew.
    pub pass: u64,
    /// How often it fires; without, until it is withdrawn.
    pub times: Option<u64>,
    /// What happens.
    pub fault: Fault,
}

impl Rule {
    /// A rule that fires at every call of a function until it is withdrawn. Whoever writes the plan numbers it.
    pub fn new(function: Function, fault: Fault) -> Self {
        Self { number: 0, function, key: None, pass: 0, times: None, fault }
    }

    /// For the key of this label alone.
    #[must_use]
    pub fn of_key(self, label: &str) -> Self {
        Self { key: Some(label.to_owned()), ..self }
    }

    /// After so many calls that fit.
    #[must_use]
    pub fn after(self, calls: u64) -> Self {
        Self { pass: calls, ..self }
    }

    /// So often, and not again.
    #[must_use]
    pub fn times(self, times: u64) -> Self {
        Self { times: Some(times), ..self }
    }

    /// Whether it is about such a call.
    pub fn fits(&self, function: Function, key: Option<&str>) -> bool {
        let of_key = self.key.as_deref().is_none_or(|wanted| key == Some(wanted));
        of_key && (self.function == Function::Any || self.function == function)
    }
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = FUNCTIONS.iter().find(|(function, _)| function == self).map_or("", |(_, name)| name);
        f.write_str(name)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Return(value) => write!(f, "return={value}"),
            Self::ReturnAfter(value) => write!(f, "return-after={value}"),
            Self::Hang => f.write_str("hang"),
            Self::HangAfter => f.write_str("hang-after"),
            Self::Kill => f.write_str("kill"),
            Self::KillAfter => f.write_str("kill-after"),
            Self::WrongSignature => f.write_str("wrong-signature"),
            Self::SignatureOf(label) => write!(f, "signature-of={label}"),
        }
    }
}

/// A line of the plan, its fields apart by tabs.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let times = self.times.map_or_else(|| String::from("always"), |times| times.to_string());
        let key = self.key.as_deref().unwrap_or("*");
        let Self { number, function, pass, fault, .. } = self;
        write!(f, "{number}\t{function}\t{key}\t{pass}\t{times}\t{fault}")
    }
}

impl FromStr for Function {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        let found = FUNCTIONS.iter().find(|(_, name)| *name == text);
        found.map(|(function, _)| *function).ok_or_else(|| Unreadable(text.to_owned()))
    }
}

impl FromStr for Fault {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        let (name, argument) = text.split_once('=').unwrap_or((text, ""));
        let value = || argument.parse().map_err(|_| Unreadable(text.to_owned()));
        Ok(match name {
            "return" => Self::Return(value()?),
            "return-after" => Self::ReturnAfter(value()?),
            "hang" => Self::Hang,
            "hang-after" => Self::HangAfter,
            "kill" => Self::Kill,
            "kill-after" => Self::KillAfter,
            "wrong-signature" => Self::WrongSignature,
            "signature-of" => Self::SignatureOf(argument.to_owned()),
            _ => return Err(Unreadable(text.to_owned())),
        })
    }
}

impl FromStr for Rule {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        let unreadable = || Unreadable(text.to_owned());
        let fields: Vec<&str> = text.split('\t').collect();
        let [number, function, key, pass, times, fault] = fields[..] else { return Err(unreadable()) };
        let times = match times {
            "always" => None,
            times => Some(times.parse().map_err(|_| unreadable())?),
        };
        Ok(Self {
            number: number.parse().map_err(|_| unreadable())?,
            function: function.parse()?,
            key: (key != "*").then(|| key.to_owned()),
            pass: pass.parse().map_err(|_| unreadable())?,
            times,
            fault: fault.parse()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rv;

    #[test]
    fn a_rule_is_read_as_it_was_written() {
        let faults = [
            Fault::Return(rv::CKR_DEVICE_REMOVED),
            Fault::ReturnAfter(rv::CKR_BUFFER_TOO_SMALL),
            Fault::Hang,
            Fault::HangAfter,
            Fault::Kill,
            Fault::KillAfter,
            Fault::WrongSignature,
            Fault::SignatureOf("another label=x".to_owned()),
        ];
        for ((function, _), fault) in FUNCTIONS.into_iter().zip(faults.into_iter().cycle()) {
            for rule in [
                Rule::new(function, fault.clone()),
                Rule { number: 7, ..Rule::new(function, fault).of_key("a label").after(3).times(1) },
            ] {
                assert_eq!(rule.to_string().parse(), Ok(rule));
            }
        }
    }

    #[test]
    fn a_rule_of_a_key_fits_no_call_without_one() {
        let rule = Rule::new(Function::Any, Fault::Hang).of_key("a");
        assert!(rule.fits(Function::Sign, Some("a")));
        assert!(!rule.fits(Function::Sign, Some("b")));
        assert!(!rule.fits(Function::Login, None));
        assert!(!Rule::new(Function::Sign, Fault::Hang).fits(Function::SignLength, Some("a")));
    }
}
