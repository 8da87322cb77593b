//! What importing a module costs: its top-level code, everything that imports in turn, and the packages around it.

use rustc_hash::FxHashSet;

use super::{Frame, NodeId, Profile, Through};
use crate::{Figures, Inexact};

/// The name of a module's top-level code.
const TOP_LEVEL: &str = "<module>";
/// The function of `runpy` that executes a module as the program.
const RUN_AS_PROGRAM: &str = "_run_code";

/// What an import cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportFigures<'a> {
    /// All that was allocated while the module or a package around it was executed. `max_bytes` is a lower bound where
    /// it says so: when packages around the module allocated, too.
    pub figures: Figures,
    /// The frame of the project that asked for it, for the first time; `None` when only libraries did.
    pub importer: Option<Frame<'a>>,
}

impl Profile {
    /// What the import of a module cost, by its dotted name; `None` when the run did not import it.
    #[must_use]
    pub fn import(&self, module: &str) -> Option<ImportFigures<'_>> {
        let executed = self.import_nodes(module);
        let own = self.module_files(module);
        let first = executed.iter().filter(|node| own.contains(&self.file_of(**node))).min().copied()?;

        let chosen = self.nodes_through(Through::Import { module });
        let mut figures = Figures::default();
        for site in self.sites.iter().filter(|site| chosen[site.node.index()]) {
            figures.add(&site.figures);
        }
        let files: FxHashSet<usize> = executed.iter().map(|node| self.file_of(*node)).collect();
        let top_levels = files.iter().filter_map(|file| {
            let functions = &self.file(&self.file_names[*file])?.functions;
            functions.iter().find(|function| function.name == TOP_LEVEL).map(|found| found.total_figures)
        });
        let mut inexact = None;
        for top_level in top_levels {
            figures.max_bytes = figures.max_bytes.max(top_level.max_bytes);
            inexact = inexact.or(top_level.inexact);
        }
        figures.max_bytes = figures.max_bytes.max(figures.peak_bytes).max(figures.leaked_bytes);
        let bound = (files.len() > 1).then_some(Inexact::MaxIsLowerBound);
        figures.inexact = self.session.inexact.or(inexact).or(bound);
        Some(ImportFigures { figures, importer: self.importer(first) })
    }

    /// The frames in which a module, or a package around it, was executed for being imported.
    pub(super) fn import_nodes(&self, module: &str) -> FxHashSet<NodeId> {
        let mut files = FxHashSet::default();
        let mut name = Some(module);
        while let Some(part) = name {
            files.extend(self.module_files(part));
            name = part.rsplit_once('.').map(|(package, _)| package);
        }
        let is_import = |(index, node): (usize, &super::Node)| {
            let function = &self.functions[node.function.index()];
            // The program itself has no frame around it, or one of `runpy`.
            let parent = &self.functions[self.nodes[node.parent.index()].function.index()];
            let imported = function.name() == TOP_LEVEL
                && files.contains(&function.file.index())
                && node.parent != NodeId(0)
                && parent.name() != RUN_AS_PROGRAM;
            imported.then_some(NodeId(index as u32))
        };
        self.nodes.iter().enumerate().skip(1).filter_map(is_import).collect()
    }

    /// The files that a dotted name may mean: those that lie where the name says, else those of the project whose path
    /// ends so, because its folder of packages can have any name.
    fn module_files(&self, module: &str) -> FxHashSet<usize> {
        let path = module.replace('.', "/");
        let ends = [format!("/{path}.py"), format!("/{path}/__init__.py")];
        let folders = self.file_names.iter().enumerate().filter_map(|(index, file)| {
            let folder = ends.iter().find_map(|end| file.strip_suffix(end.as_str()))?;
            Some((index, folder))
        });
        let folders: Vec<_> = folders.collect();
        let exact: FxHashSet<usize> = folders
            .iter()
            .filter(|(_, folder)| self.is_search_path(folder))
            .map(|(index, _)| *index)
            .collect();
        if !exact.is_empty() {
            return exact;
        }
        folders.iter().filter(|(index, _)| self.in_project[*index]).map(|(index, _)| *index).collect()
    }

    /// Whether modules are usually looked for in a folder.
    fn is_search_path(&self, folder: &str) -> bool {
        let project = self.session.project.trim_end_matches('/');
        let name = folder.rsplit('/').next().unwrap_or(folder);
        folder == project
            || folder.strip_prefix(project) == Some("/src")
            || matches!(name, "site-packages" | "dist-packages")
            || name.starts_with("python3.")
    }

    /// The innermost frame of the project around an import.
    fn importer(&self, node: NodeId) -> Option<Frame<'_>> {
        let at = self.nodes[node.index()].parent;
        self.innermost_project_nodes()[at.index()].map(|node| self.frame(node))
    }

    fn file_of(&self, node: NodeId) -> usize {
        self.functions[self.nodes[node.index()].function.index()].file.index()
    }
}

#[cfg(test)]
mod tests {
    use heaphint_format::PlaceKind;

    use super::*;
    use crate::hand_made::HandMade;

    /// `main.py` imports `app.cli` in line 3 and runs.
    fn made() -> (HandMade, u32) {
        let mut made = HandMade::default();
        let main = made.code("<module>", "main.py", 1);
        let system = made.code("_call_with_frames_removed", "<frozen importlib._bootstrap>", 1);
        let cli = made.code("<module>", "src/app/cli.py", 1);
        let at = made.stack(0, main, 3);
        made.site(at, 7, 1, 1, 1);
        let importing = made.stack(at, system, 241);
        let leaf = made.stack(importing, cli, 5);
        made.site(leaf, 1000, 2, 1, 1);
        made.place(PlaceKind::TotalFunction, "src/app/cli.py", 1, "<module>", 2000);
        (made, importing)
    }

    #[test]
    fn an_import_is_what_its_top_level_code_held() {
        let (made, _) = made();
        let profile = Profile::from_capture(&made.capture());
        let import = profile.import("app.cli").unwrap();
        let figures = import.figures;
        assert_eq!((figures.max_bytes, figures.leaked_bytes, figures.inexact), (2000, 1000, None));
        assert_eq!(import.importer.map(|frame| (frame.file, frame.line)), Some(("/p/main.py", 3)));
        assert_eq!(profile.import("cli"), Some(import), "the folder of packages can have any name");
        assert_eq!(profile.import("app"), None);
        assert_eq!(profile.import("main"), None, "it is the program");
    }

    #[test]
    fn packages_around_a_module_are_a_part_of_its_import() {
        let (mut made, importing) = made();
        let package = made.code("<module>", "src/app/__init__.py", 1);
        let leaf = made.stack(importing, package, 2);
        made.site(leaf, 5000, 1, 1, 1);
        made.place(PlaceKind::TotalFunction, "src/app/__init__.py", 1, "<module>", 5000);
        let profile = Profile::from_capture(&made.capture());
        let figures = profile.import("app.cli").unwrap().figures;
        assert_eq!((figures.max_bytes, figures.inexact), (6000, Some(Inexact::MaxIsLowerBound)));
        assert_eq!(profile.import("app").unwrap().figures.max_bytes, 5000);
    }
}
