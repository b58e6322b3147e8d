//! Tables as RFC 4180 text, for whoever works on them in a spreadsheet.
//!
//! A spreadsheet runs a cell that begins like a formula, and names in a ledger were typed by anybody: such a cell gets an
//! apostrophe before it (OWASP, CSV injection).

/// Writes a table line by line.
pub struct Table(String);

impl Table {
    /// A table under these headings.
    pub fn new(headings: &[&str]) -> Self {
        let mut table = Self(String::new());
        table.row(headings.iter().map(|heading| (*heading).to_owned()));
        table
    }

    /// Further rows of a table whose headings were written before.
    pub fn further() -> Self {
        Self(String::new())
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        for (at, cell) in cells.into_iter().enumerate() {
            if at > 0 {
                self.0.push(',');
            }
            self.cell(&cell);
        }
        self.0.push_str("\r\n");
    }

    fn cell(&mut self, text: &str) {
        let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
        if formula || text.contains([',', '"', '\r', '\n']) {
            self.0.push('"');
            self.0.push_str(if formula { "'" } else { "" });
            self.0.push_str(&text.replace('"', "\"\""));
            self.0.push('"');
        } else {
            self.0.push_str(text);
        }
    }

    /// The whole text.
    pub fn into_text(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(cells: &[&str]) -> String {
        let mut table = Table::new(&["a"]);
        table.row(cells.iter().map(|cell| (*cell).to_owned()));
        table.into_text().strip_prefix("a\r\n").unwrap().to_owned()
    }

    #[test]
    fn what_separates_cells_is_quoted() {
        assert_eq!(
            line(&["plain", "a,b", "say \"no\"", "two\nlines"]),
            "plain,\"a,b\",\"say \"\"no\"\"\",\"two\nlines\"\r\n"
        );
    }

    #[test]
    fn no_cell_begins_as_a_formula() {
        for formula in ["=1+1", "+1", "-1", "@sum(a)", "\t=1", "\r=1"] {
            assert_eq!(line(&[formula]), format!("\"'{formula}\"\r\n"));
        }
        assert_eq!(line(&["a=1", "'=1"]), "a=1,'=1\r\n");
    }
}
