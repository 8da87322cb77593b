//! Names as their sources have them.

/// A symbol's name as C, C++, Rust or Fortran writes it.
pub fn demangled(symbol: &str) -> String {
    // Versions of symbols, and what the compiler calls parts and copies of functions, are no part of the name.
    let symbol = symbol.split('@').next().unwrap_or(symbol);
    if let Ok(name) = rustc_demangle::try_demangle(symbol) {
        return format!("{name:#}");
    }
    if let Some(name) = cpp(symbol) {
        return name;
    }
    fortran(symbol).unwrap_or_else(|| symbol.to_owned())
}

fn cpp(symbol: &str) -> Option<String> {
    if !symbol.starts_with("_Z") {
        return None;
    }
    let options = cpp_demangle::DemangleOptions::new().no_return_type();
    cpp_demangle::Symbol::new(symbol).ok()?.demangle_with_options(&options).ok()
}

/// `__solver_MOD_step` is `step` of the module `solver`.
fn fortran(symbol: &str) -> Option<String> {
    let (module, procedure) = symbol.strip_prefix("__")?.split_once("_MOD_")?;
    Some(format!("{module}::{procedure}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_source() {
        for (symbol, name) in [
            ("PyList_New", "PyList_New"),
            ("_ZN3geo5shape4areaEid", "geo::shape::area(int, double)"),
            (
                "_ZNSt6vectorIiSaIiEE9push_backERKi",
                "std::vector<int, std::allocator<int> >::push_back(int const&)",
            ),
            ("_ZN5alloc5alloc15exchange_malloc17h8b4f1c3f1f1b1b1bE", "alloc::alloc::exchange_malloc"),
            ("_RNvC6_123foo3bar", "123foo::bar"),
            ("__solver_MOD_step", "solver::step"),
            ("malloc@@GLIBC_2.2.5", "malloc"),
            ("_Znotmangled", "_Znotmangled"),
        ] {
            assert_eq!(demangled(symbol), name, "{symbol}");
        }
    }
}
