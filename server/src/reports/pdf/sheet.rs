//! Pages being drawn: a cursor that goes down, and what can be put on paper.

use printpdf::{
    Color, FontId, Line as Stroke, LinePoint, Op, PaintMode, PdfFontHandle, Point, Polygon, PolygonRing, Pt,
    Rgb, TextItem, WindingOrder,
};

use super::fonts::{Face, Fonts, Voice};
use super::setting::{Atom, Line, Setter};
use crate::reports::document::Mark;

/// A4, in points of 1/72 inch.
pub(super) const PAGE: (f32, f32) = (595.28, 841.89);

/// 20 mm on every side.
pub(super) const MARGIN: f32 = 56.69;

pub(super) const WIDTH: f32 = PAGE.0 - 2.0 * MARGIN;

/// Where a page begins below its running head.
pub(super) const TOP: f32 = 80.0;

/// Where a page ends above its foot.
pub(super) const BOTTOM: f32 = PAGE.1 - MARGIN - 26.0;

pub(super) type Rgb8 = (u8, u8, u8);
pub(super) const INK: Rgb8 = (0x1c, 0x21, 0x26);
pub(super) const FAINT: Rgb8 = (0x56, 0x60, 0x6a);
pub(super) const HAIR: Rgb8 = (0xd4, 0xd1, 0xc7);
pub(super) const ACCENT: Rgb8 = (0x0d, 0x5c, 0x63);
pub(super) const ALARM: Rgb8 = (0x9b, 0x1c, 0x1c);
pub(super) const BOX: Rgb8 = (0xf4, 0xf2, 0xec);

/// How a run of text looks.
#[derive(Clone, Copy)]
pub(super) struct Style {
    pub(super) voice: Voice,
    pub(super) size: f32,
    /// From one baseline to the next.
    pub(super) leading: f32,
    pub(super) colour: Rgb8,
}

/// Body text.
pub(super) const TEXT: Style = Style { voice: Voice::Text, size: 10.0, leading: 14.0, colour: INK };
/// Text in rows.
pub(super) const CELL: Style = Style { size: 9.5, leading: 12.5, ..TEXT };
/// What stands beside the body.
pub(super) const QUIET: Style = Style { voice: Voice::Text, size: 9.0, leading: 12.5, colour: FAINT };
/// What is compared character by character: the monospace is wide.
pub(super) const MONO: Style = Style { voice: Voice::Exact, size: 8.0, leading: 12.5, colour: INK };

/// An entry of the outline.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    /// 0 for what stands alone, 1 for what is within it.
    pub(super) level: usize,
    pub(super) title: String,
    /// Counted from 0.
    pub(super) page: usize,
    /// Points below the page's upper edge.
    pub(super) y: f32,
}

pub(super) struct Sheet {
    pub(super) setter: Setter,
    pub(super) pages: Vec<Vec<Op>>,
    pub(super) outline: Vec<Entry>,
    /// Points below the page's upper edge.
    pub(super) y: f32,
    ops: Vec<Op>,
    font: Option<(Face, f32)>,
    fill: Option<Rgb8>,
}

impl Sheet {
    pub(super) fn new(fonts: &'static Fonts, top: f32) -> Self {
        Self {
            setter: Setter::new(fonts),
            pages: Vec::new(),
            outline: Vec::new(),
            y: top,
            ops: Vec::new(),
            font: None,
            fill: None,
        }
    }

    /// Ends the page.
    pub(super) fn turn(&mut self) {
        let page = self.taken();
        self.pages.push(page);
        self.y = TOP;
    }

    /// What was drawn since the last page ended.
    pub(super) fn taken(&mut self) -> Vec<Op> {
        (self.font, self.fill) = (None, None);
        std::mem::take(&mut self.ops)
    }

    /// Whether nothing stands on the page yet.
    pub(super) fn is_blank(&self) -> bool {
        self.ops.is_empty()
    }

    /// Turns the page where less than this is left.
    pub(super) fn need(&mut self, height: f32) {
        if self.y + height > BOTTOM && !self.is_blank() {
            self.turn();
        }
    }

    /// A line of text, its baseline `y` points below the page's upper edge.
    pub(super) fn put(&mut self, style: Style, x: f32, y: f32, line: &Line) {
        if line.is_empty() {
            return;
        }
        self.ops.push(Op::StartTextSection);
        let atoms = line.visual();
        let alike = |a: &Atom, b: &Atom| (a.face, a.lighter) == (b.face, b.lighter);
        for (at, run) in atoms.chunk_by(alike).enumerate() {
            let (face, lighter) = (run[0].face, run[0].lighter);
            self.ink(if lighter { FAINT } else { style.colour });
            if self.font != Some((face, style.size)) {
                self.font = Some((face, style.size));
                let font = PdfFontHandle::External(FontId(face.id().to_owned()));
                self.ops.push(Op::SetFont { font, size: Pt(style.size) });
            }
            if at == 0 {
                self.ops.push(Op::SetTextCursor { pos: point(x, y) });
            }
            self.ops.push(Op::ShowText { items: shown(run) });
        }
        self.ops.push(Op::EndTextSection);
    }

    /// A text that is one line, set and put; gives its width.
    pub(super) fn say(&mut self, style: Style, x: f32, y: f32, text: &str, room: f32) -> f32 {
        let line = self.setter.elided(style.voice, style.size, text, room);
        self.put(style, x, y, &line);
        line.width
    }

    /// A text's lines under each other, over as many pages as it takes.
    pub(super) fn flow(&mut self, style: Style, x: f32, text: &str, room: f32) {
        for line in self.setter.lines(style.voice, style.size, text, room) {
            self.need(style.leading);
            self.y += style.leading;
            self.put(style, x, self.y, &line);
        }
    }

    fn ink(&mut self, colour: Rgb8) {
        if self.fill != Some(colour) {
            self.fill = Some(colour);
            self.ops.push(Op::SetFillColor { col: tone(colour) });
        }
    }

    /// A line from left to right.
    pub(super) fn rule(&mut self, x: f32, y: f32, width: f32, thickness: f32, colour: Rgb8) {
        self.stroke(&[(x, y), (x + width, y)], thickness, colour, false);
    }

    /// A line through some places.
    pub(super) fn stroke(&mut self, through: &[(f32, f32)], thickness: f32, colour: Rgb8, is_closed: bool) {
        let points = through.iter().map(|&(x, y)| LinePoint { p: point(x, y), bezier: false }).collect();
        self.ops.extend([
            Op::SetOutlineColor { col: tone(colour) },
            Op::SetOutlineThickness { pt: Pt(thickness) },
            Op::DrawLine { line: Stroke { points, is_closed } },
        ]);
    }

    /// A frame, given by left, top, width and height.
    pub(super) fn frame(&mut self, (x, y, w, h): (f32, f32, f32, f32), thickness: f32, colour: Rgb8) {
        self.stroke(&[(x, y), (x + w, y), (x + w, y + h), (x, y + h)], thickness, colour, true);
    }

    /// Filled rectangles of one colour, given by left, top, width and height.
    pub(super) fn fill(&mut self, colour: Rgb8, rectangles: impl Iterator<Item = (f32, f32, f32, f32)>) {
        let corner = |x, y| LinePoint { p: point(x, y), bezier: false };
        let rings: Vec<PolygonRing> = rectangles
            .map(|(x, y, w, h)| PolygonRing {
                points: vec![corner(x, y), corner(x + w, y), corner(x + w, y + h), corner(x, y + h)],
            })
            .collect();
        self.ink(colour);
        self.ops.push(Op::DrawPolygon {
            polygon: Polygon { rings, mode: PaintMode::Fill, winding_order: WindingOrder::NonZero },
        });
    }

    /// A check's sign, a square of `side` that stands on the baseline: ticked, crossed on dark, or barred.
    pub(super) fn mark(&mut self, mark: Mark, x: f32, baseline: f32, side: f32) {
        let (top, at) = (baseline - side, |part: f32| part * side);
        let colour = colour_of(mark);
        let weight = side * 0.13;
        match mark {
            Mark::Pass => {
                self.frame((x, top, side, side), side * 0.07, colour);
                let tick = [(0.2, 0.54), (0.42, 0.76), (0.82, 0.26)].map(|(a, b)| (x + at(a), top + at(b)));
                self.stroke(&tick, weight, colour, false);
            }
            Mark::Fail => {
                self.fill(colour, std::iter::once((x, top, side, side)));
                let white = (0xff, 0xff, 0xff);
                let corner = |a: f32, b: f32| (x + at(a), top + at(b));
                self.stroke(&[corner(0.24, 0.24), corner(0.76, 0.76)], weight, white, false);
                self.stroke(&[corner(0.24, 0.76), corner(0.76, 0.24)], weight, white, false);
            }
            Mark::None => {
                self.frame((x, top, side, side), side * 0.07, colour);
                self.rule(x + at(0.25), top + at(0.5), at(0.5), weight, colour);
            }
        }
    }
}

pub(super) const fn colour_of(mark: Mark) -> Rgb8 {
    match mark {
        Mark::Pass => ACCENT,
        Mark::Fail => ALARM,
        Mark::None => FAINT,
    }
}

/// A run's characters, and where the pen moves otherwise than their glyphs move it.
fn shown(run: &[Atom]) -> Vec<TextItem> {
    let mut items = Vec::new();
    let mut text = String::new();
    for atom in run {
        let before = atom.lead() - atom.gap;
        if before != 0.0 {
            items.extend((!text.is_empty()).then(|| TextItem::Text(std::mem::take(&mut text))));
            items.push(TextItem::Offset(before));
        }
        text.push(atom.drawn());
    }
    items.extend((!text.is_empty()).then_some(TextItem::Text(text)));
    items
}

fn point(x: f32, y: f32) -> Point {
    Point { x: Pt(x), y: Pt(PAGE.1 - y) }
}

fn tone((r, g, b): Rgb8) -> Color {
    let part = |value: u8| f32::from(value) / 255.0;
    Color::Rgb(Rgb { r: part(r), g: part(g), b: part(b), icc_profile: None })
}
