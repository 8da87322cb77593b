//! The modes of a recording, as the launcher writes them into the environment: words with commas between them.
//! `server/src/launch/modes.rs` writes them; words that this library does not know are of a newer one, and say nothing
//! to it.

use heaphint_format::Mode;

/// What is recorded beside the usual figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Modes {
    /// Whether every event is kept, in its order.
    pub record: bool,
    /// Whether a record has the addresses too.
    pub addresses: bool,
    /// Whether allocations of CPython's own allocators are told apart.
    pub python_allocators: bool,
    /// Whether stacks have the native frames between the Python frames.
    pub native: bool,
    /// Bytes between two allocations that are sampled, on average; 0 when all are recorded.
    pub sample_bytes: u32,
}

impl Modes {
    /// The usual figures, and nothing else.
    pub const NONE: Self =
        Self { record: false, addresses: false, python_allocators: false, native: false, sample_bytes: 0 };

    /// What the capture's header says of them.
    pub fn bits(self) -> u32 {
        let bits = [
            (self.record, Mode::Record),
            (self.addresses, Mode::Addresses),
            (self.python_allocators, Mode::PythonAllocators),
            (self.native, Mode::Native),
        ];
        bits.iter().filter(|(on, _)| *on).fold(0, |all, (_, mode)| all | *mode as u32)
    }

    /// From the variable's value.
    pub fn parse(words: &[u8]) -> Self {
        let mut modes = Self::NONE;
        for word in words.split(|byte| *byte == b',') {
            match word {
                b"record" => modes.record = true,
                b"addresses" => modes.addresses = true,
                b"python-allocators" => modes.python_allocators = true,
                b"native" => modes.native = true,
                _ => {
                    if let Some(digits) = word.strip_prefix(b"sample=") {
                        modes.sample_bytes = decimal(digits).unwrap_or(0);
                    }
                }
            }
        }
        modes
    }
}

/// A number as it is written, if it is one.
pub fn decimal(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0u32, |number, digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(digit.into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read() {
        let all = Modes {
            record: true,
            addresses: true,
            python_allocators: true,
            native: true,
            sample_bytes: 524_288,
        };
        let words = b"record,addresses,python-allocators,native,sample=524288,future";
        assert_eq!(Modes::parse(words), all);
        assert_eq!(all.bits(), 0b1111);
        assert_eq!(Modes::parse(b""), Modes::NONE);
        assert_eq!(Modes::parse(b"sample=12x"), Modes::NONE);
    }
}
