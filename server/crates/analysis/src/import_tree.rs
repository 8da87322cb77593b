//! What importing each module costs: the modules as a tree, each below the one whose import was going on.
//!
//! A module's import is its top-level code, with all that this calls, and what the import system did to find and load
//! it. The import system's frames do not say for whom they work: their allocations belong to the one module that came
//! out of them, and to the importing module when several did.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::profile::NodeId;
use crate::{Figures, Frame, Measure, Profile, Selection};

/// The function of the import system that imports one module.
const FIND_AND_LOAD: &str = "_find_and_load";
/// The name of a module's top-level code.
const TOP_LEVEL: &str = "<module>";

/// Index of a node in [`ImportTree::nodes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImportId(u32);

impl ImportId {
    /// The root of every tree: the run as a whole.
    pub const ROOT: Self = Self(0);

    /// Position in [`ImportTree::nodes`].
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a node stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Imported<'a> {
    /// The run; its own figures are what was allocated outside of imports.
    Everything,
    /// A module in Python.
    Module {
        /// Its dotted name, as its file's place says.
        name: String,
        /// Its file, or a name such as `<frozen os>`.
        file: &'a str,
    },
    /// An extension module. No frame tells its name.
    Extension,
}

/// An imported module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportNode<'a> {
    /// The module.
    pub imported: Imported<'a>,
    /// The frame that asked for it, outside the import system; `None` at the root.
    pub importer: Option<Frame<'a>>,
    /// The module that was being imported then; `None` at the root.
    pub parent: Option<ImportId>,
    /// In no particular order, but always in the same; see [`ImportTree::children_by`].
    pub children: Vec<ImportId>,
    /// Of its own import, without those of the modules below; `max_bytes` is not known and zero.
    pub own: Figures,
    /// With those of the modules below; `max_bytes` is not known and zero.
    pub total: Figures,
}

/// The imports of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportTree<'a> {
    nodes: Vec<ImportNode<'a>>,
}

/// What tells the modules below one apart: the file of one in Python, the importing line of an extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key<'a> {
    Module(&'a str),
    Extension(&'a str, u32),
}

/// What goes on at a stack.
#[derive(Clone, Copy, Debug)]
struct State {
    /// The innermost module that is being imported.
    module: ImportId,
    /// The import system's call for a module that has not begun yet.
    finding: Option<NodeId>,
    /// The innermost frame outside the import system.
    importer: NodeId,
}

impl<'a> ImportTree<'a> {
    /// The imports of the selected part of a run.
    #[must_use]
    pub fn new(profile: &'a Profile, selection: &Selection) -> Self {
        let none = Figures { inexact: profile.session().inexact, ..Figures::default() };
        let mut nodes: Vec<ImportNode<'a>> = vec![ImportNode {
            imported: Imported::Everything,
            importer: None,
            parent: None,
            children: Vec::new(),
            own: none,
            total: none,
        }];
        let mut known: FxHashMap<(ImportId, Key<'a>), ImportId> = FxHashMap::default();
        // The modules that came out of each of the import system's calls.
        let mut found: FxHashMap<NodeId, FxHashSet<ImportId>> = FxHashMap::default();
        let names = ModuleNames::new(profile);
        let start = State { module: ImportId::ROOT, finding: None, importer: NodeId(0) };
        let mut states = vec![start; profile.nodes.len()];
        // Parents come first.
        for index in 1..profile.nodes.len() {
            let id = NodeId(index as u32);
            let mut state = states[profile.nodes[index].parent.index()];
            let frame = profile.frame(id);
            let is_system = frame.is_import_system();
            let key = if is_system && is_extension_loader(&frame) {
                let importer = profile.frame(state.importer);
                Some(Key::Extension(importer.file, importer.line))
            } else if frame.function == TOP_LEVEL {
                Some(Key::Module(frame.file))
            } else {
                None
            };
            if is_system && frame.function == FIND_AND_LOAD {
                state.finding = Some(id);
            } else if let (Some(key), Some(finding)) = (key, state.finding) {
                let parent = state.module;
                let module = *known.entry((parent, key)).or_insert_with(|| {
                    let imported = match key {
                        Key::Module(file) => Imported::Module { name: names.of(file), file },
                        Key::Extension(..) => Imported::Extension,
                    };
                    let importer = (state.importer != NodeId(0)).then(|| profile.frame(state.importer));
                    let id = ImportId(nodes.len() as u32);
                    nodes[parent.index()].children.push(id);
                    nodes.push(ImportNode {
                        imported,
                        importer,
                        parent: Some(parent),
                        children: Vec::new(),
                        own: none,
                        total: none,
                    });
                    id
                });
                found.entry(finding).or_default().insert(module);
                state = State { module, finding: None, ..state };
            }
            if !is_system {
                state.importer = id;
            }
            states[index] = state;
        }
        for site in profile.selected(selection) {
            let state = states[site.node.index()];
            let only = state.finding.and_then(|finding| found.get(&finding)).filter(|found| found.len() == 1);
            let module = only.and_then(|found| found.iter().next()).copied().unwrap_or(state.module);
            nodes[module.index()].own.add(&site.figures);
        }
        // Children come after their parents.
        for index in (0..nodes.len()).rev() {
            let own = nodes[index].own;
            nodes[index].total.add(&own);
            if let Some(parent) = nodes[index].parent {
                let total = nodes[index].total;
                nodes[parent.index()].total.add(&total);
            }
        }
        Self { nodes }
    }

    /// A node of this tree.
    ///
    /// # Panics
    /// When the id is another tree's.
    #[must_use]
    pub fn node(&self, id: ImportId) -> &ImportNode<'a> {
        &self.nodes[id.index()]
    }

    /// All nodes; the first is the root, and children come after their parents.
    #[must_use]
    pub fn nodes(&self) -> &[ImportNode<'a>] {
        &self.nodes
    }

    /// The modules below one, those with most of a measure first.
    #[must_use]
    pub fn children_by(&self, id: ImportId, measure: Measure) -> Vec<ImportId> {
        let mut children = self.node(id).children.clone();
        children.sort_by_key(|id| (std::cmp::Reverse(self.node(*id).total.of(measure)), *id));
        children
    }
}

/// Whether a frame of the import system loads an extension module. Before Python 3.11 its class is not known, and
/// only creating a module is told from loading one in Python.
fn is_extension_loader(frame: &Frame<'_>) -> bool {
    frame.qualname.starts_with("ExtensionFileLoader.") || frame.qualname == "create_module"
}

/// Names of modules by their files.
struct ModuleNames<'a> {
    project: &'a str,
    files: FxHashSet<&'a str>,
}

impl<'a> ModuleNames<'a> {
    fn new(profile: &'a Profile) -> Self {
        let files = profile.file_names.iter().map(String::as_str).collect();
        Self { project: &profile.session().project, files }
    }

    /// The dotted name of a file's module.
    fn of(&self, file: &str) -> String {
        if let Some(frozen) = file.strip_prefix("<frozen ") {
            return frozen.trim_end_matches('>').to_owned();
        }
        if !file.starts_with('/') {
            return file.to_owned();
        }
        let path = file.strip_suffix(".py").unwrap_or(file);
        let path = path.strip_suffix("/__init__").unwrap_or(path);
        self.inside(path).trim_start_matches('/').replace('/', ".")
    }

    /// A path relative to the folder in which its module was looked for.
    fn inside<'p>(&self, path: &'p str) -> &'p str {
        for folder in ["/site-packages/", "/dist-packages/"] {
            if let Some((_, inside)) = path.rsplit_once(folder) {
                return inside;
            }
        }
        let library = path.split_once("/lib/python3.").and_then(|(_, rest)| rest.split_once('/'));
        if let Some((_, inside)) = library {
            return inside;
        }
        if let Some(inside) = crate::path::below(path, self.project) {
            return inside.strip_prefix("src/").unwrap_or(inside);
        }
        // Packages around it have their own code, which was executed and so is known.
        let mut start = path.rfind('/').unwrap_or(0);
        while start > 0 && self.files.contains(format!("{}/__init__.py", &path[..start]).as_str()) {
            start = path[..start].rfind('/').unwrap_or(0);
        }
        &path[start..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Figure;
    use crate::hand_made::HandMade;

    const PEAK: Measure = Measure { figure: Figure::Peak, counts: false };
    const BOOTSTRAP: &str = "<frozen importlib._bootstrap>";
    const EXTERNAL: &str = "<frozen importlib._bootstrap_external>";

    /// Adds the import system's frames for one module to a stack.
    fn finding(made: &mut HandMade, at: u32) -> u32 {
        let find = made.code("_find_and_load", BOOTSTRAP, 1);
        let call = made.code("_call_with_frames_removed", BOOTSTRAP, 5);
        let find = made.stack(at, find, 2);
        made.stack(find, call, 6)
    }

    fn module(made: &mut HandMade, at: u32, file: &str, line: u32) -> u32 {
        let code = made.code("<module>", file, 1);
        made.stack(at, code, line)
    }

    /// Each as `depth name total/own at line`.
    fn shown(tree: &ImportTree<'_>) -> Vec<String> {
        let mut shown = Vec::new();
        let mut waiting = vec![(ImportId::ROOT, 0)];
        while let Some((id, depth)) = waiting.pop() {
            let node = tree.node(id);
            let name = match &node.imported {
                Imported::Everything => "everything",
                Imported::Module { name, .. } => name,
                Imported::Extension => "extension",
            };
            let at = node.importer.map_or(0, |frame| frame.line);
            shown.push(format!("{depth} {name} {}/{} at {at}", node.total.peak_bytes, node.own.peak_bytes));
            waiting.extend(tree.children_by(id, PEAK).into_iter().rev().map(|child| (child, depth + 1)));
        }
        shown
    }

    #[test]
    fn modules_stand_below_those_that_import_them() {
        let mut made = HandMade::default();
        let program = module(&mut made, 0, "main.py", 3);
        made.site(program, 1, 1, 1, 1);
        let find = finding(&mut made, program);
        made.site(find, 20, 1, 1, 1);
        let package = module(&mut made, find, "/v/lib/python3.11/site-packages/lib/__init__.py", 7);
        made.site(package, 300, 1, 1, 1);
        let helper = made.code("table", "/v/lib/python3.11/site-packages/lib/tables.py", 1);
        let helping = made.stack(package, helper, 2);
        made.site(helping, 4000, 1, 1, 1);
        let inner = finding(&mut made, package);
        let core = module(&mut made, inner, "/v/lib/python3.11/site-packages/lib/core.py", 1);
        made.site(core, 50_000, 1, 1, 1);
        let loader = made.code("ExtensionFileLoader.create_module", EXTERNAL, 1);
        let other = made.stack(package, made.stacks[package as usize].code, 9);
        let loading = finding(&mut made, other);
        let loading = made.stack(loading, loader, 2);
        made.site(loading, 600_000, 1, 1, 1);
        made.site(0, 2, 1, 1, 1);
        let profile = Profile::from_capture(&made.capture());
        let tree = ImportTree::new(&profile, &Selection::default());
        assert_eq!(
            shown(&tree),
            [
                "0 everything 654323/3 at 0",
                "1 lib 654320/4320 at 3",
                "2 extension 600000/600000 at 9",
                "2 lib.core 50000/50000 at 7",
            ]
        );
    }

    #[test]
    fn what_finds_several_modules_belongs_to_the_importer() {
        let mut made = HandMade::default();
        let program = module(&mut made, 0, "main.py", 3);
        let find = finding(&mut made, program);
        made.site(find, 5, 1, 1, 1);
        for (name, bytes) in [("/elsewhere/pkg/a.py", 10), ("/elsewhere/pkg/b.py", 20)] {
            let imported = module(&mut made, find, name, 1);
            made.site(imported, bytes, 1, 1, 1);
        }
        // A program in a module's clothes, and code that is executed, are no imports.
        let executed = module(&mut made, program, "<string>", 1);
        made.site(executed, 7, 1, 1, 1);
        made.code("<module>", "/elsewhere/pkg/__init__.py", 1);
        let profile = Profile::from_capture(&made.capture());
        let tree = ImportTree::new(&profile, &Selection::default());
        assert_eq!(shown(&tree), ["0 everything 42/12 at 0", "1 pkg.b 20/20 at 3", "1 pkg.a 10/10 at 3"]);
    }

    #[test]
    fn names_are_those_that_people_import() {
        let files = FxHashSet::from_iter(["/x/pkg/__init__.py", "/x/pkg/sub/__init__.py"]);
        let names = ModuleNames { project: "/p", files };
        for (file, name) in [
            ("/v/lib/python3.11/site-packages/numpy/core/__init__.py", "numpy.core"),
            ("/usr/lib/python3/dist-packages/six.py", "six"),
            ("/usr/lib/python3.12/json/decoder.py", "json.decoder"),
            ("<frozen os>", "os"),
            ("/p/app/views.py", "app.views"),
            ("/p/src/core/db.py", "core.db"),
            ("/x/pkg/sub/mod.py", "pkg.sub.mod"),
            ("/x/alone.py", "alone"),
            ("<string>", "<string>"),
        ] {
            assert_eq!(names.of(file), name);
        }
    }
}
