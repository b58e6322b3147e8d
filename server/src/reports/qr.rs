//! QR codes: of vkeys and digests, for a phone's camera to carry from one screen or sheet to another.

use qrcodegen::{QrCode, QrCodeEcc};

/// Light modules around a code (ISO/IEC 18004 §5.3.8).
const QUIET: usize = 4;

/// A code's dark modules, a run of them at a time.
pub struct Modules {
    /// Modules a side, the quiet zone included.
    pub side: usize,
    /// Column, row and length of each horizontal run of dark modules.
    pub runs: Vec<(usize, usize, usize)>,
}

/// The modules of a text's code; `None` for one that is too long, far beyond any vkey or digest.
pub fn modules(text: &str) -> Option<Modules> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
    let size = code.size();
    let mut runs = Vec::new();
    for y in 0..size {
        let mut begin = None;
        for x in 0..=size {
            match (code.get_module(x, y), begin) {
                (true, None) => begin = Some(x),
                (false, Some(from)) => {
                    runs.push((from as usize + QUIET, y as usize + QUIET, (x - from) as usize));
                    begin = None;
                }
                _ => {}
            }
        }
    }
    Some(Modules { side: size as usize + 2 * QUIET, runs })
}

/// The code as an SVG image, dark on light in every theme: cameras expect that.
pub fn svg(text: &str) -> Option<String> {
    let Modules { side, runs } = modules(text)?;
    let path: String = runs.iter().map(|(x, y, length)| format!("M{x} {y}h{length}v1h-{length}z")).collect();
    Some(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\">\
         <path fill=\"#fff\" d=\"M0 0h{side}v{side}H0z\"/><path fill=\"#000\" d=\"{path}\"/></svg>"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_its_finder_patterns_and_a_quiet_zone() {
        let code = modules("sealbook.example.com/acme+1234abcd+AAAA").unwrap();
        let dark = |x: usize, y: usize| {
            code.runs.iter().any(|(from, row, length)| *row == y && (*from..from + length).contains(&x))
        };
        assert!((0..code.side).all(|at| !dark(at, 0) && !dark(0, at)));
        assert!((4..11).all(|at| dark(at, 4) && dark(4, at)));
        assert!(!dark(5, 5) && dark(6, 6));
        assert!(svg("text").unwrap().starts_with("<svg "));
        assert!(modules(&"x".repeat(5000)).is_none());
    }
}
