//! How figures are taken: product and limit by turns, so that a machine that slows down slows both.

use std::time::Duration;

/// How long and how often.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// How long each turn takes.
    pub(crate) turn: Duration,
    /// How many turns each side has.
    pub(crate) rounds: usize,
}

impl Plan {
    /// Runs each side by turns, and gives the median of each.
    pub(crate) fn interleave<const N: usize>(
        self,
        name: &str,
        mut sides: [&mut dyn FnMut(Duration) -> f64; N],
    ) -> [f64; N] {
        let mut figures: [Vec<f64>; N] = std::array::from_fn(|_| Vec::new());
        for round in 0..self.rounds {
            for (side, figures) in sides.iter_mut().zip(&mut figures) {
                figures.push(side(self.turn));
            }
            let last: Vec<String> = figures
                .iter()
                .filter_map(|figures| figures.last())
                .map(|figure| format!("{figure:.0}"))
                .collect();
            eprintln!("  {name}, turn {} of {}: {}", round + 1, self.rounds, last.join(" / "));
        }
        figures.map(median)
    }
}

/// The middle one; 0 where there is none.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(0.0)
}

/// The value below which a share of the figures lies, e.g. 0.99; 0 where there is none.
pub(crate) fn percentile(figures: &mut [f64], share: f64) -> f64 {
    figures.sort_by(f64::total_cmp);
    let at = (figures.len() as f64 * share).ceil() as usize;
    figures.get(at.saturating_sub(1)).copied().unwrap_or(0.0)
}
