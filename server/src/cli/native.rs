//! Native frames in reports, as an option.

use clap::Args;
use heaphint_analysis::{Capture, Profile};
use heaphint_symbols::{Folders, SymbolFiles};

/// Whether native frames are shown.
#[derive(Debug, Args)]
pub struct NativeArgument {
    /// Leave native frames out, of captures that have them
    #[arg(long)]
    no_native: bool,
}

impl NativeArgument {
    /// The profile of a session.
    pub fn profile(&self, captures: &[Capture]) -> Profile {
        if self.no_native {
            return Profile::from_captures(captures);
        }
        Profile::with_native(captures, &mut SymbolFiles::new(Folders::usual()))
    }
}
