// A part of conv2d, conv2d_grad_input and conv2d_grad_weight, without a twin of its own.
// A position on three axes in row-major order that moves on by additions: dividing in the inner loop would
// cost as much as the products.

struct Counter {
    outer: u32,
    middle: u32,
    inner: u32,
}

fn count_to(at: u32, middle: u32, inner: u32) -> Counter {
    let rest = at / inner;
    return Counter(rest / middle, rest % middle, at % inner);
}

// `step` further, itself a position.
fn advance(at: Counter, step: Counter, middle: u32, inner: u32) -> Counter {
    let i = at.inner + step.inner;
    let carry_i = i >= inner;
    let m = at.middle + step.middle + select(0u, 1u, carry_i);
    let carry_m = m >= middle;
    return Counter(
        at.outer + step.outer + select(0u, 1u, carry_m),
        select(m, m - middle, carry_m),
        select(i, i - inner, carry_i),
    );
}
