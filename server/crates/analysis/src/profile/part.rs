//! A part of a run as a profile of its own, and a run whose files are elsewhere now.

use super::lines::Maxima;
use super::{Profile, Selection};
use crate::{Figures, Inexact};

impl Profile {
    /// The lines, functions and stacks of a part of the run. What is known of the run as a whole stays as it is.
    ///
    /// The maxima of one process are its own; those of threads and packages were not recorded, so they are lower
    /// bounds there and marked so.
    #[must_use]
    pub fn part(&self, selection: &Selection) -> Self {
        let sites = self.selected(selection).into_iter().cloned().collect();
        let chosen = |index: &usize| {
            let pid = self.processes.get(*index).map(|process| process.pid);
            selection.processes.is_empty() || pid.is_some_and(|pid| selection.processes.contains(&pid))
        };
        let processes: Vec<usize> = (0..self.maxima.len()).filter(chosen).collect();
        let whole_processes = selection.threads.is_empty() && selection.modules.is_empty();
        let mut maxima = if whole_processes {
            let maxima: Vec<Maxima> = processes.iter().map(|index| self.maxima[*index].clone()).collect();
            Maxima::sum(&maxima)
        } else {
            Maxima::default()
        };
        maxima.everywhere = match self.session.inexact {
            Some(Inexact::SeveralProcesses) if processes.len() < 2 => None,
            other => other,
        };
        let mut part = Self {
            session: self.session.clone(),
            file_names: self.file_names.clone(),
            in_project: self.in_project.clone(),
            is_native: self.is_native.clone(),
            functions: self.functions.clone(),
            lines: self.lines.clone(),
            nodes: self.nodes.clone(),
            sites,
            threads: self.threads.clone(),
            files: Vec::new(),
            outside_python: Figures::default(),
            processes: self.processes.clone(),
            maxima: self.maxima.clone(),
            native_stacks: self.native_stacks.clone(),
            has_stacks: self.has_stacks,
        };
        let at_node = part.at_node(&part.sites);
        part.count_lines(&maxima, at_node);
        // Other processes and threads may have been where this part never was.
        for file in &mut part.files {
            file.lines.retain(|line| line.total_figures.allocated_count > 0);
            file.functions.retain(|function| function.total_figures.allocated_count > 0);
        }
        part.files.retain(|file| !file.lines.is_empty());
        part
    }

    /// Gives files other names: a capture that was made elsewhere knows them by their paths there. `None` keeps a
    /// name.
    pub fn rename_files(&mut self, new_name: impl Fn(&str) -> Option<String>) {
        for name in &mut self.file_names {
            if let Some(new) = new_name(name) {
                *name = new;
            }
        }
        for file in &mut self.files {
            if let Some(new) = new_name(&file.path) {
                file.path = new;
            }
        }
        self.files.sort_by(|a, b| a.path.cmp(&b.path));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Figure;
    use crate::hand_made::HandMade;

    /// Two processes: the first holds 100 bytes on a line, the second 30 there and 5 on another.
    fn forked() -> Profile {
        let captures: Vec<_> = [(10, &[(3, 100)][..]), (11, &[(3, 30), (7, 5)])]
            .iter()
            .map(|(pid, lines)| {
                let mut made = HandMade::default();
                made.header.pid = *pid;
                let code = made.code("load", "/p/app.py", 1);
                for (line, bytes) in *lines {
                    let stack = made.stack(0, code, *line);
                    made.site(stack, *bytes, 1, 1, 1);
                }
                made.capture()
            })
            .collect();
        Profile::from_captures(&captures)
    }

    fn held(profile: &Profile) -> Vec<(u32, u64, Option<Inexact>)> {
        let lines = profile.files().iter().flat_map(|file| &file.lines);
        lines
            .map(|line| {
                let total = line.total_figures;
                (line.line, total.bytes(Figure::Peak), total.inexact)
            })
            .collect()
    }

    #[test]
    fn processes_are_parts_with_figures_of_their_own() {
        let whole = forked();
        let several = Some(Inexact::SeveralProcesses);
        assert_eq!(held(&whole), [(3, 130, several), (7, 5, several)]);
        assert_eq!(held(&whole.part(&Selection::default())), held(&whole));
        let of = |pid| whole.part(&Selection { processes: vec![pid], ..Selection::default() });
        let peaks = |profile: &Profile| held(profile).iter().map(|held| (held.0, held.1)).collect::<Vec<_>>();
        assert_eq!(peaks(&of(10)), [(3, 100)]);
        assert_eq!(peaks(&of(11)), [(3, 30), (7, 5)]);
        assert!(held(&of(10)).iter().all(|(_, _, inexact)| *inexact != several));
        assert_eq!(peaks(&of(12)), []);
        let thread = Selection { threads: vec!["MainThread".into()], ..Selection::default() };
        assert_eq!(peaks(&whole.part(&thread)), [(3, 130), (7, 5)]);
        let nobody = Selection { threads: vec!["nobody".into()], ..Selection::default() };
        assert_eq!(peaks(&whole.part(&nobody)), []);
    }

    #[test]
    fn renamed_files_are_found_by_their_new_names() {
        let mut profile = forked();
        profile.rename_files(|name| Some(name.replace("/p/", "/home/me/")));
        assert!(profile.file("/p/app.py").is_none());
        assert_eq!(profile.file("/home/me/app.py").map(|file| file.lines.len()), Some(2));
        let through = crate::Through::Line { file: "/home/me/app.py", line: 3 };
        assert_eq!(profile.stacks_through(through, Figure::Peak, 9).stacks.len(), 2);
    }
}
