//! The figure that a report is about, as an option.

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use heaphint_analysis::{Figure, Measure};

use super::Usage;
use super::input::TEMPORARY_WINDOW;

/// Reads a figure by its name.
pub fn parser() -> impl TypedValueParser<Value = Figure> {
    let names = Figure::ALL.map(|figure| PossibleValue::new(figure.name()).help(figure.meaning()));
    PossibleValuesParser::new(names).map(|name| Figure::from_name(&name).unwrap_or_default())
}

/// Which figure a report is about.
#[derive(Debug, Args)]
pub struct FigureArguments {
    /// The figure that is shown
    #[arg(long, value_parser = parser(), default_value = "peak", value_name = "FIGURE")]
    figure: Figure,
    /// The same as `--figure leaked`
    #[arg(long, conflicts_with_all = ["figure", "temporary"])]
    leaks: bool,
    /// The same as `--figure temporary`: what was freed before its thread made N further allocations
    #[arg(
        long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "1",
        value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "figure"
    )]
    temporary: Option<u32>,
}

impl FigureArguments {
    /// The figure.
    #[must_use]
    pub fn figure(&self) -> Figure {
        match self.temporary {
            Some(_) => Figure::Temporary,
            None if self.leaks => Figure::Leaked,
            None => self.figure,
        }
    }

    /// How many further allocations a thread makes before what is freed is not temporary any more.
    #[must_use]
    pub fn window(&self) -> usize {
        self.temporary.map_or(TEMPORARY_WINDOW, |further| further as usize)
    }

    /// The figure of stacks, which have no maximum of their own.
    ///
    /// # Errors
    /// When it is the maximum.
    pub fn of_stacks(&self) -> Result<Figure, Usage> {
        match self.figure() {
            Figure::Max => Err(Usage(
                "a single stack has no `max`: use `--figure peak`, or `heaphint summary --figure max`"
                    .to_owned(),
            )),
            figure => Ok(figure),
        }
    }
}

/// Bytes, or the number of allocations.
#[derive(Debug, Args)]
pub struct CountsArgument {
    /// Order by the number of allocations, instead of their bytes
    #[arg(long)]
    counts: bool,
}

impl CountsArgument {
    /// The figure in bytes or allocations.
    ///
    /// # Errors
    /// When the figure has no count.
    pub fn measure(&self, figure: Figure) -> Result<Measure, Usage> {
        if self.counts && figure == Figure::Max {
            return Err(Usage(
                "`max` is a number of bytes and has no count: leave out `--counts`".to_owned(),
            ));
        }
        Ok(Measure { figure, counts: self.counts })
    }
}
