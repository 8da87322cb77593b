//! Facts in, documents out.
