//! Text for a terminal: colours, alignment, and names that cannot do harm there.

use std::fmt;

use anstyle::{AnsiColor, Style};
use heaphint_analysis::{Inexact, Measure, Profile, Units, format_size};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How a document looks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Look {
    /// Whether escape sequences for colour may be written.
    pub colour: bool,
    /// Columns of the terminal; `None` for a file.
    pub width: Option<usize>,
    /// How sizes are shown.
    pub units: Units,
    /// Whether figures are estimates: see [`Self::of`].
    pub estimates: bool,
}

/// What a piece of text is, for its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A heading.
    Heading,
    /// The figure that matters.
    Large,
    /// A figure that matters less.
    Medium,
    /// Context.
    Dim,
    /// Something to act on.
    Warning,
}

impl Look {
    /// The look of a profile's figures: estimates have `~` before them.
    #[must_use]
    pub fn of(self, profile: &Profile) -> Self {
        let estimates = profile.session().inexact.and_then(Inexact::estimate).is_some();
        Self { estimates: self.estimates || estimates, ..self }
    }

    fn marked(&self, shown: String) -> String {
        if self.estimates { format!("~ {shown}") } else { shown }
    }

    /// A figure in bytes.
    pub fn size(&self, bytes: u64) -> String {
        self.marked(self.exact_size(bytes))
    }

    /// A size that is what it is in every recording.
    pub fn exact_size(&self, bytes: u64) -> String {
        format_size(bytes, self.units)
    }

    /// A figure that counts allocations.
    pub fn count(&self, allocations: u64) -> String {
        self.marked(grouped(allocations))
    }

    /// A figure in bytes, or one that counts allocations.
    pub fn measured(&self, value: u64, measure: Measure) -> String {
        if measure.counts { self.count(value) } else { self.size(value) }
    }

    /// `text` in its colour.
    pub fn paint<T: fmt::Display>(&self, role: Role, text: T) -> Painted<T> {
        let style = match role {
            Role::Heading => Style::new().bold(),
            Role::Large => AnsiColor::Red.on_default().bold(),
            Role::Medium => AnsiColor::Yellow.on_default(),
            Role::Dim => Style::new().dimmed(),
            Role::Warning => AnsiColor::Yellow.on_default().bold(),
        };
        Painted { style: if self.colour { style } else { Style::new() }, text }
    }

    /// `text` cut to what is left of a line after `used` columns.
    pub fn fit(&self, text: &str, used: usize) -> String {
        let Some(left) = self.width.map(|width| width.saturating_sub(used)) else { return text.to_owned() };
        if text.width() <= left {
            return text.to_owned();
        }
        let mut cut = String::new();
        let mut columns = 1;
        for c in text.chars() {
            columns += c.width().unwrap_or(0);
            if columns > left {
                break;
            }
            cut.push(c);
        }
        cut.push('…');
        cut
    }
}

/// Text with a style around it.
pub struct Painted<T> {
    style: Style,
    text: T,
}

impl<T: fmt::Display> fmt::Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.style.render(), self.text, self.style.render_reset())
    }
}

/// A name, a path or a source line without anything that a terminal would act on. Tabs become four blanks.
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' => shown.push_str("    "),
            // Control characters, and those that change the direction of the text around them.
            c if c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') => {
                shown.push('\u{fffd}')
            }
            c => shown.push(c),
        }
    }
    shown
}

/// A path as one would look for it: relative to `directory` when it lies below, and an installed package's or the
/// standard library's file by its module.
pub fn short_path<'a>(path: &'a str, directory: &str) -> &'a str {
    for packages in ["/site-packages/", "/dist-packages/"] {
        if let Some((_, module)) = path.rsplit_once(packages) {
            return module;
        }
    }
    if let Some(inside) = path.strip_prefix(directory).and_then(|rest| rest.strip_prefix('/')) {
        return inside;
    }
    let library = path.split_once("/lib/python3.").and_then(|(_, rest)| rest.split_once('/'));
    library.map_or(path, |(_, module)| module)
}

/// How much a figure stands out beside the largest one.
pub fn prominence(bytes: u64, largest: u64) -> Role {
    if bytes >= largest / 10 {
        Role::Large
    } else if bytes >= largest / 100 {
        Role::Medium
    } else {
        Role::Dim
    }
}

/// A part of a whole: `12.3 %`.
pub fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return String::new();
    }
    format!("{:.1} %", part as f64 * 100.0 / whole as f64)
}

/// A whole number with separators: `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// A number of milliseconds: `1.50 s`, `2 min 5 s`.
pub fn duration(ms: u64) -> String {
    match ms {
        0..1000 => format!("{ms} ms"),
        1000..60_000 => format!("{:.2} s", ms as f64 / 1000.0),
        60_000..3_600_000 => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1000),
        _ => format!("{} h {} min", ms / 3_600_000, ms % 3_600_000 / 60_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(duration(125_000), "2 min 5 s");
        assert_eq!(duration(1500), "1.50 s");
    }

    #[test]
    fn lines_fit_the_terminal() {
        let look = Look { width: Some(10), ..Look::default() };
        assert_eq!(look.fit("abcdef", 4), "abcdef");
        assert_eq!(look.fit("abcdefg", 4), "abcde…");
        assert_eq!(look.fit("abcdefg", 99), "…");
        // These take two columns each.
        assert_eq!(look.fit("漢字漢", 4), "漢字漢");
        assert_eq!(look.fit("漢字漢字", 4), "漢字…");
    }

    #[test]
    fn paths_are_short_where_nothing_is_lost() {
        for (path, short) in [
            ("/home/me/app/a.py", "a.py"),
            ("/home/me/app2/a.py", "/home/me/app2/a.py"),
            ("/home/me/app/.venv/lib/python3.11/site-packages/lib/io.py", "lib/io.py"),
            ("/usr/lib/python3/dist-packages/six.py", "six.py"),
            ("/usr/lib/python3.11/json/decoder.py", "json/decoder.py"),
            ("<string>", "<string>"),
        ] {
            assert_eq!(short_path(path, "/home/me/app"), short);
        }
    }

    proptest! {
        #[test]
        fn no_control_character_is_printable(text: String) {
            prop_assert!(!printable(&text).chars().any(char::is_control));
        }
    }
}
