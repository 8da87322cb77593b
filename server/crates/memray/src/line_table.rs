//! The line of an instruction: three encodings, by Python version. Any bytes give a line.

/// The line that an instruction belongs to, 0 when it is not known. `offset` is in bytes.
pub(crate) fn line_at(python_version: u32, table: &[u8], first_line: i32, offset: i64) -> u32 {
    let Ok(offset) = u64::try_from(offset) else { return 0 };
    if table.is_empty() {
        return 0;
    }
    let line = if python_version >= 0x030b_0000 {
        locations_line(table, first_line, offset / 2)
    } else if python_version >= 0x030a_0000 {
        Some(line_table_line(table, first_line, offset * 2))
    } else {
        Some(lnotab_line(table, first_line, offset))
    };
    line.and_then(|line| u32::try_from(line).ok()).unwrap_or(0)
}

/// 3.11 and later, PEP 626's location table: each entry has a kind, a length in code units and a change of line.
fn locations_line(table: &[u8], first_line: i32, unit: u64) -> Option<i32> {
    let mut bytes = table.iter().copied();
    let (mut line, mut end) = (first_line, 0u64);
    loop {
        let first = bytes.next().filter(|first| *first != 0)?;
        end += u64::from(first & 7) + 1;
        let kind = (first >> 3) & 15;
        match kind {
            // No location.
            15 => {}
            // Line, end line and two columns.
            14 => {
                line = line.wrapping_add(signed(&mut bytes)?);
                for _ in 0..3 {
                    unsigned(&mut bytes)?;
                }
            }
            // A line without columns.
            13 => line = line.wrapping_add(signed(&mut bytes)?),
            // Zero to two lines further, two columns.
            10..=12 => {
                line = line.wrapping_add(i32::from(kind) - 10);
                bytes.next()?;
                bytes.next()?;
            }
            // The same line, columns in one byte.
            _ => {
                bytes.next()?;
            }
        }
        if end > unit {
            return Some(line);
        }
    }
}

/// Six bits a byte, the lowest first; 64 says that more follow.
fn unsigned(bytes: &mut impl Iterator<Item = u8>) -> Option<u32> {
    let (mut value, mut shift) = (0u32, 0u32);
    loop {
        let byte = bytes.next()?;
        value |= u32::from(byte & 63).checked_shl(shift).unwrap_or(0);
        if byte & 64 == 0 {
            return Some(value);
        }
        shift += 6;
    }
}

fn signed(bytes: &mut impl Iterator<Item = u8>) -> Option<i32> {
    let value = unsigned(bytes)?;
    let half = (value >> 1) as i32;
    Some(if value & 1 == 1 { half.wrapping_neg() } else { half })
}

/// 3.10, PEP 626's line table: pairs of a length in bytes and a change of line; -128 says that there is no line.
fn line_table_line(table: &[u8], first_line: i32, offset: u64) -> i32 {
    let (mut line, mut end) = (first_line, 0u64);
    for pair in table.chunks_exact(2) {
        end += u64::from(pair[0]);
        let change = pair[1] as i8;
        line = line.wrapping_add(if change == i8::MIN { 0 } else { i32::from(change) });
        if end > offset {
            break;
        }
    }
    line
}

/// Up to 3.9, `co_lnotab`: pairs of a distance in bytes and a change of line.
fn lnotab_line(table: &[u8], first_line: i32, offset: u64) -> i32 {
    let (mut line, mut start) = (first_line, 0u64);
    for pair in table.chunks_exact(2) {
        start += u64::from(pair[0]);
        if start > offset {
            break;
        }
        line = line.wrapping_add(i32::from(pair[1] as i8));
    }
    line
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_are_found_in_each_encoding() {
        // def f():      first line 10; `x = 1` at 11, `return x` at 12.
        // 3.9: code.co_lnotab
        assert_eq!(line_at(0x0309_12f0, &[0, 1, 4, 1], 10, 0), 11);
        assert_eq!(line_at(0x0309_12f0, &[0, 1, 4, 1], 10, 2), 11);
        assert_eq!(line_at(0x0309_12f0, &[0, 1, 4, 1], 10, 4), 12);
        // 3.10: code.co_linetable; Memray's offsets count instructions there.
        assert_eq!(line_at(0x030a_0df0, &[4, 1, 4, 1], 10, 1), 11);
        assert_eq!(line_at(0x030a_0df0, &[4, 1, 4, 1], 10, 2), 12);
        // 3.11: RESUME at line 10 without columns, then one line further each.
        let table = [0x80 | 13 << 3, 0, 0x80 | 11 << 3 | 1, 8, 9, 0x80 | 11 << 3 | 1, 4, 12];
        assert_eq!(line_at(0x030b_07f0, &table, 10, 0), 10);
        assert_eq!(line_at(0x030b_07f0, &table, 10, 2), 11);
        assert_eq!(line_at(0x030b_07f0, &table, 10, 6), 12);
        assert_eq!(line_at(0x030b_07f0, &table, 10, 100), 0);
        assert_eq!(line_at(0x030b_07f0, &[], 10, 0), 0);
        assert_eq!(line_at(0x030b_07f0, &table, 10, -1), 0);
    }

    proptest! {
        #[test]
        fn any_table_gives_a_line(
            version in prop::sample::select(vec![0x0309_00f0, 0x030a_00f0, 0x030b_00f0]),
            table: Vec<u8>,
            first_line: i32,
            offset: i64,
        ) {
            line_at(version, &table, first_line, offset);
        }
    }
}
