//! The `heaphint` program: a command line and a language server.
fn main() {}
