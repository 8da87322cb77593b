//! The black-box tests: they know the programs and files that people use, and nothing of their inside.
//!
//! Each module tests one promise. Four read captures with the format crate itself: `kill`, whose promise is about
//! the bytes in the file, `memray`, which compares single stacks, `threads`, and `timeline`, which no report shows yet.

mod captures;
mod cli;
mod cli_diff;
mod cli_imports;
mod cli_screens;
mod cli_views;
mod embedding;
mod interpreters;
mod kill;
mod limits;
mod lsp;
mod memray;
mod memray_captures;
mod native;
mod oracle;
mod stacks;
mod subjects;
mod support;
mod threads;
mod timeline;
mod transform;
