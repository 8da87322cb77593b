//! The registers from which a walk begins.

/// What a frame needs to find the one that called it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Registers {
    /// Where the function goes on; the call is just before it.
    pub pc: usize,
    /// The stack pointer.
    pub sp: usize,
    /// The register that is a frame pointer in some functions, and anything else in others.
    pub bp: usize,
}

impl Registers {
    /// Those of the function that this stands in.
    #[inline(always)]
    pub fn here() -> Self {
        let (pc, sp, bp);
        // SAFETY: reads three registers.
        #[cfg(target_arch = "x86_64")]
        unsafe {
            core::arch::asm!(
                "lea {pc}, [rip]",
                "mov {sp}, rsp",
                "mov {bp}, rbp",
                pc = out(reg) pc,
                sp = out(reg) sp,
                bp = out(reg) bp,
                options(nomem, nostack, preserves_flags),
            );
        }
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        unsafe {
            core::arch::asm!(
                "adr {pc}, .",
                "mov {sp}, sp",
                "mov {bp}, x29",
                pc = out(reg) pc,
                sp = out(reg) sp,
                bp = out(reg) bp,
                options(nomem, nostack, preserves_flags),
            );
        }
        Self { pc, sp, bp }
    }
}
