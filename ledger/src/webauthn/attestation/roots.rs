//! The roots that somebody believes when they vouch for authenticators.

use std::fmt;

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, TrustAnchor};

/// Root certificates of makers of authenticators.
#[derive(Clone)]
pub struct AttestationRoots(Vec<TrustAnchor<'static>>);

/// Why some text gives no roots.
#[derive(Debug, thiserror::Error)]
pub enum RootsError {
    /// Not PEM.
    #[error("not certificates in PEM")]
    Pem(#[source] rustls_pki_types::pem::Error),
    /// A certificate that can't be read.
    #[error("certificate {n} of the file can't be read")]
    Certificate {
        /// Which, from 1 on.
        n: usize,
        /// What is wrong.
        source: webpki::Error,
    },
    /// No certificate at all.
    #[error("there is no certificate in it")]
    Empty,
}

impl AttestationRoots {
    /// Reads certificates in PEM, one or more.
    pub fn from_pem(text: &[u8]) -> Result<Self, RootsError> {
        let mut roots = Vec::new();
        for (at, der) in CertificateDer::pem_slice_iter(text).enumerate() {
            let der = der.map_err(RootsError::Pem)?;
            let anchor = webpki::anchor_from_trusted_cert(&der)
                .map_err(|source| RootsError::Certificate { n: at + 1, source })?;
            roots.push(anchor.to_owned());
        }
        if roots.is_empty() { Err(RootsError::Empty) } else { Ok(Self(roots)) }
    }

    /// Adds others.
    pub fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    pub(super) fn anchors(&self) -> &[TrustAnchor<'static>] {
        &self.0
    }
}

impl fmt::Debug for AttestationRoots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AttestationRoots({})", self.0.len())
    }
}
