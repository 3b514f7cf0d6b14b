//! Tables for people: columns as wide as they must be, numbers to the right.

/// A table with a header.
pub(super) struct TextTable {
    rows: Vec<Vec<String>>,
    numbers_from: usize,
}

impl TextTable {
    /// A table whose columns from `numbers_from` on hold numbers.
    pub(super) fn new<const N: usize>(header: [&str; N], numbers_from: usize) -> Self {
        Self { rows: vec![header.map(str::to_owned).to_vec()], numbers_from }
    }

    pub(super) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.to_vec());
    }

    pub(super) fn render(&self) -> String {
        let width = |column: usize| {
            self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let columns = self.rows.first().map_or(0, Vec::len);
        let widths: Vec<_> = (0..columns).map(width).collect();
        let lines = self.rows.iter().map(|row| {
            let cells = row.iter().zip(&widths).enumerate().map(|(at, (cell, width))| {
                if at >= self.numbers_from { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// `1234567` as `1,234,567`.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A number of things: `1 request`, `2,000 requests`.
pub(super) fn counted(number: u64, thing: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {thing}{ending}", thousands(number))
}

/// Bytes in megabytes: `0.3`, `1,204.0`.
pub(super) fn megabytes(bytes: u64) -> String {
    let tenths = bytes.div_ceil(100_000);
    format!("{}.{}", thousands(tenths / 10), tenths % 10)
}

/// A duration as people say it: the two largest units.
pub(super) fn duration(minutes: u64) -> String {
    match (minutes / (24 * 60), minutes / 60 % 24, minutes % 60) {
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_numbers_stand_to_the_right() {
        let mut table = TextTable::new(["entity", "rows"], 1);
        table.row(["notes".to_owned(), thousands(7)]);
        table.row(["conversations".to_owned(), thousands(1_234_567)]);
        assert_eq!(table.render(), "entity              rows\nnotes                  7\nconversations  1,234,567");
    }
}
