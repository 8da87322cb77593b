//! Both runs as one stack tree with the counters of each, for reports that let a reader choose what is shown.

use rustc_hash::FxHashMap;

use super::Diff;
use crate::Graph;
use crate::profile::{FunctionId, GraphFile, GraphFunction, GraphNode, GraphSite, GraphThread, Run};

impl<'a> Diff<'a> {
    /// The stacks of both runs with their counters. Files and functions have the names of the later run; what only the
    /// earlier one has comes behind them. Threads are the same when their names are, in the same process of the session.
    #[must_use]
    pub fn graph(&self) -> Graph<'a> {
        let (mut graph, earlier) = (self.after.graph(), self.before.graph());
        let files = self.joined_files(&mut graph, &earlier);
        let functions = self.joined_functions(&mut graph, &earlier, &files);
        let threads = joined_threads(&mut graph, &earlier);

        let root = GraphNode { parent: 0, function: 0, line: 0, run: Run::Later };
        let mut nodes = vec![root; self.nodes.len()];
        let [later_ids, earlier_ids] = &self.joined;
        for (node, id) in earlier.nodes.iter().zip(earlier_ids).skip(1) {
            let path = earlier.files[earlier.functions[node.function as usize].file as usize].path;
            let now = self.places.line(path, node.line);
            let (line, run) = now.map_or((node.line, Run::Earlier), |(line, _)| (line, Run::Later));
            let function = functions[node.function as usize];
            nodes[id.index()] =
                GraphNode { parent: earlier_ids[node.parent as usize].0, function, line, run };
        }
        for (node, id) in graph.nodes.iter().zip(later_ids).skip(1) {
            nodes[id.index()] = GraphNode { parent: later_ids[node.parent as usize].0, ..*node };
        }
        graph.nodes = nodes;
        for site in &mut graph.sites {
            site.node = self.joined[0][site.node as usize].0;
        }
        graph.sites.extend(earlier.sites.into_iter().map(|site| GraphSite {
            node: self.joined[1][site.node as usize].0,
            thread: threads[site.thread as usize],
            run: Run::Earlier,
            ..site
        }));
        graph
    }

    /// Where the files of the earlier run are among all.
    fn joined_files(&self, graph: &mut Graph<'a>, earlier: &Graph<'a>) -> Vec<u32> {
        let known: FxHashMap<&str, u32> =
            graph.files.iter().enumerate().map(|(index, file)| (file.path, index as u32)).collect();
        let mut join = |file: &GraphFile<'a>| {
            let now = if file.path.is_empty() { Some("") } else { self.places.file(file.path) };
            now.and_then(|path| known.get(path).copied()).unwrap_or_else(|| {
                graph.files.push(file.clone());
                graph.files.len() as u32 - 1
            })
        };
        earlier.files.iter().map(&mut join).collect()
    }

    /// Where the functions of the earlier run are among all.
    fn joined_functions(&self, graph: &mut Graph<'a>, earlier: &Graph<'a>, files: &[u32]) -> Vec<u32> {
        let mut join = |(index, function): (usize, &GraphFunction<'a>)| {
            if index == 0 {
                return 0;
            }
            self.places.function(FunctionId(index as u32)).map_or_else(
                || {
                    let file = files[function.file as usize];
                    graph.functions.push(GraphFunction { file, ..*function });
                    graph.functions.len() as u32 - 1
                },
                |id| id.0,
            )
        };
        earlier.functions.iter().enumerate().map(&mut join).collect()
    }
}

/// Where the threads of the earlier run are among all. A thread is found again by its name and by its number among its
/// namesakes.
fn joined_threads(graph: &mut Graph<'_>, earlier: &Graph<'_>) -> Vec<u32> {
    let numbered = |threads: &[GraphThread]| {
        let mut seen: FxHashMap<(u32, String), u32> = FxHashMap::default();
        let number = |thread: &GraphThread| {
            let count = seen.entry((thread.process, thread.name.clone())).or_default();
            *count += 1;
            (thread.process, thread.name.clone(), *count)
        };
        threads.iter().map(number).collect::<Vec<_>>()
    };
    let known: FxHashMap<_, u32> =
        numbered(&graph.threads).into_iter().enumerate().map(|(index, key)| (key, index as u32)).collect();
    let keys = numbered(&earlier.threads);
    let mut join = |(thread, key): (&GraphThread, _)| {
        known.get(&key).copied().unwrap_or_else(|| {
            graph.threads.push(thread.clone());
            graph.threads.len() as u32 - 1
        })
    };
    earlier.threads.iter().zip(keys).map(&mut join).collect()
}
