//! `gia-gpu plan`

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use clap::Args;

use super::{
    attack_options::AttackOptions,
    misuse,
    model_options::{Known, ModelOptions},
    options::{MAX_BATCH, check_batch},
    print_line,
    protocol_options::ProtocolOptions,
};
use crate::{
    attack::{
        adam::{self, Adam},
        config::LabelStrategy,
        lbfgs,
        problem::{Problem, Scene, Sizes},
    },
    data::Normalisation,
    device::cpu::Cpu,
    federated::{DEFAULT_CLASSES, check_classes},
    nn::Model,
    plan::Plan,
    random,
    tensor_file::GradientInfo,
};

/// Show the steps of one attack iteration: kernel, shapes, FLOPs, bytes, and totals.
#[derive(Args)]
#[command(after_help = "Example: gia-gpu plan --arch convnet64 --preset ig --batch 1")]
pub struct PlanCommand {
    #[command(flatten)]
    model: ModelOptions,
    #[command(flatten)]
    protocol: ProtocolOptions,
    #[command(flatten)]
    attack: AttackOptions,
    /// Pictures in the batch
    #[arg(long, value_name = "N", default_value_t = 1)]
    batch: usize,
    /// Run so many iterations on the CPU, with numbers drawn from N(0,0.01), and print how long each step took
    #[arg(long, value_name = "N")]
    time: Option<usize>,
}

impl PlanCommand {
    pub fn run(self) -> anyhow::Result<()> {
        check_batch(self.batch)?;
        let request = self.model.request(&Known::default())?;
        let config = self.attack.config(&request.name)?;
        let (batch, trials) = (self.batch, self.attack.trials);
        if batch * trials > MAX_BATCH {
            return Err(misuse(format!(
                "--batch {batch} × --trials {trials}: expected at most {MAX_BATCH} pictures"
            )));
        }
        let protocol = self.protocol.protocol(&GradientInfo::default(), batch)?;
        let classes = request.classes.unwrap_or(DEFAULT_CLASSES);
        check_classes(classes).map_err(misuse)?;
        let model = Model::new(&request.name, &request.options, request.image, classes).map_err(misuse)?;
        let scene =
            Scene { model: &model, protocol: &protocol, config: &config, views: &[], weighted: false };
        let joint = config.labels == LabelStrategy::Joint;
        let mut problem = Problem::new(&scene, Sizes::one_target(trials, batch, joint));
        let plan = match Adam::of(config.optimiser, 0) {
            Some(adam) => {
                let bounds = Normalisation::default().for_channels(model.image[0]).bounds();
                let bounds = config.clamp.then_some(bounds.as_slice());
                adam::Iteration::new(&mut problem, adam, config.iterations, bounds).plan
            }
            None => lbfgs::plan(&problem),
        };
        match self.time {
            None => print_line(plan.dump().trim_end()),
            Some(runs) => print_line(timed(&plan, runs)?.trim_end()),
        }
    }
}

/// The plan in words, each step with its median time over `runs` iterations on the CPU, and sums by kernel.
fn timed(plan: &Plan, runs: usize) -> anyhow::Result<String> {
    let started = Instant::now();
    let mut exe = Cpu::<f32>::new().compile_typed(plan)?;
    let compiled = started.elapsed();
    let mut inputs: Vec<_> = plan.bound.iter().map(|(&var, &(_, len))| (var, len)).collect();
    inputs.sort_unstable();
    for (var, len) in inputs {
        let values: Vec<f32> = random::normal(&mut random::generator(var.index() as u64, "plan"), len)
            .iter()
            .map(|v| v * 0.1)
            .collect();
        exe.write_typed(var, &values)?;
    }
    let mut times: Vec<Vec<Duration>> = vec![Vec::with_capacity(runs); plan.steps.len()];
    for _ in 0..runs.max(1) {
        times.iter_mut().zip(exe.run_timed()).for_each(|(times, time)| times.push(time));
    }
    let medians: Vec<Duration> = times
        .iter_mut()
        .map(|times| {
            times.sort_unstable();
            times[times.len() / 2]
        })
        .collect();
    let mut kinds: BTreeMap<(bool, &str), (usize, Duration, u64, u64)> = BTreeMap::new();
    for (i, (step, &time)) in plan.steps.iter().zip(&medians).enumerate() {
        let kind = kinds.entry((i >= plan.prologue, step.name())).or_default();
        *kind = (kind.0 + 1, kind.1 + time, kind.2 + step.flops(), kind.3 + step.bytes());
    }
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    let mut text = String::new();
    for (i, line) in plan.dump().lines().enumerate() {
        let time = medians.get(i).map_or(String::new(), |&time| format!("{:.1} µs", micros(time)));
        text += &format!("{time:>12}  {line}\n");
    }
    text += &format!("compiled in {:.1} ms; median times of {} runs:\n", micros(compiled) / 1e3, runs.max(1));
    for ((each, name), (count, time, flops, bytes)) in kinds {
        let part = if each { "iteration" } else { "prologue" };
        let micros = micros(time);
        let (gflops, gigabytes) = (flops as f64 / micros / 1e3, bytes as f64 / micros / 1e3);
        text += &format!(
            "{part:9} {name:18} {count:5} steps {micros:>12.1} µs {gflops:>8.1} GFLOP/s {gigabytes:>7.1} GB/s\n"
        );
    }
    Ok(text)
}
