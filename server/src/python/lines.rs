//! How a text is divided into lines: as Python and the language server protocol do it, at `\n`, `\r\n` and `\r`.

/// Byte offset of each line's first byte. A text has at least one line, and one more after a final line end.
#[must_use]
pub fn line_starts(text: &str) -> Vec<usize> {
    let bytes = text.as_bytes();
    let mut starts = vec![0];
    for (i, byte) in bytes.iter().enumerate() {
        match byte {
            b'\n' => starts.push(i + 1),
            b'\r' if bytes.get(i + 1) != Some(&b'\n') => starts.push(i + 1),
            _ => {}
        }
    }
    starts
}

/// The 1-based line that holds the byte at `offset`.
pub(super) fn line_of(starts: &[usize], offset: usize) -> u32 {
    starts.partition_point(|start| *start <= offset) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_end_counts_once() {
        assert_eq!(line_starts(""), [0]);
        assert_eq!(line_starts("a\nb\r\nc\rd"), [0, 2, 5, 7]);
        assert_eq!(line_starts("a\n"), [0, 2]);
        assert_eq!(line_of(&[0, 2, 5, 7], 4), 2);
        assert_eq!(line_of(&[0, 2, 5, 7], 5), 3);
    }
}
