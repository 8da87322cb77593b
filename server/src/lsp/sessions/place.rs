//! Where a project's sessions are: in the project, or in the user's cache when the project cannot be written.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::launch::cache;
use crate::lsp::watch::CAPTURES_FOLDER;

/// The folder of a project's sessions. It need not exist.
pub fn folder_of(root: &Path) -> PathBuf {
    let own = root.join(CAPTURES_FOLDER);
    let writable = if own.exists() { own.is_dir() && is_writable(&own) } else { is_writable(root) };
    // Without any other place, what goes wrong is said about the project's own.
    if writable { own } else { private_folder_of(root).unwrap_or(own) }
}

/// A folder for a project in the user's cache. It need not exist.
pub fn private_folder_of(root: &Path) -> Option<PathBuf> {
    let folder = cache::folders().into_iter().find(|folder| cache::make(folder).is_ok())?;
    let hash = Sha256::digest(root.as_os_str().as_bytes());
    let name: String = hash.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    Some(folder.join("sessions").join(name))
}

/// Whether files can be made in a folder: false on a disk that is mounted to be read only.
fn is_writable(folder: &Path) -> bool {
    let Ok(name) = CString::new(folder.as_os_str().as_bytes()) else { return false };
    // SAFETY: the name ends with a zero and lives during the call.
    unsafe { libc::access(name.as_ptr(), libc::W_OK) == 0 }
}
