//! The figures of a line, a function, a file or a process.

use crate::Estimate;

/// Why a figure is not exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Inexact {
    /// `max_bytes` is at least this: the line's own maximum was not recorded.
    MaxIsLowerBound,
    /// Figures of several processes were added, each at its own peak.
    SeveralProcesses,
    /// The recording had sums of the peak and of the end only.
    SumsOnly,
    /// Allocations were recorded by chance, and stand for the others.
    Sampled(Estimate),
    /// Parts of the capture are missing or contradict each other.
    Damaged,
}

impl Inexact {
    /// Whether it holds for every figure, counts included.
    #[must_use]
    pub const fn is_of_all_figures(self) -> bool {
        matches!(self, Self::Sampled(_) | Self::Damaged)
    }

    /// What is known about how far off the figures are.
    #[must_use]
    pub const fn estimate(self) -> Option<Estimate> {
        match self {
            Self::Sampled(estimate) => Some(estimate),
            _ => None,
        }
    }

    /// One sentence for a person.
    #[must_use]
    pub const fn why(self) -> &'static str {
        match self {
            Self::MaxIsLowerBound => {
                "max_bytes is a lower bound: maxima with callees are recorded for project files only"
            }
            Self::SeveralProcesses => "peak and max add up several processes, each at its own peak",
            Self::SumsOnly => {
                "an aggregated Memray capture has the peak and the end only: what was allocated and max_bytes are \
                 lower bounds, and temporary allocations are not known"
            }
            Self::Sampled(_) => {
                "all figures are estimates from allocations that were recorded by chance, with 95 % intervals; peak and \
                 max are the largest values of an estimated curve, so they tend to be too high"
            }
            Self::Damaged => "parts of the capture are missing or contradict each other",
        }
    }
}

/// One of the figures, by the name that settings and options use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Figure {
    /// Live at the process's peak.
    #[default]
    Peak,
    /// The own largest number of live bytes.
    Max,
    /// Ever allocated.
    Allocated,
    /// Live when recording ended.
    Leaked,
    /// Freed before their thread's next allocation.
    Temporary,
}

impl Figure {
    /// All figures, in the order in which reports show them.
    pub const ALL: [Self; 5] = [Self::Peak, Self::Max, Self::Allocated, Self::Leaked, Self::Temporary];

    /// Its name: `peak`, `max`, `allocated`, `leaked`, `temporary`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Peak => "peak",
            Self::Max => "max",
            Self::Allocated => "allocated",
            Self::Leaked => "leaked",
            Self::Temporary => "temporary",
        }
    }

    /// What it says of a place, for a list of choices.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Peak => "What was live at the process's peak",
            Self::Max => "The place's own largest number of live bytes",
            Self::Allocated => "Everything ever allocated",
            Self::Leaked => "What was still live at the end",
            Self::Temporary => "What was freed before its thread's next allocation",
        }
    }

    /// The figure with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|figure| figure.name() == name)
    }
}

/// What a report orders its entries by and shows of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Measure {
    /// The figure.
    pub figure: Figure,
    /// Whether the allocations behind it are counted, instead of their bytes.
    pub counts: bool,
}

impl Measure {
    /// Bytes of a figure.
    #[must_use]
    pub const fn bytes(figure: Figure) -> Self {
        Self { figure, counts: false }
    }
}

/// The nine figures. Bytes are requested bytes, counts are allocations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Live at the process's peak.
    pub peak_bytes: u64,
    /// Allocations live at the process's peak.
    pub peak_count: u64,
    /// The own largest number of live bytes at any one moment.
    pub max_bytes: u64,
    /// Ever allocated.
    pub allocated_bytes: u64,
    /// Allocations ever made.
    pub allocated_count: u64,
    /// Live when recording ended.
    pub leaked_bytes: u64,
    /// Allocations live when recording ended.
    pub leaked_count: u64,
    /// Freed before their thread's next allocation.
    pub temporary_bytes: u64,
    /// Allocations freed before their thread's next one.
    pub temporary_count: u64,
    /// Set when a figure is not exact.
    pub inexact: Option<Inexact>,
}

impl Figures {
    /// Bytes of one figure.
    #[must_use]
    pub const fn bytes(&self, figure: Figure) -> u64 {
        match figure {
            Figure::Peak => self.peak_bytes,
            Figure::Max => self.max_bytes,
            Figure::Allocated => self.allocated_bytes,
            Figure::Leaked => self.leaked_bytes,
            Figure::Temporary => self.temporary_bytes,
        }
    }

    /// Allocations behind one figure; `None` for `max`, which has no count.
    #[must_use]
    pub const fn count(&self, figure: Figure) -> Option<u64> {
        match figure {
            Figure::Peak => Some(self.peak_count),
            Figure::Max => None,
            Figure::Allocated => Some(self.allocated_count),
            Figure::Leaked => Some(self.leaked_count),
            Figure::Temporary => Some(self.temporary_count),
        }
    }

    /// Bytes or allocations of one figure; 0 allocations for `max`, which has no count.
    #[must_use]
    pub const fn of(&self, measure: Measure) -> u64 {
        match (measure.counts, self.count(measure.figure)) {
            (false, _) => self.bytes(measure.figure),
            (true, Some(count)) => count,
            (true, None) => 0,
        }
    }

    /// Adds what can be added: everything but `max_bytes` and `inexact`. Stops at the largest number, which only a
    /// damaged capture reaches.
    pub(crate) fn add(&mut self, other: &Self) {
        for (sum, part) in [
            (&mut self.peak_bytes, other.peak_bytes),
            (&mut self.peak_count, other.peak_count),
            (&mut self.allocated_bytes, other.allocated_bytes),
            (&mut self.allocated_count, other.allocated_count),
            (&mut self.leaked_bytes, other.leaked_bytes),
            (&mut self.leaked_count, other.leaked_count),
            (&mut self.temporary_bytes, other.temporary_bytes),
            (&mut self.temporary_count, other.temporary_count),
        ] {
            *sum = sum.saturating_add(part);
        }
    }
}
