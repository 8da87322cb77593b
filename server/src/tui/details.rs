//! All that is known of the place under the cursor: its figures, and the source around it.

use heaphint_analysis::{Figure, Figures, Frame, Inexact};
use heaphint_report::{Look, Sources, grouped, printable};
use ratatui::text::{Line, Span};

use super::style::Styles;

/// What the details are of.
pub struct Place<'a> {
    /// Its name when it is no frame.
    pub name: String,
    /// The frame; of a function its first line, of a file line 0.
    pub frame: Option<Frame<'a>>,
    pub own: Figures,
    pub total: Figures,
    /// Figures over all stacks, with a maximum, and whose they are.
    pub maximum: Option<(&'static str, Figures)>,
}

/// Lines about a place, at most `height`.
pub fn lines(
    place: &Place<'_>,
    sources: &Sources<'_>,
    look: &Look,
    styles: Styles,
    height: usize,
) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    match &place.frame {
        Some(frame) => {
            let at = if frame.line == 0 { String::new() } else { format!(":{}", frame.line) };
            lines.push(Line::from(vec![
                Span::styled(printable(frame.qualname), styles.heading()),
                Span::raw(format!("  {}{at}", printable(frame.file))),
            ]));
        }
        None => lines.push(Line::styled(place.name.clone(), styles.heading())),
    }
    let title = |name: &str| format!("{name:>20}");
    let figures = [Figure::Peak, Figure::Leaked, Figure::Allocated, Figure::Temporary];
    let titles: String = figures.iter().map(|figure| title(figure.name())).collect();
    lines.push(Line::styled(format!("{:6}{titles}", ""), styles.dim()));
    for (name, of) in [("total", &place.total), ("self", &place.own)] {
        let values: String = figures
            .iter()
            .map(|figure| {
                let count = grouped(of.count(*figure).unwrap_or_default());
                title(&format!("{} in {count}", look.size(of.bytes(*figure))))
            })
            .collect();
        lines.push(Line::raw(format!("{name:<6}{values}")));
    }
    if let Some(why) = place.total.inexact {
        lines.push(Line::styled(format!("not exact: {}", why.why()), styles.note()));
    }
    if let Some((whose, figures)) = place.maximum {
        let bound = matches!(figures.inexact, Some(Inexact::MaxIsLowerBound | Inexact::SumsOnly));
        let (least, size) = (if bound { "at least " } else { "" }, look.size(figures.max_bytes));
        lines.push(Line::raw(format!("{:<6}{least}{size}: the most that {whose} held at one moment", "max")));
    }
    if let Some(frame) = &place.frame {
        let left = height.saturating_sub(lines.len());
        lines.extend(source(frame, sources, styles, left));
    }
    lines.truncate(height);
    lines
}

/// The source around a frame's line, as much as has room.
fn source(frame: &Frame<'_>, sources: &Sources<'_>, styles: Styles, room: usize) -> Vec<Line<'static>> {
    // The file of a native frame without a line is a library.
    let Some(file) = (frame.line > 0).then(|| sources.file(frame.file)).flatten() else {
        return vec![Line::styled("the source is not there", styles.dim())];
    };
    let mut lines = Vec::new();
    if file.changed_since {
        let note = "the file was changed after the run: lines may have moved";
        lines.push(Line::styled(note, styles.note()));
    }
    let room = room.saturating_sub(lines.len()) as u32;
    let first = frame.line.saturating_sub(room / 2).max(1);
    for number in first..first.saturating_add(room) {
        let Some(text) = file.line(number) else { break };
        let line = format!("{number:>6} │ {text}");
        let style = if number == frame.line { styles.heading() } else { styles.dim() };
        lines.push(Line::styled(line, style));
    }
    lines
}
