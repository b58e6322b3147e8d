//! A file to be signed: its digest, streamed, and its bytes where the algorithm needs them.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use sealbook_ledger::algorithm::{Algorithm, DigestKind, MAX_PURE_MESSAGE};
use sealbook_ledger::encoding::{Hash, HexBytes};
use sealbook_ledger::public_key::SigningInput;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use crate::release::MAX_PAPER;
use crate::release::signature::Form;

/// What is read of a file at once, in bytes.
const CHUNK: usize = 256 * 1024;

/// A file's digests, and its bytes for pure Ed25519.
pub(in crate::cli) struct Artifact {
    /// What the algorithm signs; for pure Ed25519 the SHA-256 of the message.
    pub(super) digest: HexBytes,
    /// SHA-256, by which people know the file.
    pub(in crate::cli) sha256: Hash,
    /// What is signed, where the algorithm needs it.
    pub(super) message: Option<Vec<u8>>,
}

impl Artifact {
    /// Reads a file once, in constant memory unless the algorithm or the form needs the message.
    pub(super) fn read(path: &Path, form: Form, algorithm: Algorithm) -> io::Result<Self> {
        let file = File::open(path)?;
        if form == Form::Statement {
            return Self::statement(file, algorithm);
        }
        if algorithm.needs_message() {
            return Self::message(file);
        }
        let (sha256, digest) = match algorithm.digest() {
            DigestKind::Sha256 => {
                let sha256: [u8; 32] = hash(file, Sha256::new(), |_| {})?.into();
                (sha256, sha256.to_vec())
            }
            DigestKind::Sha384 => both::<Sha384>(file)?,
            DigestKind::Sha512 => both::<Sha512>(file)?,
        };
        Ok(Self { digest: HexBytes(digest), sha256: Hash(sha256), message: None })
    }

    /// The encoding of the statement that a file holds (DSSE v1.0).
    fn statement(file: File, algorithm: Algorithm) -> io::Result<Self> {
        let mut bytes = Vec::new();
        file.take(MAX_PAPER + 1).read_to_end(&mut bytes)?;
        let sha256 = Hash::sha256(&bytes);
        let message = Form::Statement.message(&bytes);
        let most = if algorithm.needs_message() { MAX_PURE_MESSAGE as u64 } else { MAX_PAPER };
        if message.len() as u64 > most {
            return Err(too_long(most));
        }
        let digest = algorithm.digest_of(&message);
        Ok(Self { digest, sha256, message: algorithm.needs_message().then_some(message) })
    }

    fn message(file: File) -> io::Result<Self> {
        let mut message = Vec::new();
        file.take(MAX_PURE_MESSAGE as u64 + 1).read_to_end(&mut message)?;
        if message.len() > MAX_PURE_MESSAGE {
            return Err(too_long(MAX_PURE_MESSAGE as u64));
        }
        let sha256 = Hash::sha256(&message);
        Ok(Self { digest: HexBytes(sha256.0.to_vec()), sha256, message: Some(message) })
    }

    /// What a signature is checked over.
    pub(super) fn input(&self) -> SigningInput<'_> {
        match &self.message {
            Some(message) => SigningInput::Message(message),
            None => SigningInput::Digest(&self.digest.0),
        }
    }
}

fn too_long(most: u64) -> io::Error {
    let what = format!(
        "at most {most} bytes are signed; a slot that signs digests takes more than one of pure Ed25519"
    );
    io::Error::new(io::ErrorKind::FileTooLarge, what)
}

fn both<D: sha2::Digest>(file: File) -> io::Result<([u8; 32], Vec<u8>)> {
    let mut sha256 = Sha256::new();
    let digest = hash(file, D::new(), |chunk| sha256.update(chunk))?;
    Ok((sha256.finalize().into(), digest.to_vec()))
}

fn hash<D: sha2::Digest>(
    mut file: File,
    mut digest: D,
    mut also: impl FnMut(&[u8]),
) -> io::Result<sha2::digest::Output<D>> {
    let mut chunk = vec![0; CHUNK];
    loop {
        match file.read(&mut chunk) {
            Ok(0) => return Ok(digest.finalize()),
            Ok(length) => {
                digest.update(&chunk[..length]);
                also(&chunk[..length]);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
