//! `textDocument/prepareCallHierarchy` and its calls: who leads to the allocations of a function, and how much through
//! each.

use std::path::Path;
use std::sync::Arc;

use heaphint_analysis::{Caller, Callers, Step};
use lsp_types::{
    CallHierarchyIncomingCall, CallHierarchyIncomingCallsParams, CallHierarchyItem,
    CallHierarchyOutgoingCall, CallHierarchyOutgoingCallsParams, CallHierarchyPrepareParams, Position, Range,
    SymbolKind, Url,
};
use serde::{Deserialize, Serialize};
use tower_lsp::jsonrpc::Result;

use super::blocking;
use crate::lsp::documents::Text;
use crate::lsp::results::Results;
use crate::lsp::server::Server;
use crate::lsp::state::State;
use crate::lsp::wording;

/// What an item carries from one request to the next.
#[derive(Debug, Serialize, Deserialize)]
struct Data {
    /// The document where the hierarchy was asked for.
    asked_in: Url,
    /// The functions from where the hierarchy was asked for to this one, each as file, qualified name and first line.
    chain: Vec<(String, String, u32)>,
}

/// The function at a place, when it has figures.
pub async fn prepare_call_hierarchy(
    server: &Arc<Server>,
    params: &CallHierarchyPrepareParams,
) -> Result<Option<Vec<CallHierarchyItem>>> {
    let at = &params.text_document_position_params;
    let (uri, line) = (at.text_document.uri.clone(), at.position.line + 1);
    let Some(view) = server.view(&uri) else { return Ok(None) };
    let server = server.clone();
    blocking(move || {
        let outline = view.document.outline();
        let around = |f: &&crate::python::Function| (f.first_line..=f.last_line).contains(&line);
        let function = outline.functions.iter().rfind(around)?;
        let (figures, _) = view.function_figures(function)?;
        let (results, file) = view.file()?;
        let step = Step {
            file: file.name.clone(),
            qualname: figures.qualname.clone(),
            first_line: figures.first_line,
        };
        let size = wording::figure(&figures.total_figures, view.figure, view.settings.units);
        let hierarchy = Hierarchy { server: &server, results, asked_in: &uri };
        Some(vec![hierarchy.item(&step, format!("{size} {}", view.figure.name()), Vec::new())?])
    })
    .await
}

/// Who calls a function on the way that the hierarchy has taken.
pub async fn incoming_calls(
    server: &Arc<Server>,
    params: CallHierarchyIncomingCallsParams,
) -> Result<Option<Vec<CallHierarchyIncomingCall>>> {
    let server = server.clone();
    blocking(move || {
        let data = data(&params.item)?;
        let (results, figure) = run(&server, &data.asked_in)?;
        let chain: Vec<Step> = data.chain.iter().cloned().map(step).collect();
        let whole = results.visible().whole().ok()?;
        let callers = whole.callers(&chain, figure);
        let hierarchy = Hierarchy { server: &server, results: &results, asked_in: &data.asked_in };
        let calls = callers.callers.iter().filter_map(|caller| {
            let from =
                hierarchy.item(&caller.function, hierarchy.detail(&callers, caller), data.chain.clone())?;
            // The lines of the caller, which is where it calls.
            let from_ranges = hierarchy.ranges(&caller.function.file, &caller.lines);
            Some(CallHierarchyIncomingCall { from, from_ranges })
        });
        Some(calls.collect())
    })
    .await
}

/// What a function calls that allocates.
pub async fn outgoing_calls(
    server: &Arc<Server>,
    params: CallHierarchyOutgoingCallsParams,
) -> Result<Option<Vec<CallHierarchyOutgoingCall>>> {
    let server = server.clone();
    blocking(move || {
        let data = data(&params.item)?;
        let (results, figure) = run(&server, &data.asked_in)?;
        let function = step(data.chain.last()?.clone());
        let whole = results.visible().whole().ok()?;
        let callees = whole.callees(&function, figure);
        let hierarchy = Hierarchy { server: &server, results: &results, asked_in: &data.asked_in };
        let calls = callees.callers.iter().filter_map(|callee| {
            let to = hierarchy.item(&callee.function, hierarchy.detail(&callees, callee), Vec::new())?;
            let from_ranges = hierarchy.ranges(&function.file, &callee.lines);
            Some(CallHierarchyOutgoingCall { to, from_ranges })
        });
        Some(calls.collect())
    })
    .await
}

fn data(item: &CallHierarchyItem) -> Option<Data> {
    serde_json::from_value(item.data.clone()?).ok()
}

fn step((file, qualname, first_line): (String, String, u32)) -> Step {
    Step { file, qualname, first_line }
}

fn run(server: &Server, asked_in: &Url) -> Option<(Arc<Results>, heaphint_analysis::Figure)> {
    let view = server.view(asked_in)?;
    Some((view.results?, view.figure))
}

/// Makes items and ranges of a run.
struct Hierarchy<'a> {
    server: &'a Server,
    results: &'a Results,
    asked_in: &'a Url,
}

impl Hierarchy<'_> {
    /// A function as an item. `way` are the functions before it. `None` for one in no file.
    fn item(
        &self,
        function: &Step,
        detail: String,
        mut way: Vec<(String, String, u32)>,
    ) -> Option<CallHierarchyItem> {
        let place = self.ranges(&function.file, &[function.first_line]).into_iter().next()?;
        way.push((function.file.clone(), function.qualname.clone(), function.first_line));
        let is_module = function.qualname == "<module>";
        Some(CallHierarchyItem {
            name: function.qualname.clone(),
            kind: if is_module { SymbolKind::MODULE } else { SymbolKind::FUNCTION },
            tags: None,
            detail: Some(detail),
            uri: self.uri(&function.file)?,
            range: place,
            selection_range: place,
            data: serde_json::to_value(Data { asked_in: self.asked_in.clone(), chain: way }).ok(),
        })
    }

    /// `80.0 MiB peak in 3 allocations`.
    fn detail(&self, callers: &Callers, caller: &Caller) -> String {
        let size = wording::size(caller.bytes, self.server.state().settings.units);
        format!("{size} {} in {}", callers.by.name(), wording::allocations(caller.count))
    }

    fn uri(&self, file: &str) -> Option<Url> {
        let open = self.server.state().open_document(Path::new(file)).map(|(uri, _)| uri);
        open.or_else(|| Url::from_file_path(file).ok())
    }

    /// Lines of the run as ranges of what the person sees. Those that are gone are left out; without any there is the
    /// beginning of the file.
    fn ranges(&self, file: &str, lines: &[u32]) -> Vec<Range> {
        let (open, encoding) = {
            let state = self.server.state();
            (state.open_document(Path::new(file)), state.features.encoding)
        };
        let rows = |text: &Text, row: &dyn Fn(u32) -> Option<usize>| -> Vec<Range> {
            lines.iter().filter_map(|line| Some(text.row_range(row(*line)?, encoding))).collect()
        };
        let as_it_ran = |line: u32| (line as usize).checked_sub(1);
        let mut ranges = match (open, self.results.file(Path::new(file))) {
            (Some((_, document)), _) => match &document.tracking {
                Some(tracking) => rows(&document.text, &|line| tracking.row_of(line)),
                None => rows(&document.text, &as_it_ran),
            },
            (None, Some(file)) => rows(&file.baseline().text, &as_it_ran),
            (None, None) => Vec::new(),
        };
        if ranges.is_empty() {
            ranges.push(Range::new(Position::default(), Position::default()));
        }
        ranges
    }
}

impl State {
    /// The open document of a file, under the name that the editor has for it.
    fn open_document(&self, path: &Path) -> Option<(Url, Arc<crate::lsp::documents::Document>)> {
        let mut all = self.documents.all();
        let (uri, document) = all.find(|(_, document)| document.path.as_deref() == Some(path))?;
        Some((uri.clone(), document.clone()))
    }
}
