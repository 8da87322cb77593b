//! The language server as editors use it: the real program over a pipe. Tests wait for messages and never sleep.

mod client;
mod documents;
mod figures;
mod limits;
mod plumbing;
mod profile;
mod project;
mod protocol;
mod robust;
mod running;
mod sessions;
mod what;
