//! Says once that a file has changed on the disk since it ran: its figures are those of another text.

use std::path::Path;

use lsp_types::MessageType;

use super::server::Server;
use crate::python::read_source;

/// Says it of a file, when it is so and nobody knows yet. Reads the file: call it where it may block.
pub fn tell(server: &Server, path: &Path) {
    let shown = server.state().shown.clone();
    let Some((results, file)) = shown.of_file(path) else { return };
    if results.live || !results.is_in_project(&file.name) {
        return;
    }
    let Ok(text) = read_source(path) else { return };
    if file.tell_of_change(&text) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let message =
            format!("{name} has changed on the disk since it ran: figures of changed lines are old.");
        server.outbox.show(MessageType::INFO, message);
    }
}
