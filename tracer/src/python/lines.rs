//! Line tables: from the position of an instruction to a line number.
//!
//! Pure functions over bytes, one per form that CPython has had since 3.9. A table that ends early gives no line; it
//! can never be read past its end.

/// 3.9, `co_lnotab`: pairs of (bytes of code, signed line delta).
///
/// `offset` is in bytes of code; negative means before the first instruction. 0 = no line.
pub fn in_lnotab(table: &[u8], first_line: i32, offset: i32) -> u32 {
    let mut line = first_line;
    let mut start = 0_i32;
    for pair in table.chunks_exact(2) {
        let [length, delta] = *pair else { break };
        start = start.saturating_add(i32::from(length));
        if start > offset {
            break;
        }
        line = line.saturating_add(i32::from(delta as i8));
    }
    u32::try_from(line).unwrap_or(0)
}

/// 3.10, `co_linetable`: pairs of (bytes of code, signed line delta), where a delta of -128 marks code without a line.
///
/// `offset` is in bytes of code; negative means before the first instruction. 0 = no line.
pub fn in_ranges(table: &[u8], first_line: i32, offset: i32) -> u32 {
    /// Code that belongs to no line.
    const NO_LINE: i8 = -128;
    if offset < 0 {
        return u32::try_from(first_line).unwrap_or(0);
    }
    let mut line = first_line;
    let mut end = 0_i32;
    for pair in table.chunks_exact(2) {
        let [length, delta] = *pair else { break };
        let delta = delta as i8;
        if delta != NO_LINE {
            line = line.saturating_add(i32::from(delta));
        }
        end = end.saturating_add(i32::from(length));
        if offset < end {
            return if delta == NO_LINE { 0 } else { u32::try_from(line).unwrap_or(0) };
        }
    }
    0
}

/// 3.11 and later, `co_linetable`: a location table. Entries begin with a byte whose highest bit is set.
///
/// `offset` is in bytes of code; negative means before the first instruction. 0 = no line.
pub fn in_locations(table: &[u8], first_line: i32, offset: i64) -> u32 {
    /// Kinds of entries, see `Objects/locations.md` in CPython's sources.
    const NO_LOCATION: u8 = 15;
    const LONG: u8 = 14;
    const NO_COLUMNS: u8 = 13;
    const ONE_LINE: u8 = 10;
    if offset < 0 {
        return u32::try_from(first_line).unwrap_or(0);
    }
    let mut line = first_line;
    let mut end = 0_i64;
    let mut position = 0;
    while let Some(&head) = table.get(position) {
        position += 1;
        let kind = (head >> 3) & 15;
        match kind {
            LONG | NO_COLUMNS => line = line.saturating_add(signed_varint(table, position)),
            // One-line entries give the delta in their kind: 10, 11 or 12.
            ONE_LINE.. if kind != NO_LOCATION => line = line.saturating_add(i32::from(kind - ONE_LINE)),
            _ => {}
        }
        // An entry is for 1 to 8 code units of two bytes.
        end += i64::from(head & 7) * 2 + 2;
        if offset < end {
            return if kind == NO_LOCATION { 0 } else { u32::try_from(line).unwrap_or(0) };
        }
        while table.get(position).is_some_and(|byte| byte & 0x80 == 0) {
            position += 1;
        }
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

    fn check(text: &str, line: impl Fn(&[u8], i32, i32) -> u32) {
        let fixtures = fixtures(text);
        assert!(fixtures.len() > 20);
        for (number, fixture) in fixtures.iter().enumerate() {
            for offset in (-2..fixture.length).step_by(2) {
                let expected = fixture.runs.iter().rev().find(|run| run.0 <= offset).unwrap().1;
                let found = line(&fixture.table, fixture.first_line, offset);
                assert_eq!(found, expected, "function {number}, offset {offset}");
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
        check(include_str!("line_tables/3.11.txt"), |table, first, at| in_locations(table, first, at.into()));
    }

    #[test]
    fn python_3_12() {
        check(include_str!("line_tables/3.12.txt"), |table, first, at| in_locations(table, first, at.into()));
    }

    #[test]
    fn python_3_13() {
        check(include_str!("line_tables/3.13.txt"), |table, first, at| in_locations(table, first, at.into()));
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
            for offset in [i32::MIN, -1, 0, 1, 2, 17, 300, i32::MAX] {
                in_lnotab(&table, i32::MAX, offset);
                in_ranges(&table, i32::MAX, offset);
                in_locations(&table, i32::MAX, offset.into());
            }
        }
        let fixtures = fixtures(include_str!("line_tables/3.12.txt"));
        for fixture in &fixtures {
            let half = &fixture.table[..fixture.table.len() / 2];
            let whole = in_locations(&fixture.table, fixture.first_line, 0);
            assert!(half.len() < 8 || in_locations(half, fixture.first_line, 0) == whole);
        }
    }
}
