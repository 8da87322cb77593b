//! The file of accepted runs.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context;
use heaphint_analysis::limits::Baseline;

/// Its usual name, in the project's root. It belongs into version control.
pub const BASELINE_NAME: &str = "heaphint-baseline.json";

/// A file of accepted runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaselineFile(pub PathBuf);

impl BaselineFile {
    /// Reads it; `None` when there is no such file.
    ///
    /// # Errors
    /// When it cannot be read, or is something else.
    pub fn read(&self) -> anyhow::Result<Option<Baseline>> {
        let path = &self.0;
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            read => read.with_context(|| format!("cannot read {}", path.display()))?,
        };
        Baseline::parse(&text).map(Some).with_context(|| format!("cannot read {}", path.display()))
    }

    /// Puts a new file in its place.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, baseline: &Baseline) -> anyhow::Result<()> {
        let path = &self.0;
        let context = || format!("cannot write {}", path.display());
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // Whoever reads it meanwhile sees the old one or the new one.
        let mut new = tempfile::NamedTempFile::new_in(folder).with_context(context)?;
        new.write_all(baseline.text()?.as_bytes()).with_context(context)?;
        // Temporary files are their owner's alone; this one is as public as any source file.
        let mode = fs::metadata(path).map_or_else(|_| source_mode(), |metadata| metadata.permissions());
        new.as_file().set_permissions(mode).with_context(context)?;
        new.persist(path).with_context(context)?;
        Ok(())
    }
}

/// The permissions of a file that everybody may read.
fn source_mode() -> fs::Permissions {
    use std::os::unix::fs::PermissionsExt;
    fs::Permissions::from_mode(0o644)
}
