//! Captures in, facts out: what each line, function and stack of a program costs, and which limits it exceeds.
//!
//! Everything here is a pure function of its arguments. This crate must never read or write files, print, or know
//! of terminals, editors or async runtimes. Captures may hold anything: a hostile one gives strange figures, never
//! a panic.

mod diff;
mod estimate;
mod figures;
#[cfg(any(test, feature = "hand-made"))]
pub mod hand_made;
mod import_tree;
pub mod limits;
mod path;
mod profile;
pub mod records;
mod size;
mod tree;

pub use diff::{
    Before, Change, ChangeKind, Diff, DiffId, DiffNode, DiffPlace, DiffProjectLine, MatchedBy, ReadText,
};
pub use estimate::{Estimate, Interval};
pub use figures::{Figure, Figures, Inexact, Measure};
pub use heaphint_format::{Allocator, Capture, ReadError};
pub use import_tree::{ImportId, ImportNode, ImportTree, Imported};
pub use path::absolute;
pub use profile::{
    AllocatorFigures, Beginning, Caller, Callers, End, FileFigures, Frame, FunctionFigures, Graph, GraphFile,
    GraphFunction, GraphNode, GraphSite, GraphThread, ImportFigures, LineFigures, LocationFigures,
    ModuleFigures, NativeFunction, NativeModule, NativePart, Origin, Process, Profile, ProjectLine, Run,
    Sample, Selection, Session, SizeClass, StackFigures, StackList, Step, Summary, SummaryBy, SummaryRow,
    Symbols, TableRow, ThreadFigures, Through,
};
pub use size::{SizeError, Units, format_size, parse_size, written_size};
pub use tree::{Tree, TreeId, TreeNode, TreeOptions, TreePlace};
