//! Sources as they are on the disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use heaphint_analysis::Profile;

use super::Sources;
use crate::python::{Outline, read_source};

/// The files of a run's project, as they are now. Lines are taken to be where they were.
#[derive(Debug)]
pub struct Disk<'p> {
    profile: &'p Profile,
}

impl<'p> Disk<'p> {
    /// The files that a run used.
    pub fn new(profile: &'p Profile) -> Self {
        Self { profile }
    }
}

impl Sources for Disk<'_> {
    fn text(&self, path: &Path) -> Option<String> {
        read_source(path).ok()
    }

    fn files(&self) -> Vec<PathBuf> {
        let files = self.profile.files().iter().filter(|file| file.in_project && file.path.starts_with('/'));
        files.map(|file| PathBuf::from(&file.path)).collect()
    }

    fn outline(&self, path: &Path) -> Option<Arc<Outline>> {
        let text = self.text(path)?;
        Outline::may_limit(&text).then(|| Arc::new(Outline::parse(&text, path)))
    }

    fn line_then(&self, _: &Path, line: u32) -> Option<u32> {
        Some(line)
    }

    fn first_line_then(&self, path: &Path, def_line: u32) -> Option<u32> {
        Some(self.outline(path)?.function_at(def_line)?.first_line)
    }
}
