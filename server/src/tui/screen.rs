//! Drawing: a head, the tree or the list, details, and a foot, in whatever room there is.

use heaphint_analysis::SummaryBy;
use heaphint_report::{SummarySort, duration, printable};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};

use super::app::{App, Mode, View};
use super::details;
use super::picker::{Kind, Picker};
use super::summary_pane::SummaryPane;
use super::tree_pane::RowLook;

/// Lower screens have no details.
const LEAST_HEIGHT_FOR_DETAILS: u16 = 16;

/// The keys at the foot of the screen.
const FOOT_KEYS: &[(&str, &str)] = &[
    ("?", "help"),
    ("q", "quit"),
    ("Tab", "tree or list"),
    ("/", "search"),
    ("f", "figure"),
    ("t", "thread"),
    ("m", "module"),
    ("c", "counts"),
];
/// All keys and what they do: in the tree,
const TREE_KEYS: &[(&str, &str)] = &[
    ("→", "unfold down to the next branch"),
    ("←", "fold, or go to the parent"),
    ("Enter", "fold or unfold"),
    ("e", "unfold the heaviest path"),
    ("a", "unfold or fold all below"),
    ("v", "turn the tree over: innermost frames first"),
    ("T", "begin with threads"),
];
/// in the list,
const SUMMARY_KEYS: &[(&str, &str)] = &[
    ("s", "order by total, self, count"),
    ("b", "functions, lines, files"),
    ("Enter", "show the place in the tree"),
];
/// and in both.
const ALL_KEYS: &[(&str, &str)] = &[
    ("Tab", "tree or list"),
    ("/", "search"),
    ("n N", "next, previous match"),
    ("f", "next figure"),
    ("1-5", "peak, max, allocated, leaked, temporary"),
    ("c", "bytes or counts"),
    ("t", "choose a thread"),
    ("m", "choose a module"),
    ("i", "import system"),
    ("u", "KiB or kB"),
    ("↑ ↓ PgUp PgDn Home End", "move"),
    ("Esc", "forget the search"),
    ("Ctrl-Z", "suspend"),
    ("q", "quit"),
];

impl App<'_> {
    /// Draws the screen.
    pub fn draw(&mut self, frame: &mut Frame<'_>) {
        let area = frame.area();
        let details_height = if area.height >= LEAST_HEIGHT_FOR_DETAILS { area.height / 3 } else { 0 };
        let [head, titles, body, details, foot] = Layout::vertical([
            Constraint::Length(if area.height > 6 { 2 } else { 0 }),
            Constraint::Length(u16::from(area.height > 4)),
            Constraint::Min(1),
            Constraint::Length(details_height),
            Constraint::Length(1),
        ])
        .areas(area);
        frame.render_widget(Paragraph::new(self.head()), head);
        self.draw_body(frame, titles, body);
        if details_height > 0 {
            self.draw_details(frame, details);
        }
        frame.render_widget(Paragraph::new(self.foot()), foot);
        match &mut self.mode {
            Mode::Pick(_) => self.draw_picker(frame, area),
            Mode::Help => self.draw_help(frame, area),
            Mode::Browse | Mode::Search(_) => {}
        }
    }

    fn head(&self) -> Vec<Line<'static>> {
        let (session, styles) = (self.profile.session(), self.styles);
        let mut facts = vec![duration(session.duration_ms)];
        facts.extend(session.python.as_ref().map(|version| format!("Python {version}")));
        if session.processes > 1 {
            facts.push(format!("{} processes", session.processes));
        }
        if let Some(why) = session.inexact {
            facts.push(why.why().to_owned());
        }
        let first = Line::from(vec![
            Span::styled(printable(&session.command.join(" ")), styles.heading()),
            Span::styled(format!("  {}", facts.join(", ")), styles.dim()),
        ]);
        let measure = match self.settings.view {
            View::Tree => self.tree_measure(),
            View::Summary => self.settings.measure,
        };
        let unit = if measure.counts { "allocations" } else { "bytes" };
        let shown = match self.settings.view {
            View::Tree if self.settings.tree.inverted => "stacks, innermost first",
            View::Tree => "stacks",
            View::Summary => match self.settings.by {
                SummaryBy::Function => "functions",
                SummaryBy::Line => "lines",
                SummaryBy::File => "files",
            },
        };
        let mut rest = format!(" by {unit}");
        if self.settings.view == View::Summary {
            rest.push_str(match self.settings.sort {
                SummarySort::Total => ", ordered by total",
                SummarySort::Own => ", ordered by self",
                SummarySort::Count => ", ordered by count",
            });
        }
        let selection = self.selection();
        if !selection.is_empty() {
            rest.push_str(&format!(", {selection} only"));
        }
        if !self.settings.tree.hide_imports {
            rest.push_str(", with the import system");
        }
        let second = Line::from(vec![
            Span::raw(format!("peak {}  ", self.look.size(session.peak_bytes))),
            Span::styled(measure.figure.name(), styles.key()),
            Span::raw(format!(" of {shown}{rest}")),
        ]);
        vec![first, second]
    }

    fn draw_body(&mut self, frame: &mut Frame<'_>, titles: Rect, body: Rect) {
        let (height, width) = (usize::from(body.height), usize::from(body.width));
        let measure = self.tree_measure();
        let directory = &self.profile.session().directory;
        let (heading, lines) = match self.settings.view {
            View::Tree => {
                let look = RowLook {
                    tree: &self.tree,
                    measure,
                    look: self.look,
                    styles: self.styles,
                    directory,
                    sources: &self.sources,
                    search: self.tree_search.as_ref(),
                };
                let heading = format!("{:>10} {:>7}", measure.figure.name(), "share");
                (heading, self.tree_pane.lines(height, width, &look))
            }
            View::Summary => {
                let measure = self.settings.measure;
                let search = self.summary_search.as_ref();
                let lines =
                    self.summary_pane.lines(height, measure, &self.look, self.styles, directory, search);
                (SummaryPane::heading(measure), lines)
            }
        };
        frame.render_widget(Line::styled(heading, self.styles.dim()), titles);
        frame.render_widget(Paragraph::new(lines), body);
    }

    fn draw_details(&self, frame: &mut Frame<'_>, area: Rect) {
        let block = Block::new().borders(ratatui::widgets::Borders::TOP).border_style(self.styles.dim());
        let inner = block.inner(area);
        frame.render_widget(block, area);
        let Some(place) = self.place() else { return };
        let height = usize::from(inner.height);
        let lines = details::lines(&place, &self.sources, &self.look, self.styles, height);
        frame.render_widget(Paragraph::new(lines), inner);
    }

    fn foot(&self) -> Line<'static> {
        if let Mode::Search(text) = &self.mode {
            let text = printable(text);
            return Line::from(vec![
                Span::styled("search: ", self.styles.key()),
                Span::raw(format!("{text}▏")),
            ]);
        }
        if let Some(message) = &self.message {
            return Line::styled(printable(message), self.styles.note());
        }
        let spans = FOOT_KEYS.iter().flat_map(|(key, what)| {
            [Span::styled(*key, self.styles.key()), Span::styled(format!(" {what}  "), self.styles.dim())]
        });
        Line::from(spans.collect::<Vec<_>>())
    }

    fn draw_help(&self, frame: &mut Frame<'_>, area: Rect) {
        let own = match self.settings.view {
            View::Tree => TREE_KEYS,
            View::Summary => SUMMARY_KEYS,
        };
        let keys: Vec<_> = own.iter().chain(ALL_KEYS).collect();
        let lines: Vec<Line<'_>> = keys
            .iter()
            .map(|(key, what)| {
                Line::from(vec![
                    Span::styled(format!("{key:>24}"), self.styles.key()),
                    Span::raw(format!("  {what}")),
                ])
            })
            .collect();
        let inside = window(frame, area, "keys", 72, lines.len());
        frame.render_widget(Paragraph::new(lines), inside);
    }

    fn draw_picker(&mut self, frame: &mut Frame<'_>, area: Rect) {
        let styles = self.styles;
        let Mode::Pick(Picker { kind, items, cursor }) = &mut self.mode else { return };
        let title = match kind {
            Kind::Thread => "thread",
            Kind::Module => "module",
        };
        let inside = window(frame, area, title, 60, items.len());
        let rows = cursor.window(items.len(), usize::from(inside.height));
        let chosen = cursor.at;
        let lines: Vec<Line<'static>> = rows
            .map(|index| {
                let (name, rest) = &items[index];
                let line = Line::from(vec![
                    Span::raw(printable(name)),
                    Span::styled(format!("  {}", printable(rest)), styles.dim()),
                ]);
                if index == chosen { line.patch_style(styles.chosen()) } else { line }
            })
            .collect();
        frame.render_widget(Paragraph::new(lines), inside);
    }
}

/// A window over the middle of the screen with room for so many columns and rows, as far as there is; its inside.
fn window(frame: &mut Frame<'_>, area: Rect, title: &'static str, columns: u16, rows: usize) -> Rect {
    let width = columns.saturating_add(2).min(area.width);
    let height = u16::try_from(rows).unwrap_or(u16::MAX).saturating_add(2).min(area.height);
    let place =
        Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height };
    let block = Block::bordered().title(title);
    let inside = block.inner(place);
    frame.render_widget(Clear, place);
    frame.render_widget(block, place);
    inside
}
