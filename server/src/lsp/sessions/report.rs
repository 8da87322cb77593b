//! The page with every view of a session, shown in the person's browser.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use heaphint_analysis::Figure;
use heaphint_analysis::records::History;
use heaphint_report::{HISTORY_ENTRIES, PageOptions, Source, page_html};
use lsp_types::{MessageType, ShowDocumentParams, Url};

use super::commands::session;
use super::{folder_of, load, private_folder_of};
use crate::lsp::ext::{ReportResponse, SessionParams};
use crate::lsp::results::Results;
use crate::lsp::server::Server;

/// The page of a session, or of the run that is shown when none is named. Writes a file: call it where it may block.
///
/// # Errors
/// One sentence when there is no such session or the page cannot be written.
pub fn write(server: &Arc<Server>, params: &SessionParams) -> anyhow::Result<ReportResponse> {
    let (results, history) = if params.session.is_some() {
        let (root, stored) = session(server, params)?;
        let settings = server.state().settings.clone();
        let results = load(&stored.captures, &root, &settings.path_mappings)?;
        (Arc::new(results), stored.captures.first().and_then(|first| history(first)))
    } else {
        let shown = server.state().run_of(params.uri.as_ref());
        (shown.context("nothing was profiled yet: profile a file first")?, None)
    };
    let path = page_path(&results)?;
    let mut out = BufWriter::new(tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new("/")))?);
    let source = |path: &str| {
        let baseline = results.file(Path::new(path))?.baseline();
        let text = baseline.text.as_str().to_owned();
        (!text.is_empty()).then_some(Source { text, changed_since: !baseline.certain })
    };
    let options = PageOptions {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        source: Some(&source),
        figure: Figure::Peak,
        earlier: None,
        history: history.as_ref(),
    };
    let whole = results.recorded.whole()?;
    page_html(&mut out, &whole, &options)?;
    out.flush()?;
    let file = out.into_inner().context("the page cannot be written")?;
    file.persist(&path).with_context(|| format!("cannot write {}", path.display()))?;
    let uri = Url::from_file_path(&path).ok().context("the page's name is no URI")?;
    let (server, page) = (server.clone(), uri.clone());
    tokio::spawn(async move { show(&server, page).await });
    Ok(ReportResponse { uri })
}

/// How a process came to its figures, if it was recorded in full. Moments of a sampled record would be estimates of their
/// own.
fn history(capture: &Path) -> Option<History> {
    let recording = heaphint_record::Recording::open(capture).ok()?;
    if recording.capture.header.sample_bytes != 0 {
        return None;
    }
    heaphint_record::read_history(recording, 1, HISTORY_ENTRIES).ok().map(|(_, history)| history)
}

/// Where the page of a run is: beside its captures, and gone with them.
fn page_path(results: &Results) -> anyhow::Result<PathBuf> {
    let mut folder = folder_of(&results.root);
    let name = results.session.as_ref().map_or("report", |session| session.as_str());
    if !folder.is_dir() {
        // The captures are elsewhere, and nothing is made in a project that has none.
        folder = private_folder_of(&results.root).context("there is no folder for the page")?;
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    Ok(folder.join(format!("{name}.html")))
}

/// Opens the page in the editor's browser, or says where it is.
async fn show(server: &Server, uri: Url) {
    if server.state().features.show_document {
        let params =
            ShowDocumentParams { uri: uri.clone(), external: Some(true), take_focus: None, selection: None };
        let answer = server.outbox.request::<lsp_types::request::ShowDocument>(params).await;
        if answer.is_some_and(|answer| answer.success) {
            return;
        }
    }
    server.outbox.show(MessageType::INFO, format!("The report is {uri}: open it in a browser."));
}
