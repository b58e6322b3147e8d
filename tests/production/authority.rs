//! A certificate authority of the test's own, kept by `openssl`.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use integration::programs::openssl;

/// A root, and what it has certified; its files lie in a folder.
pub struct Authority {
    folder: PathBuf,
}

/// PEM files.
pub struct Certified {
    /// The certificate.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

const CURVE: [&str; 5] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

impl Authority {
    /// A new root.
    pub fn new(folder: &Path) -> Self {
        fs::create_dir(folder).unwrap();
        let root = Self { folder: folder.to_owned() };
        let subject =
            ["-subj", "/CN=A root of a test", "-days", "2", "-out", "root.crt", "-keyout", "root.key"];
        root.openssl(["req", "-x509"].into_iter().chain(CURVE).chain(subject));
        root
    }

    /// The root's certificate.
    pub fn root(&self) -> PathBuf {
        self.folder.join("root.crt")
    }

    /// A certificate for a server of these names, e.g. `DNS:localhost`.
    pub fn certify(&self, name: &str, names: &[&str]) -> Certified {
        let [request, key, cert, extensions] =
            ["csr", "key", "crt", "ext"].map(|kind| format!("{name}.{kind}"));
        let subject = format!("/CN={name}");
        let files = ["-subj", &subject, "-out", &request, "-keyout", &key];
        self.openssl(["req"].into_iter().chain(CURVE).chain(files));
        let text = format!("subjectAltName={}\nbasicConstraints=critical,CA:FALSE\n", names.join(","));
        fs::write(self.folder.join(&extensions), text).unwrap();
        self.openssl([
            "x509",
            "-req",
            "-days",
            "2",
            "-CA",
            "root.crt",
            "-CAkey",
            "root.key",
            "-CAcreateserial",
            "-in",
            &request,
            "-extfile",
            &extensions,
            "-out",
            &cert,
        ]);
        Certified { cert: self.folder.join(cert), key: self.folder.join(key) }
    }

    fn openssl<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) {
        openssl(&self.folder, arguments).expect(0);
    }
}
