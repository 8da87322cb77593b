//! Figures by Python package: each stack belongs to the package of its innermost frame outside the standard library.

use rustc_hash::FxHashMap;

use super::Profile;
use super::origin::is_standard_library;
use crate::path::below;

/// What a package allocated, with the standard library's work on its behalf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleFigures {
    /// The top-level package or module; `<root>` for what only the standard library did.
    pub module: String,
    /// Allocations.
    pub count: u64,
    /// Bytes ever allocated.
    pub bytes: u64,
}

/// What stands for stacks without a frame outside the standard library.
const ROOT: &str = "<root>";

impl Profile {
    /// The `most` packages that allocated most: by bytes, or by number for `by_count`.
    #[must_use]
    pub fn modules(&self, by_count: bool, most: usize) -> Vec<ModuleFigures> {
        let packages = self.packages();
        let mut sums: FxHashMap<&str, (u64, u64)> = FxHashMap::default();
        for site in &self.sites {
            let (bytes, count) = site.figures.bytes_and_count();
            let sum = sums.entry(packages[site.node.index()]).or_default();
            *sum = (sum.0.saturating_add(bytes), sum.1.saturating_add(count));
        }
        let mut modules: Vec<ModuleFigures> = sums
            .into_iter()
            .map(|(module, (bytes, count))| ModuleFigures { module: module.to_owned(), count, bytes })
            .collect();
        modules.sort_by(|a, b| {
            let key = |module: &ModuleFigures| if by_count { module.count } else { module.bytes };
            key(b).cmp(&key(a)).then_with(|| a.module.cmp(&b.module))
        });
        modules.truncate(most);
        modules
    }

    /// For each stack the package it belongs to.
    pub(crate) fn packages(&self) -> Vec<&str> {
        let of_file: Vec<Option<&str>> = self
            .file_names
            .iter()
            .zip(&self.is_native)
            // Native frames work for the package that called them.
            .map(|(file, is_native)| if *is_native { None } else { module_of(file, &self.session.project) })
            .collect();
        // Parents come first, so each node's answer is its own or its parent's.
        let mut of_node: Vec<&str> = vec![ROOT; self.nodes.len()];
        for (index, node) in self.nodes.iter().enumerate().skip(1) {
            let file = self.functions[node.function.index()].file;
            of_node[index] = of_file[file.index()].unwrap_or(of_node[node.parent.index()]);
        }
        of_node
    }
}

/// The top-level package or module that a file belongs to; `None` for the standard library and for what is no file.
pub(super) fn module_of<'a>(file: &'a str, project: &str) -> Option<&'a str> {
    if file.is_empty() || file.starts_with('<') {
        return None;
    }
    let top = |path: &'a str| {
        let first = path.split('/').next().unwrap_or(path);
        first.split('.').next().filter(|name| !name.is_empty())
    };
    for folder in ["/site-packages/", "/dist-packages/"] {
        if let Some((_, rest)) = file.rsplit_once(folder) {
            return top(rest);
        }
    }
    if is_standard_library(file) {
        return None;
    }
    if let Some(rest) = below(file, project) {
        // The usual layout keeps packages in `src`, which is a folder and no package.
        return top(rest.strip_prefix("src/").unwrap_or(rest));
    }
    top(file.rsplit('/').next().unwrap_or(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_belong_to_their_top_level_package() {
        let project = "/home/me/app";
        for (file, module) in [
            ("/usr/lib/python3.11/site-packages/numpy/core/x.py", Some("numpy")),
            ("/usr/lib/python3/dist-packages/six.py", Some("six")),
            ("/usr/lib/python3.11/json/decoder.py", None),
            ("/opt/py/lib/python3.13t/os.py", None),
            ("<frozen importlib._bootstrap>", None),
            ("/home/me/app/main.py", Some("main")),
            ("/home/me/app/src/core/db.py", Some("core")),
            ("/elsewhere/tool.py", Some("tool")),
        ] {
            assert_eq!(module_of(file, project), module, "{file}");
        }
    }
}
