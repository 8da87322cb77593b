//! The source files of a run as they were when it started, shared by everything that is read of it: figures that
//! grow while the program runs belong to the same texts from the first to the last.

use std::collections::HashMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

use super::documents::{Baseline, Text};
use crate::python::{Outline, read_source};

/// The source files of a run.
#[derive(Debug)]
pub struct Sources {
    started: SystemTime,
    files: Mutex<HashMap<PathBuf, Arc<Source>>>,
}

/// A source file of a run.
#[derive(Debug)]
pub struct Source {
    path: PathBuf,
    /// When the run started.
    started: SystemTime,
    baseline: OnceLock<Arc<Baseline>>,
    outline: OnceLock<Arc<Outline>>,
    /// The text on the disk of which nobody has to be told, by its hash.
    known: Mutex<Option<u64>>,
    told: AtomicBool,
}

impl Sources {
    /// The sources of a run that began at `started`. `texts` are files as they were then; others are read when
    /// somebody asks for them.
    pub fn new(started: SystemTime, texts: HashMap<PathBuf, String>) -> Self {
        let files = texts.into_iter().map(|(path, text)| {
            let source = Source::new(path.clone(), started);
            let _ = source.baseline.set(Arc::new(Baseline { text: Text::new(text), certain: true }));
            (path, Arc::new(source))
        });
        Self { started, files: Mutex::new(files.collect()) }
    }

    /// A file. It is not read by this.
    pub fn file(&self, path: &Path) -> Arc<Source> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let source = files
            .entry(path.to_owned())
            .or_insert_with(|| Arc::new(Source::new(path.to_owned(), self.started)));
        source.clone()
    }
}

impl Source {
    fn new(path: PathBuf, started: SystemTime) -> Self {
        Self {
            path,
            started,
            baseline: OnceLock::new(),
            outline: OnceLock::new(),
            known: Mutex::default(),
            told: AtomicBool::new(false),
        }
    }

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

    /// Whether somebody is to be told that the file, whose text on the disk is this, has changed since it ran. True once
    /// at most, and never of a text that who edits it has saved.
    pub fn tell_of_change(&self, text: &str) -> bool {
        let baseline = self.baseline();
        let changed = !baseline.certain || baseline.text.as_str() != text;
        let known = *self.known.lock().unwrap_or_else(PoisonError::into_inner) == Some(hash(text));
        changed && !known && !self.told.swap(true, Ordering::Relaxed)
    }

    /// The file was saved with this text.
    pub fn saved(&self, text: &str) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(hash(text));
    }

    /// Functions and comments of the text that ran.
    pub fn outline(&self) -> Arc<Outline> {
        self.outline
            .get_or_init(|| Arc::new(Outline::parse(self.baseline().text.as_str(), &self.path)))
            .clone()
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
