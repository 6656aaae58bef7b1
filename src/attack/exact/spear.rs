//! SPEAR (Dimitrov 2024): a batch's exact inputs of a linear layer that ReLU follows, from the layer's gradient.
//!
//! G = D·Xᵀ. Its decomposition leaves an invertible matrix P open, D = A·P and Xᵀ = P⁻¹·Vᵀ, which the zeros of D decide.

use super::{
    candidates::Field,
    choice::{Choice, View, needed},
    error::ExactError,
    greedy::Pool,
    matrix::{Matrix, product},
    rank::{check, rank},
    scale::Scale,
    spectrum::{Entry, Spectrum},
};

/// A linear layer z = W·x + b that ReLU follows, and its part of the gradient.
#[derive(Clone, Copy, Debug)]
pub struct ReluLayer<'a, T> {
    /// For messages.
    pub name: &'a str,
    /// `[m, n]`
    pub shape: [usize; 2],
    /// W `(m, n)`
    pub weight: &'a [T],
    /// b `(m)`
    pub bias: Option<&'a [T]>,
    /// ∂L/∂W
    pub weight_gradient: &'a [T],
    /// ∂L/∂b
    pub bias_gradient: Option<&'a [T]>,
}

/// How hard to look.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// B, if it is known.
    pub batch: Option<usize>,
    /// Sets of rows that are drawn at most.
    pub budget: u64,
    /// Of the sets of rows that are drawn.
    pub seed: u64,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Restored {
    /// One row a picture, `(r, n)`, in no particular order.
    pub inputs: Matrix,
    /// D = ∂L/∂z, one column a picture, `(m, r)`.
    pub outer: Matrix,
    /// r: distinct pictures.
    pub rank: usize,
    /// Of each picture: the share of the units that were on by the gradient and are by the picture.
    pub agreement: Vec<f64>,
    /// Where the lengths of the inputs come from.
    pub scale: Scale,
    /// Sets of rows drawn.
    pub sets: u64,
    /// Standard deviation of an entry's noise, as a share of the entries' size.
    pub relative_noise: f64,
}

/// Row sets between two looks at what has been found.
const ROUND: u64 = 4096;
/// The search ends after so many sets without anything new (a pattern more, or sparser ones), or this share of the budget
/// where that is more, and besides so many times what it had drawn at its last find: waiting times are geometric, and the
/// last pattern takes a few times what the others did.
const PATIENCE: u64 = 131_072;
const PATIENCE_OF_BUDGET: u64 = 32;
const PATIENCE_SINCE_FIND: u64 = 4;
impl Restored {
    /// Whether every picture switches on the units that the gradient says.
    pub fn agrees(&self) -> bool {
        let needed = needed(self.relative_noise);
        self.agreement.iter().all(|&share| share >= needed)
    }
}

/// Restores the inputs of the layer.
///
/// Fewer pictures than `batch` where some are linear combinations of others, as a repeated one is.
///
/// # Errors
/// Tensors that do not fit or are not finite; a batch that the layer is too narrow for; a gradient of no or too high
/// rank; noise that hides the rank; a budget within which not every picture was found; `stop`, asked between rounds, said so.
pub fn restore<T: Entry>(
    layer: &ReluLayer<T>,
    search: Search,
    stop: &dyn Fn() -> bool,
) -> Result<Restored, ExactError> {
    check(layer, search.batch)?;
    let name = || layer.name.to_owned();
    let spectrum = Spectrum::of(layer.weight_gradient, layer.shape, search.batch, search.seed)?;
    let rank = rank(layer, &spectrum, search.batch)?;
    let right = spectrum.right(rank);
    let rows = product(layer.weight_gradient, layer.shape, &right);
    let responses = product(layer.weight, layer.shape, &right);
    let bias: Vec<f64> = floats(layer.bias.unwrap_or_default());
    let bias_gradient = layer.bias_gradient.map(floats);

    let field = Field::new(&rows, &spectrum.singular[..rank], spectrum.noise, search.seed);
    let view = View { rows: &rows, responses: &responses, bias: &bias, bias_gradient, field: &field };
    let mut pool = Pool::default();
    let mut best: Option<Choice> = None;
    let (mut sets, mut found, mut zeros, mut last_find) = (0, 0, 0, 0);
    let budget = search.budget.min(field.exhausted());
    let patience = PATIENCE.max(search.budget / PATIENCE_OF_BUDGET);
    while sets < budget && sets - last_find <= patience + PATIENCE_SINCE_FIND * last_find {
        if stop() {
            return Err(ExactError::Stopped { layer: name(), sets });
        }
        let now = if rank == 1 { 1 } else { ROUND.min(budget - sets) };
        let grown = pool.add(field.draw(sets, now)?, rank);
        sets += now;
        if grown {
            let chosen = pool.sparsest(rank)?;
            // Mixtures of patterns stand in for those that are rare, until sparser ones push them out.
            let all: usize = chosen.iter().map(|&i| pool.0[i].zeros).sum();
            if chosen.len() > found || all > zeros {
                last_find = sets;
            }
            (found, zeros) = (found.max(chosen.len()), zeros.max(all));
            let directions = |chosen: &[usize]| -> Vec<Vec<f64>> {
                chosen.iter().map(|&i| pool.0[i].direction.clone()).collect()
            };
            if chosen.len() + 1 == rank
                && let Some(choice) = view.completed(directions(&chosen), &spectrum)?
            {
                best = Some(choice);
            }
            if chosen.len() == rank {
                let mean = |chosen: &[usize]| Ok(view.choice(&directions(chosen))?.mean());
                let mut choice = view.choice(&directions(&chosen))?;
                if !choice.agrees(&spectrum) {
                    choice = view.corrected(choice, &spectrum)?;
                }
                if !choice.agrees(&spectrum) {
                    let chosen = pool.improved(chosen, &mean)?;
                    choice = view.corrected(view.choice(&directions(&chosen))?, &spectrum)?;
                }
                if best.as_ref().is_none_or(|before| choice.mean() > before.mean()) {
                    (best, last_find) = (Some(choice), sets);
                }
            }
        }
        if rank == 1 || best.as_ref().is_some_and(|choice| choice.agrees(&spectrum)) {
            break;
        }
    }
    let Some(choice) = best else {
        return Err(ExactError::Budget { layer: name(), found, rank, sets });
    };
    let inputs = choice.inverse.times(&right.transposed());
    Ok(Restored {
        inputs,
        outer: choice.outer,
        rank,
        agreement: choice.agreement,
        scale: choice.scale,
        sets,
        relative_noise: spectrum.relative_noise(),
    })
}

fn floats<T: Entry>(values: &[T]) -> Vec<f64> {
    values.iter().map(|&v| v.into()).collect()
}
