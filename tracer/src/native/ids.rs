//! Native frames in the capture: each module, address and frame once.

use heaphint_format::{Address, AddressKind, NO_MODULE, NativeFrame, Text};

use super::modules::Module;
use super::rules::Rule;
use crate::capture::{CaptureFile, Problem};
use crate::intern::{Interner, NO_MEMORY};
use crate::private::{Index, hash};
use crate::sys;

const TOO_MANY: Problem = "the program has made too much code at run time for its native stacks to be recorded: leave `--native` out; what was recorded until then is kept";

/// Finds what is in the capture already. The recorder has the only one.
pub struct NativeIds {
    addresses: Index,
    frames: Index,
}

impl NativeIds {
    /// For an empty capture.
    pub const fn new() -> Self {
        Self { addresses: Index::new(), frames: Index::new() }
    }

    /// The id of a return address; `kind` is a sum of [`AddressKind`]s.
    pub fn address(
        &mut self,
        file: &mut CaptureFile,
        texts: &mut Interner,
        module: Option<&Module>,
        pc: usize,
        kind: u32,
    ) -> Result<u32, Problem> {
        let (bias, module) = match module {
            Some(module) => (module.bias, self.module(file, texts, module)?),
            None => (0, NO_MODULE),
        };
        let address = Address { module, kind, offset: pc.wrapping_sub(bias) as u64 };
        let hash_of = |address: Address| {
            hash(u64::from(address.module) << 32 | u64::from(address.kind), address.offset)
        };
        let wanted = hash_of(address);
        if let Some(id) = self.addresses.find(wanted, |id| file.addresses.get(id) == address) {
            return Ok(id);
        }
        if file.addresses.len() >= Rule::MOST_ADDRESSES {
            return Err(TOO_MANY);
        }
        let id = file.push_address(address)?;
        let inserted = self.addresses.insert(wanted, id, |id| hash_of(file.addresses.get(id)));
        if inserted { Ok(id) } else { Err(NO_MEMORY) }
    }

    /// The address that stands for what could not be read.
    pub fn unknown(&mut self, file: &mut CaptureFile, texts: &mut Interner) -> Result<u32, Problem> {
        self.address(file, texts, None, 0, AddressKind::Unknown as u32)
    }

    /// There are few modules, and this is asked for once for each address.
    fn module(
        &mut self,
        file: &mut CaptureFile,
        texts: &mut Interner,
        module: &Module,
    ) -> Result<u32, Problem> {
        let mut link = [0u8; 4096];
        let path = match module.name() {
            b"" => sys::read_link(c"/proc/self/exe", &mut link),
            name => name,
        };
        let mut digits = [0u8; 2 * MOST_BUILD_ID];
        let known = heaphint_format::Module {
            path: texts.text(file, path)?,
            build_id: hexadecimal(file, texts, module.build_id(), &mut digits)?,
            bias: module.bias as u64,
            start: module.start as u64,
            end: module.end as u64,
        };
        match (0..file.modules.len()).find(|id| file.modules.get(*id) == known) {
            Some(id) => Ok(id),
            None => file.push_module(known),
        }
    }

    /// The id of a frame below its caller's.
    pub fn frame(&mut self, file: &mut CaptureFile, parent: u32, address: u32) -> Result<u32, Problem> {
        if file.native_frames.len() == 0 {
            file.push_native_frame(NativeFrame::default())?;
        }
        let frame = NativeFrame { parent, address };
        let hash_of = |frame: NativeFrame| hash(u64::from(frame.parent), u64::from(frame.address));
        let wanted = hash_of(frame);
        if let Some(id) = self.frames.find(wanted, |id| file.native_frames.get(id) == frame) {
            return Ok(id);
        }
        let id = file.push_native_frame(frame)?;
        let inserted = self.frames.insert(wanted, id, |id| hash_of(file.native_frames.get(id)));
        if inserted { Ok(id) } else { Err(NO_MEMORY) }
    }
}

/// Bytes of a build id that are kept; they have 20.
const MOST_BUILD_ID: usize = 64;

fn hexadecimal(
    file: &mut CaptureFile,
    texts: &mut Interner,
    bytes: &[u8],
    digits: &mut [u8; 2 * MOST_BUILD_ID],
) -> Result<Text, Problem> {
    let mut used = 0;
    for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
        for (digit, value) in pair.iter_mut().zip([byte >> 4, byte & 15]) {
            *digit = if value < 10 { b'0' + value } else { b'a' + value - 10 };
        }
        used += 2;
    }
    texts.text(file, digits.get(..used).unwrap_or_default())
}
