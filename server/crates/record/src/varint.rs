//! Columns of numbers: LEB128, low bits first.

/// Bytes of the longest number.
pub const LONGEST: usize = 10;

/// Appends a number.
#[inline]
pub fn put(column: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        column.push(value as u8 | 0x80);
        value >>= 7;
    }
    column.push(value as u8);
}

/// Takes the first number of a column; `None` at its end, or when it is cut.
#[inline]
pub fn take(column: &mut &[u8]) -> Option<u64> {
    let first = *column.first()?;
    if first < 0x80 {
        *column = &column[1..];
        return Some(u64::from(first));
    }
    take_long(column)
}

fn take_long(column: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for (index, byte) in column.iter().take(LONGEST).enumerate() {
        value |= u64::from(byte & 0x7f).wrapping_shl(7 * index as u32);
        if byte & 0x80 == 0 {
            *column = &column[index + 1..];
            return Some(value);
        }
    }
    None
}

/// A signed number as one without a sign, small ones small.
pub const fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63) as u64
}

/// The other way round.
pub const fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_come_back(values in prop::collection::vec((any::<u64>(), 0u32..64), 0..50)) {
            let values: Vec<u64> = values.into_iter().map(|(value, shift)| value >> shift).collect();
            let mut column = Vec::new();
            values.iter().for_each(|value| put(&mut column, *value));
            let mut rest = column.as_slice();
            for value in &values {
                prop_assert_eq!(take(&mut rest), Some(*value));
                prop_assert_eq!(zigzag(unzigzag(*value)), *value);
            }
            prop_assert_eq!(take(&mut rest), None);
            if let Some((_, cut)) = column.split_last() {
                let mut rest = cut;
                let read = std::iter::from_fn(|| take(&mut rest)).count();
                prop_assert_eq!(read, values.len() - 1);
            }
        }
    }
}
