//! For the tests alone (feature `frame-oracle`): compares every remembered stack with one for which every frame was
//! read, and ends the process at the first difference.

use core::sync::atomic::{AtomicUsize, Ordering};

use crate::capture::Problem;
use crate::intern::RawFrame;
use crate::python;

/// Stacks that were compared, and their frames.
static STACKS: AtomicUsize = AtomicUsize::new(0);
static FRAMES: AtomicUsize = AtomicUsize::new(0);

/// How many stacks were compared since the process began.
#[unsafe(no_mangle)]
pub extern "C" fn heaphint_oracle_compared_stacks() -> usize {
    STACKS.load(Ordering::Relaxed)
}

/// How many frames those had.
#[unsafe(no_mangle)]
pub extern "C" fn heaphint_oracle_compared_frames() -> usize {
    FRAMES.load(Ordering::Relaxed)
}

/// Whether frames are marked.
#[unsafe(no_mangle)]
pub extern "C" fn heaphint_oracle_marks() -> bool {
    python::walk_start().is_some_and(|start| start.marking().is_on())
}

/// Compares. `stack_of` gives the stack of a frame on top of a stack.
///
/// Frames that Python does not show are left out: while greenlet switches, it takes them out of the chain for a moment.
pub fn compare(
    remembered: &[RawFrame],
    mut stack_of: impl FnMut(u32, &mut RawFrame) -> Result<u32, Problem>,
) -> Result<(), Problem> {
    // A frame that is not shown has its caller's stack.
    let is_shown = |i: usize| {
        let stack = |i: usize| remembered.get(i).map_or(0, |known| known.stack);
        let is_folded = remembered.get(i).is_some_and(|known| known.is_folded);
        is_folded || stack(i) != i.checked_sub(1).map_or(0, stack)
    };
    let mut rest = remembered.len();
    if let Some(start) = python::walk_start()
        && let Some(mut frame) = start.innermost()
    {
        while !frame.is_null() {
            // SAFETY: the frame is in the calling thread's chain.
            let (words, is_hidden) = unsafe {
                let words = start.reader().read(frame);
                let instruction = words.instruction & !python::ENTERED;
                (words, !python::visibility(frame, &python::FrameWords { instruction, ..words }).is_shown)
            };
            let is_same = |known: &RawFrame| {
                known.frame == frame as usize
                    && known.code == words.code
                    && known.instruction == words.instruction
            };
            loop {
                let last = rest.checked_sub(1);
                if last.and_then(|last| remembered.get(last)).is_some_and(is_same) {
                    rest -= 1;
                    if is_shown(rest) == is_hidden {
                        fail(b"heaphint: a remembered stack shows other frames than Python\n");
                    }
                } else if is_hidden {
                } else if last.is_some_and(|last| !is_shown(last)) {
                    rest -= 1;
                    continue;
                } else {
                    fail(b"heaphint: a remembered stack differs from the frames\n");
                }
                break;
            }
            frame = words.previous;
        }
    }
    if (0..rest).any(is_shown) {
        fail(b"heaphint: a remembered stack has too many frames\n");
    }
    let mut parent = 0;
    for known in remembered {
        let mut copy = *known;
        if stack_of(parent, &mut copy)? != known.stack {
            fail(b"heaphint: a remembered stack has another id\n");
        }
        parent = copy.as_parent();
    }
    STACKS.fetch_add(1, Ordering::Relaxed);
    FRAMES.fetch_add(remembered.len(), Ordering::Relaxed);
    Ok(())
}

fn fail(message: &[u8]) -> ! {
    // SAFETY: the message has that length; abort does not return.
    unsafe {
        libc::write(2, message.as_ptr().cast(), message.len());
        libc::abort()
    }
}
