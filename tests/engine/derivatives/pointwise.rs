//! Pointwise operations, shapes and reductions.

use gia_gpu::tape::{Tape, Var};

use super::support::{check, check_placed};

#[test]
fn smooth_unary_operations() {
    let s: &[&[usize]] = &[&[3, 4]];
    check("neg", s, |t, x| t.neg(x[0]));
    check("exp", s, |t, x| t.exp(x[0]));
    check("tanh", s, |t, x| t.tanh(x[0]));
    check("sigmoid", s, |t, x| t.sigmoid(x[0]));
    check("erf", s, |t, x| t.erf(x[0]));
    for n in [0, 1, 2, 3, 5] {
        check("powi", s, |t, x| t.powi(x[0], n));
    }
    let positive = |x: f64| x.abs() + 0.5;
    check_placed("log", s, positive, |t, x| t.log(x[0]));
    check_placed("sqrt", s, positive, |t, x| t.sqrt(x[0]));
    check_placed("rsqrt", s, positive, |t, x| t.rsqrt(x[0]));
    check_placed("powi -2", s, positive, |t, x| t.powi(x[0], -2));
}

#[test]
fn operations_with_kinks_away_from_them() {
    let s: &[&[usize]] = &[&[3, 4], &[3, 4]];
    let away = |x: f64| x + 0.1 * x.signum();
    let cubed = |t: &mut Tape, v: Var| t.powi(v, 3);
    check_placed("abs", s, away, |t, x| {
        let a = t.abs(x[0]);
        cubed(t, a)
    });
    check_placed("step", s, away, |t, x| {
        let (m, p) = (t.step(x[0]), cubed(t, x[1]));
        t.mul(m, p)
    });
    check_placed("sign", s, away, |t, x| {
        let (m, p) = (t.sign(x[0]), cubed(t, x[1]));
        t.mul(m, p)
    });
    check_placed("relu", s, away, |t, x| {
        let r = t.relu(x[0]);
        cubed(t, r)
    });
    for which in 0..5 {
        check("binary masks", s, |t, x| {
            let (a, b) = (cubed(t, x[0]), cubed(t, x[1]));
            match which {
                0 => t.max(a, b),
                1 => t.min(a, b),
                2 => {
                    let m = t.less(x[0], x[1]);
                    t.select(m, a, b)
                }
                3 => {
                    let m = t.equal(x[0], x[0]);
                    t.select(m, a, b)
                }
                _ => {
                    let m = t.less(x[1], x[0]);
                    let s = t.mul(m, a);
                    t.sub(s, b)
                }
            }
        });
    }
}

#[test]
fn binary_operations_broadcast() {
    for (a, b) in [(&[3usize, 4][..], &[3usize, 4][..]), (&[3, 1], &[1, 4]), (&[2, 3, 4], &[4]), (&[1], &[5])]
    {
        check("add", &[a, b], |t, x| t.add(x[0], x[1]));
        check("sub", &[a, b], |t, x| t.sub(x[0], x[1]));
        check("mul", &[a, b], |t, x| t.mul(x[0], x[1]));
        check_placed("div", &[a, b], |x| x + x.signum(), |t, x| t.div(x[0], x[1]));
    }
}

#[test]
fn shape_operations() {
    let s: &[&[usize]] = &[&[2, 3, 4]];
    type Build = fn(&mut Tape, Var) -> Var;
    let all: [(&str, Build); 9] = [
        ("reshape", |t, x| t.reshape(x, &[4, 6])),
        ("permute", |t, x| t.permute(x, &[2, 0, 1])),
        ("broadcast", |t, x| {
            let x = t.reshape(x, &[2, 3, 1, 4]);
            t.broadcast_to(x, &[5, 2, 3, 2, 4])
        }),
        ("slice", |t, x| t.slice(x, &[0, 1, 2], &[2, 2, 1])),
        ("pad", |t, x| t.pad(x, &[1, 0, 2], &[4, 3, 7])),
        ("flip", |t, x| t.flip(x, &[0, 2])),
        ("concat", |t, x| {
            let half = t.mul_scalar(x, 0.5);
            t.concat(&[x, half, x], 1)
        }),
        ("permute then reshape", |t, x| {
            let p = t.permute(x, &[1, 2, 0]);
            t.reshape(p, &[6, 4])
        }),
        ("pad then flip, reshape and slice", |t, x| {
            let p = t.pad(x, &[0, 2, 1], &[2, 6, 6]);
            let f = t.flip(p, &[1]);
            let r = t.reshape(f, &[2, 36]);
            t.slice(r, &[0, 5], &[1, 20])
        }),
    ];
    for (name, f) in all {
        check(name, s, |t, x| {
            let cube = t.powi(x[0], 3);
            let y = f(t, cube);
            t.mul(y, y)
        });
    }
}

#[test]
fn reductions() {
    for axes in [&[0usize][..], &[1], &[2], &[0, 2], &[0, 1, 2]] {
        check("sum", &[&[2, 3, 4]], |t, x| {
            let cube = t.powi(x[0], 3);
            let s = t.sum(cube, axes);
            t.mul(s, s)
        });
        check("mean", &[&[2, 3, 4]], |t, x| {
            let m = t.mean(x[0], axes);
            let d = t.sub(x[0], m);
            t.powi(d, 3)
        });
    }
}
