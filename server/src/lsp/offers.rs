//! What can be profiled where: the same for code lenses, code actions and anything else that offers runs.

use std::borrow::Cow;
use std::path::Path;

use lsp_types::Url;

use super::documents::Document;
use super::ext::{ProfileParams, ProfileWhat};
use super::runs::own_module;
use super::untitled;
use crate::launch::configuration;

/// A run that somebody may start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The 1-based line it belongs to.
    pub line: u32,
    /// What a lens on that line says.
    pub title: Cow<'static, str>,
    /// What a list of actions says.
    pub long_title: String,
    /// The run.
    pub params: ProfileParams,
}

/// What a lens says that needs no more words on its line.
const PROFILE: &str = "Profile memory";

/// What a lens on a cell says: cells need those above them.
const PROFILE_NOTEBOOK: &str = "Profile memory of this notebook";

/// The runs of a document, by its lines. Parses and looks at the disk: call it where it may block.
pub fn of_document(uri: &Url, document: &Document) -> Vec<Offer> {
    if let Some(notebook) = &document.notebook {
        return vec![Offer {
            line: 1,
            title: PROFILE_NOTEBOOK.into(),
            long_title: PROFILE_NOTEBOOK.to_owned(),
            params: ProfileParams::new(notebook.clone(), Some(ProfileWhat::Notebook)),
        }];
    }
    let Some(path) = &document.path else {
        let is_untitled = document.is_python && untitled::is_untitled(uri);
        return if is_untitled { vec![whole_file(uri, 1)] } else { Vec::new() };
    };
    if untitled::is_untitled(uri) {
        vec![whole_file(uri, 1)]
    } else if document.is_python {
        of_python(uri, path, document)
    } else if configuration::is_configuration_file(path) {
        of_configurations(uri, path, document)
    } else {
        Vec::new()
    }
}

fn whole_file(uri: &Url, line: u32) -> Offer {
    Offer {
        line,
        title: PROFILE.into(),
        long_title: "Profile memory of this file".to_owned(),
        params: ProfileParams::new(uri.clone(), None),
    }
}

fn of_python(uri: &Url, path: &Path, document: &Document) -> Vec<Offer> {
    let outline = document.outline();
    let module = own_module(path).ok();
    let offer = |line, title: &'static str, long_title: &str, what| Offer {
        line,
        title: title.into(),
        long_title: format!("Profile memory of {long_title}"),
        params: ProfileParams::new(uri.clone(), what),
    };
    let file = |line| whole_file(uri, line);
    let mut offers = Vec::new();
    if outline.tests.is_empty() {
        offers.push(file(1));
    } else {
        let what = Some(ProfileWhat::TestFile);
        offers.push(offer(1, "Profile memory of all tests", "all tests of this file", what));
    }
    if let Some((_, name)) = module.as_ref().filter(|_| outline.tests.is_empty()) {
        let what = Some(ProfileWhat::Import);
        offers.push(offer(1, "Profile import", &format!("the import of {name}"), what));
    }
    if let Some(line) = outline.main_guard {
        if line != 1 || !outline.tests.is_empty() {
            offers.push(file(line));
        }
        // Relative imports work in a module only.
        if let Some((_, name)) = module.filter(|(_, name)| name.contains('.')) {
            let what = Some(ProfileWhat::Module);
            offers.push(offer(line, "Profile as module", &format!("module {name}"), what));
        }
    }
    for test in outline.test_classes.iter().chain(&outline.tests) {
        let offer = |title: Cow<'static, str>, name: String| Offer {
            line: test.line,
            title,
            long_title: format!("Profile memory of {name}"),
            params: ProfileParams { test: Some(name), ..ProfileParams::new(uri.clone(), None) },
        };
        offers.push(offer(PROFILE.into(), test.name.clone()));
        let case = |case| offer(format!("Profile [{case}]").into(), format!("{}[{case}]", test.name));
        offers.extend(test.cases.iter().map(case));
    }
    offers
}

fn of_configurations(uri: &Url, path: &Path, document: &Document) -> Vec<Offer> {
    let (all, _) = configuration::parse(document.text.as_str(), path);
    let what = Some(ProfileWhat::Configuration);
    let offer = |configuration: configuration::Configuration| Offer {
        line: configuration.line,
        title: PROFILE.into(),
        long_title: format!("Profile memory of {}", configuration.name),
        params: ProfileParams { name: Some(configuration.name), ..ProfileParams::new(uri.clone(), what) },
    };
    all.into_iter().map(offer).collect()
}
