//! The functions that start programs: what they start is told what we were told, so that Python is recorded wherever it is
//! started. See `environment.rs`.
//!
//! Most of these calls are made in children of `vfork`, on the stack and in the memory of a process that goes on: nothing
//! here takes a lock that another thread may hold, allocates, or changes anything but its own stack.

use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr::null;

use super::program::Program;
use super::symbols::Hook;
use crate::environment::{self, Carried, MOST_ADDED};
use crate::real::{self, call};
use crate::{recorder, start, sys};

type Strings = *const *const c_char;

/// Entries that are composed: `LD_PRELOAD`, twice.
const TEXT_BYTES: usize = 4096;

/// Calls `then` with a part of the stack for `length` pointers; `None` when they are too many. The smallest that is large
/// enough is taken, for threads may have small stacks.
fn with_array<R>(length: usize, then: &mut dyn FnMut(&mut [*const c_char]) -> R) -> Option<R> {
    #[inline(never)]
    fn on_stack<const N: usize, R>(then: &mut dyn FnMut(&mut [*const c_char]) -> R) -> R {
        then(&mut [null(); N])
    }
    match length {
        0..=128 => Some(on_stack::<128, R>(then)),
        129..=1024 => Some(on_stack::<1024, R>(then)),
        1025..=8192 => Some(on_stack::<8192, R>(then)),
        _ => None,
    }
}

/// How many strings there are before the null pointer.
///
/// # Safety
///
/// `at` must be null or point to a list that ends in a null pointer.
unsafe fn count(at: Strings) -> usize {
    let mut count = 0;
    // SAFETY: goes no further than the null pointer.
    while !at.is_null() && !unsafe { *at.add(count) }.is_null() {
        count += 1;
    }
    count
}

/// Calls `run` with the environment that a program is to have: `theirs`, and our variables if they are to be passed on.
///
/// # Safety
///
/// `theirs` must be null or a list of strings that ends in a null pointer.
unsafe fn with_environment(
    program: Program<'_>,
    theirs: Strings,
    mut run: impl FnMut(Strings) -> c_int,
) -> c_int {
    let Some(carried) = passed_on(program) else { return run(theirs) };
    // SAFETY: as the caller says.
    let length = unsafe { count(theirs) } + MOST_ADDED;
    let run: &mut dyn FnMut(Strings) -> c_int = &mut run;
    let mut with = |array: &mut [*const c_char]| {
        let mut text = [0; TEXT_BYTES];
        // SAFETY: as the caller says; the array is used while all of it is there.
        match unsafe { carried.add_to(theirs, array, &mut text) } {
            Some(()) => run(array.as_ptr()),
            None => run(theirs),
        }
    };
    let result = with_array(length, &mut with);
    result.unwrap_or_else(|| run(theirs))
}

/// What a program is to be told; `None` when it is not to be recorded, or could not be.
fn passed_on(program: Program<'_>) -> Option<&'static Carried> {
    let carried = environment::carried().filter(|_| start::passes_on())?;
    let _errno = sys::ErrnoGuard::new();
    // The loader complains about a library that is not there: after `chroot`, or for another user.
    // SAFETY: the path ends in NUL.
    let readable =
        unsafe { libc::syscall(libc::SYS_faccessat, libc::AT_FDCWD, carried.library().as_ptr(), libc::R_OK) }
            == 0;
    (readable && program.bears_preload()).then_some(carried)
}

/// A program's own words; a null pointer is none of them.
///
/// # Safety
///
/// `text` must be null or a string that outlives what is returned.
unsafe fn words<'a>(text: *const c_char) -> &'a CStr {
    // SAFETY: as the caller says.
    if text.is_null() { c"" } else { unsafe { CStr::from_ptr(text) } }
}

/// Another program takes this one's place, unless it returns.
fn replace(run: impl FnOnce() -> c_int) -> c_int {
    let noted = recorder::is_replaced();
    let result = run();
    if noted {
        recorder::is_not_replaced();
    }
    result
}

#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C" fn execve(path: *const c_char, arguments: Strings, environment: Strings) -> c_int {
    // SAFETY: the arguments are the program's own.
    unsafe {
        with_environment(Program::Path(words(path)), environment, |environment| {
            replace(|| call::execve(path, arguments, environment))
        })
    }
}

#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C" fn execv(path: *const c_char, arguments: Strings) -> c_int {
    // SAFETY: the arguments are the program's own.
    unsafe { execve(path, arguments, environment::of_program()) }
}

#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C" fn execvpe(file: *const c_char, arguments: Strings, environment: Strings) -> c_int {
    // SAFETY: the arguments are the program's own.
    unsafe {
        with_environment(Program::Name(words(file)), environment, |environment| {
            replace(|| call::execvpe(file, arguments, environment))
        })
    }
}

#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C" fn execvp(file: *const c_char, arguments: Strings) -> c_int {
    // SAFETY: the arguments are the program's own.
    unsafe { execvpe(file, arguments, environment::of_program()) }
}

#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C" fn fexecve(file: c_int, arguments: Strings, environment: Strings) -> c_int {
    // SAFETY: the arguments are the program's own.
    unsafe {
        with_environment(Program::Open(file), environment, |environment| {
            replace(|| call::fexecve(file, arguments, environment))
        })
    }
}

#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C" fn execveat(
    folder: c_int,
    path: *const c_char,
    arguments: Strings,
    environment: Strings,
    flags: c_int,
) -> c_int {
    // SAFETY: the arguments are the program's own.
    let path_words = unsafe { words(path) };
    let program = if path_words.is_empty() && flags & libc::AT_EMPTY_PATH != 0 {
        Program::Open(folder)
    } else {
        Program::In(folder, path_words)
    };
    // The C library has it since 2.34.
    let run = |environment: Strings| {
        // SAFETY: as above.
        replace(|| unsafe {
            libc::syscall(libc::SYS_execveat, folder, path, arguments, environment, flags) as c_int
        })
    };
    // SAFETY: as above.
    unsafe { with_environment(program, environment, run) }
}

/// The types that `posix_spawn` takes are the C library's; they are passed on as they are.
macro_rules! spawn {
    ($($name:ident as $program:ident)*) => {$(
        #[cfg_attr(not(test), unsafe(no_mangle))]
        pub(super) unsafe extern "C" fn $name(
            pid: *mut libc::pid_t,
            program: *const c_char,
            actions: *const c_void,
            attributes: *const c_void,
            arguments: Strings,
            environment: Strings,
        ) -> c_int {
            // SAFETY: the arguments are the program's own.
            unsafe {
                with_environment(Program::$program(words(program)), environment, |environment| {
                    call::$name(pid, program, actions, attributes, arguments, environment)
                })
            }
        }
    )*};
}

spawn! { posix_spawn as Path posix_spawnp as Name }

/// Arguments of a C function with `...` that are in registers, behind the first.
#[cfg(target_arch = "x86_64")]
const IN_REGISTERS: usize = 5;
#[cfg(target_arch = "aarch64")]
const IN_REGISTERS: usize = 7;

/// The arguments behind the first, as the callee finds them.
#[derive(Clone, Copy)]
struct Listed {
    registers: Strings,
    stack: Strings,
}

impl Listed {
    /// # Safety
    ///
    /// There must be so many.
    unsafe fn get(self, index: usize) -> *const c_char {
        // SAFETY: as the caller says.
        unsafe {
            match index.checked_sub(IN_REGISTERS) {
                None => *self.registers.add(index),
                Some(index) => *self.stack.add(index),
            }
        }
    }

    /// Calls `run` with the words up to the null pointer as an array, and with what comes after that.
    ///
    /// # Safety
    ///
    /// There must be a null pointer, and something after it if `run` reads that.
    unsafe fn run(self, mut run: impl FnMut(Strings, usize) -> c_int) -> c_int {
        let mut length = 0;
        // SAFETY: goes no further than the null pointer.
        while !unsafe { self.get(length) }.is_null() {
            length += 1;
        }
        let mut with = |array: &mut [*const c_char]| {
            for (index, place) in array.iter_mut().enumerate().take(length) {
                // SAFETY: there are so many.
                *place = unsafe { self.get(index) };
            }
            run(array.as_ptr(), length + 1)
        };
        with_array(length + 1, &mut with).unwrap_or_else(|| {
            // SAFETY: the location is valid for the calling thread.
            unsafe { *libc::__errno_location() = libc::E2BIG };
            -1
        })
    }
}

unsafe extern "C" fn listed_execl(path: *const c_char, registers: Strings, stack: Strings) -> c_int {
    // SAFETY: the arguments are the program's own.
    unsafe { Listed { registers, stack }.run(|words, _| execv(path, words)) }
}

unsafe extern "C" fn listed_execlp(file: *const c_char, registers: Strings, stack: Strings) -> c_int {
    // SAFETY: the arguments are the program's own.
    unsafe { Listed { registers, stack }.run(|words, _| execvp(file, words)) }
}

unsafe extern "C" fn listed_execle(path: *const c_char, registers: Strings, stack: Strings) -> c_int {
    let listed = Listed { registers, stack };
    // SAFETY: the arguments are the program's own; the environment comes after the null pointer.
    unsafe { listed.run(|words, next| execve(path, words, listed.get(next).cast())) }
}

/// Functions with `...`, which cannot be declared here: what they were given is put where it can be read.
macro_rules! listed {
    ($($name:ident as $listed:ident)*) => {$(
        #[cfg(target_arch = "x86_64")]
        #[unsafe(naked)]
        #[cfg_attr(not(test), unsafe(no_mangle))]
        unsafe extern "C" fn $name(program: *const c_char) -> c_int {
            core::arch::naked_asm!(
                "push r9",
                "push r8",
                "push rcx",
                "push rdx",
                "push rsi",
                "mov rsi, rsp",
                "lea rdx, [rsp + 48]",
                "call {listed}",
                "add rsp, 40",
                "ret",
                listed = sym $listed,
            )
        }

        #[cfg(target_arch = "aarch64")]
        #[unsafe(naked)]
        #[cfg_attr(not(test), unsafe(no_mangle))]
        unsafe extern "C" fn $name(program: *const c_char) -> c_int {
            core::arch::naked_asm!(
                "stp x29, x30, [sp, #-80]!",
                "stp x1, x2, [sp, #16]",
                "stp x3, x4, [sp, #32]",
                "stp x5, x6, [sp, #48]",
                "str x7, [sp, #64]",
                "add x1, sp, #16",
                "add x2, sp, #80",
                "bl {listed}",
                "ldp x29, x30, [sp], #80",
                "ret",
                listed = sym $listed,
            )
        }
    )*};
}

listed! { execl as listed_execl execlp as listed_execlp execle as listed_execle }

/// See [`super::heap::HOOKS`].
pub(super) static HOOKS: &[super::symbols::Replaced] = &[
    (c"execve", &real::execve, Hook(execve as *const c_void)),
    (c"execvpe", &real::execvpe, Hook(execvpe as *const c_void)),
    (c"fexecve", &real::fexecve, Hook(fexecve as *const c_void)),
    (c"posix_spawn", &real::posix_spawn, Hook(posix_spawn as *const c_void)),
    (c"posix_spawnp", &real::posix_spawnp, Hook(posix_spawnp as *const c_void)),
];
