//! The typefaces: Libertinus Serif in two weights and DejaVu Sans Mono, and what stands in for characters they lack.

use std::sync::LazyLock;

use printpdf::ParsedFont;

/// How a text is to look, whatever face has its characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Voice {
    Text,
    Strong,
    /// What is compared character by character.
    Exact,
}

impl Voice {
    /// The faces to look in for a character, in this order.
    pub(super) const fn chain(self) -> [Face; 4] {
        match self {
            Self::Text => [Face::Serif, Face::Roman, Face::Mono, Face::Symbols],
            Self::Strong => [Face::Semibold, Face::RomanBold, Face::MonoBold, Face::SymbolsBold],
            Self::Exact => [Face::Mono, Face::Serif, Face::Roman, Face::Symbols],
        }
    }
}

/// A face.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Face {
    Serif,
    Semibold,
    Mono,
    MonoBold,
    Roman,
    RomanBold,
    Symbols,
    SymbolsBold,
}

/// Letters that draw over the one before them, among those that the faces have.
const MARKS: [(char, char); 9] = [
    ('\u{300}', '\u{36f}'),
    ('\u{483}', '\u{489}'),
    ('\u{591}', '\u{5bd}'),
    ('\u{5bf}', '\u{5c7}'),
    ('\u{64b}', '\u{65f}'),
    ('\u{1ab0}', '\u{1aff}'),
    ('\u{1dc0}', '\u{1dff}'),
    ('\u{20d0}', '\u{20ff}'),
    ('\u{fe20}', '\u{fe2f}'),
];

/// Whether a character draws over the one before it.
pub(super) fn is_mark(c: char) -> bool {
    c >= MARKS[0].0 && MARKS.iter().any(|&(first, last)| (first..=last).contains(&c))
}

impl Face {
    pub(super) const ALL: [Self; 8] = [
        Self::Serif,
        Self::Semibold,
        Self::Mono,
        Self::MonoBold,
        Self::Roman,
        Self::RomanBold,
        Self::Symbols,
        Self::SymbolsBold,
    ];

    /// Six capitals: it is also the tag of the subset (ISO 32000-1 §9.6.4).
    pub(super) const fn id(self) -> &'static str {
        match self {
            Self::Serif => "SERIFR",
            Self::Semibold => "SERIFB",
            Self::Mono => "MONOSR",
            Self::MonoBold => "MONOSB",
            Self::Roman => "ROMANR",
            Self::RomanBold => "ROMANB",
            Self::Symbols => "SYMBLR",
            Self::SymbolsBold => "SYMBLB",
        }
    }

    /// Its place among the assets; a test holds the version that is locked to it.
    const fn place(self) -> usize {
        match self {
            Self::Serif => 0,
            Self::Semibold => 4,
            Self::Mono => 16,
            Self::MonoBold => 13,
            Self::Roman => 9,
            Self::RomanBold => 10,
            Self::Symbols => 8,
            Self::SymbolsBold => 6,
        }
    }
}

/// The faces, in the order of [`Face::ALL`].
pub(super) struct Fonts([ParsedFont; 8]);

static LOADED: LazyLock<Option<Fonts>> = LazyLock::new(|| {
    let load =
        |face: Face| ParsedFont::from_bytes(typst_assets::fonts().nth(face.place())?, 0, &mut Vec::new());
    let [a, b, c, d, e, f, g, h] = Face::ALL.map(load);
    Some(Fonts([a?, b?, c?, d?, e?, f?, g?, h?]))
});

impl Fonts {
    /// The faces, read once a process.
    pub(super) fn load() -> Option<&'static Self> {
        LOADED.as_ref()
    }

    pub(super) fn of(&self, face: Face) -> &ParsedFont {
        &self.0[face as usize]
    }

    /// A character's glyph in a face, and how far it moves the pen, in thousandths of the size.
    pub(super) fn glyph(&self, face: Face, c: char) -> Option<(u16, f32)> {
        let font = self.of(face);
        let glyph = font.lookup_glyph_index(u32::from(c)).filter(|glyph| *glyph != 0)?;
        let em = f32::from(font.font_metrics.units_per_em.max(1));
        Some((glyph, f32::from(font.get_horizontal_advance(glyph)) * 1000.0 / em))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_faces_are_the_ones_that_are_meant() {
        let fonts = Fonts::load().unwrap();
        let meant = [
            "LibertinusSerif-Regular",
            "LibertinusSerif-Semibold",
            "DejaVuSansMono",
            "DejaVuSansMono-Bold",
            "NewCM10-Regular",
            "NewCM10-Bold",
            "NewCMMath-Regular",
            "NewCMMath-Bold",
        ];
        for (at, (face, meant)) in Face::ALL.into_iter().zip(meant).enumerate() {
            assert_eq!((face as usize, fonts.of(face).font_name.as_deref()), (at, Some(meant)));
            assert!(face.id().len() == 6 && face.id().chars().all(|c| c.is_ascii_uppercase()));
        }
    }
}
