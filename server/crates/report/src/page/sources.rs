//! Source texts for the page: whole files while there is room, then the lines that have figures.

use heaphint_analysis::{FileFigures, Profile};
use serde::Serialize;

use crate::Source;
use crate::sources::ReadSource;

/// A longer line without its file's whole text is cut: it is machine-made, and nobody reads it.
const LONGEST_LINE: usize = 400;

/// A source file of the page.
#[derive(Serialize)]
pub struct FileText {
    /// Index into the page's files.
    file: u32,
    /// Whether it was changed after the run.
    changed: bool,
    /// The whole text.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// Instead of it: numbers and texts of the lines with figures.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lines: Vec<(u32, String)>,
}

/// Texts of the files that `number` knows, those of the project first, then those with most memory: `whole` bytes of
/// whole files and about as many of single lines.
pub fn texts(
    profile: &Profile,
    source: &ReadSource<'_>,
    number: &dyn Fn(&str) -> Option<u32>,
    whole: usize,
) -> Vec<FileText> {
    let mut files: Vec<(&FileFigures, u32)> =
        profile.files().iter().filter_map(|file| Some((file, number(&file.path)?))).collect();
    files.sort_by_key(|(file, _)| {
        let total = &file.total_figures;
        std::cmp::Reverse((file.in_project, total.peak_bytes.max(total.max_bytes), total.allocated_bytes))
    });
    let (mut room, mut room_for_lines) = (whole, whole);
    let mut texts = Vec::new();
    for (figures, file) in files {
        if room_for_lines == 0 {
            break;
        }
        let Some(Source { text, changed_since: changed }) = source(&figures.path) else { continue };
        if text.len() <= room {
            room -= text.len();
            texts.push(FileText { file, changed, text: Some(text), lines: Vec::new() });
            continue;
        }
        let all: Vec<&str> = text.lines().collect();
        let mut lines = Vec::new();
        for line in &figures.lines {
            let Some(text) = all.get((line.line as usize).wrapping_sub(1)) else { continue };
            let text: String = text.chars().take(LONGEST_LINE).collect();
            if text.len() > room_for_lines {
                room_for_lines = 0;
                break;
            }
            room_for_lines -= text.len();
            lines.push((line.line, text));
        }
        if !lines.is_empty() {
            texts.push(FileText { file, changed, text: None, lines });
        }
    }
    texts
}
