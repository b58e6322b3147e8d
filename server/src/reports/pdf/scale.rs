//! Spans of time, drawn to scale.

use super::fonts::Voice;
use super::sheet::{ACCENT, FAINT, HAIR, MARGIN, QUIET, Sheet, Style, TEXT, WIDTH};
use crate::reports::document::{Scale, Span};

/// Room for the names, left of the bars.
const NAMES: f32 = 118.0;

/// From one row to the next.
const ROW: f32 = 17.0;

/// A bar's height.
const BAR: f32 = 7.0;

/// What happened in a moment is still seen.
const LEAST: f32 = 1.6;

const LABEL: Style = Style { voice: Voice::Text, size: 8.5, ..QUIET };

impl Sheet {
    /// A row for each span, over one axis.
    pub(super) fn scale(&mut self, scale: &Scale) {
        let whole = scale.to.unix_micros().saturating_sub(scale.from.unix_micros());
        if whole <= 0 || scale.spans.is_empty() {
            return;
        }
        self.need(scale.spans.len() as f32 * ROW + 34.0);
        let (left, width) = (MARGIN + NAMES, WIDTH - NAMES);
        let top = self.y;
        let bottom = top + scale.spans.len() as f32 * ROW + 2.0;
        for span in &scale.spans {
            self.span(span, scale, (left, width));
        }
        self.rule(left, bottom, width, 0.7, FAINT);
        self.fill(HAIR, [left, left + width - 0.5].map(|x| (x, top, 0.5, bottom - top)).into_iter());
        let y = bottom + 12.0;
        self.say(LABEL, left, y, &scale.names.0, width / 2.0);
        let end = self.setter.elided(LABEL.voice, LABEL.size, &scale.names.1, width / 2.0);
        self.put(LABEL, left + width - end.width, y, &end);
        self.y = y + 14.0;
    }

    fn span(&mut self, span: &Span, scale: &Scale, (left, width): (f32, f32)) {
        let whole = (scale.to.unix_micros() - scale.from.unix_micros()) as f32;
        let place = |at: sealbook_ledger::timestamp::Timestamp| {
            let passed = at.unix_micros().saturating_sub(scale.from.unix_micros()) as f32;
            (passed / whole).clamp(0.0, 1.0) * width
        };
        let (from, to) = (place(span.from), place(span.to));
        let length = (to - from).max(LEAST);
        let x = left + from.min(width - length);
        let name = Style { size: 9.0, ..TEXT };
        self.say(name, MARGIN, self.y + ROW - 6.0, &span.name, NAMES - 8.0);
        let colour = if span.strong { ACCENT } else { FAINT };
        self.fill(colour, std::iter::once((x, self.y + ROW - 6.0 - BAR, length, BAR)));
        self.y += ROW;
    }
}
