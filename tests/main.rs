//! The black-box tests: they know the programs and files that people use, and nothing of their inside.
//!
//! Each module tests one promise. Only `kill`, whose promise is about the bytes in the file, and `memray`, which
//! compares single stacks, read captures with the format crate itself.

mod cli;
mod kill;
mod lsp;
mod memray;
mod oracle;
mod stacks;
mod subjects;
mod support;
