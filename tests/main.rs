//! The black-box tests: they know the programs and files that people use, and nothing of their inside.
//!
//! Each module tests one promise. Only `kill` and `timeline` read captures with the format crate itself, because
//! their promises are about what is in the file and in no report yet.

mod cli;
mod kill;
mod lsp;
mod memray;
mod oracle;
mod stacks;
mod subjects;
mod support;
mod timeline;
