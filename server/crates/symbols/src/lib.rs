//! What native addresses are: functions, also those that the compiler has put into others, with files and lines where
//! there is debug information.
//!
//! Files are looked for on this machine only, never on a network, and a file is believed only if its build id is that
//! of the run. What is not known has no name; nothing here fails.

mod demangle;
mod files;

use std::path::{Path, PathBuf};

use addr2line::Loader;
use heaphint_analysis::{NativeFunction, NativeModule, Symbols};
use rustc_hash::FxHashMap;

use demangle::demangled;
pub use files::Folders;

/// Finds out about addresses. Each file is opened when it is first asked for, and read as far as needed.
pub struct SymbolFiles {
    folders: Folders,
    /// By path and build id.
    modules: FxHashMap<(String, String), ModuleFiles>,
}

impl SymbolFiles {
    /// With the folders in which debug information is looked for.
    #[must_use]
    pub fn new(folders: Folders) -> Self {
        Self { folders, modules: FxHashMap::default() }
    }
}

impl Symbols for SymbolFiles {
    fn functions(&mut self, module: &NativeModule<'_>, address: u64) -> Vec<NativeFunction> {
        let key = (module.path.to_owned(), module.build_id.to_owned());
        let folders = &self.folders;
        let files = self.modules.entry(key).or_insert_with(|| ModuleFiles::find(module, folders));
        // The call is just before the address to which it returns.
        address.checked_sub(1).map(|call| files.functions(call)).unwrap_or_default()
    }
}

/// The files that tell something about one loaded file.
struct ModuleFiles {
    /// Those with debug information first.
    loaders: Vec<Loader>,
}

impl ModuleFiles {
    fn find(module: &NativeModule<'_>, folders: &Folders) -> Self {
        let own = Some(PathBuf::from(module.path))
            .filter(|path| path.is_absolute() && files::is_of_build(path, module.build_id))
            .or_else(|| folders.executable(module.build_id));
        let debug = folders.debug_file(own.as_deref(), module.build_id);
        let load = |path: &Path| {
            let supplement = folders.supplement(path);
            Loader::new_with_sup(path, supplement.as_deref()).or_else(|_| Loader::new(path)).ok()
        };
        Self { loaders: [debug, own].into_iter().flatten().filter_map(|path| load(&path)).collect() }
    }

    fn functions(&self, call: u64) -> Vec<NativeFunction> {
        let symbol = || self.loaders.iter().find_map(|loader| loader.find_symbol(call)).map(demangled);
        for loader in &self.loaders {
            let mut found = frames(loader, call);
            if let Some(outermost) = found.first_mut() {
                // A line table without functions still knows the line.
                if outermost.name.is_empty() {
                    outermost.name = symbol().unwrap_or_default();
                }
                if found.iter().all(|function| !function.name.is_empty()) {
                    return found;
                }
            }
        }
        let named = symbol().map(|name| NativeFunction { name, file: None, line: 0 });
        named.into_iter().collect()
    }
}

/// What the debug information says, outer functions first.
fn frames(loader: &Loader, call: u64) -> Vec<NativeFunction> {
    let mut found = Vec::new();
    let Ok(mut frames) = loader.find_frames(call) else { return found };
    while let Ok(Some(frame)) = frames.next() {
        let name = frame.function.as_ref().and_then(|function| Some(demangled(&function.raw_name().ok()?)));
        let location = frame.location.as_ref();
        found.push(NativeFunction {
            name: name.unwrap_or_default(),
            file: location.and_then(|location| location.file).map(str::to_owned),
            line: location.and_then(|location| location.line).unwrap_or(0),
        });
    }
    found.reverse();
    found
}
