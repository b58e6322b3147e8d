//! Where everything stands: a cursor that goes down the page, and breaks where a block would be cut.

use printpdf::{
    Color, FontId, Line, LinePoint, Op, PaintMode, PdfFontHandle, Point, Polygon, PolygonRing, Pt, Rgb,
    TextItem, WindingOrder,
};

use super::fonts::{Face, Fonts};
use crate::reports::document::{Block, Code, Document, Signature, Table, Value};
use crate::reports::qr;

/// A4, in points of 1/72 inch.
const PAGE: (f32, f32) = (595.28, 841.89);

/// 20 mm on every side.
const MARGIN: f32 = 56.69;

const WIDTH: f32 = PAGE.0 - 2.0 * MARGIN;

/// Room for the foot, above the lower margin.
const FOOT: f32 = 26.0;

/// Body text and its leading.
const BODY: (f32, f32) = (10.0, 14.0);

/// What is compared character by character: the monospace is wide.
const EXACT: (f32, f32) = (8.0, 12.5);

type Rgb8 = (u8, u8, u8);
const INK: Rgb8 = (0x1c, 0x21, 0x26);
const FAINT: Rgb8 = (0x56, 0x60, 0x6a);
const HAIR: Rgb8 = (0xd4, 0xd1, 0xc7);
const ACCENT: Rgb8 = (0x0d, 0x5c, 0x63);
const BOX: Rgb8 = (0xf4, 0xf2, 0xec);

/// How a run of text looks.
#[derive(Clone, Copy)]
struct Style {
    face: Face,
    size: f32,
    colour: Rgb8,
}

const TEXT: Style = Style { face: Face::Text, size: BODY.0, colour: INK };
const QUIET: Style = Style { face: Face::Text, size: 9.0, colour: FAINT };
const MONO: Style = Style { face: Face::Exact, size: EXACT.0, colour: INK };
const HEAD: Style = Style { face: Face::Strong, size: 9.0, colour: FAINT };

struct Sheet<'a> {
    fonts: &'a Fonts,
    pages: Vec<Vec<Op>>,
    ops: Vec<Op>,
    /// Points below the page's upper edge.
    y: f32,
}

/// Draws every page of a report.
pub(super) fn pages(document: &Document, fonts: &Fonts) -> Vec<Vec<Op>> {
    let mut sheet = Sheet { fonts, pages: Vec::new(), ops: Vec::new(), y: MARGIN };
    sheet.title(document);
    for block in &document.blocks {
        sheet.block(block);
    }
    sheet.turn();
    let total = sheet.pages.len();
    for number in 0..total {
        sheet.ops = std::mem::take(&mut sheet.pages[number]);
        sheet.foot(document, number + 1, total);
        sheet.pages[number] = std::mem::take(&mut sheet.ops);
    }
    sheet.pages
}

impl Sheet<'_> {
    fn turn(&mut self) {
        self.pages.push(std::mem::take(&mut self.ops));
        self.y = MARGIN;
    }

    /// Turns the page where less than this is left.
    fn need(&mut self, height: f32) -> bool {
        let full = self.y + height > PAGE.1 - MARGIN - FOOT;
        if full {
            self.turn();
        }
        full
    }

    /// One line of text, its baseline `y` points below the page's upper edge.
    fn put(&mut self, style: Style, x: f32, y: f32, text: &str) {
        let text = self.fonts.shown(style.face, text);
        self.ops.extend([
            Op::SetFillColor { col: colour(style.colour) },
            Op::StartTextSection,
            Op::SetFont {
                font: PdfFontHandle::External(FontId(style.face.id().to_owned())),
                size: Pt(style.size),
            },
            Op::SetTextCursor { pos: point(x, y) },
            Op::ShowText { items: vec![TextItem::Text(text)] },
            Op::EndTextSection,
        ]);
    }

    fn rule(&mut self, x: f32, y: f32, width: f32, thickness: f32, tone: Rgb8) {
        let end = |x| LinePoint { p: point(x, y), bezier: false };
        self.ops.extend([
            Op::SetOutlineColor { col: colour(tone) },
            Op::SetOutlineThickness { pt: Pt(thickness) },
            Op::DrawLine { line: Line { points: vec![end(x), end(x + width)], is_closed: false } },
        ]);
    }

    /// Filled rectangles of one colour, given by left, top, width and height.
    fn fill(&mut self, tone: Rgb8, rectangles: impl Iterator<Item = (f32, f32, f32, f32)>) {
        let corner = |x, y| LinePoint { p: point(x, y), bezier: false };
        let rings: Vec<PolygonRing> = rectangles
            .map(|(x, y, w, h)| PolygonRing {
                points: vec![corner(x, y), corner(x + w, y), corner(x + w, y + h), corner(x, y + h)],
            })
            .collect();
        self.ops.push(Op::SetFillColor { col: colour(tone) });
        self.ops.push(Op::DrawPolygon {
            polygon: Polygon { rings, mode: PaintMode::Fill, winding_order: WindingOrder::NonZero },
        });
    }

    fn title(&mut self, document: &Document) {
        self.fill(ACCENT, std::iter::once((MARGIN, self.y, 34.0, 3.0)));
        self.y += 24.0;
        let kind = Style { face: Face::Strong, size: 11.0, colour: ACCENT };
        self.put(kind, MARGIN, self.y, &document.kind);
        self.y += 10.0;
        let sentence = Style { face: Face::Strong, size: 17.0, colour: INK };
        for line in self.fonts.lines(sentence.face, sentence.size, &document.sentence, WIDTH) {
            self.y += 22.0;
            self.put(sentence, MARGIN, self.y, &line);
        }
        self.y += 22.0;
    }

    fn foot(&mut self, document: &Document, number: usize, total: usize) {
        let y = PAGE.1 - MARGIN;
        self.rule(MARGIN, y - 14.0, WIDTH, 0.5, HAIR);
        let style = Style { size: 8.5, ..QUIET };
        self.put(style, MARGIN, y, &format!("{}  ·  {}", document.foot.tenant, document.foot.id));
        let page = format!("Page {number} of {total}");
        let width = self.fonts.width(style.face, style.size, &page);
        self.put(style, MARGIN + WIDTH - width, y, &page);
    }

    fn block(&mut self, block: &Block) {
        match block {
            Block::Heading(text) => self.heading(text),
            Block::Text(text) => self.prose(text),
            Block::Facts(facts) => self.facts(facts),
            Block::Table(table) => self.table(table),
            Block::Commands(lines) => self.commands(lines),
            Block::Codes(codes) => self.codes(codes),
            Block::Signatures(signatures) => self.signatures(signatures),
            Block::NewPage => self.turn(),
        }
    }

    fn heading(&mut self, text: &str) {
        // A heading is never the last on its page.
        self.need(80.0);
        if self.y > MARGIN {
            self.y += 16.0;
        }
        self.y += 13.0;
        self.put(Style { face: Face::Strong, size: 13.0, colour: INK }, MARGIN, self.y, text);
        self.y += 8.0;
    }

    fn prose(&mut self, text: &str) {
        self.y += 4.0;
        for line in self.fonts.lines(TEXT.face, TEXT.size, text, WIDTH) {
            self.need(BODY.1);
            self.y += BODY.1;
            self.put(TEXT, MARGIN, self.y, &line);
        }
        self.y += 6.0;
    }

    fn facts(&mut self, facts: &[(String, Value)]) {
        let name_width = WIDTH * 0.23;
        for (name, value) in facts {
            let (style, leading, lines) = self.cell(value, WIDTH - name_width);
            let height = lines.len() as f32 * leading + 8.0;
            self.need(height);
            self.rule(MARGIN, self.y, WIDTH, 0.5, HAIR);
            let baseline = self.y + 15.0;
            self.put(Style { size: BODY.0, ..QUIET }, MARGIN, baseline, name);
            for (at, line) in lines.iter().enumerate() {
                self.put(style, MARGIN + name_width, baseline + at as f32 * leading, line);
            }
            self.y += height;
        }
        self.rule(MARGIN, self.y, WIDTH, 0.5, HAIR);
        self.y += 6.0;
    }

    fn cell(&self, value: &Value, width: f32) -> (Style, f32, Vec<String>) {
        let (style, leading, text) = match value {
            Value::Words(text) => (TEXT, BODY.1, text),
            Value::Exact(text) => (MONO, EXACT.1, text),
        };
        (style, leading, self.fonts.lines(style.face, style.size, text, width))
    }

    fn table_head(&mut self, table: &Table) {
        self.y += 12.0;
        let mut x = MARGIN;
        for (name, share) in &table.columns {
            self.put(HEAD, x, self.y, name);
            x += WIDTH * f32::from(*share) / 100.0;
        }
        self.y += 6.0;
        self.rule(MARGIN, self.y, WIDTH, 1.0, ACCENT);
    }

    fn table(&mut self, table: &Table) {
        self.need(60.0);
        self.table_head(table);
        for row in &table.rows {
            let cells = row.iter().zip(&table.columns);
            let cells: Vec<_> = cells
                .map(|(value, (_, share))| {
                    let width = WIDTH * f32::from(*share) / 100.0;
                    (width, self.cell(value, width - 8.0))
                })
                .collect();
            let tallest = cells.iter().map(|(_, (_, leading, lines))| lines.len() as f32 * leading);
            let height = tallest.fold(0.0, f32::max) + 8.0;
            if self.need(height) {
                self.table_head(table);
            }
            let mut x = MARGIN;
            for (width, (style, leading, lines)) in cells {
                for (at, line) in lines.iter().enumerate() {
                    self.put(style, x, self.y + 15.0 + at as f32 * leading, line);
                }
                x += width;
            }
            self.y += height;
            self.rule(MARGIN, self.y, WIDTH, 0.5, HAIR);
        }
        self.y += 6.0;
    }

    /// Long commands go on under a backslash, as a shell takes them.
    fn commands(&mut self, commands: &[String]) {
        let inner = WIDTH - 24.0;
        let room = inner - self.fonts.width(MONO.face, MONO.size, "  \\");
        const GAP: f32 = 6.0;
        let mut lines = Vec::new();
        for (number, command) in commands.iter().enumerate() {
            let broken = self.fonts.lines(MONO.face, MONO.size, command, room);
            let last = broken.len().saturating_sub(1);
            lines.extend(broken.into_iter().enumerate().map(|(at, line)| {
                let indent = if at > 0 { "  " } else { "" };
                let more = if at < last { " \\" } else { "" };
                (number as f32 * GAP, format!("{indent}{line}{more}"))
            }));
        }
        let gaps = commands.len().saturating_sub(1) as f32 * GAP;
        let height = lines.len() as f32 * EXACT.1 + gaps + 18.0;
        self.need(height + 10.0);
        self.y += 4.0;
        self.fill(BOX, std::iter::once((MARGIN, self.y, WIDTH, height)));
        for (at, (gap, line)) in lines.iter().enumerate() {
            self.put(MONO, MARGIN + 12.0, self.y + 19.0 + gap + at as f32 * EXACT.1, line);
        }
        self.y += height + 4.0;
    }

    fn codes(&mut self, codes: &[Code]) {
        const SIDE: f32 = 128.0;
        let share = WIDTH / codes.len().max(1) as f32;
        self.need(SIDE + 70.0);
        self.y += 10.0;
        let top = self.y;
        for (at, code) in codes.iter().enumerate() {
            let x = MARGIN + share * at as f32;
            if let Some(modules) = qr::modules(&code.text) {
                let unit = SIDE / modules.side as f32;
                // The quiet zone reaches into the margin: the code itself stands flush with the text.
                let (left, up) = (x - 4.0 * unit, top - 4.0 * unit);
                let place = |&(column, row, length): &(usize, usize, usize)| {
                    (left + column as f32 * unit, up + row as f32 * unit, length as f32 * unit, unit)
                };
                self.fill(INK, modules.runs.iter().map(place));
            }
            let mut y = top + SIDE;
            self.put(Style { face: Face::Strong, ..TEXT }, x, y, &code.name);
            let small = Style { size: 7.0, ..MONO };
            for line in self.fonts.lines(small.face, small.size, &code.text, share - 20.0) {
                y += 11.0;
                self.put(small, x, y, &line);
            }
            self.y = self.y.max(y + 10.0);
        }
    }

    fn signatures(&mut self, signatures: &[Signature]) {
        let (sign, place) = (WIDTH * 0.58, WIDTH * 0.36);
        for signature in signatures {
            self.need(74.0);
            self.y += 44.0;
            self.rule(MARGIN, self.y, sign, 0.7, INK);
            self.rule(MARGIN + WIDTH - place, self.y, place, 0.7, INK);
            self.put(Style { face: Face::Strong, ..TEXT }, MARGIN, self.y + 14.0, &signature.name);
            self.put(QUIET, MARGIN, self.y + 26.0, &signature.role);
            self.put(QUIET, MARGIN + WIDTH - place, self.y + 14.0, "Place and date");
            self.y += 30.0;
        }
    }
}

fn point(x: f32, y: f32) -> Point {
    Point { x: Pt(x), y: Pt(PAGE.1 - y) }
}

fn colour((r, g, b): Rgb8) -> Color {
    let part = |value: u8| f32::from(value) / 255.0;
    Color::Rgb(Rgb { r: part(r), g: part(g), b: part(b), icc_profile: None })
}
