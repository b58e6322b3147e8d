use std::collections::{BTreeMap, HashMap};

use lopdf::{Dictionary, Object};
use printpdf::Op;

use super::*;
use crate::reports::document::{Block, Check, Value};

mod samples;

/// What stands on each page, in the order of the file, without spaces.
fn texts(file: &[u8]) -> Vec<String> {
    let written = lopdf::Document::load_mem(file).unwrap();
    let pages: Vec<u32> = written.get_pages().into_keys().collect();
    let text = |page| written.extract_text(&[page]).unwrap();
    pages.into_iter().map(|page| text(page).split_whitespace().collect()).collect()
}

/// Every text of a block, but for how it is wrapped.
fn said(block: &Block) -> Vec<String> {
    let value = |value: &Value| match value {
        Value::Words(text) | Value::Exact(text) | Value::Digest(text) => text.clone(),
        Value::Mark(mark) => format!("{mark:?}"),
    };
    let check = |check: &Check| [format!("{:?}", check.mark), check.claim.clone(), check.evidence.clone()];
    match block {
        Block::Heading(text) | Block::Section(text) | Block::Subsection(text) => vec![text.clone()],
        Block::Text(text) | Block::Note(text) => vec![text.clone()],
        Block::Facts(facts) => facts.iter().flat_map(|(name, of)| [name.clone(), value(of)]).collect(),
        Block::Table(table) => {
            let names = table.columns.iter().map(|column| column.name.clone());
            names.chain(table.rows.iter().flatten().map(value)).collect()
        }
        Block::Checks(checks) => checks.iter().flat_map(check).collect(),
        Block::Scale(scale) => {
            let ends = [scale.names.0.clone(), scale.names.1.clone()];
            scale.spans.iter().map(|span| span.name.clone()).chain(ends).collect()
        }
        Block::Commands(commands) => commands.clone(),
        Block::Codes(codes) => codes.iter().flat_map(|code| [code.name.clone(), code.text.clone()]).collect(),
        Block::Signatures(all) => all.iter().flat_map(|by| [by.name.clone(), by.role.clone()]).collect(),
        Block::NewPage => Vec::new(),
    }
}

#[test]
fn the_same_report_gives_the_same_bytes_and_another_gives_others() {
    let pack = samples::evidence_pack();
    let first = render(&pack).unwrap();
    assert_eq!(first, render(&pack).unwrap());
    let other = Document { subtitle: "Of another key.".into(), ..pack };
    assert_ne!(first, render(&other).unwrap());
    let ids = [&first, &render(&other).unwrap()].map(|file| {
        let written = lopdf::Document::load_mem(file).unwrap();
        written.trailer.get(b"ID").unwrap().clone()
    });
    assert_ne!(ids[0], ids[1]);
    // Fonts are embedded in part only.
    assert!(first.starts_with(b"%PDF-1.7") && first.len() < 150_000, "{} bytes", first.len());
    if let Some(folder) = std::env::var_os("SEALBOOK_TEST_REPORTS") {
        let folder = std::path::PathBuf::from(folder);
        std::fs::write(folder.join("pack.pdf"), &first).unwrap();
        std::fs::write(folder.join("adversarial.pdf"), render(&samples::adversarial(5000)).unwrap()).unwrap();
    }
}

/// The word across a page is drawn: whoever reads the text meets it at the head alone.
#[test]
fn a_banner_runs_across_every_page_without_a_text_of_its_own() {
    let fonts = Fonts::load().unwrap();
    let marked = samples::evidence_pack();
    let strokes = |page: &Vec<Op>| page.iter().filter(|op| matches!(op, Op::DrawLine { .. })).count();
    let shade = |page: &Vec<Op>| {
        let thick = |op: &Op| matches!(op, Op::SetOutlineThickness { pt } if pt.0 > 20.0);
        page.iter().filter(|op| thick(op)).count()
    };
    // D, R in two strokes, I, L and L.
    assert!(layout::draw(&marked, fonts).pages.iter().all(|page| shade(page) == 6 && strokes(page) > 6));
    let plain = Document { banner: None, ..marked.clone() };
    assert!(layout::draw(&plain, fonts).pages.iter().all(|page| shade(page) == 0));
    let other = Document { banner: Some("DRAFT".into()), ..marked };
    assert!(layout::draw(&other, fonts).pages.iter().all(|page| shade(page) == 0));
}

#[test]
fn everything_a_report_says_can_be_read_in_its_order() {
    let pack = samples::evidence_pack();
    let pages = texts(&render(&pack).unwrap());
    assert_eq!(pages.len(), 10);
    for (at, page) in pages.iter().enumerate() {
        assert!(page.starts_with("DRILL") && page.ends_with(&format!("{}/10", at + 1)), "{page}");
        assert_eq!(at > 0, page.starts_with("DRILLRotationEvidencePacksealbook.example.com/acme-drill"));
    }
    let all = pages.concat();
    let mut from = 0;
    for text in pack.blocks.iter().flat_map(said) {
        let text: String = text.split_whitespace().collect();
        from += all[from..].find(&text).unwrap_or_else(|| panic!("{text} in {}", &all[from..])) + text.len();
    }
    let last = pages.last().unwrap();
    let verification = pack.verification.unwrap();
    assert!(last.contains("9Howtoverify") && last.contains(&verification.digest));
    // A head is repeated: the canaries go on over pages.
    assert!(all.matches("NoArtifactSHA-256Verifies").count() > 3);
}

#[test]
fn a_long_report_of_anything_is_drawn_whole() {
    let rows = 400;
    let report = samples::adversarial(rows);
    let file = render(&report).unwrap();
    assert_eq!(file, render(&report).unwrap());
    let all = texts(&file).concat();
    for number in 0..rows {
        assert!(all.contains(&number.to_string()), "{number}");
    }
    for part in [
        "tab⟨U+0009⟩here⟨U+0000⟩nul⟨U+007F⟩del⟨U+202E⟩gpj.exe⟨U+2066⟩",
        "⟨U+4E2D⟩⟨U+6587⟩⟨U+6587⟩⟨U+4EF6⟩⟨U+540D⟩⟨U+1F511⟩⟨U+1F9E8⟩",
        "ΣωκράτηςиПётрŁódźŞğİı",
        "<b>notmarkup</b>&(parens)\\n\\(%PDF-1.7/JavaScript",
        "→⇒✓✗∀ε>0½№€—…“q”",
    ] {
        assert!(all.contains(part), "{part}");
    }
    assert_eq!(texts(&render(&samples::empty()).unwrap()).len(), 1);
}

/// A few of every kind of character, and long runs of some.
#[test]
fn no_text_is_too_much() {
    let mut state = 0x5eed_u64;
    let mut next = |below: u32| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u32 % below
    };
    for _ in 0..60 {
        let reach = [0x80, 0x700, 0x3000, 0x11_0000][next(4) as usize];
        let length = next(300);
        let text: String = (0..length).filter_map(|_| char::from_u32(next(reach))).collect();
        let report = Document {
            title: text.clone(),
            subtitle: text.repeat(20),
            banner: Some(text.clone()),
            blocks: vec![
                Block::Section(text.clone()),
                Block::Facts(vec![(text.clone(), Value::Digest(text.clone()))]),
                Block::Commands(vec![text.clone()]),
            ],
            ..samples::empty()
        };
        assert!(render(&report).unwrap().starts_with(b"%PDF-"));
    }
}

/// Where each text begins: from the left, and from the lower edge.
fn places(page: &[Op]) -> Vec<(f32, f32)> {
    let place = |op: &Op| match op {
        Op::SetTextCursor { pos } => Some((pos.x.0, pos.y.0)),
        _ => None,
    };
    page.iter().filter_map(place).collect()
}

#[test]
fn texts_stand_within_the_margins_and_never_on_each_other() {
    let fonts = Fonts::load().unwrap();
    for report in [samples::evidence_pack(), samples::adversarial(300)] {
        for page in layout::draw(&report, fonts).pages {
            let mut columns: HashMap<u32, Vec<f32>> = HashMap::new();
            for (x, y) in places(&page) {
                assert!(x > sheet::MARGIN - 0.1 && x < sheet::PAGE.0 - sheet::MARGIN, "{x}");
                assert!(y > sheet::MARGIN - 0.1 && y < sheet::PAGE.1 - 40.0, "{y}");
                columns.entry(x.to_bits()).or_default().push(y);
            }
            for mut lines in columns.into_values() {
                lines.sort_by(f32::total_cmp);
                assert!(lines.windows(2).all(|pair| pair[1] - pair[0] > 8.0), "{lines:?}");
            }
        }
    }
}

/// Every key and name in an object and what is in it.
fn names(object: &Object, found: &mut Vec<String>) {
    let dictionary = |dictionary: &Dictionary, found: &mut Vec<String>| {
        for (key, value) in dictionary {
            found.push(String::from_utf8_lossy(key).into_owned());
            names(value, found);
        }
    };
    match object {
        Object::Name(name) => found.push(String::from_utf8_lossy(name).into_owned()),
        Object::Array(items) => items.iter().for_each(|item| names(item, found)),
        Object::Dictionary(of) => dictionary(of, found),
        Object::Stream(stream) => dictionary(&stream.dict, found),
        _ => {}
    }
}

#[test]
fn nothing_in_a_report_acts() {
    let acting = [
        "A",
        "AA",
        "AcroForm",
        "Annots",
        "EmbeddedFile",
        "EmbeddedFiles",
        "Encrypt",
        "GoToR",
        "JS",
        "JavaScript",
        "Launch",
        "Metadata",
        "OpenAction",
        "RichMedia",
        "S",
        "SubmitForm",
        "URI",
        "XFA",
    ];
    for report in [samples::evidence_pack(), samples::adversarial(20)] {
        let written = lopdf::Document::load_mem(&render(&report).unwrap()).unwrap();
        let mut found = Vec::new();
        written.objects.values().for_each(|object| names(object, &mut found));
        for name in acting {
            assert!(!found.iter().any(|found| found == name), "{name}");
        }
        assert!(found.iter().any(|found| found == "Outlines"));
    }
}

#[test]
fn the_outline_follows_the_document() {
    let file = render(&samples::evidence_pack()).unwrap();
    let written = lopdf::Document::load_mem(&file).unwrap();
    let pages: BTreeMap<_, _> = written.get_pages().into_iter().map(|(number, id)| (id, number)).collect();
    let root = written.catalog().unwrap().get(b"Outlines").unwrap().as_reference().unwrap();
    let mut lines = Vec::new();
    let mut rest =
        vec![(written.get_dictionary(root).unwrap().get(b"First").unwrap().as_reference().unwrap(), 0)];
    while let Some((id, level)) = rest.pop() {
        let item = written.get_dictionary(id).unwrap();
        let units = item.get(b"Title").unwrap().as_str().unwrap();
        let units: Vec<u16> =
            units[2..].chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
        let page = pages[&item.get(b"Dest").unwrap().as_array().unwrap()[0].as_reference().unwrap()];
        lines.push(format!("{level} {} {page}", String::from_utf16(&units).unwrap()));
        for (key, level) in [(b"Next".as_slice(), level), (b"First", level + 1)] {
            rest.extend(item.get(key).ok().map(|next| (next.as_reference().unwrap(), level)));
        }
    }
    let meant = [
        "0 1 Summary 1",
        "0 2 Checks 1",
        "0 3 Timeline 2",
        "0 4 Approvals 3",
        "0 5 Key attributes 3",
        "0 6 Certificates 3",
        "0 7 Canary results 3",
        "1 7.1 Packages 3",
        "1 7.2 Indices 8",
        "0 8 Policies in force 9",
        "0 9 How to verify 10",
    ];
    assert_eq!(lines, meant);
}

#[test]
fn the_file_says_what_it_is_and_only_the_time_it_was_given() {
    for (report, dated) in [(samples::evidence_pack(), true), (samples::empty(), false)] {
        let written = lopdf::Document::load_mem(&render(&report).unwrap()).unwrap();
        let info = written.trailer.get(b"Info").unwrap().as_reference().unwrap();
        let info = written.get_dictionary(info).unwrap();
        let created = info.get(b"CreationDate").ok().map(|date| date.as_str().unwrap().to_vec());
        assert_eq!(created.as_deref(), dated.then_some(b"D:20261124150439Z".as_slice()));
        assert!(!info.has(b"ModDate") && info.has(b"Title") && info.has(b"Producer"));
        assert!(written.catalog().unwrap().has(b"Lang"));
    }
}
