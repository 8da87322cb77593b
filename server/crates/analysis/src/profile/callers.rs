//! Who leads to the allocations of a function, and what it calls that allocates.

use rustc_hash::FxHashMap;

use super::{FunctionId, NodeId, Profile};
use crate::{Figure, Figures};

/// A function, as [`crate::FunctionFigures`] names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Step {
    /// Absolute path.
    pub file: String,
    /// Qualified name.
    pub qualname: String,
    /// 1-based.
    pub first_line: u32,
}

/// A function on one side of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The function.
    pub function: Step,
    /// The 1-based lines of the calling function on which it calls, in order.
    pub lines: Vec<u32>,
    /// What was allocated through these calls, by the figure that was asked for.
    pub bytes: u64,
    /// Allocations behind `bytes`.
    pub count: u64,
}

/// Functions on one side of a call, the one with most first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callers {
    /// The figure they are measured by. When [`Figure::Max`] was asked for, which single stacks do not have, it is
    /// the peak, or what was ever allocated where nothing was live at the peak.
    pub by: Figure,
    /// The functions.
    pub callers: Vec<Caller>,
}

/// Calls of one function by or from another.
#[derive(Default)]
struct Calls {
    figures: Figures,
    lines: Vec<u32>,
}

impl Profile {
    /// Who calls the last function of `chain` on stacks where it calls the one before, and so on to the first.
    /// A stack counts once for a caller.
    #[must_use]
    pub fn callers(&self, chain: &[Step], figure: Figure) -> Callers {
        let chain: Option<Vec<FunctionId>> = chain.iter().map(|step| self.function_id(step)).collect();
        let chain = chain.unwrap_or_default();
        self.measured(figure, |profile, stack, found| {
            for at in 0..stack.len().saturating_sub(chain.len()) {
                let functions = stack[at..].iter().map(|node| profile.nodes[node.index()].function);
                if !chain.is_empty() && functions.take(chain.len()).eq(chain.iter().copied()) {
                    let caller = &profile.nodes[stack[at + chain.len()].index()];
                    found.push((caller.function, profile.lines[caller.line.index()].1));
                }
            }
        })
    }

    /// What a function calls that allocates. A stack counts once for a callee.
    #[must_use]
    pub fn callees(&self, function: &Step, figure: Figure) -> Callers {
        let function = self.function_id(function);
        self.measured(figure, |profile, stack, found| {
            for pair in stack.windows(2) {
                let [callee, caller] = [pair[0], pair[1]].map(|node| &profile.nodes[node.index()]);
                if Some(caller.function) == function {
                    found.push((callee.function, profile.lines[caller.line.index()].1));
                }
            }
        })
    }

    /// Adds up the stacks of which `find` names functions and lines. It is given each stack with its innermost frame
    /// first.
    fn measured(
        &self,
        figure: Figure,
        find: impl Fn(&Self, &[NodeId], &mut Vec<(FunctionId, u32)>),
    ) -> Callers {
        let mut calls: FxHashMap<FunctionId, Calls> = FxHashMap::default();
        let (mut stack, mut found) = (Vec::new(), Vec::new());
        for site in &self.sites {
            stack.clear();
            found.clear();
            let mut at = site.node;
            while at != NodeId(0) {
                stack.push(at);
                at = self.nodes[at.index()].parent;
            }
            find(self, &stack, &mut found);
            found.sort_unstable();
            found.dedup();
            for (index, (function, line)) in found.iter().enumerate() {
                let held = calls.entry(*function).or_default();
                held.lines.push(*line);
                if index == 0 || found[index - 1].0 != *function {
                    held.figures.add(&site.figures);
                }
            }
        }
        let by = match figure {
            Figure::Max if calls.values().any(|calls| calls.figures.peak_bytes > 0) => Figure::Peak,
            Figure::Max => Figure::Allocated,
            other => other,
        };
        let mut callers: Vec<Caller> = calls
            .into_iter()
            .map(|(id, mut calls)| {
                calls.lines.sort_unstable();
                calls.lines.dedup();
                let function = &self.functions[id.index()];
                Caller {
                    function: Step {
                        file: self.file_names[function.file.index()].clone(),
                        qualname: function.qualname.clone(),
                        first_line: function.first_line.max(1),
                    },
                    lines: calls.lines,
                    bytes: calls.figures.bytes(by),
                    count: calls.figures.count(by).unwrap_or_default(),
                }
            })
            .filter(|caller| caller.bytes > 0)
            .collect();
        callers.sort_by(|a, b| {
            let place = |caller: &Caller| (caller.function.file.clone(), caller.function.first_line);
            b.bytes.cmp(&a.bytes).then_with(|| place(a).cmp(&place(b)))
        });
        Callers { by, callers }
    }

    fn function_id(&self, step: &Step) -> Option<FunctionId> {
        let is_it = |function: &super::Function| {
            function.first_line.max(1) == step.first_line
                && function.qualname == step.qualname
                && self.file_names[function.file.index()] == step.file
        };
        self.functions.iter().position(is_it).map(|index| FunctionId(index as u32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hand_made::HandMade;

    fn step(name: &str, first_line: u32) -> Step {
        Step { file: "/p/app.py".into(), qualname: name.into(), first_line }
    }

    /// `main` calls `a` twice and `b` once; both call `load`, which calls itself before it allocates.
    fn profile() -> Profile {
        let mut made = HandMade::default();
        let [main, a, b, load] = [("main", 1), ("a", 10), ("b", 20), ("load", 30)]
            .map(|(name, line)| made.code(name, "/p/app.py", line));
        for (call, function, line, bytes) in [(2, a, 11, 100), (3, a, 11, 20), (4, b, 21, 7)] {
            let mut at = made.stack(0, main, call);
            at = made.stack(at, function, line);
            at = made.stack(at, load, 31);
            at = made.stack(at, load, 32);
            made.site(at, bytes, 1, 1, 0);
        }
        Profile::from_capture(&made.capture())
    }

    fn seen(callers: &Callers) -> Vec<(&str, &[u32], u64)> {
        let seen = callers.callers.iter();
        seen.map(|c| (c.function.qualname.as_str(), c.lines.as_slice(), c.bytes)).collect()
    }

    #[test]
    fn each_caller_has_what_leads_through_it() {
        let profile = profile();
        let callers = profile.callers(&[step("load", 30)], Figure::Peak);
        assert_eq!(seen(&callers), [("load", &[31][..], 127), ("a", &[11], 120), ("b", &[21], 7)]);
        let through_b = profile.callers(&[step("load", 30), step("b", 20)], Figure::Allocated);
        assert_eq!(seen(&through_b), [("main", &[4][..], 7)]);
        let through_a = profile.callers(&[step("load", 30), step("a", 10)], Figure::Max);
        assert_eq!((through_a.by, seen(&through_a)), (Figure::Peak, vec![("main", &[2, 3][..], 120)]));
        assert_eq!(profile.callers(&[step("main", 1)], Figure::Peak).callers, []);
        assert_eq!(profile.callers(&[step("nobody", 1)], Figure::Peak).callers, []);
        assert_eq!(profile.callers(&[step("load", 30)], Figure::Leaked).callers, []);
    }

    #[test]
    fn callees_have_what_they_allocate_for_the_function() {
        let callees = profile().callees(&step("main", 1), Figure::Peak);
        assert_eq!(seen(&callees), [("a", &[2, 3][..], 120), ("b", &[4], 7)]);
    }
}
