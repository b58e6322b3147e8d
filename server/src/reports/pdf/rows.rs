//! Rows of cells: tables, facts and whatever else stands side by side and goes on over pages.

use super::setting::Line;
use super::sheet::{
    ACCENT, BOTTOM, CELL, FAINT, HAIR, MARGIN, MONO, QUIET, Sheet, Style, TOP, WIDTH, colour_of,
};
use crate::reports::document::{Column, Mark, Table, Value};

/// Above and below a row's lines, together.
const PADDING: f32 = 7.5;

/// From a row's upper edge to its first baseline.
const FIRST: f32 = 13.2;

/// Between two columns.
const GUTTER: f32 = 10.0;

/// What a column has before the rest is shared out by weight.
const NARROWEST: f32 = 20.0;

/// From a check's sign to its word.
const BESIDE_MARK: f32 = 13.0;

/// A head that is higher is not repeated.
const HIGHEST_HEAD: f32 = 120.0;

/// The names above a table's columns.
const NAMES: Style = Style { voice: super::fonts::Voice::Strong, size: 9.0, leading: 11.5, colour: FAINT };

/// A cell, set and not yet put.
pub(super) struct Cell {
    x: f32,
    width: f32,
    style: Style,
    lines: Vec<Line>,
    right: bool,
    mark: Option<Mark>,
}

impl Cell {
    /// A cell that is flush left.
    pub(super) fn of(style: Style, x: f32, width: f32, lines: Vec<Line>) -> Self {
        Self { x, width, style, lines, right: false, mark: None }
    }

    fn height(&self) -> f32 {
        self.lines.len() as f32 * self.style.leading
    }
}

/// A row as high as its highest cell.
fn height(cells: &[Cell]) -> f32 {
    cells.iter().map(Cell::height).fold(0.0, f32::max) + PADDING
}

/// A table as it is drawn: its columns' places and the row of names.
struct Grid<'a> {
    columns: Vec<(f32, f32, bool)>,
    names: Vec<&'a str>,
}

impl<'a> Grid<'a> {
    fn of(table: &'a Table) -> Self {
        let widest = table.rows.iter().map(Vec::len).max().unwrap_or(0).max(table.columns.len());
        let column = |at: usize| table.columns.get(at);
        let weight = |at: usize| f32::from(column(at).map_or(10, |column| column.weight).max(1));
        let total: f32 = (0..widest).map(weight).sum();
        let least = NARROWEST.min(WIDTH / widest.max(1) as f32);
        let shared = WIDTH - least * widest as f32;
        let mut x = MARGIN;
        let columns = (0..widest).map(|at| {
            let width = least + shared * weight(at) / total;
            let place = (x, width, column(at).is_some_and(|column| column.right));
            x += place.1;
            place
        });
        let names = |at| column(at).map_or("", |column: &Column| &column.name);
        Self { columns: columns.collect(), names: (0..widest).map(names).collect() }
    }

    /// The place of a column's text: its left and its width. The last one reaches the margin.
    fn place(&self, at: usize) -> (f32, f32, bool) {
        let (x, width, right) = self.columns[at];
        let gutter = if at + 1 == self.columns.len() { 0.0 } else { GUTTER.min(width / 2.0) };
        (x, width - gutter, right)
    }

    fn head(&self, sheet: &mut Sheet) -> Vec<Cell> {
        let cells = self.names.iter().enumerate().map(|(at, name)| {
            let (x, width, right) = self.place(at);
            let lines = sheet.setter.lines(NAMES.voice, NAMES.size, name, width);
            Cell { x, width, style: NAMES, lines, right, mark: None }
        });
        cells.collect()
    }
}

impl Sheet {
    /// Sets a value into its place.
    pub(super) fn cell(&mut self, value: &Value, x: f32, width: f32, right: bool) -> Cell {
        let set = |style: Style, lines| Cell { x, width, style, lines, right, mark: None };
        match value {
            Value::Words(text) => set(CELL, self.setter.lines(CELL.voice, CELL.size, text, width)),
            Value::Exact(text) => set(MONO, self.setter.lines(MONO.voice, MONO.size, text, width)),
            Value::Digest(text) => set(MONO, self.setter.digest(MONO.voice, MONO.size, text, width)),
            Value::Mark(mark) => {
                let style = Style { colour: colour_of(*mark), ..CELL };
                let (x, width) = (x + BESIDE_MARK, (width - BESIDE_MARK).max(1.0));
                let lines = self.setter.lines(style.voice, style.size, said(*mark), width);
                Cell { x, width, style, lines, right: false, mark: Some(*mark) }
            }
        }
    }

    /// Puts a row; one that does not fit goes to the next page, and one that is higher than a page over several.
    pub(super) fn row(&mut self, mut cells: Vec<Cell>, head: &[Cell]) {
        let high = height(&cells);
        let page = BOTTOM - TOP - if head.is_empty() { 0.0 } else { height(head) };
        if self.y + high > BOTTOM && (high <= page || self.y + 60.0 > BOTTOM) {
            self.turn_under(head);
        }
        while height(&cells) > PADDING {
            let room = (BOTTOM - self.y - PADDING).max(CELL.leading);
            let mut deepest: f32 = 0.0;
            for cell in &mut cells {
                let count = ((room / cell.style.leading) as usize).max(1).min(cell.lines.len());
                deepest = deepest.max(count as f32 * cell.style.leading);
                self.put_cell(cell, count);
            }
            self.y += deepest + PADDING;
            if height(&cells) > PADDING {
                self.turn_under(head);
            }
        }
    }

    /// Puts a cell's next lines at the cursor.
    fn put_cell(&mut self, cell: &mut Cell, count: usize) {
        let baseline = self.y + FIRST;
        if let Some(mark) = cell.mark.take() {
            self.mark(mark, cell.x - BESIDE_MARK, baseline + 0.8, 8.0);
        }
        for (at, line) in cell.lines.drain(..count).enumerate() {
            let x = if cell.right { cell.x + cell.width - line.width } else { cell.x };
            self.put(cell.style, x, baseline + at as f32 * cell.style.leading, &line);
        }
    }

    fn turn_under(&mut self, head: &[Cell]) {
        self.turn();
        if !head.is_empty() {
            self.put_head(head);
        }
    }

    fn put_head(&mut self, head: &[Cell]) {
        let high = height(head);
        for cell in head {
            // Names stand on the rule: those of fewer lines hang lower.
            let first = self.y + high - PADDING - cell.height() + NAMES.leading;
            for (at, line) in cell.lines.iter().enumerate() {
                let x = if cell.right { cell.x + cell.width - line.width } else { cell.x };
                self.put(cell.style, x, first + at as f32 * cell.style.leading, line);
            }
        }
        self.y += high - 2.0;
        self.rule(MARGIN, self.y, WIDTH, 0.9, ACCENT);
    }

    pub(super) fn table(&mut self, table: &Table) {
        let grid = Grid::of(table);
        let head = grid.head(self);
        self.need(70.0);
        self.y += 2.0;
        let head = if height(&head) <= HIGHEST_HEAD {
            self.put_head(&head);
            head
        } else {
            self.row(head, &[]);
            Vec::new()
        };
        for row in &table.rows {
            let cells = row.iter().enumerate().map(|(at, value)| {
                let (x, width, right) = grid.place(at);
                self.cell(value, x, width, right)
            });
            let cells = cells.collect();
            self.row(cells, &head);
            self.rule(MARGIN, self.y, WIDTH, 0.4, HAIR);
        }
        if table.rows.is_empty() {
            self.y += FIRST;
            self.say(QUIET, MARGIN, self.y, "None.", WIDTH);
            self.y += 6.0;
        }
        self.y += 6.0;
    }

    pub(super) fn facts(&mut self, facts: &[(String, Value)]) {
        let names = WIDTH * 0.23;
        for (at, (name, value)) in facts.iter().enumerate() {
            let style = Style { colour: FAINT, ..CELL };
            let lines = self.setter.lines(style.voice, style.size, name, names - GUTTER);
            let name = Cell::of(style, MARGIN, names, lines);
            let value = self.cell(value, MARGIN + names, WIDTH - names, false);
            if at == 0 {
                self.need(30.0);
                self.rule(MARGIN, self.y, WIDTH, 0.4, HAIR);
            }
            self.row(vec![name, value], &[]);
            self.rule(MARGIN, self.y, WIDTH, 0.4, HAIR);
        }
        self.y += 6.0;
    }
}

fn said(mark: Mark) -> &'static str {
    match mark {
        Mark::Pass => "Pass",
        Mark::Fail => "Fail",
        Mark::None => "None",
    }
}
