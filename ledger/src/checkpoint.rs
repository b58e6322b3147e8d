//! C2SP checkpoints (c2sp.org/tlog-checkpoint): what a ledger key signs, and nothing else.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::encoding::Hash;
use crate::ids::Origin;
use crate::note::{MalformedNote, SignatureError, SignedNote, Vkey, signature_line};

/// Why a checkpoint is not one, or is not to be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Not a signed note.
    #[error("the checkpoint is not a signed note")]
    Note(#[from] MalformedNote),
    /// The note's text is not origin, size and root on three lines.
    #[error("the checkpoint is malformed: {why}")]
    Malformed {
        /// Which part is wrong, and what is expected.
        why: &'static str,
    },
    /// The checkpoint is of another ledger than the key.
    #[error("the checkpoint is of ledger {origin}, the key signs for {key_origin}")]
    OtherOrigin {
        /// The checkpoint's ledger.
        origin: Origin,
        /// The key's ledger.
        key_origin: Origin,
    },
    /// Not signed by the key, or not validly.
    #[error("the checkpoint is not validly signed")]
    Signature(#[from] SignatureError),
    /// A transition from a key to itself hands nothing over.
    #[error("a transition needs two different keys")]
    SameKey,
}

impl CheckpointError {
    /// The stable code of this error; that of its source where the source knows better.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Note(source) => source.code(),
            Self::Malformed { .. } => "checkpoint.malformed",
            Self::OtherOrigin { .. } => "checkpoint.other_origin",
            Self::Signature(source) => source.code(),
            Self::SameKey => "checkpoint.same_key",
        }
    }
}

/// A ledger's state at one size: the text that is signed.
///
/// [`Display`](fmt::Display) writes the note text, i.e. the bytes to sign, with the final newline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The ledger.
    pub origin: Origin,
    /// The number of events.
    pub size: u64,
    /// The RFC 6962 root over them.
    pub root: Hash,
}

impl Checkpoint {
    /// The bytes that the ledger key signs.
    pub fn to_signable(&self) -> Vec<u8> {
        self.to_string().into_bytes()
    }

    /// Reads a note text: exactly three lines; extension lines are refused, for nothing audits them.
    pub fn parse_text(text: &str) -> Result<Self, CheckpointError> {
        let malformed = |why| CheckpointError::Malformed { why };
        let lines = text.strip_suffix('\n').ok_or(malformed("the last line has no newline"))?;
        let mut lines = lines.split('\n');
        let (Some(origin), Some(size), Some(root), None) =
            (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(malformed("expected three lines: origin, size and root"));
        };
        Ok(Self {
            origin: origin.parse().map_err(|_| malformed("the first line is not a ledger's origin"))?,
            size: parse_decimal(size).ok_or(malformed("the size is not a number without leading zeroes"))?,
            root: parse_hash(root).ok_or(malformed("the root is not 32 bytes in canonical base64"))?,
        })
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, STANDARD.encode(self.root.0))
    }
}

/// A checkpoint with its signatures. Reading one believes nothing: call [`verify`](Self::verify) with a pinned key.
///
/// [`Display`](fmt::Display) writes exactly the bytes that [`parse`](Self::parse) reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    /// Its text is `checkpoint`'s.
    note: SignedNote,
}

impl SignedCheckpoint {
    /// Reads a signed checkpoint strictly, without verifying it.
    pub fn parse(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let note = SignedNote::parse(bytes)?;
        let checkpoint = Checkpoint::parse_text(note.text())?;
        Ok(Self { checkpoint, note })
    }

    /// Joins a checkpoint and what devices signed over [`Checkpoint::to_signable`]. Every signature is verified here,
    /// so that a faulty device cannot publish.
    pub fn assemble(
        checkpoint: Checkpoint,
        signatures: &[(Vkey, [u8; 64])],
    ) -> Result<Self, CheckpointError> {
        let lines = signatures.iter().map(|(vkey, signature)| signature_line(vkey, signature)).collect();
        let note = SignedNote::new(checkpoint.to_string(), lines)?;
        let signed = Self { checkpoint, note };
        for (vkey, _) in signatures {
            signed.verify(vkey)?;
        }
        Ok(signed)
    }

    /// What the signatures are about.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The note with all its signature lines.
    pub fn note(&self) -> &SignedNote {
        &self.note
    }

    /// Checks that the key, which must be of this ledger, signed the checkpoint.
    pub fn verify(&self, vkey: &Vkey) -> Result<(), CheckpointError> {
        if self.checkpoint.origin != *vkey.origin() {
            return Err(CheckpointError::OtherOrigin {
                origin: self.checkpoint.origin.clone(),
                key_origin: vkey.origin().clone(),
            });
        }
        Ok(self.note.verify(vkey)?)
    }

    /// Checks a transition checkpoint: the old key hands over by signing, the new one takes over by signing too
    /// (ledger format §5). Neither signature alone will do.
    pub fn verify_transition(&self, old: &Vkey, new: &Vkey) -> Result<(), CheckpointError> {
        if old == new {
            return Err(CheckpointError::SameKey);
        }
        self.verify(old)?;
        self.verify(new)
    }
}

impl fmt::Display for SignedCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.note.fmt(f)
    }
}

/// A number in the one spelling that C2SP allows: ASCII digits without leading zeroes.
pub(crate) fn parse_decimal(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let canonical = text == "0" || !text.starts_with('0');
    if digits && canonical { text.parse().ok() } else { None }
}

/// A hash in standard base64 with padding, canonical.
pub(crate) fn parse_hash(text: &str) -> Option<Hash> {
    STANDARD.decode(text).ok()?.try_into().ok().map(Hash)
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer as _, SigningKey};

    use super::*;

    const ROOT: &str = "40sjOJeDv0fuMg9JD8Q71pVaZ/Ih8YtkbajxvfAJDuA=";

    fn signer(seed: u8, origin: &str) -> (SigningKey, Vkey) {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let vkey = Vkey::from_ed25519(origin.parse().unwrap(), key.verifying_key().to_bytes()).unwrap();
        (key, vkey)
    }

    #[test]
    fn a_checkpoint_has_one_spelling() {
        let good = format!("a.example/x\n18446744073709551615\n{ROOT}\n");
        assert_eq!(Checkpoint::parse_text(&good).unwrap().to_string(), good);
        for bad in [
            format!("a.example/x\n7\n{ROOT}"),
            format!("a.example/x\n7\n{ROOT}\nextension\n"),
            format!("a.example/x\n7\n{ROOT}\n\n"),
            format!("a.example/x\n07\n{ROOT}\n"),
            format!("a.example/x\n+7\n{ROOT}\n"),
            format!("a.example/x\n\n{ROOT}\n"),
            format!("a.example/x\n18446744073709551616\n{ROOT}\n"),
            format!("a.example/x y\n7\n{ROOT}\n"),
            format!("\n7\n{ROOT}\n"),
            format!("a.example/x\n7\n{}\n", ROOT.trim_end_matches('=')),
            format!("a.example/x\n7\n{}\n", ROOT.replace("DuA=", "DuB=")),
            format!("a.example/x\n7\n{}\n", ROOT.replace('/', "_")),
            "a.example/x\n7\nAAAA\n".to_owned(),
            "a.example/x\n7\n".to_owned(),
        ] {
            let refused = Checkpoint::parse_text(&bad).unwrap_err();
            assert_eq!(refused.code(), "checkpoint.malformed", "{bad:?}");
        }
    }

    #[test]
    fn a_signature_that_does_not_verify_is_never_published() {
        let (key, vkey) = signer(1, "a.example/x");
        let checkpoint = Checkpoint { origin: vkey.origin().clone(), size: 1, root: Hash::ZERO };
        let signature = key.sign(&checkpoint.to_signable()).to_bytes();
        let signed = SignedCheckpoint::assemble(checkpoint.clone(), &[(vkey.clone(), signature)]).unwrap();
        assert_eq!(SignedCheckpoint::parse(signed.to_string().as_bytes()), Ok(signed));

        let refused = |signatures: &[(Vkey, [u8; 64])]| {
            SignedCheckpoint::assemble(checkpoint.clone(), signatures).unwrap_err().code()
        };
        assert_eq!(refused(&[(vkey, [7; 64])]), "signature.invalid");
        assert_eq!(refused(&[]), "note.unsigned");
        let (other_key, other) = signer(1, "a.example/y");
        let elsewhere = other_key.sign(&checkpoint.to_signable()).to_bytes();
        assert_eq!(refused(&[(other, elsewhere)]), "checkpoint.other_origin");
    }

    #[test]
    fn a_key_does_not_hand_over_to_itself() {
        let (key, vkey) = signer(1, "a.example/x");
        let checkpoint = Checkpoint { origin: vkey.origin().clone(), size: 1, root: Hash::ZERO };
        let signature = key.sign(&checkpoint.to_signable()).to_bytes();
        let signed = SignedCheckpoint::assemble(checkpoint, &[(vkey.clone(), signature)]).unwrap();
        assert_eq!(signed.verify_transition(&vkey, &vkey), Err(CheckpointError::SameKey));
    }
}
