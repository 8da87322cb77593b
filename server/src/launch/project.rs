//! The project that a program belongs to: the folder below which inclusive maxima are exact.

use std::path::{Component, Path, PathBuf};

/// The folder of a project's captures, in its root.
pub const CAPTURES_FOLDER: &str = ".heaphint";

/// What marks the root of a project.
const MARKERS: [&str; 5] = ["pyproject.toml", "heaphint.toml", "setup.py", "setup.cfg", ".git"];

/// The nearest folder with a project's marker at or above the script's (without a script: the working) directory;
/// without any marker that directory itself.
#[must_use]
pub fn project_root(script: Option<&Path>, directory: &Path) -> PathBuf {
    let start = match script.and_then(Path::parent) {
        Some(folder) => directory.join(folder),
        None => directory.to_owned(),
    };
    // The tracer compares names, so the root is named as the script is: through a link, too. Only `..` needs the
    // file system to say what it means.
    let start = if start.components().any(|part| part == Component::ParentDir) {
        start.canonicalize().unwrap_or(start)
    } else {
        start.components().collect()
    };
    let marked = start.ancestors().find(|folder| MARKERS.iter().any(|marker| folder.join(marker).exists()));
    marked.unwrap_or(&start).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_marker_wins() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(top.join("app/deep")).unwrap();
        std::fs::write(top.join("app/deep/x.py"), "").unwrap();
        let script = top.join("app/deep/x.py");
        assert_eq!(project_root(Some(&script), &top), top.join("app/deep"));
        std::fs::write(top.join("setup.cfg"), "").unwrap();
        assert_eq!(project_root(Some(&script), &top), top);
        std::fs::write(top.join("app/pyproject.toml"), "").unwrap();
        assert_eq!(project_root(Some(&script), &top), top.join("app"));
        assert_eq!(project_root(None, &top), top);
    }
}
