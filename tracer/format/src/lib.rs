//! The layout of captures.
#![no_std]
