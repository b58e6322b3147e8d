//! The typefaces: Libertinus Serif in two weights, and DejaVu Sans Mono.

use std::sync::LazyLock;

use printpdf::ParsedFont;

/// A face and its use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Face {
    Text,
    Strong,
    /// What is compared character by character.
    Exact,
}

impl Face {
    pub(super) const ALL: [Self; 3] = [Self::Text, Self::Strong, Self::Exact];

    pub(super) const fn id(self) -> &'static str {
        match self {
            Self::Text => "Text",
            Self::Strong => "Strong",
            Self::Exact => "Exact",
        }
    }

    /// Its place among the assets; a test holds the version that is locked to it.
    const fn place(self) -> usize {
        match self {
            Self::Text => 0,
            Self::Strong => 4,
            Self::Exact => 16,
        }
    }
}

pub(super) struct Fonts([ParsedFont; 3]);

static LOADED: LazyLock<Option<Fonts>> = LazyLock::new(|| {
    let load =
        |face: Face| ParsedFont::from_bytes(typst_assets::fonts().nth(face.place())?, 0, &mut Vec::new());
    Some(Fonts([load(Face::Text)?, load(Face::Strong)?, load(Face::Exact)?]))
});

impl Fonts {
    /// The faces, read once a process.
    pub(super) fn load() -> Option<&'static Self> {
        LOADED.as_ref()
    }

    pub(super) fn of(&self, face: Face) -> &ParsedFont {
        let [text, strong, exact] = &self.0;
        match face {
            Face::Text => text,
            Face::Strong => strong,
            Face::Exact => exact,
        }
    }

    /// What the face can show of a text: a character that it lacks stands as a box, which says that something is there.
    pub(super) fn shown(&self, face: Face, text: &str) -> String {
        let font = self.of(face);
        let has = |c: char| font.lookup_glyph_index(u32::from(c)).is_some_and(|glyph| glyph != 0);
        text.chars()
            .map(|c| if has(c) { c } else { '\u{25a1}' })
            .map(|c| if has(c) { c } else { '?' })
            .collect()
    }

    /// A text's width in points.
    pub(super) fn width(&self, face: Face, size: f32, text: &str) -> f32 {
        let font = self.of(face);
        let em = f32::from(font.font_metrics.units_per_em.max(1));
        let advance = |c: char| {
            let glyph = font.lookup_glyph_index(u32::from(c)).unwrap_or(0);
            f32::from(font.get_horizontal_advance(glyph)) / em * size
        };
        text.chars().map(advance).sum()
    }

    /// Breaks a text into lines of at most `width` points: between words, and within those that are longer.
    pub(super) fn lines(&self, face: Face, size: f32, text: &str, width: f32) -> Vec<String> {
        let fits = |line: &str| self.width(face, size, line) <= width;
        let mut lines = Vec::new();
        let mut line = String::new();
        for word in text.split(' ') {
            let joined = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
            if fits(&joined) {
                line = joined;
                continue;
            }
            if !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            for c in word.chars() {
                line.push(c);
                if line.chars().count() > 1 && !fits(&line) {
                    line.pop();
                    lines.push(std::mem::replace(&mut line, c.to_string()));
                }
            }
        }
        lines.push(line);
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_faces_are_the_ones_that_are_meant() {
        let fonts = Fonts::load().unwrap();
        let name = |face| fonts.of(face).font_name.clone().unwrap_or_default();
        assert!(name(Face::Text).contains("Libertinus"), "{}", name(Face::Text));
        assert!(name(Face::Strong).contains("Semibold"), "{}", name(Face::Strong));
        assert!(name(Face::Exact).contains("DejaVu"), "{}", name(Face::Exact));
        let (a, b) = (fonts.width(Face::Exact, 10.0, "iiii"), fonts.width(Face::Exact, 10.0, "MMMM"));
        assert!((a - b).abs() < 0.01);
    }

    #[test]
    fn lines_break_between_words_and_within_long_ones() {
        let fonts = Fonts::load().unwrap();
        let lines = fonts.lines(Face::Exact, 10.0, "aaa bbb cccccccccc", 45.0);
        assert_eq!(lines, ["aaa bbb", "ccccccc", "ccc"]);
    }
}
