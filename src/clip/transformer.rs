//! The blocks that both towers consist of: x + attention(norm(x)), then x + mlp(norm(x)).

use super::{
    Activation,
    tower::{Frozen, Tower},
};
use crate::{
    nn::{
        attention::{Heads, attention, attention_of_one, join_heads, split_heads},
        gelu::{gelu, gelu_tanh, quick_gelu},
        layer_norm::layer_norm,
    },
    tape::{Tape, Var},
};

/// Takes the rows of interest out of all, `(1,B·L,D) → (1,B,D)`.
pub(crate) type Select<'s> = &'s dyn Fn(&mut Tape, Var) -> Var;

/// All blocks, `x (1,B·L,D)` to the rows of their result that `select` takes out of one, `(1,B,D)`, or to all; a mask
/// `(1,L,L)` is added to the attention's scores. What the last block would compute for other rows, nobody reads; without
/// a mask, it makes no keys and values either.
pub(crate) fn blocks(
    tape: &mut Tape,
    weights: &mut Frozen,
    tower: &Tower,
    mut x: Var,
    [batch, tokens]: [usize; 2],
    mask: Option<Var>,
    select: Option<Select>,
) -> Var {
    let sizes = Heads { batch, tokens, heads: tower.heads };
    for layer in 0..tower.layers {
        let name = |part: &str| format!("layers.{layer}.{part}");
        let normal = norm(tape, weights, tower, &name("norm1"), x);
        let select = select.filter(|_| layer + 1 == tower.layers);
        let attended = if let (Some(select), None) = (select, mask) {
            let query = select(tape, normal);
            let query = weights.linear(tape, &name("query"), query);
            let matrices =
                ["key", "value"].map(|part| weights.matrix(tape, &name(&format!("{part}.weight"))));
            let read = attention_of_one(tape, query, normal, matrices, sizes);
            let bias = weights.vector(tape, &name("value.bias"));
            tape.add(read, bias)
        } else {
            let parts = ["query", "key", "value"].map(|part| {
                let projected = weights.matmul(tape, &name(&format!("{part}.weight")), normal);
                let bias = weights.vector(tape, &name(&format!("{part}.bias")));
                split_heads(tape, projected, bias, sizes)
            });
            let attended = attention(tape, parts, mask);
            let attended = join_heads(tape, attended, sizes);
            select.map_or(attended, |select| select(tape, attended))
        };
        if let Some(select) = select {
            x = select(tape, x);
        }
        let attended = weights.linear(tape, &name("out"), attended);
        x = tape.add(x, attended);

        let normal = norm(tape, weights, tower, &name("norm2"), x);
        let hidden = hidden(tape, weights, tower, [&name("fc1"), &name("fc2")], normal);
        x = tape.add(x, hidden);
    }
    x
}

/// Two linear layers with the tower's activation between them.
pub(crate) fn hidden(tape: &mut Tape, weights: &mut Frozen, tower: &Tower, names: [&str; 2], x: Var) -> Var {
    let hidden = weights.linear(tape, names[0], x);
    let hidden = match tower.activation {
        Activation::QuickGelu => quick_gelu(tape, hidden),
        Activation::Gelu => gelu(tape, hidden),
        Activation::GeluTanh => gelu_tanh(tape, hidden),
    };
    weights.linear(tape, names[1], hidden)
}

/// The tower's layer norm of this name, of `x (…,D)`.
pub(crate) fn norm(tape: &mut Tape, weights: &mut Frozen, tower: &Tower, name: &str, x: Var) -> Var {
    let gamma = weights.vector(tape, &format!("{name}.weight"));
    let beta = weights.vector(tape, &format!("{name}.bias"));
    layer_norm(tape, x, gamma, beta, tower.epsilon)
}
