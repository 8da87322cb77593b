//! What is shown, and what keys do to it.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use heaphint_analysis::{
    Figure, Figures, Frame, Measure, Profile, Selection, Summary, SummaryBy, Tree, TreeId, TreeOptions,
    TreePlace, Units,
};
use heaphint_report::{Look, Sources, SummarySort, printable};

use super::cursor::Step;
use super::details::Place;
use super::picker::{Kind, Picker};
use super::search::{Search, find};
use super::style::Styles;
use super::summary_pane::SummaryPane;
use super::tree_pane::TreePane;

/// Longest text that is looked for.
const LONGEST_SEARCH: usize = 200;

/// What fills the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// The stacks as one tree.
    Tree,
    /// Functions, lines or files as a list.
    Summary,
}

/// What is shown first.
pub struct Settings {
    pub view: View,
    pub measure: Measure,
    pub tree: TreeOptions,
    pub by: SummaryBy,
    pub sort: SummarySort,
}

/// What the keyboard is for.
pub(super) enum Mode {
    Browse,
    /// The text so far.
    Search(String),
    Pick(Picker),
    Help,
}

/// The state of the screens.
pub struct App<'a> {
    pub(super) profile: &'a Profile,
    pub(super) sources: Sources<'a>,
    pub(super) look: Look,
    pub(super) styles: Styles,
    pub(super) settings: Settings,
    pub(super) tree: Tree<'a>,
    pub(super) tree_pane: TreePane,
    pub(super) tree_search: Option<Search<TreeId>>,
    pub(super) summary: Summary<'a>,
    pub(super) summary_pane: SummaryPane<'a>,
    pub(super) summary_search: Option<Search<usize>>,
    pub(super) mode: Mode,
    /// An answer to the last key.
    pub(super) message: Option<String>,
    is_done: bool,
}

impl<'a> App<'a> {
    /// The screens of a run.
    pub fn new(profile: &'a Profile, sources: Sources<'a>, look: Look, settings: Settings) -> Self {
        let tree = Tree::new(profile, &settings.tree);
        let summary = profile.summary(settings.by, &settings.tree.selection);
        let mut app = Self {
            profile,
            sources,
            look: look.of(profile),
            styles: Styles { colour: look.colour },
            tree_pane: TreePane::default(),
            tree,
            tree_search: None,
            summary_pane: SummaryPane::default(),
            summary,
            summary_search: None,
            mode: Mode::Browse,
            message: None,
            is_done: false,
            settings,
        };
        app.tree_pane = TreePane::new(&app.tree, app.tree_measure());
        app.list_summary();
        app
    }

    /// Whether somebody has seen enough.
    pub fn is_done(&self) -> bool {
        self.is_done
    }

    /// The measure of the tree, whose stacks have no maximum: the peak stands for it.
    pub(super) fn tree_measure(&self) -> Measure {
        let measure = self.settings.measure;
        if measure.figure == Figure::Max { Measure::bytes(Figure::Peak) } else { measure }
    }

    /// Does what a key says.
    pub fn press(&mut self, key: KeyEvent) {
        let mut key = key;
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            match key.code {
                KeyCode::Char('c') => {
                    self.is_done = true;
                    return;
                }
                // Enter, typed before the terminal was ours.
                KeyCode::Char('j') => key.code = KeyCode::Enter,
                // No letter that was typed.
                KeyCode::Char(_) => return,
                _ => {}
            }
        }
        self.message = None;
        match std::mem::replace(&mut self.mode, Mode::Browse) {
            Mode::Browse => self.browse(key),
            // Any key closes the help.
            Mode::Help => {}
            Mode::Search(text) => self.type_search(text, key),
            Mode::Pick(picker) => self.pick(picker, key),
        }
    }

    fn browse(&mut self, key: KeyEvent) {
        if let Some(step) = step_of(key.code) {
            match self.settings.view {
                View::Tree => self.tree_pane.step(step),
                View::Summary => self.summary_pane.step(step),
            }
            return;
        }
        match key.code {
            KeyCode::Char('q') => self.is_done = true,
            KeyCode::Char('?' | 'h') | KeyCode::F(1) => self.mode = Mode::Help,
            KeyCode::Tab | KeyCode::BackTab => {
                self.settings.view = match self.settings.view {
                    View::Tree => View::Summary,
                    View::Summary => View::Tree,
                };
            }
            KeyCode::Char('/') => self.mode = Mode::Search(String::new()),
            KeyCode::Char('n') => self.go_to_found(true),
            KeyCode::Char('N') => self.go_to_found(false),
            KeyCode::Esc => (self.tree_search, self.summary_search) = (None, None),
            KeyCode::Char('f') => self.next_figure(),
            KeyCode::Char(digit @ '1'..='5') => {
                self.set_figure(Figure::ALL[digit as usize - '1' as usize]);
            }
            KeyCode::Char('c') => self.switch_counts(),
            KeyCode::Char('u') => {
                self.look.units = if self.look.units == Units::Iec { Units::Si } else { Units::Iec };
            }
            KeyCode::Char('t') => self.mode = Mode::Pick(self.picker(Kind::Thread)),
            KeyCode::Char('m') => self.mode = Mode::Pick(self.picker(Kind::Module)),
            KeyCode::Char('i') => {
                self.settings.tree.hide_imports ^= true;
                self.rebuild();
            }
            code => match self.settings.view {
                View::Tree => self.browse_tree(code),
                View::Summary => self.browse_summary(code),
            },
        }
    }

    fn browse_tree(&mut self, code: KeyCode) {
        let measure = self.tree_measure();
        match code {
            KeyCode::Right | KeyCode::Char('l') => self.tree_pane.unfold(&self.tree, measure),
            KeyCode::Left => self.tree_pane.fold(&self.tree, measure),
            KeyCode::Enter | KeyCode::Char(' ') => self.tree_pane.toggle(&self.tree, measure),
            KeyCode::Char('e') => self.tree_pane.unfold_heaviest_below(&self.tree, measure),
            KeyCode::Char('a') => self.tree_pane.toggle_all(&self.tree, measure),
            KeyCode::Char('v') => {
                self.settings.tree.inverted ^= true;
                self.rebuild();
            }
            KeyCode::Char('T') => {
                self.settings.tree.by_thread ^= true;
                self.rebuild();
            }
            _ => {}
        }
    }

    fn browse_summary(&mut self, code: KeyCode) {
        match code {
            KeyCode::Char('s') => {
                self.settings.sort = match self.settings.sort {
                    SummarySort::Total => SummarySort::Own,
                    SummarySort::Own => SummarySort::Count,
                    SummarySort::Count => SummarySort::Total,
                };
                self.list_summary();
            }
            KeyCode::Char('b') => {
                self.settings.by = match self.settings.by {
                    SummaryBy::Function => SummaryBy::Line,
                    SummaryBy::Line => SummaryBy::File,
                    SummaryBy::File => SummaryBy::Function,
                };
                self.rebuild();
            }
            // From a place to where it is in the tree.
            KeyCode::Enter => self.show_in_tree(),
            _ => {}
        }
    }

    fn show_in_tree(&mut self) {
        let Some(frame) = self.summary_pane.chosen().and_then(|row| row.location) else { return };
        let (measure, by) = (self.tree_measure(), self.settings.by);
        let is_place = |held: &Frame<'_>| {
            held.file == frame.file
                && (frame.qualname.is_empty() || held.qualname == frame.qualname)
                && (by != SummaryBy::Line || held.line == frame.line)
        };
        let nodes = self.tree.nodes().iter().enumerate();
        let largest = nodes
            .filter(|(_, node)| matches!(&node.place, TreePlace::Frame(frame) if is_place(frame)))
            // Of equal ones the outermost.
            .max_by_key(|(index, node)| (node.total.of(measure), std::cmp::Reverse(*index)));
        let Some((index, _)) = largest else {
            self.message = Some("it is hidden in the tree: press i there for the import system".to_owned());
            return;
        };
        if let Some(id) = self.tree.id(index) {
            self.tree_pane.go_to(&self.tree, measure, id);
            self.settings.view = View::Tree;
        }
    }

    fn next_figure(&mut self) {
        let at = Figure::ALL.iter().position(|figure| *figure == self.settings.measure.figure).unwrap_or(0);
        let mut next = Figure::ALL[(at + 1) % Figure::ALL.len()];
        if next == Figure::Max && !self.may_show_max() {
            next = Figure::Allocated;
        }
        self.set_figure(next);
    }

    fn may_show_max(&self) -> bool {
        self.settings.view == View::Summary && self.summary.has_max && !self.settings.measure.counts
    }

    fn set_figure(&mut self, figure: Figure) {
        if figure == Figure::Max && !self.may_show_max() {
            let why = match self.settings.view {
                View::Tree => "single stacks have no max: see the list (Tab)",
                View::Summary if self.summary.has_max => "max is a number of bytes: press c",
                View::Summary => "max is known of all threads and modules together",
            };
            self.message = Some(why.to_owned());
            return;
        }
        self.settings.measure.figure = figure;
        self.remeasure();
    }

    fn switch_counts(&mut self) {
        if self.settings.measure.figure == Figure::Max {
            self.message = Some("max is a number of bytes and has no count".to_owned());
            return;
        }
        self.settings.measure.counts ^= true;
        self.remeasure();
    }

    /// After another measure was chosen.
    fn remeasure(&mut self) {
        let measure = self.tree_measure();
        self.tree_pane.refresh(&self.tree, measure);
        self.tree_search = None;
        self.list_summary();
    }

    /// After other stacks were chosen.
    fn rebuild(&mut self) {
        self.tree = Tree::new(self.profile, &self.settings.tree);
        self.summary = self.profile.summary(self.settings.by, &self.settings.tree.selection);
        if !self.summary.has_max && self.settings.measure.figure == Figure::Max {
            self.settings.measure.figure = Figure::Peak;
        }
        self.tree_pane = TreePane::new(&self.tree, self.tree_measure());
        self.tree_search = None;
        self.list_summary();
    }

    fn list_summary(&mut self) {
        let (measure, sort) = (self.settings.measure, self.settings.sort);
        let hide_imports = self.settings.tree.hide_imports;
        self.summary_pane = SummaryPane::new(&self.summary, measure, sort, hide_imports);
        self.summary_search = None;
    }

    fn type_search(&mut self, mut text: String, key: KeyEvent) {
        match key.code {
            KeyCode::Esc => return,
            KeyCode::Enter => return self.search(&text),
            KeyCode::Backspace if text.pop().is_none() => return,
            KeyCode::Char(c) if text.len() < LONGEST_SEARCH => text.push(c),
            _ => {}
        }
        self.mode = Mode::Search(text);
    }

    fn search(&mut self, text: &str) {
        if text.is_empty() {
            (self.tree_search, self.summary_search) = (None, None);
            return;
        }
        match self.settings.view {
            View::Tree => {
                let measure = self.tree_measure();
                let (found, sum) = find(&self.tree, measure, text);
                let whole = self.tree.node(TreeId::ROOT).total.of(measure);
                let search = Search::new(text, found);
                let mut message = search.position();
                if let Some(id) = search.current() {
                    self.tree_pane.go_to(&self.tree, measure, id);
                    let sum_of_stacks = self.look.measured(sum, measure);
                    message.push_str(&format!(
                        ", through them {sum_of_stacks} ({})",
                        heaphint_report::share(sum, whole)
                    ));
                }
                self.message = Some(message);
                self.tree_search = Some(search);
            }
            View::Summary => {
                let search = Search::new(text, self.summary_pane.find(text));
                if let Some(row) = search.current() {
                    self.summary_pane.go_to(row);
                }
                self.message = Some(search.position());
                self.summary_search = Some(search);
            }
        }
    }

    fn go_to_found(&mut self, forwards: bool) {
        let measure = self.tree_measure();
        let position = match self.settings.view {
            View::Tree => self.tree_search.as_mut().map(|search| {
                if let Some(id) = search.go(forwards) {
                    self.tree_pane.go_to(&self.tree, measure, id);
                }
                search.position()
            }),
            View::Summary => self.summary_search.as_mut().map(|search| {
                if let Some(row) = search.go(forwards) {
                    self.summary_pane.go_to(row);
                }
                search.position()
            }),
        };
        self.message = Some(position.unwrap_or_else(|| "press / to look for something".to_owned()));
    }

    fn picker(&self, kind: Kind) -> Picker {
        let figure = self.tree_measure().figure;
        let selection = &self.settings.tree.selection;
        match kind {
            Kind::Thread => {
                let threads = self.profile.threads();
                let items = threads
                    .iter()
                    .map(|thread| {
                        (thread.tid.to_string(), {
                            let size = self.look.size(thread.figures.bytes(figure));
                            format!("{}  {size}", printable(&thread.name))
                        })
                    })
                    .collect();
                Picker::new(kind, items, selection.threads.first().map(String::as_str))
            }
            Kind::Module => {
                let modules = self.profile.modules(false, usize::MAX).into_iter();
                let items = modules
                    .map(|module| {
                        let size = format!("allocated {}", self.look.size(module.bytes));
                        (module.module, size)
                    })
                    .collect();
                Picker::new(kind, items, selection.modules.first().map(String::as_str))
            }
        }
    }

    fn pick(&mut self, mut picker: Picker, key: KeyEvent) {
        match key.code {
            KeyCode::Esc | KeyCode::Char('q') => return,
            KeyCode::Enter => {
                let chosen: Vec<String> = picker.chosen().into_iter().collect();
                let selection = &mut self.settings.tree.selection;
                match picker.kind {
                    Kind::Thread => selection.threads = chosen,
                    Kind::Module => selection.modules = chosen,
                }
                self.rebuild();
                return;
            }
            code => {
                if let Some(step) = step_of(code) {
                    picker.step(step);
                }
            }
        }
        self.mode = Mode::Pick(picker);
    }

    /// What is under the cursor.
    pub(super) fn place(&self) -> Option<Place<'_>> {
        match self.settings.view {
            View::Tree => {
                let node = self.tree.node(self.tree_pane.chosen());
                let (name, frame) = match &node.place {
                    TreePlace::Everything => ("everything".to_owned(), None),
                    TreePlace::Thread { name, tid } => (format!("thread {} ({tid})", printable(name)), None),
                    TreePlace::OutsidePython => ("outside Python code".to_owned(), None),
                    TreePlace::Frame(frame) => (String::new(), Some(*frame)),
                };
                let maximum = frame.and_then(|frame| self.line_maximum(&frame));
                Some(Place { name, frame, own: node.own, total: node.total, maximum })
            }
            View::Summary => {
                let row = self.summary_pane.chosen()?;
                let whose = match self.settings.by {
                    SummaryBy::Function => "the function",
                    SummaryBy::Line => "the line",
                    SummaryBy::File => "a line of the file",
                };
                let maximum = (self.summary.has_max && row.location.is_some()).then_some((whose, row.total));
                let name = "outside Python code".to_owned();
                Some(Place { name, frame: row.location, own: row.own, total: row.total, maximum })
            }
        }
    }

    fn line_maximum(&self, frame: &Frame<'_>) -> Option<(&'static str, Figures)> {
        let line = self.profile.file(frame.file)?.line(frame.line)?;
        Some(("the line", line.total_figures))
    }

    /// The threads and packages that are shown, for people.
    pub(super) fn selection(&self) -> String {
        let Selection { threads, modules, .. } = &self.settings.tree.selection;
        let name = |tid: &String| {
            let all = self.profile.threads();
            let known = all.into_iter().find(|thread| thread.tid.to_string() == *tid);
            known.map_or_else(|| tid.clone(), |thread| thread.name)
        };
        let mut parts = Vec::new();
        if !threads.is_empty() {
            parts.push(format!("thread {}", threads.iter().map(name).collect::<Vec<_>>().join(", ")));
        }
        if !modules.is_empty() {
            parts.push(format!("module {}", modules.join(", ")));
        }
        printable(&parts.join(", "))
    }
}

fn step_of(code: KeyCode) -> Option<Step> {
    Some(match code {
        KeyCode::Up | KeyCode::Char('k') => Step::Up,
        KeyCode::Down | KeyCode::Char('j') => Step::Down,
        KeyCode::PageUp => Step::PageUp,
        KeyCode::PageDown => Step::PageDown,
        KeyCode::Home | KeyCode::Char('g') => Step::First,
        KeyCode::End | KeyCode::Char('G') => Step::Last,
        _ => return None,
    })
}
