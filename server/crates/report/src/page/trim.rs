//! Which stacks a page shows one by one. What is left out is not lost: it is joined where it leaves the shown tree, so
//! every sum stays what it was.

use std::cmp::Reverse;

use heaphint_analysis::{Figure, Figures, Graph};

/// The nodes of a graph that are shown, and where the others went.
#[derive(Debug)]
pub struct Trimmed {
    /// Shown nodes by their number in the graph, rising; the root is the first.
    pub kept: Vec<u32>,
    /// For each node of the graph the index into `kept` of itself, or of the nearest shown one below it on the stack.
    pub shown_at: Vec<u32>,
    /// Number of nodes that are not shown.
    pub left_out: usize,
}

impl Trimmed {
    /// Whether a node of the graph is shown itself.
    pub fn is_kept(&self, node: u32) -> bool {
        let at = self.shown_at[node as usize];
        self.kept[at as usize] == node
    }
}

/// The `most` nodes with the largest shares of any figure, and always the root.
pub fn trim(graph: &Graph<'_>, most: usize) -> Trimmed {
    let len = graph.nodes.len();
    let mut is_kept = vec![true; len];
    if len > most {
        let mut order: Vec<(Reverse<u64>, u32)> = shares(graph)
            .into_iter()
            .enumerate()
            .map(|(node, share)| (Reverse(share), node as u32))
            .collect();
        // A caller's share is never less than that of what it calls, and its number is lower: so whatever is kept has
        // its callers kept.
        order.sort_unstable();
        for (_, node) in &order[most.max(1)..] {
            is_kept[*node as usize] = *node == 0;
        }
    }
    let mut kept = Vec::with_capacity(most.min(len));
    let mut shown_at = vec![0; len];
    for (node, is_kept) in is_kept.iter().enumerate() {
        if *is_kept {
            shown_at[node] = kept.len() as u32;
            kept.push(node as u32);
        } else {
            shown_at[node] = shown_at[graph.nodes[node].parent as usize];
        }
    }
    let left_out = len - kept.len();
    Trimmed { kept, shown_at, left_out }
}

/// Of each node the largest share that it has, with everything it calls, of any figure: 2^32 is all of it.
fn shares(graph: &Graph<'_>) -> Vec<u64> {
    let parts = |figures: &Figures| {
        let bytes = Figure::ALL.map(|figure| figures.bytes(figure));
        let counts = Figure::ALL.map(|figure| figures.count(figure).unwrap_or(0));
        [bytes, counts]
    };
    let mut below = vec![[[0u64; 5]; 2]; graph.nodes.len()];
    let add = |to: &mut [[u64; 5]; 2], from: &[[u64; 5]; 2]| {
        for (sum, part) in to.iter_mut().flatten().zip(from.iter().flatten()) {
            *sum = sum.saturating_add(*part);
        }
    };
    for site in &graph.sites {
        add(&mut below[site.node as usize], &parts(site.figures));
    }
    for node in (1..graph.nodes.len()).rev() {
        let sums = below[node];
        add(&mut below[graph.nodes[node].parent as usize], &sums);
    }
    let whole = below.first().copied().unwrap_or_default();
    let share = |(part, whole): (&u64, &u64)| {
        ((u128::from(*part) << 32).checked_div(u128::from(*whole)).unwrap_or(0)) as u64
    };
    below
        .iter()
        .map(|sums| sums.iter().flatten().zip(whole.iter().flatten()).map(share).max().unwrap_or(0))
        .collect()
}

#[cfg(test)]
mod tests {
    use heaphint_analysis::Profile;
    use heaphint_analysis::hand_made::HandMade;

    use super::*;

    #[test]
    fn the_largest_stay_with_their_callers() {
        let mut made = HandMade::default();
        let code = made.code("f", "app.py", 1);
        let small = made.stack(0, code, 1);
        let call = made.stack(0, code, 2);
        let large = made.stack(call, code, 3);
        let tiny = made.stack(large, code, 4);
        made.site(small, 10, 1, 1, 0);
        made.site(large, 1000, 5, 5, 0);
        made.site(tiny, 1, 1, 1, 0);
        let profile = Profile::from_capture(&made.capture());
        let graph = profile.graph();

        let trimmed = trim(&graph, 3);
        assert_eq!(trimmed.kept, [0, call, large]);
        assert_eq!(trimmed.left_out, 2);
        assert_eq!(trimmed.shown_at, [0, 0, 1, 2, 2]);
        assert!(trimmed.is_kept(large) && !trimmed.is_kept(tiny) && !trimmed.is_kept(small));

        assert_eq!(trim(&graph, 99).left_out, 0);
        assert_eq!(trim(&graph, 0).kept, [0]);
    }
}
