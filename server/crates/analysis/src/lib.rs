//! Captures in, facts out. No IO, no printing.
