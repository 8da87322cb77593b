//! Where a frame's file comes from: the program itself, a package, Python, or the import system.

/// Where a file comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Origin {
    /// The profiled project.
    Project,
    /// An installed package, or a file elsewhere.
    Library,
    /// Python's standard library.
    StandardLibrary,
    /// The machinery between an import and the imported module: `importlib`, `zipimport`.
    ImportSystem,
    /// Text that is in no file: `<string>`, `<stdin>`.
    NoFile,
    /// Code that is not Python, whatever it belongs to.
    Native,
}

impl Origin {
    /// All origins, in the order in which reports show them.
    pub const ALL: [Self; 6] =
        [Self::Project, Self::Library, Self::StandardLibrary, Self::ImportSystem, Self::NoFile, Self::Native];

    /// Its name for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::Library => "library",
            Self::StandardLibrary => "standard library",
            Self::ImportSystem => "import system",
            Self::NoFile => "no file",
            Self::Native => "native",
        }
    }

    /// The origin of a file by its absolute path or name.
    #[must_use]
    pub fn of(path: &str, in_project: bool) -> Self {
        if is_import_system(path) {
            Self::ImportSystem
        } else if is_standard_library(path) {
            Self::StandardLibrary
        } else if path.is_empty() || path.starts_with('<') {
            if path.starts_with("<frozen ") { Self::StandardLibrary } else { Self::NoFile }
        } else if in_project && !is_in_packages(path) {
            Self::Project
        } else {
            Self::Library
        }
    }
}

/// Whether a file is a part of what finds and loads modules.
pub(super) fn is_import_system(path: &str) -> bool {
    if let Some(frozen) = path.strip_prefix("<frozen ") {
        let name = frozen.trim_end_matches('>');
        return name.starts_with("importlib") || name == "zipimport";
    }
    let Some((folder, name)) = path.rsplit_once('/') else { return false };
    (folder.ends_with("/importlib") || name == "zipimport.py") && is_standard_library(path)
}

/// Whether a file was installed with a package, perhaps into an environment inside the project.
fn is_in_packages(path: &str) -> bool {
    path.contains("/site-packages/") || path.contains("/dist-packages/")
}

/// Whether a file lies in `lib/python3.N` of some installation, and not in its packages.
pub(super) fn is_standard_library(file: &str) -> bool {
    if is_in_packages(file) {
        return false;
    }
    let folders: Vec<&str> = file.split('/').collect();
    folders.windows(2).any(|pair| {
        let version = pair[1].strip_prefix("python3.");
        pair[0].starts_with("lib")
            && version.is_some_and(|minor| minor.trim_end_matches('t').parse::<u8>().is_ok())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_from_somewhere() {
        for (path, in_project, origin) in [
            ("/home/me/app/main.py", true, Origin::Project),
            ("/elsewhere/tool.py", false, Origin::Library),
            ("/usr/lib/python3.11/site-packages/numpy/core/x.py", false, Origin::Library),
            ("/home/me/app/.venv/lib/python3.12/site-packages/x.py", true, Origin::Library),
            // A package that is called like a part of the import system is none.
            ("/v/lib/python3.12/site-packages/importlib/x.py", false, Origin::Library),
            ("/usr/lib/python3.11/json/decoder.py", false, Origin::StandardLibrary),
            ("/usr/lib/python3.11/importlib/__init__.py", false, Origin::ImportSystem),
            ("/usr/lib/python3.11/zipimport.py", false, Origin::ImportSystem),
            ("/home/me/app/zipimport.py", true, Origin::Project),
            ("<frozen importlib._bootstrap_external>", false, Origin::ImportSystem),
            ("<frozen os>", false, Origin::StandardLibrary),
            ("<string>", false, Origin::NoFile),
            ("", false, Origin::NoFile),
        ] {
            assert_eq!(Origin::of(path, in_project), origin, "{path}");
        }
    }
}
