//! Numbers of bytes as people read and write them. The only place that does either.

/// How sizes are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Units {
    /// B, KiB, MiB, GiB, TiB: powers of 1024.
    #[default]
    Iec,
    /// B, kB, MB, GB, TB: powers of 1000.
    Si,
}

impl Units {
    /// The units that a setting names: `iec` or `si`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "iec" => Some(Self::Iec),
            "si" => Some(Self::Si),
            _ => None,
        }
    }
}

/// A size with three significant digits and its unit: `12.3 MiB`. Less than a kilobyte is shown to the byte.
#[must_use]
pub fn format_size(bytes: u64, units: Units) -> String {
    let (step, names) = match units {
        Units::Iec => (1024.0, ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]),
        Units::Si => (1000.0, ["kB", "MB", "GB", "TB", "PB", "EB"]),
    };
    if (bytes as f64) < step {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / step;
    let mut unit = 0;
    // 999.5 would be shown as 1000: the next unit has three digits for it.
    while value >= 999.5 && unit + 1 < names.len() {
        value /= step;
        unit += 1;
    }
    let digits = if value >= 99.95 {
        0
    } else if value >= 9.995 {
        1
    } else if value >= 0.9995 {
        2
    } else {
        3
    };
    format!("{value:.digits$} {}", names[unit])
}

/// A size as people write it in limits, at least as large and hardly larger: `121 MiB`, `7.7 MiB`.
#[must_use]
pub fn written_size(at_least: u64) -> String {
    const UNITS: [(&str, u32); 4] = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)];
    let fits = UNITS.iter().rev().find(|(_, shift)| at_least >> shift > 0);
    let Some((unit, shift)) = fits else { return format!("{at_least} B") };
    let tenths = (u128::from(at_least) * 10).div_ceil(1 << shift);
    match (tenths / 10, tenths % 10) {
        (whole, 0) => format!("{whole} {unit}"),
        (whole @ 0..100, tenth) => format!("{whole}.{tenth} {unit}"),
        (whole, _) => format!("{} {unit}", whole + 1),
    }
}

/// A size that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// No number with a unit.
    #[error("`{0}` is not a size: write a number and B, KB, MB, GB or TB, for example `50 MB`")]
    Malformed(String),
    /// More than fits.
    #[error("`{0}` is too large a size")]
    TooLarge(String),
}

/// Reads a size that a person wrote: a number, a unit with or without `i`, in any case, blanks between them allowed.
/// Both spellings are multiples of 1024.
///
/// # Errors
/// For anything else, with the text.
pub fn parse_size(text: &str) -> Result<u64, SizeError> {
    let malformed = || SizeError::Malformed(text.to_owned());
    let trimmed = text.trim();
    let number_len = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(number_len);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || fraction.is_empty() || fraction.contains('.') {
        return Err(malformed());
    }
    let shift = match unit.trim_start().to_ascii_lowercase().as_str() {
        "b" => 0,
        "kb" | "kib" => 10,
        "mb" | "mib" => 20,
        "gb" | "gib" => 30,
        "tb" | "tib" => 40,
        _ => return Err(malformed()),
    };
    let too_large = || SizeError::TooLarge(text.to_owned());
    let whole: u64 = whole.parse().map_err(|_| too_large())?;
    let whole = whole.checked_mul(1 << shift).ok_or_else(too_large)?;
    // Digits beyond the fifteenth of a fraction are less than a byte in every unit.
    let digits = &fraction[..fraction.len().min(15)];
    let numerator: u128 = digits.parse().map_err(|_| malformed())?;
    let part = (numerator << shift) / 10u128.pow(digits.len() as u32);
    whole.checked_add(u64::try_from(part).map_err(|_| too_large())?).ok_or_else(too_large)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_have_three_digits() {
        for (bytes, iec, si) in [
            (0, "0 B", "0 B"),
            (999, "999 B", "999 B"),
            (1000, "1000 B", "1.00 kB"),
            (1024, "1.00 KiB", "1.02 kB"),
            (1023 * 1024, "0.999 MiB", "1.05 MB"),
            (999 * 1024, "999 KiB", "1.02 MB"),
            (12_900_000, "12.3 MiB", "12.9 MB"),
            (80 << 20, "80.0 MiB", "83.9 MB"),
            (999_960, "977 KiB", "1.00 MB"),
            (u64::MAX, "16.0 EiB", "18.4 EB"),
        ] {
            assert_eq!(format_size(bytes, Units::Iec), iec);
            assert_eq!(format_size(bytes, Units::Si), si);
        }
    }

    #[test]
    fn sizes_can_be_written_into_limits() {
        let written = |bytes| written_size(bytes);
        assert_eq!(written(1000), "1000 B");
        assert_eq!(written(8_000_000), "7.7 MiB");
        assert_eq!(written((120 << 20) + 5), "121 MiB");
        assert_eq!(written(120 << 20), "120 MiB");
    }

    #[test]
    fn written_sizes_are_binary_in_both_spellings() {
        assert_eq!(parse_size("24 MB"), Ok(24 << 20));
        assert_eq!(parse_size("1.5GiB"), Ok(3 << 29));
        assert_eq!(parse_size("512 kb"), Ok(512 << 10));
        assert_eq!(parse_size(" 7 B "), Ok(7));
        assert_eq!(parse_size("0.1 KB"), Ok(102));
    }

    #[test]
    fn anything_else_is_an_error_that_names_the_text() {
        for text in
            ["", "100", "100 K", "19 bogus", "MB", "1.2.3 MB", ".5 MB", "5. MB", "-1 MB", "1e3 MB", "5 MB x"]
        {
            assert_eq!(parse_size(text), Err(SizeError::Malformed(text.to_owned())));
        }
        let huge = "99999999999999999999 B";
        assert_eq!(parse_size(huge), Err(SizeError::TooLarge(huge.to_owned())));
        assert_eq!(parse_size("16777216 TB"), Err(SizeError::TooLarge("16777216 TB".to_owned())));
    }

    proptest! {
        #[test]
        fn any_text_is_understood_or_refused(text in ".{0,24}") {
            let _ = parse_size(&text);
        }

        #[test]
        fn a_shown_size_reads_back_within_half_a_percent(bytes in 0u64..(1 << 50)) {
            let shown = format_size(bytes, Units::Iec).replace("PiB", "bogus");
            prop_assume!(!shown.ends_with("bogus"));
            let back = parse_size(&shown).unwrap();
            prop_assert!(back.abs_diff(bytes) as f64 <= bytes as f64 * 0.006);
        }

        #[test]
        fn a_written_size_is_enough_and_hardly_more(bytes: u64) {
            let written = parse_size(&written_size(bytes));
            prop_assume!(bytes < u64::MAX - (1 << 44));
            let written = written.unwrap();
            prop_assert!(written >= bytes && (written - bytes) as f64 <= bytes as f64 / 10.0);
        }

        #[test]
        fn at_most_three_digits_are_shown(bytes in 1024u64.., si: bool) {
            let shown = format_size(bytes, if si { Units::Si } else { Units::Iec });
            let number = shown.split(' ').next().unwrap();
            prop_assert_eq!(number.trim_start_matches("0.").chars().filter(char::is_ascii_digit).count(), 3);
        }
    }
}
