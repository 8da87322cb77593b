//! Native frames of single stacks: a profile without them can still tell them of a stack that somebody looks at, and only
//! what is told needs names.

use std::cmp::Reverse;
use std::sync::Arc;

use heaphint_format::{Capture, Mode, NATIVE_STACK};
use rustc_hash::FxHashMap;

use super::native::{Addresses, Merger, Nodes, Symbols};
use super::{Frame, NodeId, Profile, StackFigures};
use crate::Figure;

/// What of the captures of a profile tells native frames, by process.
#[derive(Clone, Debug)]
pub(crate) struct NativeStacks(Arc<[Capture]>);

impl NativeStacks {
    /// `None` when no capture has any.
    pub(super) fn of(captures: &[Capture]) -> Option<Self> {
        let is_native = |capture: &Capture| capture.header.has(Mode::Native);
        captures.iter().any(is_native).then(|| Self(captures.iter().map(without_figures).collect()))
    }
}

fn without_figures(capture: &Capture) -> Capture {
    Capture {
        header: capture.header,
        process: capture.process,
        stacks: capture.stacks.clone(),
        modules: capture.modules.clone(),
        addresses: capture.addresses.clone(),
        symbols: capture.symbols.clone(),
        native_frames: capture.native_frames.clone(),
        strings: capture.strings.clone(),
        codes: Vec::new(),
        sites: Vec::new(),
        places: Vec::new(),
        folds: Vec::new(),
        threads: Vec::new(),
        timeline: Vec::new(),
        remarks: Vec::new(),
        damaged: false,
        bounds_only: false,
    }
}

/// What of a Python stack has the same native frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NativePart<'a> {
    frames: Vec<PartFrame<'a>>,
    /// Of the figure that was asked for.
    pub bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum PartFrame<'a> {
    Python(Frame<'a>),
    Native { name: String, file: String, line: u32 },
}

impl NativePart<'_> {
    /// Its frames, Python's and native ones, outermost first.
    #[must_use]
    pub fn frames(&self) -> Vec<Frame<'_>> {
        let frames = self.frames.iter().map(|frame| match frame {
            PartFrame::Python(frame) => *frame,
            PartFrame::Native { name, file, line } => {
                Frame { function: name, qualname: name, file, line: *line, is_native: true }
            }
        });
        frames.collect()
    }
}

impl Profile {
    /// The largest part of a stack with the same native frames, by a figure. `None` where there are none, and in
    /// profiles that have native frames in their stacks or are not [`Self::with_native_stacks`].
    pub fn native_part<'a>(
        &self,
        stack: &StackFigures<'a>,
        figure: Figure,
        symbols: &mut dyn Symbols,
    ) -> Option<NativePart<'a>> {
        let NativeStacks(captures) = self.native_stacks.as_ref()?;
        let mut parts: FxHashMap<(u32, u32), u64> = FxHashMap::default();
        for site in self.sites.iter().filter(|site| site.node == stack.node) {
            let process = self.threads.get(site.thread.index())?.process;
            *parts.entry((process, site.stack)).or_default() += site.figures.bytes(figure);
        }
        let largest = parts.into_iter().max_by_key(|(part, bytes)| (*bytes, Reverse(*part)));
        let ((process, largest), bytes) = largest?;
        let capture = captures.get(process as usize)?;
        if capture.stacks.get(largest as usize)?.code != NATIVE_STACK {
            return None;
        }
        let mut listed = Listed {
            python: stack.frames.iter(),
            addresses: Addresses::new(capture, symbols),
            frames: Vec::new(),
        };
        Merger::new(capture).node(largest, &mut listed);
        Some(NativePart { frames: listed.frames, bytes })
    }
}

/// The frames of one stack. They come from the outermost one inwards.
struct Listed<'s, 'p, 'c> {
    python: std::slice::Iter<'s, Frame<'p>>,
    addresses: Addresses<'c>,
    frames: Vec<PartFrame<'p>>,
}

impl Listed<'_, '_, '_> {
    fn last(&self) -> NodeId {
        NodeId(self.frames.len() as u32)
    }
}

impl Nodes for Listed<'_, '_, '_> {
    fn python(&mut self, _: NodeId, _: u32) -> NodeId {
        self.frames.extend(self.python.next().map(|frame| PartFrame::Python(*frame)));
        self.last()
    }

    fn native(&mut self, _: NodeId, address: u32) -> NodeId {
        let shown = self.addresses.shown(address).into_iter();
        self.frames.extend(shown.map(|shown| PartFrame::Native {
            name: shown.name,
            file: shown.file,
            line: shown.line,
        }));
        self.last()
    }
}

#[cfg(test)]
mod tests {
    use heaphint_format::{AddressKind, ENTERED};

    use super::*;
    use crate::hand_made::HandMade;
    use crate::{NativeFunction, NativeModule, Through};

    /// Names every address after itself, and counts how many it was asked for.
    #[derive(Default)]
    struct Counting(usize);
    impl Symbols for Counting {
        fn functions(&mut self, _: &NativeModule<'_>, address: u64) -> Vec<NativeFunction> {
            self.0 += 1;
            vec![NativeFunction { name: format!("n{address}"), file: None, line: 0 }]
        }
    }

    #[test]
    fn the_largest_part_of_a_stack_has_names_and_nothing_else() {
        let mut made = HandMade::default();
        let code = ["main", "f"].map(|name| made.code(name, "/p/app.py", 1));
        let main = made.stack(0, code[0], 1 | ENTERED);
        let f = made.stack(main, code[1], 2 | ENTERED);
        let start = made.native_frame(0, 0, 10);
        let first = made.native_frame(start, AddressKind::Loop as u32, 11);
        let between = made.native_frame(first, 0, 20);
        let second = made.native_frame(between, AddressKind::Loop as u32, 12);
        for (offset, bytes) in [(30, 100), (31, 300), (32, 200)] {
            let inner = made.native_frame(second, 0, offset);
            let site = made.native_stack(f, inner);
            made.site(site, bytes, 1, 1, 1);
        }
        let profile = Profile::with_native_stacks(vec![made.capture()]);
        let list = profile.stacks_through(Through::Anything, Figure::Peak, 3);
        assert_eq!(list.stacks.len(), 1);
        assert_eq!(list.stacks[0].bytes, 600);

        let mut symbols = Counting::default();
        let part = profile.native_part(&list.stacks[0], Figure::Peak, &mut symbols).expect("there is one");
        let names: Vec<&str> = part.frames.iter().map(name).collect();
        assert_eq!((part.bytes, names), (300, vec!["n10", "main", "n20", "f", "n31"]));
        assert_eq!(symbols.0, 3);

        let plain = Profile::from_capture(&made.capture());
        assert_eq!(plain.files(), profile.files());
        let list = plain.stacks_through(Through::Anything, Figure::Peak, 3);
        assert_eq!(plain.native_part(&list.stacks[0], Figure::Peak, &mut symbols), None);
    }

    fn name<'f>(frame: &'f PartFrame<'_>) -> &'f str {
        match frame {
            PartFrame::Python(frame) => frame.qualname,
            PartFrame::Native { name, .. } => name,
        }
    }
}
