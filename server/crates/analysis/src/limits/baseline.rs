//! Accepted runs: the figures that later ones are compared with.
//!
//! They are kept in a file that belongs into version control, so it is made for reading and for comparing: ordered, one
//! value per line, without anything that differs between machines.

use serde::{Deserialize, Serialize};

use super::condition::command_of;
use crate::path::below;
use crate::{Profile, Session};

/// Raised when something changes that is not an addition.
const SCHEMA: u32 = 1;

/// Accepted runs, one for each command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    schema: u32,
    runs: Vec<AcceptedRun>,
}

/// What a command cost when somebody accepted it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptedRun {
    /// The command line without the interpreter, files relative to the project.
    pub command: String,
    /// The interpreter's version.
    pub python: Option<String>,
    /// The process's peak.
    pub peak_bytes: u64,
    /// Its largest resident set.
    pub rss_peak_bytes: u64,
    /// Everything ever allocated.
    pub allocated_bytes: u64,
    /// Allocations ever made.
    pub allocated_count: u64,
    /// What was live at the end.
    pub leaked_bytes: u64,
    /// Functions of the project that allocated.
    pub functions: Vec<AcceptedFunction>,
}

/// What a function held when somebody accepted it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AcceptedFunction {
    /// Its file, relative to the project.
    pub file: String,
    /// Its qualified name where the interpreter knows it, else its name.
    pub function: String,
    /// Its own maximum, total.
    pub max_bytes: u64,
}

/// A file of accepted runs that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// It is something else.
    #[error("this is not a file of accepted runs: {0}")]
    Malformed(#[from] serde_json::Error),
    /// It was written by a newer heaphint.
    #[error("it was written by a newer heaphint (schema {0}, and this one knows {SCHEMA})")]
    Newer(u32),
}

impl Default for Baseline {
    fn default() -> Self {
        Self { schema: SCHEMA, runs: Vec::new() }
    }
}

impl Baseline {
    /// Reads a file.
    ///
    /// # Errors
    /// When it is no such file, or a newer one.
    pub fn parse(text: &str) -> Result<Self, BaselineError> {
        let baseline: Self = serde_json::from_str(text)?;
        if baseline.schema > SCHEMA { Err(BaselineError::Newer(baseline.schema)) } else { Ok(baseline) }
    }

    /// The file's text.
    ///
    /// # Errors
    /// Never: every value can be written.
    pub fn text(&self) -> Result<String, BaselineError> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// Accepted runs, by command.
    #[must_use]
    pub fn runs(&self) -> &[AcceptedRun] {
        &self.runs
    }

    /// The accepted run of the same command.
    #[must_use]
    pub fn of(&self, session: &Session) -> Option<&AcceptedRun> {
        let command = command_of(session);
        self.runs.iter().find(|run| run.command == command)
    }

    /// Accepts a run in place of the one of the same command.
    pub fn accept(&mut self, profile: &Profile) -> &AcceptedRun {
        let run = AcceptedRun::new(profile);
        self.runs.retain(|other| other.command != run.command);
        let at = self.runs.partition_point(|other| other.command < run.command);
        self.runs.insert(at, run);
        &self.runs[at]
    }
}

impl AcceptedRun {
    fn new(profile: &Profile) -> Self {
        let session = profile.session();
        let mut functions: Vec<AcceptedFunction> = Vec::new();
        for file in profile.files().iter().filter(|file| file.in_project) {
            let Some(path) = below(&file.path, &session.project) else { continue };
            // Lambdas and comprehensions have no names to find them by.
            let named = file.functions.iter().filter(|f| !f.name.starts_with('<') || f.name == "<module>");
            functions.extend(named.filter(|f| f.total_figures.max_bytes > 0).map(|function| {
                AcceptedFunction {
                    file: path.to_owned(),
                    function: function.qualname.clone(),
                    max_bytes: function.total_figures.max_bytes,
                }
            }));
        }
        // Of several functions with one name the largest is the one that a limit is exceeded by.
        functions.sort_by(|a, b| {
            (&a.file, &a.function).cmp(&(&b.file, &b.function)).then(b.max_bytes.cmp(&a.max_bytes))
        });
        functions.dedup_by(|a, b| (&a.file, &a.function) == (&b.file, &b.function));
        Self {
            command: command_of(session),
            python: session.python.clone(),
            peak_bytes: session.peak_bytes,
            rss_peak_bytes: session.rss_peak_bytes,
            allocated_bytes: session.allocated_bytes,
            allocated_count: session.allocated_count,
            leaked_bytes: session.leaked_bytes,
            functions,
        }
    }

    /// What a function held, by its absolute path and qualified name.
    #[must_use]
    pub fn function(&self, session: &Session, path: &str, qualname: &str) -> Option<u64> {
        let file = below(path, &session.project)?;
        let found = self.functions.iter().find(|held| held.file == file && held.function == qualname);
        found.map(|held| held.max_bytes)
    }
}

#[cfg(test)]
mod tests {
    use heaphint_format::PlaceKind;

    use super::*;
    use crate::hand_made::HandMade;

    fn profile(bytes: u64) -> Profile {
        let mut made = HandMade::default();
        let load = made.code("Store.load", "app.py", 4);
        let stack = made.stack(0, load, 6);
        made.site(stack, bytes, 1, 1, 0);
        made.place(PlaceKind::TotalFunction, "app.py", 4, "Store.load", bytes as i64);
        Profile::from_capture(&made.capture())
    }

    #[test]
    fn a_run_takes_the_place_of_the_one_before() {
        let mut baseline = Baseline::default();
        baseline.accept(&profile(1000));
        let profile = profile(2000);
        baseline.accept(&profile);
        assert_eq!(baseline.runs().len(), 1);
        let read = Baseline::parse(&baseline.text().unwrap()).unwrap();
        assert_eq!(read, baseline);
        let run = read.of(profile.session()).unwrap();
        assert_eq!((run.command.as_str(), run.peak_bytes), ("app.py", 2000));
        assert_eq!(run.function(profile.session(), "/p/app.py", "Store.load"), Some(2000));
        assert_eq!(run.function(profile.session(), "/p/app.py", "Store.save"), None);
    }

    #[test]
    fn other_files_are_refused() {
        assert!(Baseline::parse("{}").is_err());
        let newer = Baseline::parse("{\"schema\": 9, \"runs\": []}").unwrap_err();
        assert!(newer.to_string().contains("newer"), "{newer}");
    }
}
