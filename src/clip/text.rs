//! The text tower: a transformer, causal or not, whose state at one token is what a text means.

use super::{
    Pool,
    image::project,
    tower::{Frozen, Tower},
    transformer::{blocks, norm},
};
use crate::{
    nn::attention::causal_mask,
    tape::{Tape, Var},
};

/// A score that no token can outweigh; finite, as in [`causal_mask`].
const HIDDEN: f32 = -1e30;

/// `embedded (1,B·L,D)`, tokens with their positions, and `ends (B)`, the row of each text's token that counts, to
/// features `(B,E)`, of any length. `keys (B,L)` is added to the scores of each text's tokens.
pub(crate) fn encode(
    tape: &mut Tape,
    weights: &mut Frozen,
    tower: &Tower,
    embedded: Var,
    ends: Var,
    keys: Option<Var>,
) -> Var {
    let [_, rows, width] = tape.shape(embedded)[..] else { panic!("tokens are (1,B·L,D)") };
    let batch = tape.shape(ends)[0];
    let tokens = rows / batch;
    let mut mask = tower.causal.then(|| causal_mask(tape, tokens));
    if let Some(keys) = keys {
        let shape = [batch, tower.heads, tokens, tokens];
        let keys = tape.reshape(keys, &[batch, 1, 1, tokens]);
        let keys = tape.broadcast_to(keys, &shape);
        let keys = tape.reshape(keys, &[batch * tower.heads, tokens, tokens]);
        mask = Some(mask.map_or(keys, |mask| tape.add(keys, mask)));
    }
    let select = |tape: &mut Tape, x: Var| {
        let table = tape.reshape(x, &[rows, width]);
        let last = tape.gather(table, ends);
        tape.reshape(last, &[1, batch, width])
    };
    let last = blocks(tape, weights, tower, embedded, [batch, tokens], mask, Some(&select));
    let last = norm(tape, weights, tower, "norm_post", last);
    project(tape, weights, tower, last)
}

/// A text as the tower reads it.
pub(crate) struct Placed {
    /// Ids, no more than needed.
    pub ids: Vec<usize>,
    /// Which of them counts.
    pub end: usize,
    /// What to add to the scores of each token `(L)`, where some are hidden; all texts of a tower have it, or none.
    pub keys: Option<Vec<f32>>,
}

/// Whether what follows the token that counts is never looked at: only then can texts be short.
pub(crate) fn ends_early(tower: &Tower) -> bool {
    tower.causal && tower.pool != Pool::Last && !tower.parts.class
}

/// What fills a text up to the tower's context.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Padding {
    pub id: usize,
    pub in_front: bool,
    /// Whether no token looks at it.
    pub hidden: bool,
}

/// A text padded to the tower's context, or cut behind the token that counts where that is as good.
pub(crate) fn place(tower: &Tower, ids: &[usize], padding: Padding) -> Placed {
    let context = tower.context();
    let count = context.saturating_sub(ids.len());
    let missing = vec![padding.id; count];
    let mut ids = if padding.in_front { [&missing, ids].concat() } else { [ids, &missing].concat() };
    ids.truncate(context);
    let keys = if tower.parts.class {
        Some(judged_in_front(tower, &ids))
    } else if padding.hidden && !ends_early(tower) {
        let (own, none) = (vec![0.0; context - count], vec![HIDDEN; count]);
        Some(if padding.in_front { [none, own].concat() } else { [own, none].concat() })
    } else {
        None
    };
    let first = |wanted: usize| ids.iter().position(|&id| id == wanted).unwrap_or(0);
    let end = match tower.pool {
        // The class token behind the text.
        _ if tower.parts.class => context,
        Pool::First | Pool::Average => 0,
        Pool::Last => ids.len() - 1,
        Pool::Argmax => first(ids.iter().copied().max().unwrap_or(0)),
        Pool::Eos(id) => first(id),
    };
    if ends_early(tower) {
        ids.truncate(end + 1);
    }
    Placed { ids, end, keys }
}

/// Rows of `embedded` for texts of token ids, each padded to `tokens`: what stands behind a text that was cut is never
/// looked at, so zeros do.
pub(crate) fn embed(tower: &Tower, texts: &[&[usize]], tokens: usize) -> Vec<f32> {
    let width = tower.width;
    let (table, positions) = (&tower.tensor("token").data, &tower.tensor("position").data);
    let mut rows = vec![0.0; texts.len() * tokens * width];
    for (text, rows) in texts.iter().zip(rows.chunks_mut(tokens * width)) {
        for (at, (&id, row)) in text.iter().zip(rows.chunks_mut(width)).enumerate() {
            let (token, position) = (&table[id * width..][..width], &positions[at * width..][..width]);
            row.iter_mut().zip(token).zip(position).for_each(|((sum, a), b)| *sum = a + b);
        }
        if tower.parts.class {
            let at = text.len() * width;
            let (class, position) = (&tower.tensor("class").data, &positions[at..][..width]);
            let sums = rows[at..][..width].iter_mut();
            sums.zip(class).zip(position).for_each(|((sum, a), b)| *sum = a + b);
        }
    }
    rows
}

/// What to add to the scores of a text's tokens and of the class token behind them, `(L)`: padding is hidden. As in all of
/// OpenCLIP's CoCas, each token is judged by the one in front of it.
fn judged_in_front(tower: &Tower, text: &[usize]) -> Vec<f32> {
    let judged = text.iter().map(|&id| if id == tower.pad_id { HIDDEN } else { 0.0 });
    std::iter::once(0.0).chain(judged).collect()
}
