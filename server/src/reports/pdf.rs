//! Reports as PDF: A4, one serif in two weights and one monospace, drawn place by place.
//!
//! The same document gives the same bytes: font ids and the file's id come from what is drawn, and no clock is asked.
//! The file holds text and lines, and nothing that acts: no scripts, links, forms or attachments.

mod across;
mod file;
mod fonts;
mod layout;
mod rows;
mod scale;
mod setting;
mod sheet;

use super::document::Document;
use fonts::Fonts;

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

/// Draws a report. A character that no font has stands as its number, e.g. ⟨U+4E2D⟩; nothing is left out.
///
/// # Errors
/// [`PdfError`]: nothing that the report says is at fault.
pub fn render(document: &Document) -> Result<Vec<u8>, PdfError> {
    let fonts = Fonts::load().ok_or(PdfError::Font)?;
    Ok(file::write(document, layout::draw(document, fonts), fonts)?)
}

#[cfg(test)]
mod tests;
