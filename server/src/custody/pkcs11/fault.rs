//! What a return value of PKCS#11 means: for the session it came from, for a repetition, and for the caller.

use cryptoki::context::Function;
use cryptoki::error::{Error, RvError};

use crate::custody::error::{CustodyError, Unavailability};

/// A step that didn't succeed: the device's doing, or a verdict of ours.
#[derive(Debug)]
pub(super) enum Failure {
    Device(Error),
    Verdict(CustodyError),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Device(error)
    }
}

impl From<CustodyError> for Failure {
    fn from(error: CustodyError) -> Self {
        Self::Verdict(error)
    }
}

impl From<Failure> for CustodyError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Device(error) => translate(error),
            Failure::Verdict(error) => error,
        }
    }
}

impl Failure {
    /// Whether session and handles are of no further use.
    ///
    /// After a failed `C_Sign` they never are: the operation may still be active, and the next `C_SignInit` on the same
    /// session would fail.
    pub(super) fn spoils_session(&self) -> bool {
        match self {
            Self::Device(Error::Pkcs11(_, Function::Sign)) => true,
            Self::Device(Error::Pkcs11(value, _)) => connection_is_lost(*value),
            Self::Verdict(CustodyError::Unavailable { .. }) => true,
            Self::Device(_) | Self::Verdict(_) => false,
        }
    }

    /// Whether the step certainly had no effect, so that repeating it on a new session is safe.
    pub(super) fn had_no_effect(&self) -> bool {
        match self {
            Self::Device(Error::Pkcs11(_, function)) => {
                !matches!(function, Function::Sign | Function::GenerateKeyPair)
            }
            Self::Device(_) | Self::Verdict(_) => false,
        }
    }
}

/// Values that say the session, the token or a handle is gone.
///
/// The general ones belong here because devices use them so: SoftHSM answers `CKR_GENERAL_ERROR` or
/// `CKR_OBJECT_HANDLE_INVALID` where its token folder was removed, never `CKR_DEVICE_REMOVED`.
fn connection_is_lost(value: RvError) -> bool {
    matches!(
        value,
        RvError::SlotIdInvalid
            | RvError::GeneralError
            | RvError::FunctionFailed
            | RvError::DeviceError
            | RvError::DeviceMemory
            | RvError::DeviceRemoved
            | RvError::KeyHandleInvalid
            | RvError::ObjectHandleInvalid
            | RvError::OperationActive
            | RvError::OperationNotInitialized
            | RvError::SessionClosed
            | RvError::SessionCount
            | RvError::SessionHandleInvalid
            | RvError::TokenNotPresent
            | RvError::TokenNotRecognized
            | RvError::UserNotLoggedIn
            | RvError::CryptokiNotInitialized
            | RvError::HostMemory
    )
}

/// The error for the caller.
pub(super) fn translate(error: Error) -> CustodyError {
    let why = match &error {
        Error::Pkcs11(value, function) => match value {
            RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange | RvError::PinExpired => {
                Unavailability::PinRefused
            }
            RvError::PinLocked => Unavailability::PinLocked,
            value if connection_is_lost(*value) => Unavailability::Token,
            _ => {
                return CustodyError::Refused {
                    why: format!("{function:?} was refused"),
                    source: Some(error.into()),
                };
            }
        },
        Error::LibraryLoading(_) | Error::MissingSymbol(_) => Unavailability::Library,
        other => {
            return CustodyError::Refused { why: other.to_string(), source: Some(error.into()) };
        }
    };
    CustodyError::unavailable_because(why, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_whose_operation_did_not_begin_may_be_repeated_and_no_other() {
        let failed_in = |function| Failure::Device(Error::Pkcs11(RvError::SessionHandleInvalid, function));
        assert!(failed_in(Function::SignInit).had_no_effect());
        assert!(failed_in(Function::FindObjects).had_no_effect());
        assert!(!failed_in(Function::Sign).had_no_effect());
        assert!(!failed_in(Function::GenerateKeyPair).had_no_effect());
    }

    #[test]
    fn any_failure_inside_a_signature_spoils_its_session() {
        assert!(Failure::Device(Error::Pkcs11(RvError::DataInvalid, Function::Sign)).spoils_session());
        assert!(
            !Failure::Device(Error::Pkcs11(RvError::MechanismInvalid, Function::SignInit)).spoils_session()
        );
    }

    #[test]
    fn a_lost_token_is_unavailable_and_an_unsupported_mechanism_is_refused() {
        let lost = translate(Error::Pkcs11(RvError::DeviceRemoved, Function::SignInit));
        assert_eq!(lost.code(), "custody.token_unavailable");
        let unsupported = translate(Error::Pkcs11(RvError::MechanismInvalid, Function::SignInit));
        assert_eq!(unsupported.code(), "custody.refused");
    }
}
