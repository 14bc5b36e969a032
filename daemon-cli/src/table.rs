//! Tables for people: columns as wide as what is in them, and below a row what there is to say of it. Pure.

use crate::words::{clean, wrap};

/// How something is to be coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Good,
    Odd,
    Bad,
    Dim,
}

impl Tone {
    /// Text in that colour.
    pub(crate) fn paint(self, text: &str, colour: bool) -> String {
        let code = match self {
            _ if !colour => return text.to_owned(),
            Self::Plain => return text.to_owned(),
            Self::Good => "32",
            Self::Odd => "33",
            Self::Bad => "31",
            Self::Dim => "2",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

/// A cell of a table.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    pub(crate) fn new(text: impl Into<String>, tone: Tone) -> Self {
        Self { text: clean(&text.into()).into_owned(), tone }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text, Tone::Plain)
    }
}

/// A column: its title, and whether it holds numbers.
pub(crate) type Column = (&'static str, Side);

/// On which side the text of a column stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

/// A table that grows by rows.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<(Vec<Cell>, Vec<Cell>)>,
}

impl Table {
    pub(crate) fn new(columns: impl IntoIterator<Item = Column>) -> Self {
        Self { columns: columns.into_iter().collect(), rows: Vec::new() }
    }

    /// Adds a row, and notes that stand below it.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>, notes: impl IntoIterator<Item = Cell>) {
        self.rows.push((cells.into_iter().collect(), notes.into_iter().collect()));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table, its notes wrapped to so many columns.
    pub(crate) fn text(&self, width: usize, colour: bool) -> String {
        let widest = |at: usize| {
            let cells = self.rows.iter().filter_map(|(cells, _)| Some(cells.get(at)?.text.chars().count()));
            cells.chain([self.columns[at].0.chars().count()]).max().unwrap_or(0)
        };
        let widths: Vec<_> = (0..self.columns.len()).map(widest).collect();
        let titles: Vec<_> = self.columns.iter().map(|(title, _)| Cell::new(*title, Tone::Dim)).collect();
        let mut text = self.line(&titles, &widths, colour);
        for (cells, notes) in &self.rows {
            for line in self.lines(cells, &widths, width) {
                text.push_str(&self.line(&line, &widths, colour));
            }
            for note in notes {
                for line in wrap(&note.text, width.saturating_sub(6).max(20)) {
                    text.push_str(&format!("      {}\n", note.tone.paint(&line, colour)));
                }
            }
        }
        text
    }

    /// A row in as many lines as the text of its last column needs.
    fn lines(&self, cells: &[Cell], widths: &[usize], width: usize) -> Vec<Vec<Cell>> {
        let before: usize = widths.iter().take(self.columns.len() - 1).map(|width| width + 2).sum();
        let Some((last, others)) = cells.split_last().filter(|_| cells.len() == self.columns.len()) else {
            return vec![cells.to_vec()];
        };
        let texts = wrap(&last.text, width.saturating_sub(before + 2).max(20)).into_iter();
        let texts = texts.map(|text| Cell { text, tone: last.tone });
        let blank = others.iter().map(|_| Cell::from("")).collect::<Vec<_>>();
        let row =
            |(at, text)| if at == 0 { others.to_vec() } else { blank.clone() }.into_iter().chain([text]).collect();
        texts.enumerate().map(row).collect()
    }

    fn line(&self, cells: &[Cell], widths: &[usize], colour: bool) -> String {
        let mut line = String::new();
        let last = cells.iter().rposition(|cell| !cell.text.is_empty()).unwrap_or(0);
        for (at, cell) in cells.iter().enumerate().take(last + 1) {
            let gap = " ".repeat(widths[at].saturating_sub(cell.text.chars().count()));
            let painted = cell.tone.paint(&cell.text, colour);
            line.push_str("  ");
            match self.columns[at].1 {
                Side::Right => line.push_str(&(gap + &painted)),
                Side::Left if at == last => line.push_str(&painted),
                Side::Left => line.push_str(&(painted + &gap)),
            }
        }
        line.push('\n');
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new([("DAEMON", Side::Left), ("STATE", Side::Left), ("ERRORS", Side::Right)]);
        table.row(["store".into(), Cell::new("running", Tone::Good), "7".into()], []);
        let why = "the disk is full, and so is the other one; nobody knows what to do about it";
        table.row(["room-membership".into(), Cell::new("failed", Tone::Bad), "12".into()], [why.into()]);
        table
    }

    #[test]
    fn columns_are_as_wide_as_what_is_in_them() {
        let expected = "  DAEMON           STATE    ERRORS\n\
                        \x20 store            running       7\n\
                        \x20 room-membership  failed       12\n\
                        \x20     the disk is full, and so is the\n\
                        \x20     other one; nobody knows what to do\n\
                        \x20     about it\n";
        assert_eq!(table().text(42, false), expected);
    }

    #[test]
    fn a_long_last_column_goes_on_below_itself() {
        let mut table = Table::new([("COMMAND", Side::Left), ("WHAT IT DOES", Side::Left)]);
        table.row(["store.compact".into(), "Writes the store anew without its holes.".into()], []);
        let expected = "  COMMAND        WHAT IT DOES\n\
                        \x20 store.compact  Writes the store anew\n\
                        \x20                without its holes.\n";
        assert_eq!(table.text(40, false), expected);
    }

    #[test]
    fn colours_are_not_counted() {
        let (plain, coloured) = (table().text(80, false), table().text(80, true));
        assert!(coloured.contains("\u{1b}[32mrunning\u{1b}[0m") && !plain.contains('\u{1b}'));
        let mut parts = coloured.split('\u{1b}');
        let first = parts.next().unwrap_or_default().to_owned();
        let bare = first + &parts.filter_map(|part| Some(part.split_once('m')?.1)).collect::<String>();
        assert_eq!(bare, plain);
    }

    #[test]
    fn what_others_say_does_not_steer_the_terminal() {
        let mut table = Table::new([("X", Side::Left)]);
        table.row(["\u{1b}[31mred".into()], ["\u{7}".into()]);
        assert!(!table.text(80, false).contains(['\u{1b}', '\u{7}']));
    }
}
