//! The HTML around the data: one file, under a policy that lets nothing run but the scripts of this crate.
//!
//! What a traced program can name stands in the page as base64 of deflated data, in script elements of a type that no
//! browser runs, and in the title, escaped. It never stands in a script, a style or an attribute.

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use sha2::{Digest, Sha256};

/// Own modules, each after those that it imports.
const MODULES: [&str; 20] = [
    include_str!("assets/element.js"),
    include_str!("assets/format.js"),
    include_str!("assets/data.js"),
    include_str!("assets/interval.js"),
    include_str!("assets/figures.js"),
    include_str!("assets/model.js"),
    include_str!("assets/tree.js"),
    include_str!("assets/places.js"),
    include_str!("assets/colours.js"),
    include_str!("assets/state.js"),
    include_str!("assets/painter.js"),
    include_str!("assets/search.js"),
    include_str!("assets/details.js"),
    include_str!("assets/flame.js"),
    include_str!("assets/memory.js"),
    include_str!("assets/source.js"),
    include_str!("assets/table.js"),
    include_str!("assets/stats.js"),
    include_str!("assets/controls.js"),
    include_str!("assets/main.js"),
];
const CHART: &str = include_str!("assets/uplot/uPlot.iife.min.js");
const STYLES: [&str; 2] = [include_str!("assets/uplot/uPlot.min.css"), include_str!("assets/page.css")];
const BODY: &str = include_str!("assets/body.html");
/// A flame, as the page's icon.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E\
    %3Crect width='16' height='5' fill='%23c2410c'/%3E%3Crect y='5.5' width='11' height='5' fill='%23ea580c'/%3E\
    %3Crect y='11' width='6' height='5' fill='%23fb923c'/%3E%3C/svg%3E";

/// A part of the data: its element's id, and its text.
#[derive(Debug)]
pub struct Section {
    id: &'static str,
    encoded: String,
}

impl Section {
    /// Deflates and encodes a part of the data.
    ///
    /// # Errors
    /// None that a buffer in memory could give.
    pub fn new(id: &'static str, bytes: &[u8]) -> io::Result<Self> {
        let mut deflate = ZlibEncoder::new(Vec::new(), Compression::default());
        deflate.write_all(bytes)?;
        Ok(Self { id, encoded: STANDARD.encode(deflate.finish()?) })
    }

    /// Bytes it adds to the page.
    pub fn len(&self) -> usize {
        self.encoded.len()
    }
}

/// Writes the page.
///
/// # Errors
/// When `out` cannot be written.
pub fn write(out: &mut dyn Write, title: &str, sections: &[Section]) -> io::Result<()> {
    let script = linked(&MODULES);
    let style = STYLES.concat();
    write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src {} {}; style-src {}; \
         img-src data:; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <link rel=\"icon\" href=\"{ICON}\">\n<title>{}</title>\n<style>{style}</style>\n</head>\n{BODY}",
        hash(CHART),
        hash(&script),
        hash(&style),
        escaped(title),
    )?;
    for Section { id, encoded } in sections {
        writeln!(out, "<script type=\"application/octet-stream\" id=\"{id}\">{encoded}</script>")?;
    }
    writeln!(out, "<script>{CHART}</script>\n<script type=\"module\">{script}</script>\n</body>\n</html>")
}

/// The modules as one script. Each keeps a scope of its own and gives out what it exports; imports go, since what they
/// name stands above.
fn linked(modules: &[&str]) -> String {
    let mut script = String::new();
    for module in modules {
        let names = exports(module).join(", ");
        script.push_str(&format!("const {{ {names} }} = (() => {{\n"));
        let mut in_import = false;
        for line in module.lines() {
            in_import |= line.starts_with("import ");
            if in_import {
                in_import = !line.ends_with(';');
                continue;
            }
            script.push_str(line.strip_prefix("export ").unwrap_or(line));
            script.push('\n');
        }
        script.push_str(&format!("return {{ {names} }};\n}})();\n"));
    }
    script
}

/// Names of the functions, classes and constants that a module exports.
fn exports(module: &str) -> Vec<&str> {
    let declarations = module.lines().filter_map(|line| line.strip_prefix("export "));
    declarations
        .filter_map(|declaration| {
            let (_, name) = declaration.trim_start_matches("async ").split_once(' ')?;
            name.split(|c: char| !c.is_alphanumeric() && c != '_').next()
        })
        .collect()
}

/// How a policy names an inline script or style.
fn hash(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)))
}

/// Text between tags.
fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => shown.push_str("&amp;"),
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            '"' => shown.push_str("&quot;"),
            c => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_become_one_script() {
        let one = "/** One. */\nexport const one = 1;\n";
        let two = "import { one } from \"./one.js\";\nimport {\n  more,\n} from \"./more.js\";\n\
                   export async function two() {\n}\nexport class Two {}\n";
        let expected = "const { one } = (() => {\n/** One. */\nconst one = 1;\nreturn { one };\n})();\n\
                        const { two, Two } = (() => {\nasync function two() {\n}\nclass Two {}\n\
                        return { two, Two };\n})();\n";
        assert_eq!(linked(&[one, two]), expected);
    }

    #[test]
    fn the_script_is_complete_and_stays_inside_its_element() {
        let script = linked(&MODULES);
        for line in script.lines() {
            assert!(!line.starts_with("import ") && !line.starts_with("export "), "{line}");
        }
        for text in [script.as_str(), CHART] {
            let lower = text.to_lowercase();
            assert!(!lower.contains("</script") && !lower.contains("<!--"));
        }
        assert!(!STYLES.concat().to_lowercase().contains("</style"));
        assert!(!BODY.contains("style=") && !BODY.contains("onclick"));
    }

    #[test]
    fn each_module_stands_after_what_it_imports() {
        let mut known: Vec<&str> = Vec::new();
        for module in MODULES {
            let imports = module.split("import {").skip(1).filter_map(|text| text.split_once('}'));
            for name in imports.flat_map(|(names, _)| names.split(',')).map(str::trim) {
                assert!(name.is_empty() || known.contains(&name), "{name} is not known yet");
            }
            for name in exports(module) {
                assert!(!known.contains(&name), "two modules declare {name}");
                known.push(name);
            }
        }
    }
}
