//! Hypotheses in the order of their gradient-matching loss.

use askama::Template;

use super::number;
use crate::report::ReportError;

/// Hypotheses that are listed; the true one always is.
const MOST: usize = 50;

/// Hypotheses and what tells them apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranking {
    /// In ascending order of loss.
    pub hypotheses: Vec<Hypothesis>,
    /// Losses that differ by no more are a tie.
    pub tie: f64,
}

/// One meaning of a batch's label indices.
#[derive(Clone, Debug, PartialEq)]
pub struct Hypothesis {
    /// The assignment: label index and candidate name.
    pub names: Vec<(usize, String)>,
    /// Final gradient-matching loss, without the guidance.
    pub loss: f64,
    /// Posterior-like score over restarts, in [0, 1].
    pub score: Option<f64>,
    /// Whether it is what the indices stand for.
    pub is_true: bool,
}

impl Ranking {
    /// Places from 1; whoever is within [`Ranking::tie`] of the first of its group shares its place.
    pub fn places(&self) -> Vec<usize> {
        let mut first = 0;
        let losses: Vec<f64> = self.hypotheses.iter().map(|h| h.loss).collect();
        let place = |i: usize| {
            // A loss that is no number is tied with none.
            let is_tied = i == first || losses[i] - losses[first] <= self.tie;
            if !is_tied {
                first = i;
            }
            first + 1
        };
        (0..losses.len()).map(place).collect()
    }

    pub(super) fn html(&self) -> Result<String, ReportError> {
        let places = self.places();
        let best = self.hypotheses.first().map_or(0.0, |h| h.loss);
        let rows: Vec<Shown> = (self.hypotheses.iter().zip(&places).enumerate())
            .filter(|(i, (hypothesis, _))| *i < MOST || hypothesis.is_true)
            .map(|(_, (hypothesis, &place))| {
                let is_tied = places.iter().filter(|&&p| p == place).count() > 1;
                Shown {
                    place: if is_tied { format!("= {place}") } else { place.to_string() },
                    hypothesis,
                    loss: number::significant(hypothesis.loss),
                    above: if place == 1 { String::new() } else { above(hypothesis.loss, best) },
                    score: hypothesis.score.map(number::percent),
                }
            })
            .collect();
        let margin = self.hypotheses.get(1).map(|second| Margin {
            text: above(second.loss, best),
            is_tie: places[1] == 1,
            tied: places.iter().filter(|&&p| p == 1).count(),
        });
        let truth = self.hypotheses.iter().position(|h| h.is_true).map(|i| places[i]);
        let view = View {
            count: self.hypotheses.len(),
            left_out: self.hypotheses.len() - rows.len(),
            has_score: self.hypotheses.iter().any(|h| h.score.is_some()),
            rows,
            margin,
            truth,
        };
        Ok(view.render()?)
    }
}

/// How far a loss lies above the lowest: `+3.1 %`.
fn above(loss: f64, best: f64) -> String {
    if best > 0.0 && loss.is_finite() {
        format!("+{}{}%", number::digits(100.0 * (loss / best - 1.0), 3), number::SPACE)
    } else {
        format!("+{}", number::digits(loss - best, 3))
    }
}

#[derive(Template)]
#[template(path = "ranking.html")]
struct View<'a> {
    rows: Vec<Shown<'a>>,
    count: usize,
    left_out: usize,
    has_score: bool,
    margin: Option<Margin>,
    /// Place of the true hypothesis.
    truth: Option<usize>,
}

struct Margin {
    text: String,
    is_tie: bool,
    /// Hypotheses on the first place.
    tied: usize,
}

struct Shown<'a> {
    place: String,
    hypothesis: &'a Hypothesis,
    loss: String,
    above: String,
    score: Option<String>,
}
