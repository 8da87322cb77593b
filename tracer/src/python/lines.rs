//! Line tables: from the position of an instruction to a line number.
//!
//! Pure functions over bytes, one per form that CPython has had since 3.9. A table that ends early gives no line; it
//! can never be read past its end.

/// How far a table has been read: to the entry of the instruction that was asked for last. A program asks for the lines of
/// its code one after the other, and each answer begins where the last one ended. All zeros is the table's start.
#[derive(Clone, Copy, Default)]
pub struct Cursor {
    /// Where the entry begins in the table, and its first instruction in the byte code.
    position: usize,
    start: i64,
    /// The line before the entry, less the first one.
    line: i32,
}

impl Cursor {
    /// Goes back to the start of the table when it has gone past an instruction.
    fn seek(&mut self, offset: i64) {
        if offset < self.start {
            *self = Self::default();
        }
    }

    /// Goes to the next entry.
    fn advance(&mut self, position: usize, start: i64, line_delta: i32) {
        *self = Self { position, start, line: self.line.saturating_add(line_delta) };
    }

    /// The line so many lines behind the entry before.
    fn line(&self, first_line: i32, line_delta: i32) -> u32 {
        let line = first_line.saturating_add(self.line.saturating_add(line_delta));
        u32::try_from(line).unwrap_or(0)
    }

    fn pair(&self, table: &[u8]) -> Option<(i64, i8)> {
        let pair = table.get(self.position..)?.first_chunk::<2>()?;
        Some((self.start.saturating_add(pair[0].into()), pair[1] as i8))
    }
}

/// 3.9, `co_lnotab`: pairs of (bytes of code, signed line delta).
///
/// `offset` is in bytes of code; negative means before the first instruction. 0 = no line.
pub fn in_lnotab(table: &[u8], first_line: i32, offset: i64, cursor: &mut Cursor) -> u32 {
    cursor.seek(offset);
    while let Some((end, delta)) = cursor.pair(table).filter(|(end, _)| *end <= offset) {
        cursor.advance(cursor.position + 2, end, delta.into());
    }
    cursor.line(first_line, 0)
}

/// 3.10, `co_linetable`: pairs of (bytes of code, signed line delta), where a delta of -128 marks code without a line.
///
/// `offset` is in bytes of code; negative means before the first instruction. 0 = no line.
pub fn in_ranges(table: &[u8], first_line: i32, offset: i64, cursor: &mut Cursor) -> u32 {
    /// Code that belongs to no line.
    const NO_LINE: i8 = -128;
    if offset < 0 {
        return u32::try_from(first_line).unwrap_or(0);
    }
    cursor.seek(offset);
    while let Some((end, delta)) = cursor.pair(table) {
        let has_line = delta != NO_LINE;
        let delta = if has_line { delta.into() } else { 0 };
        if offset < end {
            return if has_line { cursor.line(first_line, delta) } else { 0 };
        }
        cursor.advance(cursor.position + 2, end, delta);
    }
    0
}

/// 3.11 and later, `co_linetable`: a location table. Entries begin with a byte whose highest bit is set.
///
/// `offset` is in bytes of code; negative means before the first instruction. 0 = no line.
pub fn in_locations(table: &[u8], first_line: i32, offset: i64, cursor: &mut Cursor) -> u32 {
    /// Kinds of entries, see `Objects/locations.md` in CPython's sources.
    const NO_LOCATION: u8 = 15;
    const LONG: u8 = 14;
    const NO_COLUMNS: u8 = 13;
    const ONE_LINE: u8 = 10;
    if offset < 0 {
        return u32::try_from(first_line).unwrap_or(0);
    }
    cursor.seek(offset);
    while let Some(&head) = table.get(cursor.position) {
        let mut next = cursor.position + 1;
        let kind = (head >> 3) & 15;
        let delta = match kind {
            LONG | NO_COLUMNS => signed_varint(table, next),
            // One-line entries give the delta in their kind: 10, 11 or 12.
            ONE_LINE.. if kind != NO_LOCATION => i32::from(kind - ONE_LINE),
            _ => 0,
        };
        // An entry is for 1 to 8 code units of two bytes.
        let end = cursor.start.saturating_add(i64::from(head & 7) * 2 + 2);
        if offset < end {
            return if kind == NO_LOCATION { 0 } else { cursor.line(first_line, delta) };
        }
        while table.get(next).is_some_and(|byte| byte & 0x80 == 0) {
            next += 1;
        }
        cursor.advance(next, end, delta);
    }
    0
}

/// A signed number at `position`: six bits per byte, lowest first, sign in the lowest bit.
fn signed_varint(table: &[u8], position: usize) -> i32 {
    let mut value = 0_u32;
    for (index, byte) in table.get(position..).unwrap_or_default().iter().take(6).enumerate() {
        value |= u32::from(byte & 0x3f).wrapping_shl(6 * index as u32);
        if byte & 0x40 == 0 {
            break;
        }
    }
    let magnitude = (value >> 1) as i32;
    if value & 1 == 0 { magnitude } else { -magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One function of a fixture: its table, and (first offset, line) runs as the interpreter's own
    /// `PyCode_Addr2Line` gave them; line 0 stands for none.
    struct Fixture {
        first_line: i32,
        table: Vec<u8>,
        length: i32,
        runs: Vec<(i32, u32)>,
    }

    fn fixtures(text: &str) -> Vec<Fixture> {
        let fixture = |line: &str| {
            let mut words = line.split(' ');
            let mut next = || words.next().unwrap();
            let first_line = next().parse().unwrap();
            let length = next().parse().unwrap();
            let hex = next();
            let table = (0..hex.len() / 2)
                .map(|at| u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).unwrap())
                .collect();
            let runs = next()
                .split(',')
                .map(|run| {
                    run.split_once(':').map(|(o, l)| (o.parse().unwrap(), l.parse().unwrap())).unwrap()
                })
                .collect();
            Fixture { first_line, table, length, runs }
        };
        text.lines().filter(|line| !line.starts_with('#')).map(fixture).collect()
    }

    fn check(text: &str, line: impl Fn(&[u8], i32, i64, &mut Cursor) -> u32) {
        let fixtures = fixtures(text);
        assert!(fixtures.len() > 20);
        for (number, fixture) in fixtures.iter().enumerate() {
            // One that goes on forwards, one that jumps to and fro, and a new one for each.
            let (mut forwards, mut jumping) = (Cursor::default(), Cursor::default());
            let offsets = (-2..fixture.length).step_by(2);
            for (offset, other) in offsets.clone().zip(offsets.rev()) {
                let expected = |offset| fixture.runs.iter().rev().find(|run| run.0 <= offset).unwrap().1;
                let found = |offset: i32, cursor: &mut Cursor| {
                    line(&fixture.table, fixture.first_line, offset.into(), cursor)
                };
                for cursor in [&mut forwards, &mut jumping, &mut Cursor::default()] {
                    assert_eq!(found(offset, cursor), expected(offset), "function {number}, offset {offset}");
                }
                assert_eq!(found(other, &mut jumping), expected(other), "function {number}, offset {other}");
            }
        }
    }

    #[test]
    fn python_3_9() {
        check(include_str!("line_tables/3.9.txt"), in_lnotab);
    }

    #[test]
    fn python_3_10() {
        check(include_str!("line_tables/3.10.txt"), in_ranges);
    }

    #[test]
    fn python_3_11() {
        check(include_str!("line_tables/3.11.txt"), in_locations);
    }

    #[test]
    fn python_3_12() {
        check(include_str!("line_tables/3.12.txt"), in_locations);
    }

    #[test]
    fn python_3_13() {
        check(include_str!("line_tables/3.13.txt"), in_locations);
    }

    /// Any bytes: the decoders end, and a cut table says the same as the whole one for the part that is there.
    #[test]
    fn arbitrary_and_cut_tables() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        };
        for _ in 0..2000 {
            let table: Vec<u8> = (0..random() % 64).map(|_| random()).collect();
            for offset in [i64::MIN, -1, 0, 1, 2, 17, 300, i64::MAX] {
                for line in [in_lnotab, in_ranges, in_locations] {
                    let mut cursor = Cursor::default();
                    let first = line(&table, i32::MAX, offset, &mut cursor);
                    assert_eq!(line(&table, i32::MAX, offset, &mut cursor), first);
                }
            }
        }
        let fixtures = fixtures(include_str!("line_tables/3.12.txt"));
        for fixture in &fixtures {
            let half = &fixture.table[..fixture.table.len() / 2];
            let line = |table| in_locations(table, fixture.first_line, 0, &mut Cursor::default());
            assert!(half.len() < 8 || line(half) == line(&fixture.table));
        }
    }
}
