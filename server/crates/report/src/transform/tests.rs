//! Formats against what they were made from, and hostile names in each.
