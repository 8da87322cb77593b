//! `textDocument/hover`: a line's figures, and the stacks that allocated most through it.
//!
//! Figures stand in an aligned block of text: not every editor draws tables.

use std::path::Path;
use std::sync::Arc;

use heaphint_analysis::{Figure, Figures, Frame, Interval, NativePart, StackFigures, Through};
use heaphint_symbols::{Folders, SymbolFiles};
use lsp_types::{Hover, HoverContents, HoverParams, MarkupContent, Url};
use tower_lsp::jsonrpc::Result;

use super::blocking;
use crate::lsp::results::Results;
use crate::lsp::server::Server;
use crate::lsp::state::View;
use crate::lsp::wording;

/// Stacks that are shown.
const MAX_STACKS: usize = 3;
/// Frames of a stack that are shown at each end, and at the inner one of a stack with native frames.
const MAX_FRAMES: usize = 6;
const MAX_NATIVE_FRAMES: usize = 12;

/// Handles the request.
pub async fn hover(server: &Arc<Server>, params: &HoverParams) -> Result<Option<Hover>> {
    let at = &params.text_document_position_params;
    let row = at.position.line as usize;
    let Some(view) = server.view(&at.text_document.uri) else { return Ok(None) };
    if view.file().is_none() {
        return Ok(None);
    }
    blocking(move || {
        let value = Page::new(&view).write(row)?;
        let kind = view.features.markup();
        Some(Hover {
            contents: HoverContents::Markup(MarkupContent { kind, value }),
            range: Some(view.document.text.row_range(row, view.features.encoding)),
        })
    })
    .await
}

/// Writes a hover in the format that the editor shows.
pub struct Page<'a> {
    view: &'a View,
    markdown: bool,
}

impl<'a> Page<'a> {
    /// What a document shows.
    pub fn new(view: &'a View) -> Self {
        Self { view, markdown: view.features.markdown }
    }

    /// What a 0-based row shows; `None` for nothing.
    pub fn write(&self, row: usize) -> Option<String> {
        let mut blocks = self.function(row).unwrap_or_default();
        blocks.extend(self.line(row).unwrap_or_default());
        (!blocks.is_empty()).then(|| blocks.join("\n\n"))
    }

    /// The function whose `def` this row holds: editors without code lenses show it here only.
    fn function(&self, row: usize) -> Option<Vec<String>> {
        let outline = self.view.document.outline();
        let function = outline.function_at(row as u32 + 1)?;
        let (figures, old) = self.view.function_figures(function)?;
        let old = if old { " (old)" } else { "" };
        Some(vec![
            format!("Function {}{old}", self.code(&figures.qualname)),
            self.preformatted(&self.table(
                &figures.total_figures,
                None,
                self.view.function_then(function).map(|then| then.map(|then| &then.total_figures)),
            )),
        ])
    }

    fn line(&self, row: usize) -> Option<Vec<String>> {
        let line = self.view.line(row)?;
        let (results, file) = self.view.file()?;
        let known = line.now.or(line.then.flatten())?;
        let mut blocks = vec![format!("Line {} in {}", row + 1, self.code(&known.qualname))];
        let nothing = Figures::default();
        let (total, own) =
            line.now.map_or((&nothing, &nothing), |now| (&now.total_figures, &now.self_figures));
        let then = line.then.map(|then| then.map(|then| &then.total_figures));
        blocks.push(self.preformatted(&self.table(total, Some(own), then)));
        if results.live {
            blocks.push("The program is running: these are the figures so far.".to_owned());
        }
        if line.found.old {
            blocks.push("This line has been edited since; the figures are old.".to_owned());
        }
        if let Some(inexact) = total.inexact.or(own.inexact) {
            blocks.push(format!("Not exact: {}.", inexact.why()));
            if let Some(estimate) = inexact.estimate() {
                let units = self.view.settings.units;
                let interval = |figure: Figure| {
                    let Interval { low, high } = estimate.bytes(total.bytes(figure));
                    format!(
                        "{} {} to {}",
                        figure.name(),
                        wording::size(low, units),
                        wording::size(high, units)
                    )
                };
                let intervals = Figure::ALL.map(interval).join(", ");
                blocks.push(format!("95 % intervals of the totals: {intervals}."));
            }
        }
        blocks.extend(self.stacks(results, Through::Line { file: &file.name, line: line.found.line }));
        Some(blocks)
    }

    /// Figures in columns: totals with their counts, the line's own, and what became of the totals since `then`.
    fn table(&self, total: &Figures, own: Option<&Figures>, then: Option<Option<&Figures>>) -> String {
        let units = self.view.settings.units;
        let count = |figures: &Figures, figure| {
            figures.count(figure).map_or(String::new(), |count| count.to_string())
        };
        let mut head: Vec<&str> = vec!["", "total", "count"];
        head.extend(own.iter().flat_map(|_| ["self", "count"]));
        head.extend(then.iter().map(|_| "change"));
        let mut rows: Vec<Vec<String>> = vec![head.into_iter().map(String::from).collect()];
        for figure in Figure::ALL {
            let mut row =
                vec![figure.name().into(), wording::figure(total, figure, units), count(total, figure)];
            row.extend(own.iter().flat_map(|own| [wording::figure(own, figure, units), count(own, figure)]));
            row.extend(then.iter().map(|then| {
                let then = then.map(|then| then.bytes(figure));
                wording::change(total.bytes(figure), then, units).trim_start().to_owned()
            }));
            rows.push(row);
        }
        let width =
            |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
        let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
                0 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        rows.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn stacks(&self, results: &Results, through: Through<'_>) -> Vec<String> {
        let visible = match results.visible().whole() {
            Ok(whole) => whole,
            Err(error) => return vec![format!("Its stacks cannot be read any more: {error:#}.")],
        };
        let mut list = visible.stacks_through(through, self.view.figure, MAX_STACKS);
        if list.stacks.is_empty() {
            list = visible.stacks_through(through, Figure::Allocated, MAX_STACKS);
        }
        if list.stacks.is_empty() {
            return Vec::new();
        }
        let mut blocks = vec![format!("Largest stacks through this line, by what {}:", measured(list.by))];
        // A file is opened when a frame that is shown is in it.
        let mut symbols = SymbolFiles::new(Folders::usual());
        for (i, stack) in list.stacks.iter().enumerate() {
            let native = visible.native_part(stack, list.by, &mut symbols);
            blocks.push(self.stack(results, i + 1, stack, native.as_ref()));
        }
        if list.left_out > 0 {
            blocks.push(format!("{} more stacks are smaller.", list.left_out));
        }
        blocks
    }

    /// A stack as a numbered list item with its frames below, outermost first; with the native frames of its largest part.
    fn stack(
        &self,
        results: &Results,
        number: usize,
        stack: &StackFigures<'_>,
        native: Option<&NativePart<'_>>,
    ) -> String {
        let units = self.view.settings.units;
        let size = wording::size(stack.bytes, units);
        let mut lines = vec![format!("{number}. {size} in {}", wording::allocations(stack.count))];
        if let Some(part) = native.filter(|part| part.bytes < stack.bytes)
            && let Some(line) = lines.last_mut()
        {
            line.push_str(&format!("; native frames are those of {}", wording::size(part.bytes, units)));
        }
        let all = native.map_or_else(|| stack.frames.clone(), NativePart::frames);
        let frames = results.user_frames(&all);
        let inner = if native.is_some() { MAX_NATIVE_FRAMES } else { MAX_FRAMES };
        for (i, (frame, times)) in frames.iter().enumerate() {
            if i >= MAX_FRAMES && i + inner < frames.len() {
                if i == MAX_FRAMES {
                    lines.push(format!("   - … {} more frames", frames.len() - MAX_FRAMES - inner));
                }
                continue;
            }
            let place = self.place(frame);
            let times = if *times > 1 { format!(" ×{times}") } else { String::new() };
            lines.push(format!("   - {} {place}{times}", self.code(frame.qualname)));
        }
        if !stack.allocators.is_empty() {
            let names: Vec<_> =
                stack.allocators.iter().map(|allocator| allocator.name().to_lowercase()).collect();
            lines.push(format!("   - {}", self.code(&names.join(", "))));
        }
        lines.join("\n")
    }

    /// `app.py:12`, with a link where there is a file. A native frame may have its library only, and its source may be on
    /// another machine.
    fn place(&self, frame: &Frame<'_>) -> String {
        let Frame { file, line, is_native, .. } = *frame;
        let last = file.rsplit('/').next().unwrap_or(file);
        if line == 0 {
            return self.code(last);
        }
        let name = format!("{last}:{line}");
        if is_native && !Path::new(file).is_file() {
            return self.code(&name);
        }
        match Url::from_file_path(file) {
            Ok(uri) if self.markdown => format!("[{}]({uri}#L{line})", escaped(&name)),
            Ok(_) => format!("{file}:{line}"),
            Err(()) => self.code(&name),
        }
    }

    /// A name that a program chose, as text that means nothing else.
    fn code(&self, name: &str) -> String {
        if !self.markdown {
            return name.to_owned();
        }
        // A run of backticks longer than any inside ends a code span.
        let longest = name.split(|c| c != '`').map(str::len).max().unwrap_or_default();
        let fence = "`".repeat(longest + 1);
        let space = if longest > 0 { " " } else { "" };
        format!("{fence}{space}{}{space}{fence}", name.replace(['\n', '\r'], " "))
    }

    fn preformatted(&self, text: &str) -> String {
        if self.markdown { format!("```text\n{text}\n```") } else { text.to_owned() }
    }
}

/// The text of a link, without Markdown in it.
fn escaped(name: &str) -> String {
    let mut text = String::new();
    for c in name.chars() {
        if c.is_ascii_punctuation() && !matches!(c, '.' | ':' | '/' | '-') {
            text.push('\\');
        }
        text.push(if c.is_control() { ' ' } else { c });
    }
    text
}

/// What the stacks are measured by.
const fn measured(figure: Figure) -> &'static str {
    match figure {
        Figure::Peak | Figure::Max => "they held at the peak",
        Figure::Allocated => "they allocated",
        Figure::Leaked => "they still held at the end",
        Figure::Temporary => "they freed again at once",
    }
}
