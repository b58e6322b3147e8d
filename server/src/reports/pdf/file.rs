//! The file around the pages: fonts, outline, document information and its id.

use lopdf::{Dictionary, Object, ObjectId, StringFormat, dictionary};
use printpdf::{FontId, Mm, PdfDocument, PdfFont, PdfPage, PdfSaveOptions};
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::timestamp::Timestamp;

use super::fonts::{Face, Fonts};
use super::layout::Drawn;
use super::sheet::{Entry, PAGE};
use crate::reports::document::Document;

/// A4 (ISO 216), in millimetres.
const A4: (f32, f32) = (210.0, 297.0);

/// The first version that knows OpenType fonts (ISO 32000-1).
const VERSION: &str = "1.7";

/// Writes the file.
pub(super) fn write(document: &Document, drawn: Drawn, fonts: &Fonts) -> std::io::Result<Vec<u8>> {
    let mut pdf = PdfDocument::new("");
    for face in Face::ALL {
        pdf.resources.fonts.map.insert(FontId(face.id().to_owned()), PdfFont::new(fonts.of(face).clone()));
    }
    pdf.pages = drawn.pages.into_iter().map(|ops| PdfPage::new(Mm(A4.0), Mm(A4.1), ops)).collect();
    let mut written = pdf.to_lopdf_document(&PdfSaveOptions::default(), &mut Vec::new());
    VERSION.clone_into(&mut written.version);
    let pages: Vec<ObjectId> = written.get_pages().into_values().collect();
    for page in &pages {
        if let Ok(page) = written.get_dictionary_mut(*page) {
            page.remove(b"Annots");
        }
    }
    let outline = outline(&mut written, &drawn.outline, &pages);
    let catalog = written.catalog_mut().map_err(std::io::Error::other)?;
    catalog.set("Lang", text("en"));
    catalog.set("ViewerPreferences", dictionary! { "DisplayDocTitle" => true });
    if let Some(outline) = outline {
        catalog.set("Outlines", outline);
        catalog.set("PageMode", "UseOutlines");
    }
    let info = written.add_object(information(document));
    if let Ok(Object::Reference(theirs)) = written.trailer.get(b"Info") {
        let theirs = *theirs;
        written.objects.remove(&theirs);
    }
    written.trailer.set("Info", info);
    written.compress();
    finish(written)
}

/// Saves the file with an id that is made from its bytes without one.
fn finish(mut written: lopdf::Document) -> std::io::Result<Vec<u8>> {
    written.trailer.remove(b"ID");
    let mut bytes = Vec::new();
    written.save_to(&mut bytes)?;
    let digest = Hash::sha256(&bytes);
    let id = Object::String(digest.0[..16].to_vec(), StringFormat::Hexadecimal);
    written.trailer.set("ID", Object::Array(vec![id.clone(), id]));
    bytes.clear();
    written.save_to(&mut bytes)?;
    Ok(bytes)
}

fn information(document: &Document) -> Dictionary {
    let mut info = dictionary! {
        "Title" => text(&format!("{} · {}", document.title, document.foot.tenant)),
        "Subject" => text(&document.subtitle),
        "Producer" => text("Sealbook"),
        "Creator" => text("Sealbook"),
    };
    if let Some(made) = document.made {
        info.set("CreationDate", Object::string_literal(date(made)));
    }
    info
}

/// "D:20261124150439Z", of a time that reads `2026-11-24T15:04:39.000000Z`.
fn date(at: Timestamp) -> String {
    let digits: String = at.to_string().chars().filter(char::is_ascii_digit).take(14).collect();
    format!("D:{digits}Z")
}

/// A text string: UTF-16 with a byte order mark (ISO 32000-1 §7.9.2.2).
fn text(text: &str) -> Object {
    let units = std::iter::once(0xfeff).chain(text.encode_utf16());
    Object::String(units.flat_map(u16::to_be_bytes).collect(), StringFormat::Literal)
}

/// Adds the outline's entries in the order of the document, parts beneath their sections.
fn outline(written: &mut lopdf::Document, entries: &[Entry], pages: &[ObjectId]) -> Option<ObjectId> {
    if entries.is_empty() {
        return None;
    }
    let root = written.new_object_id();
    let ids: Vec<ObjectId> = entries.iter().map(|_| written.new_object_id()).collect();
    let mut first_level: Vec<usize> = Vec::new();
    let mut parts: Vec<Vec<usize>> = vec![Vec::new(); entries.len()];
    let mut section: Option<usize> = None;
    for (at, entry) in entries.iter().enumerate() {
        match section {
            Some(section) if entry.level > 0 => parts[section].push(at),
            // A part before the first section stands alone.
            _ => first_level.push(at),
        }
        if entry.level == 0 {
            section = Some(at);
        }
    }
    let mut top = dictionary! { "Type" => "Outlines" };
    family(&mut top, &first_level, &ids);
    top.set("Count", entries.len() as i64);
    written.objects.insert(root, top.into());
    let families = first_level.iter().map(|section| (ids[*section], &parts[*section]));
    for (parent, siblings) in std::iter::once((root, &first_level)).chain(families) {
        for (place, &at) in siblings.iter().enumerate() {
            let mut item = item(&entries[at], pages);
            item.set("Parent", parent);
            if let Some(before) = place.checked_sub(1) {
                item.set("Prev", ids[siblings[before]]);
            }
            if let Some(after) = siblings.get(place + 1) {
                item.set("Next", ids[*after]);
            }
            family(&mut item, &parts[at], &ids);
            written.objects.insert(ids[at], item.into());
        }
    }
    Some(root)
}

/// An entry and the place on its page that it leads to.
fn item(entry: &Entry, pages: &[ObjectId]) -> Dictionary {
    let page = pages.get(entry.page).map_or(Object::Null, |page| Object::Reference(*page));
    let place = vec![page, "XYZ".into(), Object::Null, (PAGE.1 - entry.y).into(), Object::Null];
    dictionary! { "Title" => text(&entry.title), "Dest" => place }
}

fn family(of: &mut Dictionary, children: &[usize], ids: &[ObjectId]) {
    if let (Some(first), Some(last)) = (children.first(), children.last()) {
        of.set("First", ids[*first]);
        of.set("Last", ids[*last]);
        of.set("Count", children.len() as i64);
    }
}
