//! A CA that is none of a ledger's slots.

use std::fs;
use std::path::Path;

use crate::programs::openssl;
use crate::tenant::sha256;

/// A CA that `openssl` keeps in a folder, under a name.
pub struct Ca<'a> {
    folder: &'a Path,
    name: &'a str,
}

impl<'a> Ca<'a> {
    /// Makes one, of ten years.
    pub fn new(folder: &'a Path, name: &'a str) -> Self {
        let config = "[req]\ndistinguished_name = name\nprompt = no\n[name]\nCN = A CA outside\n\
                      [ca]\nbasicConstraints = critical, CA:TRUE\nkeyUsage = critical, keyCertSign, cRLSign\n\
                      subjectKeyIdentifier = hash\n\
                      [client]\nbasicConstraints = critical, CA:FALSE\nkeyUsage = critical, digitalSignature\n\
                      extendedKeyUsage = clientAuth\nsubjectKeyIdentifier = hash\nauthorityKeyIdentifier = keyid\n";
        fs::write(folder.join("ca.cnf"), config).unwrap();
        let ca = Self { folder, name };
        ca.openssl(&format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {name}.key -out {name}.pem \
             -days 3650 -config ca.cnf -extensions ca"
        ));
        ca
    }

    fn openssl(&self, arguments: &str) {
        openssl(self.folder, arguments.split_whitespace()).expect(0);
    }

    /// SHA-256 of its certificate, as a slot's policy names it.
    pub fn fingerprint(&self) -> String {
        self.openssl(&format!("x509 -in {}.pem -outform DER -out der", self.name));
        sha256(&fs::read(self.folder.join("der")).unwrap())
    }

    /// Issues a certificate for a request, and gives the chain.
    pub fn issue(&self, request: &str, days: u32) -> String {
        let name = self.name;
        fs::write(self.folder.join("asked.pem"), request).unwrap();
        self.openssl(&format!(
            "x509 -req -in asked.pem -CA {name}.pem -CAkey {name}.key -CAcreateserial -days {days} \
             -extfile ca.cnf -extensions client -out issued.pem"
        ));
        let read = |file: &str| fs::read_to_string(self.folder.join(file)).unwrap();
        format!("{}{}", read("issued.pem"), read(&format!("{name}.pem")))
    }

    /// A request by a key of somebody else's.
    pub fn foreign_request(&self) -> String {
        self.openssl(
            "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout other.key -out other.pem \
             -config ca.cnf",
        );
        fs::read_to_string(self.folder.join("other.pem")).unwrap()
    }
}
