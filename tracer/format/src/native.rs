//! Native frames: which addresses of which loaded files a native stack consists of. Names and lines are found by whoever
//! reads, from the files themselves.

use crate::header::Text;
use crate::record::record;

record! {
    /// A loaded object file: the program or a shared library. One that is loaded again is another record.
    Module [40] {
        /// Its path, as the loader knows it.
        path: Text,
        /// Its build id in hexadecimal digits; empty without one.
        build_id: Text,
        /// What was added to the addresses of the file when it was loaded.
        bias: u64,
        /// First address of its loaded parts.
        start: u64,
        /// First address behind them.
        end: u64,
    }
}

record! {
    /// A place in a native stack: where a function goes on when what it called returns. The call is just before it.
    ///
    /// Example: `02 00 00 00  01 00 00 00  70 ab 0f 00 00 00 00 00` is a call just before 0xfab70 in the file of
    /// module 2, in the interpreter's loop.
    Address [16] {
        /// Index of a [`Module`], or [`NO_MODULE`].
        module: u32,
        /// Bits of [`AddressKind`].
        kind: u32,
        /// The address in the module's file; without a module the address in the process.
        offset: u64,
    }
}

/// [`Address::module`] of code in no file: made at run time.
pub const NO_MODULE: u32 = u32::MAX;

/// Bits of [`Address::kind`].
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressKind {
    /// In the interpreter's loop: it stands for the Python frames that the loop runs.
    Loop = 1,
    /// No place: the frames outside of this one could not be read.
    Unknown = 2,
}

impl Address {
    /// Whether it is of a kind.
    #[must_use]
    pub const fn is(&self, kind: AddressKind) -> bool {
        self.kind & kind as u32 != 0
    }
}

record! {
    /// A node of the tree of native stacks: a frame, and the frames outside of it. Index 0 is the empty stack.
    NativeFrame [8] {
        /// The caller's frame; always lower than the own index.
        parent: u32,
        /// Index of an [`Address`].
        address: u32,
    }
}

record! {
    /// A function at an address: what whoever wants to read the capture elsewhere has found out about it. Where the
    /// compiler has put a function's body into another function, the address has one for each, the outer ones first.
    Symbol [24] {
        /// Index of an [`Address`]; in order.
        address: u32,
        /// The line, 1-based; 0 when it is not known.
        line: u32,
        /// The function's name as its source has it.
        name: Text,
        /// Its source file; empty when it is not known.
        file: Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Record;

    #[test]
    fn address_example_decodes() {
        let bytes = [2, 0, 0, 0, 1, 0, 0, 0, 0x70, 0xab, 0x0f, 0, 0, 0, 0, 0];
        let address = Address { module: 2, kind: AddressKind::Loop as u32, offset: 0xfab70 };
        assert_eq!(Address::decode(&bytes), Some(address));
        assert!(address.is(AddressKind::Loop) && !address.is(AddressKind::Unknown));
    }
}
