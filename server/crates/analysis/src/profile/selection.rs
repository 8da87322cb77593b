//! Which part of a run is looked at: some processes, some threads, some packages.

use super::{Profile, Site, ThreadId};

/// A part of a run. Figures of a part add up like those of the whole; maxima over time are known of the whole only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Ids of processes; empty for all.
    pub processes: Vec<u32>,
    /// Names or kernel ids of threads; empty for all.
    pub threads: Vec<String>,
    /// Packages, as [`crate::ModuleFigures`] names them; empty for all.
    pub modules: Vec<String>,
}

impl Selection {
    /// Whether it is the whole run.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.processes.is_empty() && self.threads.is_empty() && self.modules.is_empty()
    }
}

impl Profile {
    /// The sites of a part of the run.
    pub(crate) fn selected<'a>(&'a self, selection: &Selection) -> Vec<&'a Site> {
        let is_selected: Vec<bool> = (0..self.threads.len())
            .map(|index| self.is_thread_selected(ThreadId(index as u32), selection))
            .collect();
        // A damaged capture may name threads that are not there.
        let others = selection.threads.is_empty() && selection.processes.is_empty();
        let packages = if selection.modules.is_empty() { Vec::new() } else { self.packages() };
        let in_modules = |site: &Site| {
            selection.modules.is_empty()
                || packages
                    .get(site.node.index())
                    .is_some_and(|package| selection.modules.iter().any(|module| module == package))
        };
        self.sites
            .iter()
            .filter(|site| is_selected.get(site.thread.index()).copied().unwrap_or(others))
            .filter(|site| in_modules(site))
            .collect()
    }

    fn is_thread_selected(&self, id: ThreadId, selection: &Selection) -> bool {
        let pid = self.threads.get(id.index()).and_then(|thread| self.processes.get(thread.process as usize));
        let in_process = selection.processes.is_empty()
            || pid.is_some_and(|process| selection.processes.contains(&process.pid));
        let name = self.thread_name(id);
        let tid = self.tid(id).to_string();
        in_process
            && (selection.threads.is_empty()
                || selection.threads.iter().any(|wanted| *wanted == name || *wanted == tid))
    }

    /// The kernel's id of a thread; 0 for the entry that stands for all threads beyond the capture's bound.
    pub(crate) fn tid(&self, id: ThreadId) -> u32 {
        self.threads.get(id.index()).map_or(0, |thread| thread.tid)
    }
}
