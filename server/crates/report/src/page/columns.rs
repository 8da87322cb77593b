//! Numbers in columns, as the page reads them: each column's values one after the other, each value a LEB128 number.
//!
//! Nothing here says which column is which: the order is that in which they were written, and `assets/data.js` reads
//! them in the same order. Columns of similar small numbers are what deflate makes small.

/// Columns of numbers.
#[derive(Debug, Default)]
pub struct Columns(Vec<u8>);

impl Columns {
    /// Appends a column.
    pub fn add(&mut self, values: impl IntoIterator<Item = u64>) {
        for value in values {
            self.number(value);
        }
    }

    /// Appends a column of rising numbers as the steps between them.
    pub fn add_rising(&mut self, values: impl IntoIterator<Item = u32>) {
        let mut last = 0;
        for value in values {
            self.number(u64::from(value.saturating_sub(last)));
            last = value;
        }
    }

    /// The bytes of all columns.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_leb128() {
        let mut columns = Columns::default();
        columns.add([0, 1, 127, 128, 300, u64::MAX]);
        columns.add_rising([5, 5, 9]);
        let most = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
        let expected = [[0, 1, 127, 0x80, 1, 0xac, 2].as_slice(), &most, &[5, 0, 4]].concat();
        assert_eq!(columns.bytes(), expected);
    }
}
