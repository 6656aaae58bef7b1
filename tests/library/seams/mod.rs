//! The seams of an attack, from outside: unknowns that are not pixels, victims that are not in the registry, threat
//! models that grant less, and settings that make no sense.

mod bounds;
mod draw;
mod threat;
mod unknown;
mod values;
mod victim;

use std::panic::{AssertUnwindSafe, catch_unwind};

use gia_gpu::{
    attack::{config::AttackConfig, invert::Target},
    device::cpu::Cpu,
    federated::{Protocol, Request, Victim, client},
    nn::{Depth, Options},
    random,
};

/// Three classes, thirty pixels, four hidden values: an attack of one iteration takes no time.
fn tiny() -> Victim {
    let options = Options { hidden: Some(vec![4]), ..Options::default() };
    let request = Request { options, image: Some([1, 6, 5]), classes: Some(3), ..Request::named("mlp") };
    Victim::from_seed(&request, 1).unwrap()
}

/// What a client sends for pictures of noise with these labels.
fn target(victim: &Victim, labels: &[usize]) -> Target {
    let len = labels.len() * victim.image_shape().iter().product::<usize>();
    let images = random::normal(&mut random::generator(7, "pictures"), len);
    target_of(victim, &images, labels)
}

fn target_of(victim: &Victim, images: &[f32], labels: &[usize]) -> Target {
    let device = Cpu::<f32>::new();
    let update = client::update(&device, victim, &Protocol::default(), images, labels).unwrap();
    Target { gradient: update.gradient, ..Target::default() }
}

fn config(iterations: usize) -> AttackConfig {
    AttackConfig { iterations, ..AttackConfig::preset("ig", Depth::Deep).unwrap() }
}

/// Runs it, and says what was drawn where it panics.
fn no_panic<R>(what: &dyn Fn() -> String, run: impl FnOnce() -> R) -> R {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| panic!("a panic with {}", what()))
}
