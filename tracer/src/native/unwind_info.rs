//! The unwind information of a loaded file, as a rule for one address. The cold path: once for each address.

use core::ops::Range;

use gimli::{
    BaseAddresses, CfaRule, EhFrame, EhFrameHdr, EndianSlice, FrameDescriptionEntry, NativeEndian, Operation,
    Register, RegisterRule, UnwindContext, UnwindContextStorage, UnwindExpression, UnwindSection,
    UnwindTableRow,
};

use super::modules::Module;
use super::rules::{Base, Rule, Saved};

/// Numbers of registers in the unwind information.
const BP: Register = gimli::X86_64::RBP;
const SP: Register = gimli::X86_64::RSP;
const RETURN_ADDRESS: Register = gimli::X86_64::RA;
const WORD: i64 = size_of::<usize>() as i64;

type Reader = EndianSlice<'static, NativeEndian>;

/// Rows are built on the stack, which may be small; no real function has more rules, or saves rows deeper.
struct Storage;
impl UnwindContextStorage<usize> for Storage {
    type Rules = [(Register, RegisterRule<usize>); 24];
    type Stack = [UnwindTableRow<usize, Self>; 3];
}

/// The rule of a return address in a module; its address is not filled in.
pub fn rule(module: &Module, pc: usize) -> Rule {
    read(module, pc as u64 - 1).unwrap_or(Rule::without_way(Base::Unknown))
}

fn read(module: &Module, address: u64) -> Option<Rule> {
    let (frames, bases, entry) = entry(module, address)?;
    if entry.is_signal_trampoline() {
        return Some(Rule::without_way(Base::Signal));
    }
    let mut context = UnwindContext::<usize, Storage>::new_in();
    let row = entry.unwind_info_for_address(&frames, &bases, &mut context, address).ok()?;
    of_row(row, |expression| single_step(expression.get(&frames).ok()?, entry.cie().encoding()))
}

/// The part of a function that an address is in, if it is one that is not entered by calls: it has no return address on top
/// of the stack where it begins.
pub fn part_of_function(module: &Module, address: usize) -> Option<Range<usize>> {
    let (frames, bases, entry) = entry(module, address as u64)?;
    let mut context = UnwindContext::<usize, Storage>::new_in();
    let first = entry.initial_address();
    let row = entry.unwind_info_for_address(&frames, &bases, &mut context, first).ok()?;
    let is_called = matches!(row.cfa(), CfaRule::RegisterAndOffset { register: SP, offset: WORD });
    (!is_called).then_some(first as usize..(first + entry.len()) as usize)
}

/// What the unwind information has about an address, and where it stands.
fn entry(
    module: &Module,
    address: u64,
) -> Option<(EhFrame<Reader>, BaseAddresses, FrameDescriptionEntry<Reader>)> {
    let (header_at, header) = module.unwind_index()?;
    let bases = BaseAddresses::default().set_eh_frame_hdr(header_at as u64);
    let parsed = EhFrameHdr::new(header, NativeEndian).parse(&bases, size_of::<usize>() as u8).ok()?;
    let gimli::Pointer::Direct(frames_at) = parsed.eh_frame_ptr() else { return None };
    let frames = EhFrame::new(module.loaded_from(frames_at as usize)?, NativeEndian);
    let bases = bases.set_eh_frame(frames_at);
    let table = parsed.table()?;
    let entry = table.pointer_to_offset(table.lookup(address, &bases).ok()?).ok()?;
    let entry = frames.fde_from_offset(&bases, entry, EhFrame::cie_from_offset).ok()?;
    entry.contains(address).then_some((frames, bases, entry))
}

/// What a row says; `step` understands expressions like "what stands so many bytes from that register".
fn of_row(
    row: &UnwindTableRow<usize, Storage>,
    step: impl Fn(UnwindExpression<usize>) -> Option<Step>,
) -> Option<Rule> {
    match row.register(RETURN_ADDRESS) {
        Some(RegisterRule::Undefined) => return Some(Rule::without_way(Base::End)),
        Some(RegisterRule::Offset(offset)) if offset == -WORD => {}
        _ => return None,
    }
    let (base, bytes) = match row.cfa() {
        CfaRule::RegisterAndOffset { register: SP, offset } => (Base::Sp, *offset),
        CfaRule::RegisterAndOffset { register: BP, offset } => (Base::Bp, *offset),
        CfaRule::RegisterAndOffset { .. } => return None,
        CfaRule::Expression(expression) => match step(*expression)? {
            Step { register: BP, offset, is_read: true } => (Base::AtBp, offset),
            _ => return None,
        },
    };
    let saved = match row.register(BP) {
        None | Some(RegisterRule::SameValue | RegisterRule::Undefined) => Saved::Same,
        Some(RegisterRule::Offset(offset)) => Saved::FromEnd(words(offset)?),
        Some(RegisterRule::Expression(expression)) => match step(expression)? {
            Step { register: BP, offset, is_read: false } => Saved::FromBp(words(offset)?),
            _ => return None,
        },
        _ => return None,
    };
    Some(Rule { base, words: words(bytes)?, saved, is_own: false, address: 0 })
}

fn words(bytes: i64) -> Option<i32> {
    if bytes % WORD == 0 { i32::try_from(bytes / WORD).ok() } else { None }
}

/// Bytes from a register, or what stands there.
struct Step {
    register: Register,
    offset: i64,
    is_read: bool,
}

fn single_step(expression: gimli::Expression<Reader>, encoding: gimli::Encoding) -> Option<Step> {
    let mut operations = expression.operations(encoding);
    let Operation::RegisterOffset { register, offset, .. } = operations.next().ok()?? else { return None };
    let is_read = match operations.next().ok()? {
        None => false,
        Some(Operation::Deref { .. }) if operations.next().ok()?.is_none() => true,
        Some(_) => return None,
    };
    Some(Step { register, offset, is_read })
}
