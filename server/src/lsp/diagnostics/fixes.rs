//! Quick fixes: what can be done about an exceeded limit, and limits that are not there yet.

use std::collections::HashMap;

use heaphint_analysis::written_size;
use lsp_types::{
    CodeAction, CodeActionKind, CodeActionOrCommand, Command, Diagnostic, Position, Range, TextEdit, Url,
    WorkspaceEdit,
};

use super::data::{DiagnosticData, Ignore, Raise};
use crate::lsp::documents::Text;
use crate::lsp::ext::{ACCEPT_COMMAND, AcceptParams, STACKS_COMMAND};
use crate::lsp::server::Server;
use crate::lsp::state::View;
use crate::python::{LimitTarget, Outline, read_source};

/// The kind of what changes a text that nothing is wrong with.
pub const ADD_KIND: CodeActionKind = CodeActionKind::new("refactor.heaphint");

/// What can be done about the diagnostics that this server has shown in a range.
pub fn of_diagnostics(server: &Server, uri: &Url, range: Range) -> Vec<CodeActionOrCommand> {
    let mut actions = Vec::new();
    for diagnostic in server.published.at(uri, range) {
        let Some(data) = diagnostic.data.as_ref().and_then(DiagnosticData::of) else { continue };
        if let Some(raise) = &data.raise {
            actions.extend(raised(server, &diagnostic, raise));
        }
        if let Some(root) = data.accept {
            let argument = serde_json::to_value(AcceptParams { uri: root });
            let title = "Accept this run as what later ones are compared with";
            actions
                .extend(argument.ok().map(|argument| command(&diagnostic, title, ACCEPT_COMMAND, argument)));
        }
        if let Some(key) = data.stacks {
            let argument = serde_json::to_value(key);
            let title = "Open the stacks that contributed most";
            actions
                .extend(argument.ok().map(|argument| command(&diagnostic, title, STACKS_COMMAND, argument)));
        }
        if let Some(ignore) = &data.ignore {
            actions.extend(ignored(server, &diagnostic, ignore));
        }
    }
    actions
}

/// A limit for the function at a 1-based line, at what it held in the run that is shown.
pub fn add_limit(view: &View, uri: &Url, line: u32) -> Option<CodeActionOrCommand> {
    let outline = view.document.outline();
    let function = outline.functions.iter().rfind(|f| (f.first_line..=f.last_line).contains(&line))?;
    let index = outline.functions.iter().position(|other| other == function)?;
    let (figures, _) = view.function_figures(function)?;
    let has_limit = outline.comments.iter().any(|comment| comment.target == LimitTarget::Function(index));
    if has_limit || figures.total_figures.max_bytes == 0 {
        return None;
    }
    let size = written_size(figures.total_figures.max_bytes);
    let comment = format!("# heaphint: limit {size}");
    let row = function.signature_end_line as usize - 1;
    let edit = appended(&view.document.text, row, &comment, view)?;
    Some(CodeActionOrCommand::CodeAction(CodeAction {
        title: format!("Limit the memory of {} to {size}", function.name),
        kind: Some(ADD_KIND),
        edit: Some(changes(uri.clone(), edit)),
        ..CodeAction::default()
    }))
}

fn raised(server: &Server, diagnostic: &Diagnostic, raise: &Raise) -> Option<CodeActionOrCommand> {
    let text = text(server, &raise.uri)?;
    let encoding = server.state().features.encoding;
    let (start, end) = (text.offset(raise.range.start, encoding), text.offset(raise.range.end, encoding));
    // The limit may have been changed since it was compared.
    if text.as_str().get(start..end) != Some(raise.old.as_str()) {
        return None;
    }
    let edit = TextEdit { range: raise.range, new_text: raise.new.clone() };
    let title = format!("Raise the limit to {}", raise.new.trim_matches(['"', '\'']));
    Some(fix(diagnostic, title, changes(raise.uri.clone(), edit)))
}

fn ignored(server: &Server, diagnostic: &Diagnostic, ignore: &Ignore) -> Option<CodeActionOrCommand> {
    let view = server.view(&ignore.uri)?;
    let edit = appended(&view.document.text, ignore.row as usize, "# heaphint: ignore", &view)?;
    let title = match &ignore.function {
        Some(function) => format!("Ignore findings about {function}"),
        None => "Ignore findings of this line".to_owned(),
    };
    Some(fix(diagnostic, title, changes(ignore.uri.clone(), edit)))
}

/// A comment at the end of a row, if it is one there and about something: a row may end within a string.
fn appended(text: &Text, row: usize, comment: &str, view: &View) -> Option<TextEdit> {
    let before = text.row(row);
    let trimmed = before.trim_end();
    let encoding = view.features.encoding;
    let row_end = text.offset(text.row_end(row, encoding), encoding);
    let at = row_end - (before.len() - trimmed.len());
    let addition = format!("  {comment}");
    let mut changed = text.as_str().to_owned();
    changed.insert_str(at, &addition);
    let outline = Outline::parse(&changed, view.document.path.as_deref()?);
    let is_there = |found: &crate::python::LimitComment| {
        found.range.start == at + 2 && found.target != LimitTarget::Nothing
    };
    outline.comments.iter().any(is_there).then(|| {
        let position: Position = text.position(at, encoding);
        TextEdit { range: Range::new(position, position), new_text: addition }
    })
}

/// A text as the editor has it, or as it is on the disk.
fn text(server: &Server, uri: &Url) -> Option<Text> {
    match server.view(uri) {
        Some(view) => Some(view.document.text.clone()),
        None => Some(Text::new(read_source(&uri.to_file_path().ok()?).ok()?)),
    }
}

fn changes(uri: Url, edit: TextEdit) -> WorkspaceEdit {
    WorkspaceEdit { changes: Some(HashMap::from([(uri, vec![edit])])), ..WorkspaceEdit::default() }
}

fn fix(diagnostic: &Diagnostic, title: String, edit: WorkspaceEdit) -> CodeActionOrCommand {
    CodeActionOrCommand::CodeAction(CodeAction {
        title,
        kind: Some(CodeActionKind::QUICKFIX),
        diagnostics: Some(vec![diagnostic.clone()]),
        edit: Some(edit),
        ..CodeAction::default()
    })
}

fn command(
    diagnostic: &Diagnostic,
    title: &str,
    name: &str,
    argument: serde_json::Value,
) -> CodeActionOrCommand {
    CodeActionOrCommand::CodeAction(CodeAction {
        title: title.to_owned(),
        kind: Some(CodeActionKind::QUICKFIX),
        diagnostics: Some(vec![diagnostic.clone()]),
        command: Some(Command {
            title: title.to_owned(),
            command: name.into(),
            arguments: Some(vec![argument]),
        }),
        ..CodeAction::default()
    })
}
