//! A word across a page, behind what stands on it: drawn as lines, so that whoever reads the text alone meets it once.

use super::sheet::{PAGE, Rgb8, Sheet};

/// Light enough to read what stands on it, also in print.
const SHADE: Rgb8 = (0xed, 0xeb, 0xe5);

/// A letter's height; the others are in parts of it.
const HEIGHT: f32 = 168.0;
const THICKNESS: f32 = 0.15;
const BETWEEN: f32 = 0.34;

/// The way from the lower left to the upper right, as parts of a step: cosine and sine of some 52 degrees.
const SLOPE: (f32, f32) = (0.616, 0.788);

/// A letter: its width, its strokes, and whether they close.
type Letter = (f32, &'static [&'static [(f32, f32)]], bool);

/// The letters that such words have, from the upper left, over a box of height 1.
const fn letter(c: char) -> Option<Letter> {
    match c {
        'D' => Some((
            0.62,
            &[&[(0.0, 0.0), (0.38, 0.0), (0.62, 0.24), (0.62, 0.76), (0.38, 1.0), (0.0, 1.0)]],
            true,
        )),
        'I' => Some((0.0, &[&[(0.0, 0.0), (0.0, 1.0)]], false)),
        'L' => Some((0.5, &[&[(0.0, 0.0), (0.0, 1.0), (0.5, 1.0)]], false)),
        'R' => Some((
            0.62,
            &[
                &[(0.0, 1.0), (0.0, 0.0), (0.42, 0.0), (0.6, 0.15), (0.6, 0.4), (0.42, 0.55), (0.0, 0.55)],
                &[(0.3, 0.55), (0.62, 1.0)],
            ],
            false,
        )),
        _ => None,
    }
}

impl Sheet {
    /// Draws a word over the whole page. One with other letters stands at the page's head alone.
    pub(super) fn across(&mut self, word: &str) {
        let Some(letters) = word.chars().map(letter).collect::<Option<Vec<Letter>>>() else { return };
        let gaps = BETWEEN * letters.len().saturating_sub(1) as f32;
        let length = letters.iter().map(|(width, ..)| width).sum::<f32>() + gaps;
        let mut from = -length / 2.0;
        for (width, strokes, is_closed) in letters {
            for stroke in strokes {
                let places: Vec<(f32, f32)> = stroke.iter().map(|(x, y)| place(from + x, y - 0.5)).collect();
                self.stroke(&places, THICKNESS * HEIGHT, SHADE, is_closed);
            }
            from += width + BETWEEN;
        }
    }
}

/// A place along the slope, from the middle of the page.
fn place(along: f32, below: f32) -> (f32, f32) {
    let (cos, sin) = SLOPE;
    let (x, y) = (along * HEIGHT, below * HEIGHT);
    (PAGE.0 / 2.0 + x * cos + y * sin, PAGE.1 / 2.0 - x * sin + y * cos)
}
