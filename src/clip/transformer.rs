//! The blocks that both towers consist of: x + attention(norm(x)), then x + mlp(norm(x)).

use super::{Activation, tower::Frozen};
use crate::{
    nn::{
        attention::{Heads, attention, attention_of_one, join_heads, split_heads},
        gelu::{gelu, quick_gelu},
        layer_norm::layer_norm,
    },
    tape::{Tape, Var},
};

/// All blocks, `x (1,B·L,D)` to the rows of their result that `select` takes out of one, `(1,B,D)`; a mask `(1,L,L)` is
/// added to the attention's scores. What the last block would compute for other rows, nobody reads; without a mask, it
/// makes no keys and values either.
pub fn blocks(
    tape: &mut Tape,
    weights: &mut Frozen,
    mut x: Var,
    [batch, tokens]: [usize; 2],
    mask: Option<Var>,
    select: impl Fn(&mut Tape, Var) -> Var,
) -> Var {
    let sizes = Heads { batch, tokens, heads: weights.tower.heads };
    for layer in 0..weights.tower.layers {
        let name = |part: &str| format!("layers.{layer}.{part}");
        let normal = norm(tape, weights, &name("norm1"), x);
        let last = layer + 1 == weights.tower.layers;
        let attended = if last && mask.is_none() {
            let query = select(tape, normal);
            let query = linear(tape, weights, &name("query"), query);
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
            if last { select(tape, attended) } else { attended }
        };
        if last {
            x = select(tape, x);
        }
        let attended = linear(tape, weights, &name("out"), attended);
        x = tape.add(x, attended);

        let normal = norm(tape, weights, &name("norm2"), x);
        let hidden = linear(tape, weights, &name("fc1"), normal);
        let hidden = match weights.tower.activation {
            Activation::QuickGelu => quick_gelu(tape, hidden),
            Activation::Gelu => gelu(tape, hidden),
        };
        let hidden = linear(tape, weights, &name("fc2"), hidden);
        x = tape.add(x, hidden);
    }
    x
}

/// The tower's layer norm of this name, of `x (…,D)`.
pub fn norm(tape: &mut Tape, weights: &mut Frozen, name: &str, x: Var) -> Var {
    let gamma = weights.vector(tape, &format!("{name}.weight"));
    let beta = weights.vector(tape, &format!("{name}.bias"));
    layer_norm(tape, x, gamma, beta, weights.tower.epsilon)
}

fn linear(tape: &mut Tape, weights: &mut Frozen, name: &str, x: Var) -> Var {
    let y = weights.matmul(tape, &format!("{name}.weight"), x);
    let bias = weights.vector(tape, &format!("{name}.bias"));
    tape.add(y, bias)
}
