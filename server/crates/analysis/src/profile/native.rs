//! Native frames: the Python stack and the native stack of a site, put together.
//!
//! The interpreter's loop is a native function, and each of its frames stands for the Python frames that it runs: from
//! one for which it was called anew to those that this one called without a new loop. So both stacks are walked from the
//! inside: a loop takes Python frames up to the next that was entered; every other native frame stands for itself.

use heaphint_format::{Address, AddressKind, Capture, ENTERED, FOLD_DEPTH, NATIVE_STACK, NO_MODULE};
use rustc_hash::FxHashMap;

use super::NodeId;

/// A loaded file, as a capture names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NativeModule<'a> {
    /// Its path on the machine of the run.
    pub path: &'a str,
    /// Its build id in hexadecimal digits; empty without one.
    pub build_id: &'a str,
}

/// A function at an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NativeFunction {
    /// Its name as its source has it.
    pub name: String,
    /// Its source file, if that is known.
    pub file: Option<String>,
    /// 1-based; 0 when it is not known.
    pub line: u32,
}

/// Knows what is at the addresses of files.
pub trait Symbols {
    /// The function that a return address belongs to, and those whose bodies are a part of it there, outer ones first.
    /// Empty when nothing is known.
    fn functions(&mut self, module: &NativeModule<'_>, address: u64) -> Vec<NativeFunction>;
}

/// Knows nothing but what the capture says itself.
impl Symbols for () {
    fn functions(&mut self, _: &NativeModule<'_>, _: u64) -> Vec<NativeFunction> {
        Vec::new()
    }
}

/// What a native frame is shown as: the functions at an address, outer ones first; file and line of each.
pub(super) struct Shown {
    pub name: String,
    pub file: String,
    pub line: u32,
}

/// The file of code that is in none.
const NO_FILE: &str = "<code made at run time>";

/// What is at each address of a capture, asked for once.
pub(super) struct Addresses<'a> {
    capture: &'a Capture,
    symbols: &'a mut dyn Symbols,
}

impl<'a> Addresses<'a> {
    pub(super) fn new(capture: &'a Capture, symbols: &'a mut dyn Symbols) -> Self {
        Self { capture, symbols }
    }

    /// What an address is shown as; never empty.
    pub(super) fn shown(&mut self, id: u32) -> Vec<Shown> {
        let capture = self.capture;
        let unknown = Address { module: NO_MODULE, kind: AddressKind::Unknown as u32, offset: 0 };
        let address = capture.addresses.get(id as usize).copied().unwrap_or(unknown);
        if address.is(AddressKind::Unknown) {
            let name = "frames that could not be read".to_owned();
            return vec![Shown { name, file: String::new(), line: 0 }];
        }
        let module = capture.modules.get(address.module as usize);
        let path = module.map_or(NO_FILE.into(), |module| capture.text(module.path));
        let own = capture.symbols.partition_point(|symbol| symbol.address < id);
        let own: Vec<NativeFunction> = capture
            .symbols
            .get(own..)
            .unwrap_or_default()
            .iter()
            .take_while(|symbol| symbol.address == id)
            .map(|symbol| NativeFunction {
                name: capture.text(symbol.name).into_owned(),
                file: Some(capture.text(symbol.file).into_owned()).filter(|file| !file.is_empty()),
                line: symbol.line,
            })
            .collect();
        let functions = match module {
            Some(module) if own.is_empty() => {
                let build_id = capture.text(module.build_id);
                let module = NativeModule { path: &path, build_id: &build_id };
                self.symbols.functions(&module, address.offset)
            }
            _ => own,
        };
        if functions.is_empty() {
            return vec![Shown { name: format!("{:#x}", address.offset), file: path.into_owned(), line: 0 }];
        }
        functions
            .into_iter()
            .map(|function| Shown {
                name: function.name,
                line: if function.file.is_some() { function.line } else { 0 },
                file: function.file.unwrap_or_else(|| path.clone().into_owned()),
            })
            .collect()
    }
}

/// A place in a merged stack: everything from here outwards.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Place {
    /// What remains of a Python stack and a native stack. With `skips_loop`, the first loop stands for no frame.
    Both { python: u32, native: u32, skips_loop: bool },
    /// A Python frame in a loop, and the native frames outside of that loop.
    InLoop { python: u32, native: u32 },
}

/// What is to be put on top of the place outside.
enum Layer {
    Nothing,
    Python(u32),
    Native(u32),
}

/// Puts stacks together; see [`Self::node`].
pub(super) struct Merger<'a> {
    capture: &'a Capture,
    /// Frames of each Python stack.
    depths: Vec<u32>,
    known: FxHashMap<Place, NodeId>,
}

/// Makes nodes of a profile.
pub(super) trait Nodes {
    /// A Python stack's innermost frame on top of a node.
    fn python(&mut self, parent: NodeId, stack: u32) -> NodeId;
    /// The functions at an address on top of a node.
    fn native(&mut self, parent: NodeId, address: u32) -> NodeId;
}

impl<'a> Merger<'a> {
    pub(super) fn new(capture: &'a Capture) -> Self {
        let mut depths: Vec<u32> = Vec::with_capacity(capture.stacks.len());
        for stack in &capture.stacks {
            let outside = depths.get(stack.parent as usize).copied().unwrap_or(0);
            depths.push(outside + 1);
        }
        Self { capture, depths, known: FxHashMap::default() }
    }

    /// The node of a stack with its native frames.
    pub(super) fn node(&mut self, stack: u32, nodes: &mut impl Nodes) -> NodeId {
        let Some(own) = self.capture.stacks.get(stack as usize) else { return NodeId(0) };
        let (python, native, skips_loop) = if own.code == NATIVE_STACK {
            (own.parent, own.line & !ENTERED, own.line & ENTERED != 0)
        } else {
            (stack, 0, false)
        };
        // Of folded recursion not every Python frame is there, so loops outside of it cannot be told apart.
        let is_folded = self.depths.get(python as usize).is_some_and(|depth| *depth > FOLD_DEPTH);
        let mut place = Place::Both { python, native, skips_loop };
        let mut waiting = Vec::new();
        let mut node = loop {
            if let Some(node) = self.known.get(&place) {
                break *node;
            }
            let Some((layer, outside)) = self.outside(place, is_folded) else { break NodeId(0) };
            waiting.push((place, layer));
            place = outside;
        };
        while let Some((place, layer)) = waiting.pop() {
            node = match layer {
                Layer::Nothing => node,
                Layer::Python(stack) => nodes.python(node, stack),
                Layer::Native(address) => nodes.native(node, address),
            };
            if !is_folded {
                self.known.insert(place, node);
            }
        }
        node
    }

    /// What is innermost, and the place outside of it; `None` for the empty stack.
    fn outside(&self, place: Place, is_folded: bool) -> Option<(Layer, Place)> {
        match place {
            Place::Both { python: 0, native: 0, .. } => None,
            Place::Both { python, native: 0, .. } => {
                Some((Layer::Nothing, Place::InLoop { python, native: 0 }))
            }
            Place::Both { python, native, skips_loop } => {
                let frame = self.capture.native_frames.get(native as usize)?;
                let outside = frame.parent;
                let address = self.capture.addresses.get(frame.address as usize);
                let is_loop = address.is_some_and(|address| address.is(AddressKind::Loop));
                if is_loop && skips_loop {
                    Some((Layer::Nothing, Place::Both { python, native: outside, skips_loop: false }))
                } else if is_loop && python != 0 {
                    let native = if is_folded { 0 } else { outside };
                    Some((Layer::Nothing, Place::InLoop { python, native }))
                } else {
                    let outside = Place::Both { python, native: outside, skips_loop };
                    Some((Layer::Native(frame.address), outside))
                }
            }
            Place::InLoop { python, native } => {
                let stack = self.capture.stacks.get(python as usize)?;
                let outside = if stack.parent == 0 || (stack.line & ENTERED != 0 && native != 0) {
                    Place::Both { python: stack.parent, native, skips_loop: false }
                } else {
                    Place::InLoop { python: stack.parent, native }
                };
                Some((Layer::Python(python), outside))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hand_made::HandMade;
    use crate::{Profile, Through};

    /// Every address is a function of its name, and 30 is in another one.
    struct Made;
    impl Symbols for Made {
        fn functions(&mut self, _: &NativeModule<'_>, address: u64) -> Vec<NativeFunction> {
            let function = |name: String| NativeFunction { name, file: Some("a.c".to_owned()), line: 3 };
            match address {
                0 => Vec::new(),
                30 => vec![function("outer".to_owned()), function("inlined".to_owned())],
                _ => vec![function(format!("n{address}"))],
            }
        }
    }

    const LOOP: u32 = AddressKind::Loop as u32;

    /// `main` calls `f` in the same loop, and C code calls `g` with a new one.
    fn program() -> (HandMade, u32, u32) {
        let mut made = HandMade::default();
        let code = ["main", "f", "g"].map(|name| made.code(name, "/p/app.py", 1));
        let main = made.stack(0, code[0], 1 | ENTERED);
        let f = made.stack(main, code[1], 2);
        let g = made.stack(f, code[2], 3 | ENTERED);
        let start = made.native_frame(0, 0, 10);
        let first = made.native_frame(start, LOOP, 11);
        let between = made.native_frame(first, 0, 20);
        let second = made.native_frame(between, LOOP, 12);
        let inner = made.native_frame(second, 0, 30);
        (made, g, inner)
    }

    fn stack(made: &HandMade) -> Vec<String> {
        let profile = Profile::with_native(&[made.capture()], &mut Made);
        let list = profile.stacks_through(Through::Anything, crate::Figure::Peak, 1);
        list.stacks[0].frames.iter().map(|frame| frame.qualname.to_owned()).collect()
    }

    #[test]
    fn loops_stand_for_the_python_frames_that_they_run() {
        let (mut made, g, inner) = program();
        let site = made.native_stack(g, inner);
        made.site(site, 100, 1, 1, 1);
        assert_eq!(stack(&made), ["n10", "main", "f", "n20", "g", "outer", "inlined"]);

        let (native, plain) =
            (Profile::with_native(&[made.capture()], &mut Made), Profile::from_capture(&made.capture()));
        assert_eq!(native.files(), plain.files());
        assert_eq!(native.outside_python(), plain.outside_python());
        let own = &plain.file("/p/app.py").expect("it is there").lines[2];
        assert_eq!((own.line, own.self_figures.peak_bytes), (3, 100));
    }

    #[test]
    fn a_loop_that_has_not_shown_its_frame_takes_none() {
        let (mut made, g, _) = program();
        let f = made.stacks[g as usize].parent;
        let second = made.native_frames.len() as u32 - 2;
        let site = made.native_stack(f, second | ENTERED);
        made.site(site, 100, 1, 1, 1);
        assert_eq!(stack(&made), ["n10", "main", "f", "n20"]);
    }

    #[test]
    fn what_cannot_be_read_or_named_says_so() {
        let mut made = HandMade::default();
        let code = made.code("main", "/p/app.py", 1);
        let main = made.stack(0, code, 1 | ENTERED);
        let cut = made.native_frame(0, AddressKind::Unknown as u32, 0);
        let unnamed = made.native_frame(cut, 0, 0);
        let site = made.native_stack(main, unnamed);
        made.site(site, 100, 1, 1, 1);
        // Nobody knows which loop the Python frame is in, so it stands outside.
        assert_eq!(stack(&made), ["main", "frames that could not be read", "0x0"]);
    }
}
