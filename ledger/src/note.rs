//! C2SP signed notes (c2sp.org/signed-note): a text, and the lines of those who signed it.
//!
//! Only Ed25519 keys (signature type 0x01) are understood. Lines of other keys and types are kept and ignored.

mod vkey;

pub use vkey::{InvalidVkey, Vkey};

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::Signature;

/// The longest note in bytes: a short text and sixteen signatures of 4 kB. C2SP asks for room for 16 signatures and
/// leaves the overall bound to the reader.
pub const MAX_NOTE: usize = 64 * 1024;

/// The most signature lines: what C2SP demands every reader to accept.
pub const MAX_SIGNATURES: usize = 16;

/// What begins a signature line: an em dash and a space.
const SIGNATURE_PREFIX: &str = "\u{2014} ";

/// Why bytes are not a signed note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MalformedNote {
    /// Longer than [`MAX_NOTE`].
    #[error("the note is longer than {MAX_NOTE} bytes")]
    TooLong,
    /// Not UTF-8.
    #[error("the note is not UTF-8")]
    NotUtf8,
    /// A control character other than the newline, which could hide text from whoever reads the note.
    #[error("the note holds a control character other than a newline")]
    ControlCharacter,
    /// The text does not end in a newline, or no empty line and signatures follow it.
    #[error("the note is not a text, an empty line and signature lines, each ending in a newline")]
    Shape,
    /// A signature line is not `— name base64(key id ‖ signature)`.
    #[error("signature line {number} is not an em dash, a key name and canonical base64")]
    SignatureLine {
        /// Counted from 1.
        number: usize,
    },
    /// No signature line at all.
    #[error("the note carries no signature")]
    Unsigned,
    /// More than [`MAX_SIGNATURES`].
    #[error("the note carries more than {MAX_SIGNATURES} signatures")]
    TooManySignatures,
}

impl MalformedNote {
    /// The stable code of this error.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong => "note.too_long",
            Self::NotUtf8 => "note.not_utf8",
            Self::ControlCharacter => "note.control_character",
            Self::Shape => "note.shape",
            Self::SignatureLine { .. } => "note.signature_line",
            Self::Unsigned => "note.unsigned",
            Self::TooManySignatures => "note.too_many_signatures",
        }
    }
}

/// Why a note does not count as signed by a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// No line bears the key's name and id.
    #[error("the note carries no signature of {vkey}")]
    Missing {
        /// The key that should have signed.
        vkey: Box<Vkey>,
    },
    /// A line bears the key's name and id, yet does not verify: the text or the signature was altered.
    #[error("a signature that claims to be of {vkey} does not verify")]
    Invalid {
        /// The key that the line claims.
        vkey: Box<Vkey>,
    },
}

impl SignatureError {
    /// The stable code of this error.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "signature.missing",
            Self::Invalid { .. } => "signature.invalid",
        }
    }
}

/// One signature line of a note, of a key that need not be known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    name: String,
    key_id: [u8; 4],
    signature: Vec<u8>,
}

impl NoteSignature {
    /// The signer's key name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first four bytes of the key's hash, a hint and no more.
    pub fn key_id(&self) -> [u8; 4] {
        self.key_id
    }

    fn parse(line: &str) -> Option<Self> {
        let (name, encoded) = line.strip_prefix(SIGNATURE_PREFIX)?.split_once(' ')?;
        if name.is_empty() || name.chars().any(|c| c.is_whitespace() || c == '+') {
            return None;
        }
        let decoded = STANDARD.decode(encoded).ok()?;
        let (key_id, signature) = decoded.split_first_chunk::<4>()?;
        if signature.is_empty() {
            return None;
        }
        Some(Self { name: name.to_owned(), key_id: *key_id, signature: signature.to_vec() })
    }

    fn claims(&self, vkey: &Vkey) -> bool {
        self.name == vkey.origin().as_str() && self.key_id == vkey.key_id()
    }
}

impl fmt::Display for NoteSignature {
    /// The line without its newline.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [self.key_id.as_slice(), &self.signature].concat();
        write!(f, "{SIGNATURE_PREFIX}{} {}", self.name, STANDARD.encode(bytes))
    }
}

/// The signature line for an Ed25519 signature that this key's device has made over a note's text.
pub fn signature_line(vkey: &Vkey, signature: &[u8; 64]) -> NoteSignature {
    NoteSignature {
        name: vkey.origin().as_str().to_owned(),
        key_id: vkey.key_id(),
        signature: signature.to_vec(),
    }
}

/// A text that ends in a newline, and 1 to [`MAX_SIGNATURES`] signatures that nobody has verified yet.
///
/// [`Display`](fmt::Display) writes exactly the bytes that [`parse`](Self::parse) reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedNote {
    text: String,
    signatures: Vec<NoteSignature>,
}

impl SignedNote {
    /// Puts a note together; the result is one that [`parse`](Self::parse) reads back.
    pub fn new(text: String, signatures: Vec<NoteSignature>) -> Result<Self, MalformedNote> {
        match signatures.len() {
            0 => return Err(MalformedNote::Unsigned),
            1..=MAX_SIGNATURES => {}
            _ => return Err(MalformedNote::TooManySignatures),
        }
        let note = Self { text, signatures };
        if !note.text.ends_with('\n') {
            return Err(MalformedNote::Shape);
        }
        check_characters(note.to_string().as_bytes())?;
        Ok(note)
    }

    /// Reads a note strictly; its signatures are only read, not verified.
    pub fn parse(bytes: &[u8]) -> Result<Self, MalformedNote> {
        let note = check_characters(bytes)?;
        // The text may hold empty lines of its own: the last one separates.
        let separator = note.rfind("\n\n").ok_or(MalformedNote::Shape)?;
        let (text, rest) = note.split_at(separator + 1);
        let lines = rest.strip_prefix('\n').ok_or(MalformedNote::Shape)?;
        if lines.is_empty() {
            return Err(MalformedNote::Unsigned);
        }
        let lines = lines.strip_suffix('\n').ok_or(MalformedNote::Shape)?;
        let mut signatures = Vec::new();
        for (i, line) in lines.split('\n').enumerate() {
            if i == MAX_SIGNATURES {
                return Err(MalformedNote::TooManySignatures);
            }
            let malformed = MalformedNote::SignatureLine { number: i + 1 };
            signatures.push(NoteSignature::parse(line).ok_or(malformed)?);
        }
        Ok(Self { text: text.to_owned(), signatures })
    }

    /// What was signed, with its final newline.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Every signature line, known or not, in order.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Checks that the key signed the text. Every line that claims to be the key's has to verify (RFC 8032 §5.1.7,
    /// without the small-order leniency).
    pub fn verify(&self, vkey: &Vkey) -> Result<(), SignatureError> {
        let mut signed = false;
        for line in self.signatures.iter().filter(|line| line.claims(vkey)) {
            let signature = Signature::from_slice(&line.signature);
            let holds = signature
                .and_then(|signature| vkey.verifying_key().verify_strict(self.text.as_bytes(), &signature));
            if holds.is_err() {
                return Err(SignatureError::Invalid { vkey: Box::new(vkey.clone()) });
            }
            signed = true;
        }
        if signed { Ok(()) } else { Err(SignatureError::Missing { vkey: Box::new(vkey.clone()) }) }
    }
}

impl fmt::Display for SignedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

fn check_characters(bytes: &[u8]) -> Result<&str, MalformedNote> {
    if bytes.len() > MAX_NOTE {
        return Err(MalformedNote::TooLong);
    }
    let note = std::str::from_utf8(bytes).map_err(|_| MalformedNote::NotUtf8)?;
    if note.chars().any(|c| c.is_control() && c != '\n') {
        return Err(MalformedNote::ControlCharacter);
    }
    Ok(note)
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer as _, SigningKey};

    use super::*;

    const NAME: &str = "sealbook.example.com/notes";

    fn signer(seed: u8) -> (SigningKey, Vkey) {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let vkey = Vkey::from_ed25519(NAME.parse().unwrap(), key.verifying_key().to_bytes()).unwrap();
        (key, vkey)
    }

    fn signed(text: &str, seed: u8) -> NoteSignature {
        let (key, vkey) = signer(seed);
        signature_line(&vkey, &key.sign(text.as_bytes()).to_bytes())
    }

    fn stranger(signature: &[u8]) -> NoteSignature {
        NoteSignature { name: "witness.example".into(), key_id: [9; 4], signature: signature.to_vec() }
    }

    #[test]
    fn a_note_with_empty_lines_and_strangers_reads_back_and_verifies() {
        let text = "one\n\ntwo\n";
        let note = SignedNote::new(text.into(), vec![stranger(&[1; 5000]), signed(text, 1)]).unwrap();
        let parsed = SignedNote::parse(note.to_string().as_bytes()).unwrap();
        assert_eq!(parsed, note);
        assert_eq!(parsed.verify(&signer(1).1), Ok(()));
        assert_eq!(parsed.signatures()[0].name(), "witness.example");
    }

    #[test]
    fn a_missing_signature_and_a_false_one_are_told_apart() {
        let text = "one\n";
        let (vkey, other) = (signer(1).1, signer(2).1);
        let note = SignedNote::new(text.into(), vec![signed(text, 1)]).unwrap();
        assert_eq!(note.verify(&other).unwrap_err().code(), "signature.missing");
        let altered = note.to_string().replace("one", "two");
        let altered = SignedNote::parse(altered.as_bytes()).unwrap();
        assert_eq!(altered.verify(&vkey).unwrap_err().code(), "signature.invalid");
        let short = NoteSignature { signature: vec![0; 63], ..signed(text, 1) };
        let short = SignedNote::new(text.into(), vec![short]).unwrap();
        assert_eq!(short.verify(&vkey).unwrap_err().code(), "signature.invalid");
    }

    #[test]
    fn a_good_line_does_not_excuse_a_false_one_of_the_same_key() {
        let text = "one\n";
        let note = SignedNote::new(text.into(), vec![signed(text, 1), signed("two\n", 1)]).unwrap();
        assert_eq!(note.verify(&signer(1).1).unwrap_err().code(), "signature.invalid");
    }

    #[test]
    fn sixteen_signatures_are_read_and_seventeen_refused() {
        let lines = |count| vec![stranger(&[1; 64]); count];
        let sixteen = SignedNote::new("a\n".into(), lines(16)).unwrap().to_string();
        assert!(SignedNote::parse(sixteen.as_bytes()).is_ok());
        let seventeen = format!("{sixteen}{}\n", stranger(&[1; 64]));
        assert_eq!(SignedNote::parse(seventeen.as_bytes()), Err(MalformedNote::TooManySignatures));
        assert_eq!(SignedNote::new("a\n".into(), lines(17)), Err(MalformedNote::TooManySignatures));
        assert_eq!(SignedNote::new("a\n".into(), lines(0)), Err(MalformedNote::Unsigned));
    }

    #[test]
    fn a_note_that_is_too_long_is_refused_before_it_is_read() {
        assert_eq!(SignedNote::parse(&vec![b'a'; MAX_NOTE + 1]), Err(MalformedNote::TooLong));
        let long = SignedNote::new("a\n".into(), vec![stranger(&[1; MAX_NOTE])]);
        assert_eq!(long, Err(MalformedNote::TooLong));
    }

    #[test]
    fn anything_but_the_one_spelling_is_refused() {
        use MalformedNote as M;
        let cases: [(&[u8], M); 14] = [
            (b"", M::Shape),
            (b"text\n", M::Shape),
            (b"text\n\n", M::Unsigned),
            (b"\xff\n\n", M::NotUtf8),
            (b"a\r\n\n", M::ControlCharacter),
            (b"a\x7f\n\n", M::ControlCharacter),
            ("text\n\n\u{2014} a AAAAAAE=".as_bytes(), M::Shape),
            ("text\n\n- a AAAAAAE=\n".as_bytes(), M::SignatureLine { number: 1 }),
            ("text\n\n\u{2014} a AAAAAAE\n".as_bytes(), M::SignatureLine { number: 1 }),
            ("text\n\n\u{2014} a AAAAAAF=\n".as_bytes(), M::SignatureLine { number: 1 }),
            ("text\n\n\u{2014} a AAAAAA==\n".as_bytes(), M::SignatureLine { number: 1 }),
            ("text\n\n\u{2014} a+b AAAAAAE=\n".as_bytes(), M::SignatureLine { number: 1 }),
            ("text\n\n\u{2014} a\u{a0}b AAAAAAE=\n".as_bytes(), M::SignatureLine { number: 1 }),
            ("text\n\n\u{2014}  AAAAAAE=\n".as_bytes(), M::SignatureLine { number: 1 }),
        ];
        for (bytes, expected) in cases {
            assert_eq!(SignedNote::parse(bytes), Err(expected), "{}", String::from_utf8_lossy(bytes));
        }
        assert!(SignedNote::parse("text\n\n\u{2014} a AAAAAAE=\n".as_bytes()).is_ok());
    }
}
