//! `gia-gpu plan --time`

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crate::{device::cpu::Cpu, plan::Plan, random};

/// The plan in words, each step with its median time over `runs` iterations on the CPU, and sums by kernel.
pub fn timed(plan: &Plan, runs: usize) -> anyhow::Result<String> {
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
        times.iter_mut().zip(exe.run_timed()?).for_each(|(times, time)| times.push(time));
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
