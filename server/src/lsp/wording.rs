//! Figures as words, the same in hints, lenses, hovers and diagnostics.

use heaphint_analysis::{Figure, Figures, Inexact, format_size};

use super::ext;

impl From<ext::Figure> for Figure {
    fn from(figure: ext::Figure) -> Self {
        match figure {
            ext::Figure::Peak => Self::Peak,
            ext::Figure::Max => Self::Max,
            ext::Figure::Allocated => Self::Allocated,
            ext::Figure::Leaked => Self::Leaked,
            ext::Figure::Temporary => Self::Temporary,
        }
    }
}

impl From<ext::Units> for heaphint_analysis::Units {
    fn from(units: ext::Units) -> Self {
        match units {
            ext::Units::Iec => Self::Iec,
            ext::Units::Si => Self::Si,
        }
    }
}

impl From<ext::Severity> for lsp_types::DiagnosticSeverity {
    fn from(severity: ext::Severity) -> Self {
        match severity {
            ext::Severity::Error => Self::ERROR,
            ext::Severity::Warning => Self::WARNING,
            ext::Severity::Information => Self::INFORMATION,
            ext::Severity::Hint => Self::HINT,
        }
    }
}

/// A size: `80.0 MiB`.
pub fn size(bytes: u64, units: ext::Units) -> String {
    format_size(bytes, units.into())
}

/// A figure: `80.0 MiB`, with `≥` or `~` before it when it is not exact.
pub fn figure(figures: &Figures, figure: Figure, units: ext::Units) -> String {
    format!("{}{}", inexact_sign(figures, figure), size(figures.bytes(figure), units))
}

/// What became of a figure since the run that it is compared with: ` ▲ +12.1`, in the unit of the figure where they
/// have the same, ` ▼ −3.00 KiB`, ` ▲ new`, or ` =`.
pub fn change(now: u64, then: Option<u64>, units: ext::Units) -> String {
    let Some(then) = then else { return " ▲ new".to_owned() };
    if now == then {
        return " =".to_owned();
    }
    let (arrow, sign) = if now > then { ("▲", "+") } else { ("▼", "−") };
    let difference = size(now.abs_diff(then), units);
    let now = size(now, units);
    let short = match (difference.rsplit_once(' '), now.rsplit_once(' ')) {
        (Some((number, unit)), Some((_, same))) if unit == same => number,
        _ => &difference,
    };
    format!(" {arrow} {sign}{short}")
}

/// The sign of a figure that is not exact.
fn inexact_sign(figures: &Figures, figure: Figure) -> &'static str {
    match figures.inexact {
        Some(Inexact::MaxIsLowerBound) if figure == Figure::Max => "≥ ",
        Some(Inexact::SumsOnly) if matches!(figure, Figure::Max | Figure::Allocated) => "≥ ",
        Some(Inexact::SeveralProcesses) if matches!(figure, Figure::Peak | Figure::Max) => "~ ",
        Some(Inexact::Damaged | Inexact::Sampled(_)) => "~ ",
        _ => "",
    }
}

/// A number of allocations: `1 allocation`, `3 allocations`.
pub fn allocations(count: u64) -> String {
    if count == 1 { "1 allocation".to_owned() } else { format!("{count} allocations") }
}

/// What a figure of a line means, in one sentence; `self_only` of what the line itself allocated.
pub const fn meaning(figure: Figure, self_only: bool) -> &'static str {
    match (figure, self_only) {
        (Figure::Peak, false) => {
            "Memory that this line and what it called held when the program's memory was at its peak."
        }
        (Figure::Max, false) => "The most memory that this line and what it called held at any one moment.",
        (Figure::Allocated, false) => "All memory that this line and what it called ever allocated.",
        (Figure::Leaked, false) => {
            "Memory that this line and what it called allocated and that was still held at the end."
        }
        (Figure::Temporary, false) => {
            "Memory that this line and what it called allocated and freed again at once."
        }
        (Figure::Peak, true) => {
            "Memory that this line itself held when the program's memory was at its peak."
        }
        (Figure::Max, true) => "The most memory that this line itself held at any one moment.",
        (Figure::Allocated, true) => "All memory that this line itself ever allocated.",
        (Figure::Leaked, true) => {
            "Memory that this line itself allocated and that was still held at the end."
        }
        (Figure::Temporary, true) => "Memory that this line itself allocated and freed again at once.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_short_and_signed() {
        let change = |now: u64, then| change(now << 10, then, ext::Units::Iec);
        assert_eq!(change(80 << 10, Some((80 << 20) - (12 << 20) - (100 << 10))), " ▲ +12.1");
        assert_eq!(change(80 << 10, Some((80 << 20) - 3072)), " ▲ +3.00 KiB");
        assert_eq!(change(1, Some(5 << 20)), " ▼ −5.00 MiB");
        assert_eq!(change(7, Some(7 << 10)), " =");
        assert_eq!(change(7, None), " ▲ new");
    }
}
