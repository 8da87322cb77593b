//! Where the interpreter's loop is: its function, and the part of it that the compiler has put elsewhere.
//!
//! Compilers move what they take for rare out of a function; of the loop that may be nearly all. The symbol has the function
//! only. The other part has unwind information of its own, and the function's jumps lead into it.

use core::ops::Range;

use super::modules::{self, Module};
use super::unwind_info;

/// The loop's function and its other part; empty ranges where there is none.
pub fn parts() -> [Range<usize>; 2] {
    let function = modules::function(c"_PyEval_EvalFrameDefault");
    let elsewhere = modules::find(function.start).0.and_then(|module| elsewhere(&module, &function));
    [function, elsewhere.unwrap_or(0..0)]
}

/// The other part of a function.
fn elsewhere(module: &Module, function: &Range<usize>) -> Option<Range<usize>> {
    let code = module.loaded_from(function.start)?.get(..function.len())?;
    let targets = || {
        let inside = module.start..module.end;
        jumps(code, function.start).filter(move |to| inside.contains(to) && !function.contains(to))
    };
    // What looks like one jump may be a part of other instructions. Two that agree are no chance.
    let is_led_to = |part: &Range<usize>| targets().filter(|to| part.contains(to)).nth(1).is_some();
    targets().find_map(|to| unwind_info::part_of_function(module, to).filter(is_led_to))
}

/// Where jumps over 32 bits lead, in code that stands at an address: every place is taken for an instruction.
fn jumps(code: &[u8], at: usize) -> impl Iterator<Item = usize> {
    code.windows(6).enumerate().filter_map(move |(index, bytes)| {
        let (length, distance) = match *bytes {
            [0xe9, a, b, c, d, _] => (5, [a, b, c, d]),
            [0x0f, 0x80..=0x8f, a, b, c, d] => (6, [a, b, c, d]),
            _ => return None,
        };
        Some((at + index + length).wrapping_add_signed(i32::from_le_bytes(distance) as isize))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jumps_lead_from_behind_themselves() {
        let code = [0x90, 0xe9, 0x10, 0, 0, 0, 0x0f, 0x84, 0xf0, 0xff, 0xff, 0xff, 0x90];
        assert_eq!(jumps(&code, 0x1000).collect::<Vec<_>>(), [0x1016, 0xffc]);
    }
}
