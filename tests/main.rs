//! The black-box tests: they know the programs and files that people use, and nothing of their inside.
//!
//! Each module tests one promise. Six read captures with our own crates: `cli_records`, which packs one, `record`, which holds
//! two of its readings against each other, `kill`, whose promise is about the bytes in the file, `memray`, which compares single
//! stacks, `threads`, and `timeline`, which no report shows yet.

mod captures;
mod children;
mod cli;
mod cli_diff;
mod cli_imports;
mod cli_records;
mod cli_screens;
mod cli_views;
mod embedding;
mod inside;
mod interpreters;
mod kill;
mod limits;
mod lsp;
mod memray;
mod memray_captures;
mod native;
mod oracle;
mod python_allocators;
mod record;
mod runs;
mod sampling;
mod stacks;
mod subjects;
mod suites;
mod support;
mod surroundings;
mod threads;
mod timeline;
mod transform;
