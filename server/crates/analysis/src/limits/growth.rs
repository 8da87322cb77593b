//! How much more than the last accepted run is allowed: `5 % or 2 MiB`.

use std::fmt;

use crate::{Units, format_size, parse_size};

/// A tolerance: so many percent or so many bytes, whichever is more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Growth {
    /// Hundredths of a percent.
    basis_points: u32,
    /// Bytes.
    bytes: u64,
}

/// Growth that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an amount of growth: write a percentage, a size or both, for example `5 % or 2 MiB`")]
pub struct GrowthError(pub String);

impl Growth {
    /// Reads `5 %`, `2 MiB` or both with `or` between them.
    ///
    /// # Errors
    /// For anything else, with the text.
    pub fn parse(text: &str) -> Result<Self, GrowthError> {
        let wrong = || GrowthError(text.to_owned());
        let (mut percent, mut bytes) = (None, None);
        for part in text.split(" or ").map(str::trim) {
            let known = match part.strip_suffix('%') {
                Some(number) => percent.replace(basis_points(number.trim_end()).ok_or_else(wrong)?).is_some(),
                None => bytes.replace(parse_size(part).map_err(|_| wrong())?).is_some(),
            };
            if known {
                return Err(wrong());
            }
        }
        Ok(Self { basis_points: percent.unwrap_or(0), bytes: bytes.unwrap_or(0) })
    }

    /// The most that is allowed when the accepted run had `accepted` bytes.
    #[must_use]
    pub fn most(self, accepted: u64) -> u64 {
        let share = u128::from(accepted) * u128::from(self.basis_points) / 10_000;
        accepted.saturating_add(self.bytes.max(u64::try_from(share).unwrap_or(u64::MAX)))
    }

    /// As people read it: `5 % or 2.00 MiB`.
    #[must_use]
    pub fn shown(self, units: Units) -> String {
        let percent = Percent(self.basis_points);
        match (self.basis_points, self.bytes) {
            (_, 0) => percent.to_string(),
            (0, bytes) => format_size(bytes, units),
            (_, bytes) => format!("{percent} or {}", format_size(bytes, units)),
        }
    }
}

/// A number of percent with at most two decimals.
fn basis_points(number: &str) -> Option<u32> {
    let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(decimals) || decimals.len() > 2 {
        return None;
    }
    let decimals = format!("{decimals:0<2}").parse::<u32>().ok()?;
    whole.parse::<u32>().ok()?.checked_mul(100)?.checked_add(decimals)
}

/// Hundredths of a percent, as people read them.
struct Percent(u32);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, decimals) = (self.0 / 100, self.0 % 100);
        match decimals {
            0 => write!(f, "{whole} %"),
            tenths if tenths % 10 == 0 => write!(f, "{whole}.{} %", tenths / 10),
            _ => write!(f, "{whole}.{decimals:02} %"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_the_larger_of_two() {
        let both = Growth::parse("5 % or 2 MiB").unwrap();
        assert_eq!(both.most(100 << 20), 105 << 20);
        assert_eq!(both.most(10 << 20), 12 << 20);
        assert_eq!(Growth::parse("2 MB or 5%").unwrap(), both);
        assert_eq!(both.shown(Units::Iec), "5 % or 2.00 MiB");
        let percent = Growth::parse("0.5 %").unwrap();
        assert_eq!((percent.most(1000), percent.shown(Units::Iec).as_str()), (1005, "0.5 %"));
        assert_eq!(Growth::parse("1 KB").unwrap().most(u64::MAX), u64::MAX);
        assert_eq!(Growth::parse("1.25 %").unwrap().shown(Units::Iec), "1.25 %");
    }

    #[test]
    fn anything_else_is_an_error_that_names_the_text() {
        for text in ["", "5", "5 % and 2 MB", "5 % or 6 %", "-1 %", "1.234 %", "% or 2 MB", "5 % or"] {
            assert_eq!(Growth::parse(text), Err(GrowthError(text.to_owned())), "{text}");
        }
    }
}
