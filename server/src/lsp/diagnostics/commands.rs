//! Commands about findings: accepting a run, and opening the stacks of a finding.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use heaphint_analysis::Units;
use heaphint_report::{FindingsReport, Look, finding_sentence, findings_text};
use lsp_types::request::ShowDocument;
use lsp_types::{MessageType, ShowDocumentParams, Url};

use super::data::FindingKey;
use super::{Input, Known};
use crate::launch::cache;
use crate::limits::BaselineFile;
use crate::lsp::ext::AcceptParams;
use crate::lsp::results::Results;
use crate::lsp::server::Server;
use crate::lsp::wording;

/// Accepts the run that is shown of a project: later ones are compared with it.
///
/// # Errors
/// One sentence that says what to do.
pub fn accept(server: &Arc<Server>, params: &AcceptParams) -> anyhow::Result<()> {
    let (input, root) = project(server, &params.uri)?;
    let results = finished(&input, &root)?;
    let file = BaselineFile(input.written(&root, Some(results)).baseline);
    let mut accepted = file.read()?.unwrap_or_default();
    let run = accepted.accept(results.recorded.figures());
    let peak = wording::size(run.peak_bytes, input.units);
    let said =
        format!("`{}` is accepted with a peak of {peak}, written to {}.", run.command, file.0.display());
    file.write(&accepted)?;
    server.check.ask();
    server.outbox.show(MessageType::INFO, said);
    Ok(())
}

/// Opens the stacks of a finding as a text, or shows their beginning in an editor that opens none.
///
/// # Errors
/// One sentence that says what to do.
pub fn open_stacks(server: &Arc<Server>, key: &FindingKey) -> anyhow::Result<()> {
    let (input, root) = project(server, &key.root)?;
    let results = finished(&input, &root)?;
    let whole = results.recorded.whole()?;
    let mut written = input.written(&root, Some(results));
    let verdict = input.compared(&mut written, results, &whole, &mut Known::default());
    let units: Units = input.units.into();
    let is_meant = |finding: &&heaphint_analysis::limits::Finding<'_>| {
        finding.file == key.file.as_deref()
            && finding.line == key.line
            && finding_sentence(finding, units) == key.message
    };
    let Some(found) = verdict.findings.iter().find(is_meant) else {
        bail!("this finding is gone: the limit or the run is another one by now")
    };
    let report = FindingsReport {
        findings: std::slice::from_ref(found),
        held: &[],
        problems: &[],
        folder: &root.to_string_lossy(),
        project: &root.to_string_lossy(),
        units,
        version: env!("CARGO_PKG_VERSION"),
    };
    let mut text = Vec::new();
    findings_text(&mut text, &report, &Look { units, ..Look::default() })?;
    if !input.features.show_document {
        server.outbox.show(MessageType::INFO, String::from_utf8_lossy(&text));
        return Ok(());
    }
    let folder = cache::folders().into_iter().find(|folder| cache::make(folder).is_ok());
    let folder =
        folder.context("there is no folder for the text: set XDG_CACHE_HOME to a folder of yours")?;
    let path = folder.join("stacks.txt");
    cache::write(&path, &text).with_context(|| format!("{} cannot be written", path.display()))?;
    let Ok(uri) = Url::from_file_path(&path) else { bail!("{} has no URI", path.display()) };
    server.outbox.request_in_background::<ShowDocument>(ShowDocumentParams {
        uri,
        external: None,
        take_focus: Some(true),
        selection: None,
    });
    Ok(())
}

fn project(server: &Server, uri: &Url) -> anyhow::Result<(Input, std::path::PathBuf)> {
    let Ok(root) = uri.to_file_path() else { bail!("{uri} is no folder on this machine") };
    // A folder's URI ends with a slash, and its name here does not.
    Ok((Input::now(server), root.components().collect()))
}

fn finished<'a>(input: &'a Input, root: &Path) -> anyhow::Result<&'a Results> {
    input
        .finished(root)
        .with_context(|| format!("no run of {} is shown: profile something there first", root.display()))
}
