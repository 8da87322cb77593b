//! Whole files, in every state.
