//! Reports as PDF: A4, one serif in two weights and one monospace, drawn place by place.
//!
//! The same document gives the same bytes: font ids and the file's id come from what is drawn, and no clock is asked.

mod fonts;
mod layout;

use lopdf::{Object, StringFormat};
use printpdf::{FontId, Mm, PdfDocument, PdfFont, PdfPage, PdfSaveOptions};
use sealbook_ledger::encoding::Hash;

use super::document::Document;
use fonts::{Face, Fonts};

/// A4 (ISO 216), in millimetres.
const A4: (f32, f32) = (210.0, 297.0);

/// Why a report could not be drawn.
#[derive(Debug, thiserror::Error)]
pub enum PdfError {
    /// A compiled-in font can't be read.
    #[error("the font of the reports can't be read")]
    Font,
    /// The file could not be put together.
    #[error("the PDF can't be written")]
    Write(#[from] std::io::Error),
}

/// Draws a report.
///
/// # Errors
/// [`PdfError`]: nothing that the report says is at fault.
pub fn render(document: &Document) -> Result<Vec<u8>, PdfError> {
    let fonts = Fonts::load().ok_or(PdfError::Font)?;
    let pages = layout::pages(document, fonts);
    let mut pdf = PdfDocument::new(&format!("{} · {}", document.kind, document.foot.tenant));
    pdf.metadata.info.producer = "Sealbook".to_owned();
    pdf.metadata.info.creator = "Sealbook".to_owned();
    pdf.metadata.info.subject = document.sentence.clone();
    pdf.metadata.info.identifier = document.foot.id.clone();
    for face in Face::ALL {
        pdf.resources.fonts.map.insert(FontId(face.id().to_owned()), PdfFont::new(fonts.of(face).clone()));
    }
    pdf.pages = pages.into_iter().map(|ops| PdfPage::new(Mm(A4.0), Mm(A4.1), ops)).collect();
    let mut written = pdf.to_lopdf_document(&PdfSaveOptions::default(), &mut Vec::new());
    let id = Hash::sha256(format!("{document:?}").as_bytes()).0[..16].to_vec();
    let id = Object::String(id, StringFormat::Hexadecimal);
    written.trailer.set("ID", Object::Array(vec![id.clone(), id]));
    written.compress();
    let mut bytes = Vec::new();
    written.save_to(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
