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

/// A size: `80.0 MiB`.
pub fn size(bytes: u64, units: ext::Units) -> String {
    format_size(bytes, units.into())
}

/// A figure: `80.0 MiB`, with `≥` or `~` before it when it is not exact.
pub fn figure(figures: &Figures, figure: Figure, units: ext::Units) -> String {
    format!("{}{}", inexact_sign(figures, figure), size(figures.bytes(figure), units))
}

/// The sign of a figure that is not exact.
fn inexact_sign(figures: &Figures, figure: Figure) -> &'static str {
    match figures.inexact {
        Some(Inexact::MaxIsLowerBound) if figure == Figure::Max => "≥ ",
        Some(Inexact::SumsOnly) if matches!(figure, Figure::Max | Figure::Allocated) => "≥ ",
        Some(Inexact::SeveralProcesses) if matches!(figure, Figure::Peak | Figure::Max) => "~ ",
        Some(Inexact::Damaged) => "~ ",
        _ => "",
    }
}

/// A number of allocations: `1 allocation`, `3 allocations`.
pub fn allocations(count: u64) -> String {
    if count == 1 { "1 allocation".to_owned() } else { format!("{count} allocations") }
}

/// What a figure means, in one sentence.
pub const fn meaning(figure: Figure) -> &'static str {
    match figure {
        Figure::Peak => {
            "Memory that this line and what it called held when the program's memory was at its peak."
        }
        Figure::Max => "The most memory that this line and what it called held at any one moment.",
        Figure::Allocated => "All memory that this line and what it called ever allocated.",
        Figure::Leaked => {
            "Memory that this line and what it called allocated and that was still held at the end."
        }
        Figure::Temporary => "Memory that this line and what it called allocated and freed again at once.",
    }
}
