//! Which file, function and line of the earlier run is which of the later one.

use rustc_hash::FxHashMap;

use super::align::{Doings, Lines, MatchedBy, Seen, by_doings, by_text};
use super::{Before, ReadText};
use crate::path::below;
use crate::profile::{FunctionId, LineId, Node, NodeId};
use crate::{Frame, Origin, Profile};

/// A function of one run: its index among those of its file with the same name, in the order of the file.
type Ordinal = u32;

/// The places of the earlier run in the later one.
pub struct Places {
    /// Files of the earlier run: their path in the later one.
    files: FxHashMap<String, String>,
    /// Lines of files of the earlier run.
    lines: FxHashMap<String, Lines>,
    /// Functions of the earlier run that are in the later one, too.
    functions: FxHashMap<FunctionId, FunctionId>,
}

impl Places {
    /// Matches two runs. `texts` gives the text of a file, by its path, as it was at that run, where that is known.
    pub fn new(before: &Profile, after: &Profile, texts: [&ReadText<'_>; 2]) -> Self {
        let after_by_identity: FxHashMap<_, _> =
            after.file_names.iter().map(|path| (identity(path, &after.session().project), path)).collect();
        let (earlier, later) = (observed(before), observed(after));
        let mut places = Self {
            files: FxHashMap::default(),
            lines: FxHashMap::default(),
            functions: FxHashMap::default(),
        };
        for path in &before.file_names {
            let Some(now) = after_by_identity.get(&identity(path, &before.session().project)) else {
                continue;
            };
            places.files.insert(path.clone(), (*now).clone());
            let known = texts[0](path).and_then(|text| Some(by_text(&text, &texts[1](now)?)));
            places.lines.insert(path.clone(), known.unwrap_or_default());
        }
        let known: Vec<String> = places
            .lines
            .iter()
            .filter(|(_, lines)| !lines.is_empty())
            .map(|(path, _)| path.clone())
            .collect();
        places.match_functions(before, after);
        let nothing = Vec::new();
        for (function, other) in places.functions.clone() {
            let path = &before.file_names[before.functions[function.index()].file.index()];
            if known.contains(path) {
                continue;
            }
            let seen = by_doings(
                &Seen {
                    first_line: before.functions[function.index()].first_line,
                    lines: earlier.get(&function).unwrap_or(&nothing),
                },
                &Seen {
                    first_line: after.functions[other.index()].first_line,
                    lines: later.get(&other).unwrap_or(&nothing),
                },
            );
            if let Some(lines) = places.lines.get_mut(path) {
                // A line that two functions share is where the first of them says, whichever that is.
                let taken: Vec<u32> = lines.values().map(|(line, _)| *line).collect();
                let free = seen.into_iter().filter(|(_, (line, _))| !taken.contains(line));
                for (line, found) in free {
                    lines.entry(line).or_insert(found);
                }
            }
        }
        places
    }

    /// Functions with the same name in the same file are the same: that at the place to which the text of its first
    /// line moved, else the one with the same number among its namesakes.
    fn match_functions(&mut self, before: &Profile, after: &Profile) {
        let (earlier, later) = (namesakes(before), namesakes(after));
        let later_by_line: FxHashMap<(&str, &str, u32), FunctionId> = later
            .iter()
            .map(|((path, name, _), id)| ((*path, *name, after.functions[id.index()].first_line), *id))
            .collect();
        let mut taken: FxHashMap<FunctionId, FunctionId> = FxHashMap::default();
        let mut order: Vec<_> = earlier.iter().collect();
        order.sort();
        let moved = |path: &str, line: u32| {
            self.lines.get(path).and_then(|lines| lines.get(&line)).filter(|(_, by)| !by.is_guess())
        };
        for by_text in [true, false] {
            for ((path, name, ordinal), id) in &order {
                let Some(now) = self.files.get(*path) else { continue };
                let found = if by_text {
                    let first = before.functions[id.index()].first_line;
                    moved(path, first).and_then(|(line, _)| later_by_line.get(&(now.as_str(), *name, *line)))
                } else {
                    later.get(&(now.as_str(), *name, *ordinal))
                };
                if let Some(found) = found
                    && !self.functions.contains_key(id)
                    && !taken.contains_key(found)
                {
                    taken.insert(*found, **id);
                    self.functions.insert(**id, *found);
                }
            }
        }
    }

    /// A function of the earlier run in the later one.
    pub fn function(&self, id: FunctionId) -> Option<FunctionId> {
        self.functions.get(&id).copied()
    }

    /// The path in the later run of a file of the earlier one.
    pub fn file(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// Where a line of the earlier run is in the later one.
    pub fn line(&self, path: &str, line: u32) -> Option<(u32, MatchedBy)> {
        self.lines.get(path)?.get(&line).copied()
    }

    /// Where a frame of the earlier run was, and how it is found again.
    pub fn before(&self, frame: &Frame<'_>) -> Before {
        let found = self.line(frame.file, frame.line);
        Before { line: frame.line, matched_by: found.map(|(_, by)| by) }
    }
}

/// What makes a file the same in two runs, wherever the project and Python are.
fn identity<'a>(path: &'a str, project: &str) -> (u8, &'a str) {
    for packages in ["/site-packages/", "/dist-packages/"] {
        if let Some((_, module)) = path.rsplit_once(packages) {
            return (1, module);
        }
    }
    if let Some(inside) = below(path, project) {
        return (0, inside);
    }
    let library = path.split_once("/lib/python3.").and_then(|(_, rest)| rest.split_once('/'));
    library.map_or((3, path), |(_, module)| (2, module))
}

/// Functions by file, name and number among their namesakes.
fn namesakes(profile: &Profile) -> FxHashMap<(&str, &str, Ordinal), FunctionId> {
    let mut all: Vec<(&str, &str, u32, FunctionId)> = (1..profile.functions.len())
        .map(|index| {
            let function = &profile.functions[index];
            let path = profile.file_names[function.file.index()].as_str();
            (path, function.qualname.as_str(), function.first_line, FunctionId(index as u32))
        })
        .collect();
    all.sort();
    let mut named = FxHashMap::default();
    let mut last = None;
    let mut ordinal = 0;
    for (path, name, _, id) in all {
        ordinal = if last == Some((path, name)) { ordinal + 1 } else { 0 };
        last = Some((path, name));
        named.insert((path, name, ordinal), id);
    }
    named
}

/// The lines of each function, in order, with what they did.
fn observed(profile: &Profile) -> FxHashMap<FunctionId, Vec<(u32, Doings)>> {
    let mut doings: FxHashMap<(FunctionId, LineId), Doings> = FxHashMap::default();
    // The import system stands between an import and the module: who called whom is told without it.
    let is_import_system: Vec<bool> =
        profile.file_names.iter().map(|path| Origin::of(path, false) == Origin::ImportSystem).collect();
    let is_hidden = |node: &Node| is_import_system[profile.functions[node.function.index()].file.index()];
    let mut caller = vec![NodeId(0); profile.nodes.len()];
    for (index, node) in profile.nodes.iter().enumerate().skip(1) {
        let parent = &profile.nodes[node.parent.index()];
        caller[index] = if is_hidden(parent) { caller[node.parent.index()] } else { node.parent };
        doings.entry((node.function, node.line)).or_default();
        if !is_hidden(node) {
            let function = &profile.functions[node.function.index()];
            let path = identity(&profile.file_names[function.file.index()], &profile.session().project).1;
            let caller = &profile.nodes[caller[index].index()];
            let called = &mut doings.entry((caller.function, caller.line)).or_default().called;
            called.insert(format!("{path}:{}", function.qualname));
        }
    }
    for site in &profile.sites {
        let node = &profile.nodes[site.node.index()];
        let how = site.allocator.map_or("UNKNOWN", |allocator| allocator.name());
        doings.entry((node.function, node.line)).or_default().allocated.insert(how);
    }
    let mut seen: FxHashMap<FunctionId, Vec<(u32, Doings)>> = FxHashMap::default();
    for ((function, line), doings) in doings {
        seen.entry(function).or_default().push((profile.lines[line.index()].1, doings));
    }
    for lines in seen.values_mut() {
        lines.sort();
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_the_same_wherever_they_are() {
        for (first, second) in [
            (("/old/app/a.py", "/old/app"), ("/new/a.py", "/new")),
            (
                ("/v1/lib/python3.11/site-packages/x/y.py", "/p"),
                ("/v2/lib/python3.12/site-packages/x/y.py", "/q"),
            ),
            (("/usr/lib/python3.11/json/decoder.py", "/p"), ("/opt/lib/python3.13/json/decoder.py", "/p")),
            (("<string>", "/p"), ("<string>", "/q")),
        ] {
            assert_eq!(identity(first.0, first.1), identity(second.0, second.1));
        }
        assert_ne!(
            identity("/p/json/decoder.py", "/p"),
            identity("/usr/lib/python3.11/json/decoder.py", "/p")
        );
    }
}
