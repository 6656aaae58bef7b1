//! How often the 95 % intervals of the reports hold the truth: `cargo run --release --example interval_coverage` prints the
//! table of `docs/statistics.md`.

#![allow(clippy::print_stdout)]

use gia_gpu::statistics::{mean_interval_95, share_interval_95};
use rand::{RngExt, SeedableRng, distr::Distribution};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Beta, Normal};
use statrs::distribution::{Binomial, Discrete};

/// Samples of each size.
const SAMPLES: usize = 4_000;

type Draw = Box<dyn Fn(&mut ChaCha8Rng) -> f64>;

/// Name, range, mean and one value.
fn distributions() -> Vec<(&'static str, Option<[f64; 2]>, f64, Draw)> {
    let beta = |a: f64, b: f64| {
        let beta = Beta::new(a, b).expect("positive parameters");
        Box::new(move |g: &mut ChaCha8Rng| beta.sample(g)) as Draw
    };
    let two = |p: f64| Box::new(move |g: &mut ChaCha8Rng| f64::from(u8::from(g.random_bool(p)))) as Draw;
    let normal = Normal::new(0.0, 1.0).expect("a positive deviation");
    let unit = Some([0.0, 1.0]);
    vec![
        ("normal", None, 0.0, Box::new(move |g| normal.sample(g))),
        ("uniform", unit, 0.5, Box::new(|g| g.random::<f64>())),
        ("Beta(2,5)", unit, 2.0 / 7.0, beta(2.0, 5.0)),
        ("Beta(1/2,1/2)", unit, 0.5, beta(0.5, 0.5)),
        ("0 or 1, p = 0.5", unit, 0.5, two(0.5)),
        ("0 or 1, p = 0.2", unit, 0.2, two(0.2)),
        ("0 or 1, p = 0.05", unit, 0.05, two(0.05)),
    ]
}

fn main() {
    println!("| values | n = 6 | 8 | 12 | 20 | 50 |\n|---|---|---|---|---|---|");
    let mut generator = ChaCha8Rng::seed_from_u64(1);
    for (name, range, mean, draw) in distributions() {
        let coverage = [6, 8, 12, 20, 50].map(|n: usize| {
            let holds = |_: &usize| {
                let values: Vec<f64> = (0..n).map(|_| draw(&mut generator)).collect();
                mean_interval_95(&values, range).is_some_and(|[low, high]| low <= mean && mean <= high)
            };
            let held = (0..SAMPLES).filter(holds).count();
            format!("{:.1} %", 100.0 * held as f64 / SAMPLES as f64)
        });
        println!("| mean of {name} | {} |", coverage.join(" | "));
    }
    // Of shares the coverage is exact: the worst over 1,001 true shares.
    let worst = [6_usize, 8, 12, 20, 50].map(|n| {
        let covers = |p: f64| -> f64 {
            let Ok(binomial) = Binomial::new(p, n as u64) else { return 0.0 };
            let holds = |k: &usize| {
                let [low, high] = share_interval_95(*k, n);
                low <= p && p <= high
            };
            (0..=n).filter(holds).map(|k| binomial.pmf(k as u64)).sum()
        };
        let least = (0..=1_000).map(|i| covers(f64::from(i) / 1_000.0)).fold(1.0, f64::min);
        format!("{:.1} %", 100.0 * least)
    });
    println!("| a share, the worst of p = 0…1 | {} |", worst.join(" | "));
}
