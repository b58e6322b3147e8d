//! Texts as lines of glyphs: which face has a character, what is shown where none has, and where lines break.

use std::borrow::Cow;
use std::collections::HashMap;

use unicode_bidi::{BidiInfo, Level};

use super::fonts::{Face, Fonts, Voice, is_mark};

/// Characters of a digest that stand together.
const GROUP: usize = 8;

/// Between two groups of a digest, in thousandths of the size. More would be a space to whoever copies the text; so every
/// other group is lighter, too.
const BETWEEN_GROUPS: f32 = 95.0;

const NO_BREAK: char = '\u{a0}';

/// A character in its place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Atom {
    c: char,
    pub(super) face: Face,
    /// How far it moves the pen, in thousandths of the size.
    pub(super) advance: f32,
    /// How far the pen moves before it.
    pub(super) gap: f32,
    /// How far the face itself would move the pen: more than `advance` where it draws over the one before it.
    pub(super) own: f32,
    /// Is drawn lighter than the text around it.
    pub(super) lighter: bool,
    /// Belongs to the one before it; lines break elsewhere if they can.
    joined: bool,
}

impl Atom {
    /// How far the pen steps back before it: marks of fixed width are drawn in a cell of their own.
    pub(super) fn lead(&self) -> f32 {
        self.own - self.advance
    }

    /// The character to draw.
    pub(super) fn drawn(&self) -> char {
        if self.c == NO_BREAK { ' ' } else { self.c }
    }
}

/// Why a line ends where it does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum End {
    /// The text does, or has a line feed there.
    #[default]
    Text,
    /// Between two words.
    Space,
    /// Within a word.
    Word,
}

/// A line of text.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Line {
    atoms: Vec<Atom>,
    pub(super) end: End,
    /// In points.
    pub(super) width: f32,
}

impl Line {
    pub(super) fn is_empty(&self) -> bool {
        self.atoms.is_empty()
    }

    fn push(&mut self, atoms: &[Atom], size: f32) {
        self.atoms.extend_from_slice(atoms);
        self.width += width(atoms, size);
    }

    /// Its atoms from left to right: letters of scripts that run the other way are turned round (UAX #9).
    pub(super) fn visual(&self) -> Cow<'_, [Atom]> {
        if !self.atoms.iter().any(|atom| runs_left(atom.c)) {
            return Cow::Borrowed(&self.atoms);
        }
        let text: String = self.atoms.iter().map(|atom| atom.c).collect();
        let bidi = BidiInfo::new(&text, Some(Level::ltr()));
        let [paragraph] = &*bidi.paragraphs else { return Cow::Borrowed(&self.atoms) };
        let places: HashMap<usize, usize> =
            text.char_indices().enumerate().map(|(at, (byte, _))| (byte, at)).collect();
        let place = |byte: usize| places.get(&byte).copied().unwrap_or(self.atoms.len());
        let (levels, runs) = bidi.visual_runs(paragraph, paragraph.range.clone());
        let mut atoms = Vec::with_capacity(self.atoms.len());
        for run in runs {
            let part = &self.atoms[place(run.start)..place(run.end)];
            if levels.get(run.start).is_some_and(Level::is_rtl) {
                let clusters: Vec<&[Atom]> = part.chunk_by(|_, next| next.joined).collect();
                let turned = clusters.into_iter().rev().flatten();
                atoms.extend(turned.map(|atom| Atom { c: mirrored(atom.c), ..*atom }));
            } else {
                atoms.extend_from_slice(part);
            }
        }
        Cow::Owned(atoms)
    }
}

fn width(atoms: &[Atom], size: f32) -> f32 {
    atoms.iter().map(|atom| atom.gap + atom.advance).sum::<f32>() * size / 1000.0
}

/// The bracket that looks like this one from behind.
const fn mirrored(c: char) -> char {
    match c {
        '(' => ')',
        ')' => '(',
        '[' => ']',
        ']' => '[',
        '{' => '}',
        '}' => '{',
        '<' => '>',
        '>' => '<',
        '«' => '»',
        '»' => '«',
        other => other,
    }
}

/// Hebrew, Arabic and their relatives: what need not be asked costs nothing.
fn runs_left(c: char) -> bool {
    matches!(u32::from(c), 0x590..=0x8ff | 0xfb1d..=0xfdff | 0xfe70..=0xfeff | 0x1_0800..=0x1_0fff | 0x1_e800..=0x1_efff)
}

/// Whether a character may be drawn as what it looks like. What is invisible, or turns others round, is shown by its
/// number: a name on paper must not hide anything.
fn is_plain(c: char) -> bool {
    let hidden = c.is_control()
        || (c.is_whitespace() && c != ' ')
        || matches!(
            u32::from(c),
            0xad | 0x34f | 0x600..=0x605 | 0x61c | 0x6dd | 0x70f | 0x115f | 0x1160 | 0x17b4 | 0x17b5
                | 0x180b..=0x180f | 0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x206f | 0x3164
                | 0xe000..=0xf8ff | 0xfe00..=0xfe0f | 0xfeff | 0xffa0 | 0xfff0..=0xffff | 0xe_0000..
        );
    !hidden
}

/// Sets texts, and remembers where each character was found.
pub(super) struct Setter {
    fonts: &'static Fonts,
    found: HashMap<(Voice, char), Option<(Face, f32)>>,
    /// What each glyph stands for: one that stood for two characters could not be copied as either.
    stands_for: HashMap<(Face, u16), char>,
}

impl Setter {
    pub(super) fn new(fonts: &'static Fonts) -> Self {
        Self { fonts, found: HashMap::new(), stands_for: HashMap::new() }
    }

    /// The face that shows a character, and its advance.
    fn find(&mut self, voice: Voice, c: char) -> Option<(Face, f32)> {
        if let Some(found) = self.found.get(&(voice, c)) {
            return *found;
        }
        let found = voice.chain().into_iter().filter(|_| is_plain(c)).find_map(|face| {
            let (glyph, advance) = self.fonts.glyph(face, c)?;
            (*self.stands_for.entry((face, glyph)).or_insert(c) == c).then_some((face, advance))
        });
        self.found.insert((voice, c), found);
        found
    }

    fn atom(&mut self, voice: Voice, c: char, joined: bool) -> Option<Atom> {
        let (face, own) = self.find(voice, if c == NO_BREAK { ' ' } else { c })?;
        let over = is_mark(c);
        let advance = if over { 0.0 } else { own };
        Some(Atom { c, face, advance, gap: 0.0, own, lighter: false, joined: joined || over })
    }

    /// A text's characters; one that no face has stands as its number, e.g. ⟨U+4E2D⟩.
    fn atoms(&mut self, voice: Voice, text: &str) -> Vec<Atom> {
        let mut atoms = Vec::with_capacity(text.len());
        for c in text.chars() {
            if let Some(atom) = self.atom(voice, c, false) {
                atoms.push(atom);
                continue;
            }
            let number = format!("⟨U+{:04X}⟩", u32::from(c));
            atoms.extend(number.chars().enumerate().filter_map(|(at, c)| self.atom(voice, c, at > 0)));
        }
        atoms
    }

    /// A text as one line, however long.
    pub(super) fn line(&mut self, voice: Voice, size: f32, text: &str) -> Line {
        let mut line = Line::default();
        line.push(&self.atoms(voice, text), size);
        line
    }

    /// A text as one line of at most `room` points: what is too long ends in an ellipsis.
    pub(super) fn elided(&mut self, voice: Voice, size: f32, text: &str, room: f32) -> Line {
        let whole = self.line(voice, size, &text.replace(['\n', '\r'], " "));
        if whole.width <= room {
            return whole;
        }
        let end = self.atoms(voice, "…");
        let mut line = Line::default();
        for cluster in whole.atoms.chunk_by(|_, next| next.joined) {
            if line.width + width(cluster, size) + width(&end, size) > room {
                break;
            }
            line.push(cluster, size);
        }
        line.push(&end, size);
        line
    }

    /// A text as lines of at most `room` points: they break at line feeds, between words, and within words that are
    /// longer than a line.
    pub(super) fn lines(&mut self, voice: Voice, size: f32, text: &str, room: f32) -> Vec<Line> {
        let mut lines = Vec::new();
        for paragraph in text.split('\n') {
            let atoms = self.atoms(voice, paragraph.strip_suffix('\r').unwrap_or(paragraph));
            let space = self.atoms(voice, " ");
            let mut line = Line::default();
            for (at, word) in atoms.split(|atom| atom.c == ' ').enumerate() {
                let gap = if at == 0 { 0.0 } else { width(&space, size) };
                let long = width(word, size);
                if line.width + gap + long <= room {
                    if at > 0 {
                        line.push(&space, size);
                    }
                    line.push(word, size);
                    continue;
                }
                if at > 0 {
                    line.end = End::Space;
                    lines.push(std::mem::take(&mut line));
                }
                break_word(word, size, room, &mut line, &mut lines);
            }
            lines.push(line);
        }
        lines
    }

    /// A digest as lines of whole groups.
    pub(super) fn digest(&mut self, voice: Voice, size: f32, text: &str, room: f32) -> Vec<Line> {
        let mut atoms = self.atoms(voice, text);
        let grouped = atoms.len() > GROUP && atoms.iter().all(|atom| atom.c.is_ascii_alphanumeric());
        if !grouped || width(&atoms[..GROUP], size) > room {
            return self.lines(voice, size, text, room);
        }
        for first in atoms.iter_mut().skip(GROUP).step_by(GROUP) {
            first.gap = BETWEEN_GROUPS;
        }
        let mut lines: Vec<Line> = Vec::new();
        for (at, group) in atoms.chunks_mut(GROUP).enumerate() {
            group.iter_mut().for_each(|atom| atom.lighter = at % 2 == 1);
            match lines.last_mut() {
                Some(line) if line.width + width(group, size) <= room => line.push(group, size),
                _ => {
                    group[0].gap = 0.0;
                    let mut line = Line::default();
                    line.push(group, size);
                    lines.push(line);
                }
            }
        }
        lines
    }
}

/// Fills lines with a word, from one that is begun; its last line is left in `line`. A line breaks after a separator
/// where its last third has one.
fn break_word(word: &[Atom], size: f32, room: f32, line: &mut Line, lines: &mut Vec<Line>) {
    for cluster in word.chunk_by(|_, next| next.joined) {
        let whole = width(cluster, size) <= room;
        let parts: Vec<&[Atom]> = if whole { vec![cluster] } else { cluster.chunks(1).collect() };
        for part in parts {
            if !line.is_empty() && line.width + width(part, size) > room {
                let keep = line.atoms.len() * 2 / 3;
                let separator =
                    line.atoms.iter().rposition(|atom| matches!(atom.c, '/' | '-' | '_' | '=' | '@'));
                let rest =
                    separator.filter(|at| *at >= keep).map_or(Vec::new(), |at| line.atoms.split_off(at + 1));
                line.width = width(&line.atoms, size);
                line.end = End::Word;
                lines.push(std::mem::take(line));
                line.push(&rest, size);
            }
            line.push(part, size);
        }
    }
}

#[cfg(test)]
mod tests;
