//! How one vector is made of a picture's tokens `(1,B·L,D)`, beside taking the first.

use super::{
    Pool,
    tower::{Frozen, Tower},
    transformer::{hidden, norm},
};
use crate::{
    nn::attention::{Heads, attention, attention_of_one, join_heads, split_heads},
    tape::{Tape, Var},
};

/// The mean of all tokens but the first, `(1,B·L,D) → (1,B,D)`.
pub(crate) fn mean_of_rest(tape: &mut Tape, x: Var, [batch, tokens]: [usize; 2]) -> Var {
    let width = tape.shape(x)[2];
    let x = tape.reshape(x, &[batch, tokens, width]);
    let rest = tape.narrow(x, 1, 1, tokens - 1);
    let mean = tape.mean(rest, &[1]);
    tape.reshape(mean, &[1, batch, width])
}

/// SigLIP's: one learned query, then x + mlp(norm(x)). `(1,B·L,D) → (1,B,D)`
pub(crate) fn with_hidden(
    tape: &mut Tape,
    weights: &mut Frozen,
    tower: &Tower,
    x: Var,
    sizes: [usize; 2],
) -> Var {
    let latent = weights.input(tape, "latent", &[1, 1, tower.width]);
    let x = read_by_one(tape, weights, tower, latent, x, sizes);
    let normal = norm(tape, weights, tower, "pool_norm", x);
    let added = hidden(tape, weights, tower, ["pool_fc1", "pool_fc2"], normal);
    tape.add(x, added)
}

/// CoCa's (Yu 2022), as OpenCLIP has it: learned queries, norms before and after; the feature is what the first query
/// reads, or the mean of what the others do. `(1,B·L,D) → (1,B,E)`
pub(crate) fn with_norms(
    tape: &mut Tape,
    weights: &mut Frozen,
    tower: &Tower,
    x: Var,
    [batch, tokens]: [usize; 2],
) -> Var {
    let [queries, width] = tower.tensor("latent").shape[..] else { panic!("(Q,E)") };
    let x = norm(tape, weights, tower, "pool_norm_k", x);
    let latent = weights.input(tape, "latent", &[1, queries, width]);
    if tower.pool != Pool::Average {
        let first = tape.narrow(latent, 1, 0, 1);
        let first = norm(tape, weights, tower, "pool_norm_q", first);
        let read = read_by_one(tape, weights, tower, first, x, [batch, tokens]);
        return norm(tape, weights, tower, "norm_post", read);
    }
    let latent = norm(tape, weights, tower, "pool_norm_q", latent);
    let query = weights.matmul(tape, "pool_query.weight", latent);
    let bias = weights.vector(tape, "pool_query.bias");
    let heads = tower.pooler_heads;
    let query = split_heads(tape, query, bias, Heads { batch: 1, tokens: queries, heads });
    // (H,Q,d) for every picture.
    let each = [1, heads, queries, width / heads];
    let query = tape.reshape(query, &each);
    let query = tape.broadcast_to(query, &[batch, each[1], each[2], each[3]]);
    let query = tape.reshape(query, &[batch * heads, queries, width / heads]);
    let [key, value] = ["pool_key", "pool_value"].map(|part| {
        let projected = weights.matmul(tape, &format!("{part}.weight"), x);
        let bias = weights.vector(tape, &format!("{part}.bias"));
        split_heads(tape, projected, bias, Heads { batch, tokens, heads })
    });
    let read = attention(tape, [query, key, value], None);
    let read = join_heads(tape, read, Heads { batch, tokens: queries, heads });
    let read = weights.linear(tape, "pool_out", read);
    let read = norm(tape, weights, tower, "norm_post", read);
    mean_of_rest(tape, read, [batch, queries])
}

/// What one query `(1,1,E)` reads in each picture's tokens, `(1,B,E)`.
fn read_by_one(
    tape: &mut Tape,
    weights: &mut Frozen,
    tower: &Tower,
    latent: Var,
    x: Var,
    [batch, tokens]: [usize; 2],
) -> Var {
    let width = tape.shape(latent)[2];
    let query = weights.linear(tape, "pool_query", latent);
    let query = tape.broadcast_to(query, &[1, batch, width]);
    let matrices = ["pool_key.weight", "pool_value.weight"].map(|name| weights.matrix(tape, name));
    let sizes = Heads { batch, tokens, heads: tower.pooler_heads };
    let read = attention_of_one(tape, query, x, matrices, sizes);
    let bias = weights.vector(tape, "pool_value.bias");
    let read = tape.add(read, bias);
    weights.linear(tape, "pool_out", read)
}
