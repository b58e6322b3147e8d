//! A signature of every algorithm verifies with openssl, under the public key that the API hands out.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use integration::Server;
use integration::programs::{Ended, openssl};
use integration::story::{content, signing_body};
use integration::tenant::Tenant;
use sealbook_ledger::algorithm::Algorithm;

/// Asks openssl whether `signature` is one over `content`, in the way of the algorithm.
fn verified(folder: &Path, algorithm: &str, content: &[u8]) -> Ended {
    fs::write(folder.join("content"), content).unwrap();
    if algorithm.starts_with("ed25519") {
        openssl(folder, ["dgst", "-sha256", "-binary", "-out", "digest", "content"]).expect(0);
        let message = if algorithm == "ed25519" { "content" } else { "digest" };
        let raw = [
            "pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-rawin", "-in", message, "-sigfile", "sig",
        ];
        return openssl(folder, raw);
    }
    let digest = format!("-{}", algorithm.rsplit('-').next().unwrap());
    let mut arguments = vec!["dgst", &digest, "-verify", "key.pem", "-signature", "sig"];
    if algorithm.contains("-pss-") {
        arguments.extend(["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"]);
    }
    arguments.push("content");
    openssl(folder, arguments)
}

#[test]
fn openssl_accepts_a_signature_of_every_algorithm_and_none_over_anything_else() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 3);
    let names: Vec<&str> = Algorithm::ALL.iter().map(|algorithm| algorithm.name()).collect();
    for name in &names {
        tenant.slot(name, name);
    }
    let service = tenant.service(&names);
    for name in names {
        let folder = tenant.folder().join(name);
        fs::create_dir(&folder).unwrap();
        let path = tenant.path(&format!("/slots/{name}/sign"));
        let signed = service.api.post(&path, &signing_body(name, "interop")).expect(200).json();
        let signature = STANDARD.decode(signed["signature_b64"].as_str().unwrap()).unwrap();
        let pem = service.api.get(&tenant.path(&format!("/slots/{name}/pubkey"))).expect(200);
        fs::write(folder.join("key.pem"), &pem.body).unwrap();
        fs::write(folder.join("sig"), &signature).unwrap();
        let content = content(name, "interop");
        let accepted = verified(&folder, name, &content);
        assert_eq!(accepted.code, Some(0), "{name}: {accepted:?}");
        let other = verified(&folder, name, b"something else");
        assert_ne!(other.code, Some(0), "{name}: {other:?}");
    }
}
