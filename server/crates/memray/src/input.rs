//! Numbers and strings out of a stream of bytes, without ever holding more than a part of it.

use std::io::{ErrorKind, Read};

/// Bytes that are asked for at once.
const BUFFER: usize = 1 << 16;
/// Longest varint: ten bytes hold 64 bits.
const LONGEST_VARINT: usize = 10;
/// No name, path or command line is longer.
const LONGEST_STRING: usize = 1 << 22;

/// Why there is no further value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The bytes end here.
    End,
    /// They make no sense, or cannot be read; a short reason.
    Broken(String),
}

pub(crate) type Decoded<T> = Result<T, Stop>;

pub(crate) struct Input<'a> {
    source: Box<dyn Read + 'a>,
    buffer: Box<[u8]>,
    at: usize,
    end: usize,
    /// Bytes before the buffer.
    before: u64,
}

impl<'a> Input<'a> {
    pub fn new(source: impl Read + 'a) -> Self {
        let buffer = vec![0; BUFFER].into_boxed_slice();
        Self { source: Box::new(source), buffer, at: 0, end: 0, before: 0 }
    }

    /// Bytes decoded so far.
    pub fn position(&self) -> u64 {
        self.before + self.at as u64
    }

    /// Moves what is left to the front and reads more behind it.
    #[cold]
    fn fill(&mut self) -> Decoded<()> {
        self.buffer.copy_within(self.at..self.end, 0);
        self.before += self.at as u64;
        (self.at, self.end) = (0, self.end - self.at);
        loop {
            match self.source.read(&mut self.buffer[self.end..]) {
                Ok(0) => return Err(Stop::End),
                Ok(read) => {
                    self.end += read;
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Err(Stop::End),
                Err(error) => return Err(Stop::Broken(error.to_string())),
            }
        }
    }

    #[inline]
    pub fn byte(&mut self) -> Decoded<u8> {
        if self.at == self.end {
            self.fill()?;
        }
        let byte = self.buffer[self.at];
        self.at += 1;
        Ok(byte)
    }

    /// LEB128, unsigned.
    #[inline]
    pub fn varint(&mut self) -> Decoded<u64> {
        // Most numbers are short.
        if let Some([first, second, ..]) = self.buffer.get(self.at..self.end) {
            if first & 0x80 == 0 {
                self.at += 1;
                return Ok(u64::from(*first));
            }
            if second & 0x80 == 0 {
                self.at += 2;
                return Ok(u64::from(first & 0x7f) | u64::from(*second) << 7);
            }
        }
        self.long_varint()
    }

    fn long_varint(&mut self) -> Decoded<u64> {
        let mut value = 0;
        for index in 0..LONGEST_VARINT {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Stop::Broken("a number has more than 64 bits".to_owned()))
    }

    /// LEB128 of a zigzag number.
    #[inline]
    pub fn signed_varint(&mut self) -> Decoded<i64> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    pub fn array<const N: usize>(&mut self) -> Decoded<[u8; N]> {
        let mut bytes = [0; N];
        for byte in &mut bytes {
            *byte = self.byte()?;
        }
        Ok(bytes)
    }

    pub fn u64(&mut self) -> Decoded<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub fn i32(&mut self) -> Decoded<i32> {
        Ok(i32::from_le_bytes(self.array()?))
    }

    pub fn flag(&mut self) -> Decoded<bool> {
        Ok(self.byte()? != 0)
    }

    /// `len` bytes; grows with what is there, not with what is announced.
    pub fn bytes(&mut self, len: u64) -> Decoded<Vec<u8>> {
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < len {
            if self.at == self.end {
                self.fill()?;
            }
            let part = (self.end - self.at).min((len - bytes.len() as u64) as usize);
            bytes.extend_from_slice(&self.buffer[self.at..self.at + part]);
            self.at += part;
        }
        Ok(bytes)
    }

    /// A string that a NUL ends; what is not UTF-8 is replaced.
    pub fn string(&mut self) -> Decoded<String> {
        let mut bytes = Vec::new();
        loop {
            if self.at == self.end {
                self.fill()?;
            }
            let rest = &self.buffer[self.at..self.end];
            let nul = rest.iter().position(|byte| *byte == 0);
            bytes.extend_from_slice(&rest[..nul.unwrap_or(rest.len())]);
            self.at += nul.map_or(rest.len(), |nul| nul + 1);
            if bytes.len() > LONGEST_STRING {
                return Err(Stop::Broken("a string does not end".to_owned()));
            }
            if nul.is_some() {
                return Ok(String::from_utf8_lossy(&bytes).into_owned());
            }
        }
    }
}
