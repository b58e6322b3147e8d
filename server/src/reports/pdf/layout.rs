//! Where everything stands: the title, the blocks in their order, and what frames every page.

use printpdf::Op;

use super::fonts::{Fonts, Voice};
use super::rows::Cell;
use super::setting::End;
use super::sheet::{
    ACCENT, BOTTOM, BOX, Entry, FAINT, HAIR, INK, MARGIN, MONO, PAGE, QUIET, Sheet, Style, TEXT, WIDTH,
    colour_of,
};
use crate::reports::document::{
    Block, Check, Code, Column, Document, Signature, Status, Table, Value, Verification,
};
use crate::reports::qr;

/// The baseline of a page's running head.
const HEAD: f32 = 44.0;

const TITLE: Style = Style { voice: Voice::Strong, size: 21.0, leading: 26.0, colour: INK };
const SUBTITLE: Style = Style { voice: Voice::Text, size: 12.5, leading: 17.0, colour: INK };
const SECTION: Style = Style { voice: Voice::Strong, size: 13.0, leading: 17.0, colour: INK };
const SUBSECTION: Style = Style { voice: Voice::Strong, size: 10.5, leading: 14.0, colour: INK };
const STRONG: Style = Style { voice: Voice::Strong, ..TEXT };
const SMALL: Style = Style { size: 8.5, ..QUIET };

/// Every page of a report, and what its outline says.
pub(super) struct Drawn {
    pub(super) pages: Vec<Vec<Op>>,
    pub(super) outline: Vec<Entry>,
}

/// Draws every page of a report.
pub(super) fn draw(document: &Document, fonts: &'static Fonts) -> Drawn {
    let mut sheet = Sheet::new(fonts, if document.banner.is_some() { HEAD + 22.0 } else { MARGIN });
    sheet.title(document);
    let mut numbers = Numbers::default();
    for block in &document.blocks {
        sheet.block(block, &mut numbers);
    }
    if let Some(verification) = &document.verification {
        sheet.verification(verification, &mut numbers);
    }
    sheet.turn();
    let bodies = std::mem::take(&mut sheet.pages);
    let total = bodies.len();
    let framed = bodies.into_iter().enumerate().map(|(at, body)| {
        sheet.head(document, at > 0);
        let mut page = sheet.taken();
        page.extend(body);
        sheet.foot(document, at + 1, total);
        page.extend(sheet.taken());
        page
    });
    let pages = framed.collect();
    Drawn { pages, outline: sheet.outline }
}

/// How far the numbering of sections has come.
#[derive(Default)]
struct Numbers {
    section: usize,
    subsection: usize,
}

impl Numbers {
    fn section(&mut self) -> String {
        (self.section, self.subsection) = (self.section + 1, 0);
        self.section.to_string()
    }

    fn subsection(&mut self) -> String {
        self.subsection += 1;
        format!("{}.{}", self.section, self.subsection)
    }
}

impl Sheet {
    fn title(&mut self, document: &Document) {
        self.fill(ACCENT, std::iter::once((MARGIN, self.y, 34.0, 3.0)));
        self.y += 12.0;
        let status = document.status.as_ref().map_or(0.0, |status| self.status(status));
        self.flow(TITLE, MARGIN, &document.title, WIDTH - status);
        self.y += 5.0;
        self.flow(SUBTITLE, MARGIN, &document.subtitle, WIDTH);
        self.y += 20.0;
    }

    /// The verdict, flush right beside the title; gives the room it takes.
    fn status(&mut self, status: &Status) -> f32 {
        const SIDE: f32 = 11.0;
        let style = Style { colour: colour_of(status.mark), size: 13.0, ..STRONG };
        let word = self.setter.elided(style.voice, style.size, &status.word, WIDTH * 0.3);
        let width = word.width + SIDE + 27.0;
        let (left, top) = (MARGIN + WIDTH - width, self.y + 5.0);
        self.frame((left, top, width, 25.0), 0.9, style.colour);
        self.mark(status.mark, left + 10.0, top + 18.0, SIDE);
        self.put(style, left + 17.0 + SIDE, top + 17.0, &word);
        width + 20.0
    }

    fn head(&mut self, document: &Document, running: bool) {
        if let Some(banner) = &document.banner {
            self.across(banner);
            let style = Style { size: 9.0, ..STRONG };
            let word = self.setter.elided(style.voice, style.size, banner, WIDTH * 0.26);
            let left = PAGE.0 / 2.0 - word.width / 2.0;
            self.frame((left - 9.0, HEAD - 11.0, word.width + 18.0, 16.0), 0.9, INK);
            self.put(style, left, HEAD, &word);
        }
        if running {
            let room = if document.banner.is_some() { WIDTH * 0.34 } else { WIDTH * 0.48 };
            self.say(SMALL, MARGIN, HEAD, &document.title, room);
            let origin = self.setter.elided(SMALL.voice, SMALL.size, &document.origin, room);
            self.put(SMALL, MARGIN + WIDTH - origin.width, HEAD, &origin);
            self.rule(MARGIN, HEAD + 9.0, WIDTH, 0.5, HAIR);
        }
    }

    fn foot(&mut self, document: &Document, number: usize, total: usize) {
        let y = PAGE.1 - MARGIN;
        self.rule(MARGIN, y - 14.0, WIDTH, 0.5, HAIR);
        let page = format!("{number} / {total}");
        let page = self.setter.line(SMALL.voice, SMALL.size, &page);
        let said = format!("{}  ·  {}", document.foot.tenant, document.foot.id);
        self.say(SMALL, MARGIN, y, &said, WIDTH - page.width - 20.0);
        self.put(SMALL, MARGIN + WIDTH - page.width, y, &page);
    }

    fn block(&mut self, block: &Block, numbers: &mut Numbers) {
        match block {
            Block::Heading(text) => self.heading(SECTION, 0, "", text),
            Block::Section(text) => self.heading(SECTION, 0, &numbers.section(), text),
            Block::Subsection(text) => self.heading(SUBSECTION, 1, &numbers.subsection(), text),
            Block::Text(text) => self.prose(text),
            Block::Note(text) => self.note(text),
            Block::Facts(facts) => self.facts(facts),
            Block::Table(table) => self.table(table),
            Block::Checks(checks) => self.checks(checks),
            Block::Scale(scale) => self.scale(scale),
            Block::Commands(lines) => self.commands(lines),
            Block::Codes(codes) if codes.is_empty() => {}
            Block::Codes(codes) => self.codes(codes),
            Block::Signatures(signatures) => self.signatures(signatures),
            Block::NewPage => self.turn(),
        }
    }

    fn heading(&mut self, style: Style, level: usize, number: &str, text: &str) {
        // A heading is never the last on its page: a table below it takes 70 points.
        self.need(112.0);
        if !self.is_blank() {
            self.y += if level == 0 { 16.0 } else { 8.0 };
        }
        let title = if number.is_empty() { text.to_owned() } else { format!("{number} {text}") };
        self.outline.push(Entry { level, title, page: self.pages.len(), y: self.y });
        let mut x = MARGIN;
        if !number.is_empty() {
            let number = self.setter.line(style.voice, style.size, number);
            self.put(Style { colour: FAINT, ..style }, x, self.y + style.leading, &number);
            x += number.width + 8.0;
        }
        self.flow(style, x, text, MARGIN + WIDTH - x);
        self.y += if level == 0 { 8.0 } else { 5.0 };
    }

    fn prose(&mut self, text: &str) {
        self.flow(TEXT, MARGIN, text, WIDTH);
        self.y += 9.0;
    }

    fn note(&mut self, text: &str) {
        let style = Style { colour: INK, ..QUIET };
        self.y += 3.0;
        for line in self.setter.lines(style.voice, style.size, text, WIDTH - 14.0) {
            self.need(style.leading);
            self.fill(ACCENT, std::iter::once((MARGIN, self.y, 1.6, style.leading)));
            self.y += style.leading;
            self.put(style, MARGIN + 12.0, self.y - 3.4, &line);
        }
        self.y += 11.0;
    }

    fn checks(&mut self, checks: &[Check]) {
        let row = |check: &Check| {
            vec![
                Value::Mark(check.mark),
                Value::Words(check.claim.clone()),
                Value::Exact(check.evidence.clone()),
            ]
        };
        let columns = vec![Column::new("Result", 11), Column::new("Check", 63), Column::new("Evidence", 26)];
        self.table(&Table { columns, rows: checks.iter().map(row).collect() });
    }

    /// Long commands go on under a backslash, as a shell takes them: between words with an indent, within one without.
    fn commands(&mut self, commands: &[String]) {
        const PAD: f32 = 9.0;
        let indent = self.setter.line(MONO.voice, MONO.size, "  ").width;
        let [split, torn] = [" \\", "\\"].map(|end| self.setter.line(MONO.voice, MONO.size, end));
        let room = WIDTH - 24.0 - indent - split.width;
        let mut lines = Vec::new();
        for command in commands {
            let mut before = End::Text;
            for line in self.setter.lines(MONO.voice, MONO.size, command, room) {
                let x = MARGIN + 12.0 + if before == End::Space { indent } else { 0.0 };
                before = line.end;
                lines.push((x, line));
            }
        }
        let mut rest = &lines[..];
        self.y += 2.0;
        while !rest.is_empty() {
            self.need(rest.len().min(4) as f32 * MONO.leading + 2.0 * PAD);
            let fit = ((BOTTOM - self.y - 2.0 * PAD) / MONO.leading) as usize;
            let (now, later) = rest.split_at(fit.max(1).min(rest.len()));
            let height = now.len() as f32 * MONO.leading + 2.0 * PAD;
            self.fill(BOX, std::iter::once((MARGIN, self.y, WIDTH, height)));
            for (at, (x, line)) in now.iter().enumerate() {
                let y = self.y + PAD + 8.9 + at as f32 * MONO.leading;
                self.put(MONO, *x, y, line);
                match line.end {
                    End::Text => {}
                    End::Space => self.put(MONO, x + line.width, y, &split),
                    End::Word => self.put(MONO, x + line.width, y, &torn),
                }
            }
            self.y += height;
            rest = later;
        }
        self.y += 8.0;
    }

    fn codes(&mut self, codes: &[Code]) {
        const SIDE: f32 = 128.0;
        let share = WIDTH / codes.len() as f32;
        self.need(SIDE + 70.0);
        self.y += 10.0;
        for (at, code) in codes.iter().enumerate() {
            let Some(modules) = qr::modules(&code.text) else { continue };
            let unit = SIDE / modules.side as f32;
            // The quiet zone reaches into the margin: the code itself stands flush with the text.
            let (left, up) = (MARGIN + share * at as f32 - 4.0 * unit, self.y - 4.0 * unit);
            let place = |&(column, row, length): &(usize, usize, usize)| {
                (left + column as f32 * unit, up + row as f32 * unit, length as f32 * unit, unit)
            };
            self.fill(INK, modules.runs.iter().map(place));
        }
        self.y += SIDE - 14.0;
        let small = Style { size: 7.0, leading: 11.0, ..MONO };
        self.beneath(STRONG, share, codes.iter().map(|code| &*code.name));
        self.beneath(small, share, codes.iter().map(|code| &*code.text));
        self.y += 12.0;
    }

    /// Texts side by side, close to what is above them.
    fn beneath<'a>(&mut self, style: Style, share: f32, texts: impl Iterator<Item = &'a str>) {
        let width = share - 20.0;
        let cells = texts.enumerate().map(|(at, text)| {
            let lines = self.setter.lines(style.voice, style.size, text, width);
            Cell::of(style, MARGIN + share * at as f32, width, lines)
        });
        let cells = cells.collect();
        self.row(cells, &[]);
        self.y -= 8.0;
    }

    fn signatures(&mut self, signatures: &[Signature]) {
        let (sign, place) = (WIDTH * 0.58, WIDTH * 0.36);
        for signature in signatures {
            self.need(74.0);
            self.y += 44.0;
            self.rule(MARGIN, self.y, sign, 0.7, INK);
            self.rule(MARGIN + WIDTH - place, self.y, place, 0.7, INK);
            self.say(QUIET, MARGIN + WIDTH - place, self.y + 14.0, "Place and date", place);
            self.flow(STRONG, MARGIN, &signature.name, sign);
            self.flow(QUIET, MARGIN, &signature.role, sign);
            self.y += 4.0;
        }
    }

    fn verification(&mut self, verification: &Verification, numbers: &mut Numbers) {
        if !self.is_blank() {
            self.turn();
        }
        let number = if numbers.section > 0 { numbers.section() } else { String::new() };
        self.heading(SECTION, 0, &number, "How to verify");
        self.prose(&verification.lead);
        self.facts(&[(verification.name.clone(), Value::Digest(verification.digest.clone()))]);
        self.y += 6.0;
        self.commands(&verification.commands);
        self.prose(&verification.meaning);
    }
}
