//! What browsers fetch beside pages: one stylesheet, a few modules, one sprite; compiled in, so that a server and its pages
//! are of one version.
//!
//! The address names a hash over all of them, as a folder: what a module imports relatively is pinned with it, and any
//! answer may be kept for ever.

use std::sync::LazyLock;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpResponse, get, web};
use sealbook_ledger::encoding::Hash;

use crate::http::problem::Problem;

/// A file, its media type and its bytes.
type Asset = (&'static str, &'static str, &'static [u8]);

const JS: &str = "text/javascript; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SVG: &str = "image/svg+xml";

macro_rules! assets {
    ($($name:literal $kind:ident),+ $(,)?) => {
        &[$(($name, $kind, include_bytes!(concat!("../../../web/static/", $name)))),+]
    };
}

/// Every file of `web/static`.
const ASSETS: &[Asset] = assets![
    "api.js" JS,
    "audit.js" JS,
    "bytes.js" JS,
    "clocks.js" JS,
    "contain.js" JS,
    "copying.js" JS,
    "elements.js" JS,
    "files.js" JS,
    "founding.js" JS,
    "icons.svg" SVG,
    "incidents.css" CSS,
    "incidents.js" JS,
    "jcs.js" JS,
    "join.js" JS,
    "ledger.js" JS,
    "live.js" JS,
    "mark.svg" SVG,
    "merkle.js" JS,
    "note.js" JS,
    "opening.js" JS,
    "outside.js" JS,
    "page.js" JS,
    "passkeys.js" JS,
    "people.js" JS,
    "proposal.js" JS,
    "propose.js" JS,
    "reading.js" JS,
    "reports.js" JS,
    "revocations.css" CSS,
    "revocations.js" JS,
    "rotating.js" JS,
    "rotations.css" CSS,
    "rotations.js" JS,
    "says.js" JS,
    "sealbook.css" CSS,
    "sessions.js" JS,
    "sign.js" JS,
    "renewal.js" JS,
    "signin.js" JS,
    "standing.js" JS,
    "subject.js" JS,
    "theme.js" JS,
    "ticket.js" JS,
    "times.js" JS,
    "trust.js" JS,
    "verify.js" JS,
    "watch.js" JS,
    "wording.js" JS,
];

/// Hex digits of the hash in addresses: 64 bits tell builds apart.
const VERSION_LEN: usize = 16;

static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut all = Vec::new();
    for (name, kind, bytes) in ASSETS {
        all.extend_from_slice(
            &Hash::sha256(&[name.as_bytes(), b"\0", kind.as_bytes(), b"\0", bytes].concat()).0,
        );
    }
    let mut version = Hash::sha256(&all).to_string();
    version.truncate(VERSION_LEN);
    version
});

/// Where a file is, for templates. A name that is none leads nowhere, and a test says so.
pub fn url(name: &str) -> String {
    format!("/static/{}/{name}", *VERSION)
}

/// Answers with a file. Under an earlier version's address it is today's file, which nobody keeps.
#[get("/static/{version}/{name}")]
pub(super) async fn asset(path: web::Path<(String, String)>) -> Result<HttpResponse, Problem> {
    let (version, name) = path.into_inner();
    let (_, kind, bytes) =
        ASSETS.iter().find(|(known, _, _)| *known == name).ok_or_else(|| Problem::of("path.unknown"))?;
    let kept = if version == *VERSION { "public, max-age=31536000, immutable" } else { "no-cache" };
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, *kind))
        .insert_header((CACHE_CONTROL, kept))
        .body(*bytes))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    fn web() -> &'static Path {
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../web"))
    }

    #[test]
    fn every_file_is_compiled_in() {
        let there: BTreeSet<String> = fs::read_dir(web().join("static"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(there, ASSETS.iter().map(|(name, _, _)| (*name).to_owned()).collect());
    }

    #[test]
    fn templates_and_modules_name_only_files_and_icons_that_are_there() {
        let names: BTreeSet<&str> = ASSETS.iter().map(|(name, _, _)| *name).collect();
        let sprite = fs::read_to_string(web().join("static/icons.svg")).unwrap();
        let mut wrong = Vec::new();
        for folder in ["templates", "static"] {
            for entry in fs::read_dir(web().join(folder)).unwrap() {
                let path = entry.unwrap().path();
                let text = fs::read_to_string(&path).unwrap();
                let asked = text.split("assets::url(\"").skip(1).map(|rest| rest.split('"').next().unwrap());
                let imported = text.split("from \"./").skip(1).map(|rest| rest.split('"').next().unwrap());
                wrong.extend(asked.chain(imported).filter(|name| !names.contains(name)).map(str::to_owned));
                let icons = text.split("parts::icon(\"").skip(1).map(|rest| rest.split('"').next().unwrap());
                wrong.extend(icons.filter(|i| !sprite.contains(&format!("id=\"{i}\""))).map(str::to_owned));
            }
        }
        assert_eq!(wrong, [""; 0]);
    }

    /// The policy lets neither run; a page that has one is broken.
    #[test]
    fn nothing_is_inline() {
        for entry in fs::read_dir(web().join("templates")).unwrap() {
            let path = entry.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            for word in ["style=", "<style", " onclick=", " onsubmit=", "javascript:", "<script>"] {
                assert!(!text.contains(word), "{}: {word}", path.display());
            }
        }
    }
}
