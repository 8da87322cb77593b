//! What the black-box tests stand on: interpreters, processes, and the figures that subjects state.

pub mod expectation;
pub mod interpreter;
pub mod packages;
pub mod playground;
pub mod process;
pub mod replay;
pub mod rows;
