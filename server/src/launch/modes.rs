//! What a run records beside the usual figures: the modes that a command line, a project and an editor's settings can
//! choose. All of them combine.

use std::ffi::OsString;
use std::num::NonZeroU64;

use heaphint_analysis::parse_size;
use serde::{Deserialize, Deserializer, de};

/// Modes as somebody chose them; what is `None` is left to whoever is asked next, in the end to the defaults.
///
/// In TOML the names have dashes, in an editor's settings they are in camel case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Modes {
    /// Whether every event is kept, in its order.
    pub record: Option<bool>,
    /// Whether a record has the addresses too.
    pub addresses: Option<bool>,
    /// Whether allocations of CPython's own allocators are told apart.
    #[serde(alias = "tracePythonAllocators")]
    pub trace_python_allocators: Option<bool>,
    /// Whether stacks have the native frames between the Python frames.
    pub native: Option<bool>,
    /// Bytes between two allocations that are sampled, on average.
    #[serde(default, deserialize_with = "sample")]
    pub sample: Option<NonZeroU64>,
    /// Whether processes that the program forks, and Python programs that it starts, are recorded too.
    pub follow: Option<bool>,
}

impl Modes {
    /// These, and what they leave open as `others` say.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        Self {
            record: self.record.or(others.record),
            addresses: self.addresses.or(others.addresses),
            trace_python_allocators: self.trace_python_allocators.or(others.trace_python_allocators),
            native: self.native.or(others.native),
            sample: self.sample.or(others.sample),
            follow: self.follow.or(others.follow),
        }
    }

    /// What the tracer is told: words with commas between them. `tracer/src/modes.rs` reads them.
    #[must_use]
    pub fn words(&self) -> OsString {
        let flags = [
            ("record", self.record.unwrap_or(false)),
            ("addresses", self.addresses.unwrap_or(false)),
            ("python-allocators", self.trace_python_allocators.unwrap_or(false)),
            ("native", self.native.unwrap_or(false)),
            ("follow", self.follow.unwrap_or(true)),
        ];
        let on = flags.iter().filter(|(_, on)| *on).map(|(word, _)| (*word).to_owned());
        let sample = self.sample.map(|bytes| format!("sample={bytes}"));
        on.chain(sample).collect::<Vec<_>>().join(",").into()
    }
}

/// A size that stands between two samples.
///
/// # Errors
/// When the text is no size, or none at all.
pub fn parse_sample(text: &str) -> Result<NonZeroU64, String> {
    /// With fewer samples there would be no figures.
    const MOST: u64 = 1 << 30;
    let bytes = parse_size(text).map_err(|error| error.to_string())?;
    if bytes > MOST {
        return Err("there may be at most 1 GiB between two samples".to_owned());
    }
    NonZeroU64::new(bytes).ok_or_else(|| "there must be at least one byte between two samples".to_owned())
}

fn sample<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<NonZeroU64>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| parse_sample(&text).map_err(de::Error::custom)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_who_chooses_wins() {
        let chosen = Modes { record: Some(false), follow: Some(false), ..Modes::default() };
        let usual = Modes { record: Some(true), native: Some(true), ..Modes::default() };
        assert_eq!(chosen.or(usual).words(), "native");
        assert_eq!(usual.or(chosen).words(), "record,native");
        assert_eq!(Modes::default().words(), "follow");
    }

    #[test]
    fn modes_are_read_as_projects_and_editors_write_them() {
        let toml: Modes = toml::from_str("trace-python-allocators = true\nsample = '512 KiB'\n").unwrap();
        assert_eq!(toml.words(), "python-allocators,follow,sample=524288");
        let json: Modes = serde_json::from_str(r#"{"tracePythonAllocators": true, "sample": null}"#).unwrap();
        assert_eq!(json.words(), "python-allocators,follow");
        let none = toml::from_str::<Modes>("sample = '0 B'").unwrap_err().to_string();
        assert!(none.contains("at least one byte"), "{none}");
        assert!(parse_sample("1 GiB").is_ok());
        assert!(parse_sample("1025 MiB").unwrap_err().contains("at most 1 GiB"));
        assert!(toml::from_str::<Modes>("sampel = '1'").is_err());
    }
}
