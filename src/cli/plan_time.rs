//! `gia-gpu plan --time`

use std::{collections::BTreeMap, time::Duration};

use crate::{
    device::{Device, profile::Profile},
    plan::Plan,
};

/// The plan in words as the device runs it, each step with its median time over `iterations`, and sums by kernel.
pub(crate) fn timed(device: &dyn Device, plan: &Plan, iterations: usize) -> anyhow::Result<String> {
    let Profile { plan, steps: times } = device.profile(plan, iterations)?;
    let mut kinds: BTreeMap<(bool, &str), (usize, Duration, u64, u64)> = BTreeMap::new();
    for (i, (step, &time)) in plan.steps.iter().zip(&times).enumerate() {
        let kind = kinds.entry((i >= plan.prologue, step.name())).or_default();
        *kind = (kind.0 + 1, kind.1 + time, kind.2 + step.flops(), kind.3 + step.bytes());
    }
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    let mut text = String::new();
    for (i, line) in plan.dump().lines().enumerate() {
        let time = times.get(i).map_or(String::new(), |&time| format!("{:.1} µs", micros(time)));
        text += &format!("{time:>12}  {line}\n");
    }
    text += &format!("{}, median times of {} iterations:\n", device.info().name, iterations.max(1));
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
