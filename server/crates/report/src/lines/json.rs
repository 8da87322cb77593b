//! The JSON of `heaphint lines`.

use std::io::{self, Write};

use heaphint_analysis::Profile;
use serde::Serialize;

use super::LinesOptions;
use crate::json::{JsonFigures, JsonSession, SCHEMA, write};

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    session: JsonSession<'a>,
    files: Vec<File<'a>>,
}

#[derive(Serialize)]
struct File<'a> {
    path: &'a str,
    in_project: bool,
    lines: Vec<Line<'a>>,
    functions: Vec<Function<'a>>,
}

#[derive(Serialize)]
struct Line<'a> {
    line: u32,
    function: &'a str,
    qualname: &'a str,
    #[serde(rename = "self")]
    self_figures: JsonFigures,
    total: JsonFigures,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    qualname: &'a str,
    line: u32,
    total: JsonFigures,
}

/// Writes the session and the lines of every chosen file as one object.
///
/// # Errors
/// When `out` cannot be written.
pub fn lines_json(out: &mut dyn Write, profile: &Profile, options: &LinesOptions) -> io::Result<()> {
    let files = options.choose(profile);
    let document = Document {
        schema: SCHEMA,
        session: profile.session().into(),
        files: files
            .into_iter()
            .map(|(file, lines)| File {
                path: &file.path,
                in_project: file.in_project,
                lines: lines
                    .into_iter()
                    .map(|line| Line {
                        line: line.line,
                        function: &line.function,
                        qualname: &line.qualname,
                        self_figures: (&line.self_figures).into(),
                        total: (&line.total_figures).into(),
                    })
                    .collect(),
                functions: file
                    .functions
                    .iter()
                    .map(|function| Function {
                        name: &function.name,
                        qualname: &function.qualname,
                        line: function.first_line,
                        total: (&function.total_figures).into(),
                    })
                    .collect(),
            })
            .collect(),
    };
    write(out, &document)
}
