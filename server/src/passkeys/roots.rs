//! Attestation roots: whose word about hardware the operator believes.

use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use webauthn_rs_core::proto::{AttestationCaList, AttestationCaListBuilder};

/// Most roots: the whole FIDO metadata service has some 300.
const MAX_ROOTS: usize = 4096;

/// The certificates that attestation chains have to end in; none by default, and then nothing counts as hardware.
#[derive(Debug, Clone, Default)]
pub struct AttestationRoots(AttestationCaList);

/// Why roots can't be used.
#[derive(Debug, thiserror::Error)]
pub enum RootsError {
    /// The file or folder can't be read.
    #[error("the attestation roots at {} can't be read", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is no PEM file of certificates.
    #[error("{} is no PEM file of certificates", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: rustls::pki_types::pem::Error,
    },
    /// A certificate can't be read.
    #[error("{} holds a certificate that can't be read", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
    },
    /// Nothing there, or far too much.
    #[error("{} holds no certificate, or more than {MAX_ROOTS}", path.display())]
    Number {
        /// The file or folder.
        path: PathBuf,
    },
}

impl AttestationRoots {
    /// Reads a PEM file, or every `.pem` and `.crt` file of a folder.
    ///
    /// # Errors
    /// [`RootsError`]: a path that was configured has to hold certificates, each readable.
    pub fn load(path: &Path) -> Result<Self, RootsError> {
        let mut builder = AttestationCaListBuilder::new();
        let mut number = 0;
        for file in files(path)? {
            let pem = |source| RootsError::Pem { path: file.clone(), source };
            for certificate in CertificateDer::pem_file_iter(&file).map_err(pem)? {
                let certificate = certificate.map_err(pem)?;
                // The chain is what is checked: a root speaks for every make that it signed. Which makes may enrol is the
                // ledger policy's to say.
                let any = uuid::Uuid::nil();
                builder
                    .insert_device_der(&certificate, any, String::new(), Default::default())
                    .map_err(|_| RootsError::Certificate { path: file.clone() })?;
                number += 1;
            }
        }
        if (1..=MAX_ROOTS).contains(&number) {
            Ok(Self(builder.build()))
        } else {
            Err(RootsError::Number { path: path.to_owned() })
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn list(&self) -> &AttestationCaList {
        &self.0
    }
}

/// The file, or a folder's certificate files in the order of their names.
fn files(path: &Path) -> Result<Vec<PathBuf>, RootsError> {
    let unreadable = |source| RootsError::Unreadable { path: path.to_owned(), source };
    if !std::fs::metadata(path).map_err(unreadable)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        if file.extension().is_some_and(|ending| ending == "pem" || ending == "crt") {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}
