//! TLS: the listener's side and the database's. The cryptography is named where it is used; nothing relies on a
//! process-wide default.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme,
    SupportedProtocolVersion, version,
};

use crate::config::DatabaseTls;

/// TLS 1.2 and 1.3 (RFC 9325 §3.1.1 forbids what is older).
const VERSIONS: [&SupportedProtocolVersion; 2] = [&version::TLS13, &version::TLS12];

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A PEM file cannot be read, or does not hold what it should.
    #[error("cannot read {what} from {}", path.display())]
    Pem {
        /// What was looked for.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// What went wrong; never the file's content.
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    /// Certificate and key do not fit each other or the library.
    #[error("the certificate in {} cannot be used with its key", path.display())]
    Certificate {
        /// The certificate's file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// The roots that the database's certificate is checked against cannot be used.
    #[error("the accepted root certificates cannot be used")]
    Roots(#[source] rustls::client::VerifierBuilderError),
    /// A root certificate is malformed.
    #[error("a root certificate in {} cannot be used", path.display())]
    Root {
        /// Its file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// The system offers no root certificates.
    #[error("the system has no root certificates; install ca-certificates or set `database.root_cert`")]
    NoSystemRoots,
    /// The library refuses the protocol versions.
    #[error("TLS cannot be set up")]
    Setup(#[source] rustls::Error),
}

impl TlsError {
    /// A stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Pem { .. } => "tls.pem",
            Self::Certificate { .. } => "tls.certificate",
            Self::Roots(_) | Self::Root { .. } => "tls.roots",
            Self::NoSystemRoots => "tls.no_system_roots",
            Self::Setup(_) => "tls.setup",
        }
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// The listener's side: a certificate chain and its private key, both PEM files. No client certificates.
///
/// # Errors
/// [`TlsError`] naming the file.
pub fn listener(cert: &Path, key: &Path) -> Result<ServerConfig, TlsError> {
    let chain = certificates(cert)?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|source| TlsError::Pem {
        what: "a private key",
        path: key.to_owned(),
        source,
    })?;
    ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&VERSIONS)
        .map_err(TlsError::Setup)?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|source| TlsError::Certificate { path: cert.to_owned(), source })
}

/// The database's side; `None` where connections do not use TLS.
///
/// # Errors
/// [`TlsError`] naming the file, or that the system has no roots.
pub fn database(tls: &DatabaseTls) -> Result<Option<ClientConfig>, TlsError> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&VERSIONS)
        .map_err(TlsError::Setup)?;
    let config = match tls {
        DatabaseTls::Disable => return Ok(None),
        DatabaseTls::VerifyFull { root_cert } => {
            let roots = root_cert.as_deref().map_or_else(system_roots, roots)?;
            builder.with_root_certificates(roots)
        }
        DatabaseTls::Require { root_cert } => {
            let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots(root_cert)?), provider())
                .build()
                .map_err(TlsError::Roots)?;
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyName { inner }))
        }
    };
    Ok(Some(config.with_no_client_auth()))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = |source| TlsError::Pem { what: "certificates", path: path.to_owned(), source };
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).map_err(pem)?.collect();
    match found {
        Ok(found) if found.is_empty() => Err(pem(rustls::pki_types::pem::Error::NoItemsFound)),
        found => found.map_err(pem),
    }
}

fn roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(path)? {
        store.add(certificate).map_err(|source| TlsError::Root { path: path.to_owned(), source })?;
    }
    Ok(store)
}

fn system_roots() -> Result<RootCertStore, TlsError> {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(
            error = error as &dyn std::error::Error,
            "a root certificate of the system is left out"
        );
    }
    let mut store = RootCertStore::empty();
    let (added, ignored) = store.add_parsable_certificates(found.certs);
    tracing::debug!(added, ignored, "the system's root certificates");
    if store.is_empty() { Err(TlsError::NoSystemRoots) } else { Ok(store) }
}

/// Checks everything about a certificate but the host it names ([`DatabaseTls::Require`]).
#[derive(Debug)]
struct AnyName {
    inner: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        // The name is the last thing that is checked: chain, purpose and validity have passed when it fails.
        match self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
