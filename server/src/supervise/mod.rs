//! A small process between the server and each program it runs. Everything that the program starts stays below it, even
//! what gives itself a session of its own, and it ends all of that when it is told to or when the server is gone,
//! however that happened.
//!
//! They talk over a socket: the supervisor says which process it started and how that ended, as lines of a word and a
//! number; the server says which signals to send, a byte each. The end of the socket means to end everything.

mod descendants;
mod process;
mod supervised;

pub use process::main;
pub use supervised::{Supervised, Told, start};

/// The name of the sub-command, which is for the server alone.
pub const COMMAND: &str = "supervise";

/// Followed by the number of the process that was started.
const STARTED: &str = "started";
/// Followed by the status with which it ended, as the system writes it.
const ENDED: &str = "ended";
/// Followed by the number of the error for which it could not be started.
const FAILED: &str = "failed";
