//! Tables for a terminal and for Markdown.

use std::fmt::Write as _;

/// A heading and rows; every row has as many cells as the heading.
pub struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    /// Columns from this one on hold numbers, and are set to the right.
    numbers_from: usize,
}

impl Table {
    /// Without rows yet.
    pub fn new<const N: usize>(head: [&'static str; N], numbers_from: usize) -> Self {
        Self { head: head.to_vec(), rows: Vec::new(), numbers_from }
    }

    /// Adds a row.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        debug_assert_eq!(N, self.head.len());
        self.rows.push(cells.to_vec());
    }

    /// Aligned by spaces.
    pub fn text(&self) -> String {
        let widths: Vec<usize> = (0..self.head.len()).map(|column| self.width(column)).collect();
        let head = self.head.iter().map(|cell| (*cell).to_owned()).collect();
        let mut out = String::new();
        for row in std::iter::once(&head).chain(&self.rows) {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let pad = " ".repeat(widths[column].saturating_sub(cell.chars().count()));
                let (before, after) = if self.is_number(column) { (pad.as_str(), "") } else { ("", pad.as_str()) };
                let _ = write!(line, "{before}{cell}{after}  ");
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }

    /// As GitHub reads it.
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        let _ = writeln!(out, "| {} |", self.head.join(" | "));
        let rules: Vec<&str> =
            (0..self.head.len()).map(|column| if self.is_number(column) { "--:" } else { "---" }).collect();
        let _ = writeln!(out, "|{}|", rules.join("|"));
        for row in &self.rows {
            let cells: Vec<String> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
            let _ = writeln!(out, "| {} |", cells.join(" | "));
        }
        out
    }

    /// The last column is words again: a remark.
    fn is_number(&self, column: usize) -> bool {
        column >= self.numbers_from && column + 1 < self.head.len()
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().map(|row| row[column].chars().count());
        cells.chain([self.head[column].chars().count()]).max().unwrap_or(0)
    }
}

/// A speed or another number with three digits that mean something: `0.132`, `17.5`, `354`.
pub fn digits(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// `value` by `digits`, or a dash.
pub fn or_dash(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(["who", "speed", "where"], 1);
        table.row(["a".to_owned(), "1.5".to_owned(), "here".to_owned()]);
        table.row(["long|name".to_owned(), "10".to_owned(), "there".to_owned()]);
        table
    }

    #[test]
    fn text_is_aligned() {
        assert_eq!(table().text(), "who        speed  where\na            1.5  here\nlong|name     10  there\n");
    }

    #[test]
    fn markdown_is_escaped() {
        let expected = "| who | speed | where |\n|---|--:|---|\n| a | 1.5 | here |\n| long\\|name | 10 | there |\n";
        assert_eq!(table().markdown(), expected);
    }

    #[test]
    fn numbers_keep_three_digits() {
        let texts = [0.1316, 2.084, 17.45, 354.4].map(digits);
        assert_eq!(texts, ["0.132", "2.08", "17.4", "354"]);
        assert_eq!(or_dash(None), "-");
    }
}
