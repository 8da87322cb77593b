//! The figures of runs, with the texts of the files as they were when each started.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use heaphint_analysis::{FileFigures, Frame, FunctionFigures, Profile, Selection};

use super::comparison::Comparison;
use super::documents::Baseline;
use super::recorded::Recorded;
use super::runs::RunId;
use super::sessions::SessionId;
use super::sources::{Source, Sources};
use crate::python::{Function, Outline};

/// The runs whose figures are shown: of each project one.
#[derive(Debug, Clone, Default)]
pub struct Shown(Vec<Arc<Results>>);

impl Shown {
    /// The run that was shown last.
    pub fn last(&self) -> Option<&Arc<Results>> {
        self.0.last()
    }

    /// All of them, the one that was shown last at the end.
    pub fn all(&self) -> &[Arc<Results>] {
        &self.0
    }

    /// Shows nothing of a project any more.
    pub fn remove(&mut self, root: &Path) {
        self.0.retain(|shown| shown.root != root);
    }

    /// The run of a project.
    pub fn of_root(&self, root: &Path) -> Option<&Arc<Results>> {
        self.0.iter().find(|results| results.root == root)
    }

    /// The run that knows a file: its own project's, else the newest one.
    pub fn of_file(&self, path: &Path) -> Option<(&Arc<Results>, &FileResults)> {
        let known = || self.0.iter().rev().filter_map(|results| Some((results, results.file(path)?)));
        let own = known().filter(|(results, _)| path.starts_with(&results.root));
        own.max_by_key(|(results, _)| results.root.as_os_str().len()).or_else(|| known().next())
    }

    /// Shows a run instead of its project's last one.
    pub fn show(&mut self, results: Arc<Results>) {
        self.0.retain(|shown| shown.root != results.root);
        self.0.push(results);
    }

    /// Shows nothing any more.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

/// A run. Clones share what was recorded.
#[derive(Debug, Clone)]
pub struct Results {
    /// The project's root.
    pub root: PathBuf,
    /// The file that was profiled, when the server started the run.
    pub target: Option<PathBuf>,
    /// What was recorded.
    pub recorded: Recorded,
    /// The part of it that is shown; `None` for all of it.
    part: Option<Recorded>,
    /// The run that it is compared with.
    pub comparison: Option<Arc<Comparison>>,
    /// The session it is stored as.
    pub session: Option<SessionId>,
    /// The server's own run to which the figures belong.
    pub run: Option<RunId>,
    /// The program is running: figures are those of the moment at which they were read.
    pub live: bool,
    files: Arc<HashMap<PathBuf, FileResults>>,
}

/// A source file of a run.
#[derive(Debug, Clone)]
pub struct FileResults {
    /// Its name in the profile.
    pub name: String,
    source: Arc<Source>,
}

impl Results {
    /// What was recorded by a run with these sources. Files of the project are read now when nobody has yet, those
    /// of libraries when somebody opens them. Call it where it may block.
    pub fn new(profile: Profile, root: PathBuf, target: Option<PathBuf>, sources: &Sources) -> Self {
        let mut files = HashMap::new();
        let names = profile.files().iter().map(|file| (file.path.clone(), file.in_project));
        // The profiled file has hints for limits and comments even when none of its lines allocated.
        let target_name = target.iter().map(|path| (path.to_string_lossy().into_owned(), true));
        for (name, in_project) in names.chain(target_name) {
            let path = PathBuf::from(&name);
            if !path.is_absolute() || files.contains_key(&path) {
                continue;
            }
            let file = FileResults { name, source: sources.file(&path) };
            if in_project {
                file.baseline();
            }
            files.insert(path, file);
        }
        Self {
            root,
            target,
            recorded: Recorded::new(profile),
            part: None,
            comparison: None,
            session: None,
            run: None,
            live: false,
            files: Arc::new(files),
        }
    }

    /// The same run, of which a part is shown. Call it where it may block.
    pub fn with_part(mut self, selection: &Selection) -> Self {
        self.part = (!selection.is_everything()).then(|| {
            // Without the stacks of which it would be a part, nothing is shown.
            let whole = self.recorded.whole().unwrap_or_else(|_| self.recorded.figures().clone());
            let part = Recorded::new(whole.part(selection));
            let (run, wanted) = (self.recorded.clone(), selection.clone());
            if run.is_stored() { part.stored(move || Ok(run.whole()?.part(&wanted))) } else { part }
        });
        self
    }

    /// The same run, whose captures can be read again by `read`. Call it where it may block.
    pub fn stored(mut self, read: impl Fn() -> anyhow::Result<Profile> + Send + Sync + 'static) -> Self {
        self.recorded = self.recorded.stored(read);
        self
    }

    /// The same run, compared with another one or with none. Call it where it may block.
    pub fn compared_with(mut self, base: Option<&Arc<Results>>, before: Option<&Comparison>) -> Self {
        self.comparison = base.map(|base| Arc::new(Comparison::new(base, &self, before)));
        self
    }

    /// The same run, in which files have other names: those that begin with `old` now begin with `new`.
    pub fn with_renamed(mut self, old: &Path, new: &Path) -> Self {
        let mut files = HashMap::clone(&self.files);
        for (path, file) in self.files.iter() {
            if let Ok(rest) = path.strip_prefix(old) {
                let now = if rest.as_os_str().is_empty() { new.to_owned() } else { new.join(rest) };
                files.entry(now).or_insert_with(|| file.clone());
            }
        }
        self.files = Arc::new(files);
        self
    }

    /// The file of the project that is no more where it was and had this text: it was renamed by somebody else.
    pub fn lost_file(&self, text: &str) -> Option<PathBuf> {
        let files = self.project_files().into_iter().filter(|file| !file.path().exists());
        let mut same = files.filter(|file| file.baseline().text.as_str() == text);
        same.next().map(|file| file.path().to_owned())
    }

    /// What is shown of the run: the part that was chosen.
    pub fn visible(&self) -> &Recorded {
        self.part.as_ref().unwrap_or(&self.recorded)
    }

    /// A file of the run.
    pub fn file(&self, path: &Path) -> Option<&FileResults> {
        self.files.get(path)
    }

    /// Files of the project, in the order of their names.
    pub fn project_files(&self) -> Vec<&FileResults> {
        let in_project = |file: &&FileResults| {
            self.recorded.figures().file(&file.name).is_none_or(|figures| figures.in_project)
        };
        let mut files: Vec<_> = self.files.values().filter(in_project).collect();
        files.sort_by(|a, b| a.path().cmp(b.path()));
        // A file that was renamed since has two names.
        files.dedup_by(|a, b| a.path() == b.path());
        files
    }

    /// What is shown of a file; `None` when none of its lines was on a stack.
    pub fn figures(&self, file: &FileResults) -> Option<&FileFigures> {
        self.visible().figures().file(&file.name)
    }

    /// Whether a file, by its name in the profile, belongs to the project.
    pub fn is_in_project(&self, name: &str) -> bool {
        self.recorded.figures().file(name).is_some_and(|file| file.in_project)
    }

    /// A stack from its outermost frame of the project inwards: what runs the program (`runpy`, a test runner) is
    /// left out, unless there is nothing else. A frame that calls itself is one frame and a number of times.
    pub fn user_frames<'p>(&self, frames: &[Frame<'p>]) -> Vec<(Frame<'p>, usize)> {
        let first = frames.iter().position(|frame| self.is_in_project(frame.file));
        let frames = &frames[first.unwrap_or(0)..];
        frames.chunk_by(|a, b| a == b).map(|same| (same[0], same.len())).collect()
    }

    /// What is shown of a function that began at this 1-based `def` line when the run started.
    pub fn function(&self, file: &FileResults, def_line: u32) -> Option<(&FunctionFigures, Function)> {
        let outline = file.outline();
        let function = outline.function_at(def_line)?;
        let all = &self.figures(file)?.functions;
        let from_here = all.partition_point(|figures| figures.first_line < function.first_line);
        let mut here =
            all[from_here..].iter().take_while(|figures| figures.first_line == function.first_line);
        let figures = here.find(|figures| figures.name == function.name)?;
        Some((figures, function.clone()))
    }
}

impl FileResults {
    /// Its absolute path.
    pub fn path(&self) -> &Path {
        self.source.path()
    }

    /// The text that ran. Reads the file when nobody asked before.
    pub fn baseline(&self) -> Arc<Baseline> {
        self.source.baseline()
    }

    /// Whether somebody is to be told that the file has changed since it ran: once.
    pub fn tell_of_change(&self, text: &str) -> bool {
        self.source.tell_of_change(text)
    }

    /// The file was saved with this text by who edits it, and knows that it has changed.
    pub fn saved(&self, text: &str) {
        self.source.saved(text);
    }

    /// Functions and comments of the text that ran.
    pub fn outline(&self) -> Arc<Outline> {
        self.source.outline()
    }
}
