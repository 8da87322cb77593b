//! The figures of the last run, with the texts of the files as they were when it started.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use heaphint_analysis::{FileFigures, Frame, FunctionFigures, Profile};

use super::documents::{Baseline, Text};
use crate::python::{Function, Outline};

/// The last run.
#[derive(Debug)]
pub struct Results {
    /// The project's root.
    pub root: PathBuf,
    /// The file that was profiled, when the server started the run.
    pub target: Option<PathBuf>,
    /// What was recorded.
    pub profile: Profile,
    files: HashMap<PathBuf, FileResults>,
}

/// A source file of the last run.
#[derive(Debug)]
pub struct FileResults {
    /// Its name in the profile.
    pub name: String,
    path: PathBuf,
    /// When the run started.
    started: SystemTime,
    baseline: OnceLock<Arc<Baseline>>,
    outline: OnceLock<Arc<Outline>>,
}

impl Results {
    /// The results of a run that began at `started`. `texts` are files as they were then; other files of the
    /// project are read now, files of libraries when somebody opens them. Call it where it may block.
    pub fn new(
        profile: Profile,
        root: PathBuf,
        target: Option<PathBuf>,
        started: SystemTime,
        mut texts: HashMap<PathBuf, String>,
    ) -> Self {
        let mut files = HashMap::new();
        let names = profile.files().iter().map(|file| (file.path.clone(), file.in_project));
        // The profiled file has hints for limits and comments even when none of its lines allocated.
        let target_name = target.iter().map(|path| (path.to_string_lossy().into_owned(), true));
        for (name, in_project) in names.chain(target_name) {
            let path = PathBuf::from(&name);
            if !path.is_absolute() || files.contains_key(&path) {
                continue;
            }
            let file = FileResults {
                name,
                path: path.clone(),
                started,
                baseline: OnceLock::new(),
                outline: OnceLock::new(),
            };
            if let Some(text) = texts.remove(&path) {
                let _ = file.baseline.set(Arc::new(Baseline { text: Text::new(text), certain: true }));
            } else if in_project {
                file.baseline();
            }
            files.insert(path, file);
        }
        Self { root, target, profile, files }
    }

    /// A file of the run.
    pub fn file(&self, path: &Path) -> Option<&FileResults> {
        self.files.get(path)
    }

    /// Files of the project, in the order of their names.
    pub fn project_files(&self) -> Vec<&FileResults> {
        let in_project = |file: &&FileResults| self.figures(file).is_none_or(|figures| figures.in_project);
        let mut files: Vec<_> = self.files.values().filter(in_project).collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        files
    }

    /// The figures of a file; `None` when none of its lines was on a stack.
    pub fn figures(&self, file: &FileResults) -> Option<&FileFigures> {
        self.profile.file(&file.name)
    }

    /// Whether a file, by its name in the profile, belongs to the project.
    pub fn is_in_project(&self, name: &str) -> bool {
        self.profile.file(name).is_some_and(|file| file.in_project)
    }

    /// A stack from its outermost frame of the project inwards: what runs the program (`runpy`, a test runner) is
    /// left out, unless there is nothing else. A frame that calls itself is one frame and a number of times.
    pub fn user_frames<'p>(&self, frames: &[Frame<'p>]) -> Vec<(Frame<'p>, usize)> {
        let first = frames.iter().position(|frame| self.is_in_project(frame.file));
        let frames = &frames[first.unwrap_or(0)..];
        frames.chunk_by(|a, b| a == b).map(|same| (same[0], same.len())).collect()
    }

    /// The figures of a function that began at this 1-based `def` line when the run started.
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
        &self.path
    }

    /// The text that ran. Reads the file when nobody asked before.
    pub fn baseline(&self) -> Arc<Baseline> {
        self.baseline
            .get_or_init(|| {
                let text = read_source(&self.path).unwrap_or_default();
                let written = fs::metadata(&self.path).and_then(|metadata| metadata.modified());
                let certain = written.is_ok_and(|written| written <= self.started);
                Arc::new(Baseline { text: Text::new(text), certain })
            })
            .clone()
    }

    /// Functions and comments of the text that ran.
    pub fn outline(&self) -> Arc<Outline> {
        self.outline
            .get_or_init(|| Arc::new(Outline::parse(self.baseline().text.as_str(), &self.path)))
            .clone()
    }
}

/// A source file as editors show it: without a byte order mark, and with replacement characters where it is not
/// UTF-8.
pub fn read_source(path: &Path) -> std::io::Result<String> {
    let bytes = fs::read(path)?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    Ok(String::from_utf8_lossy(bytes).into_owned())
}
