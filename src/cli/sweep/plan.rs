//! `gia-gpu sweep plan`

use std::fmt::Write;

use clap::Args;

use super::{Sweep, named, prepared::Prepared};
use crate::{
    cli::{command_line, help::group, own_arguments, print_json, print_line},
    sweep::{Planned, PlannedCell, PlannedShard, Shard, command::without, imbalance},
};

/// Shards that a table shows.
const SHOWN: [usize; 6] = [1, 2, 4, 8, 16, 32];

/// Options that only this command has.
const OWN: [&str; 2] = ["--shards", "--speed"];

/// Say what a sweep would compute: its cells, their work, and how shards would share it.
///
/// Work is counted in operations of the attacks' plans; time needs a speed, in thousands of millions of operations a second,
/// as `bench` measures it.
#[derive(Args)]
#[command(
    args_override_self = true,
    next_help_heading = group::INPUT,
    after_help = "Example: gia-gpu sweep plan --batch-sizes 1,4,16 --batches 50 --shards 8 --speed 50"
)]
pub(crate) struct PlanSweep {
    #[command(flatten)]
    sweep: Sweep,
    /// Show what each of N shards would have
    #[arg(long, value_name = "N", value_parser = Shard::count, help_heading = group::OUTPUT)]
    shards: Option<usize>,
    /// Speed of a machine, in GFLOP/s, to say how long it takes
    #[arg(long, value_name = "GFLOPS", help_heading = group::OUTPUT)]
    speed: Option<f64>,
}

impl PlanSweep {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let own = without(&own_arguments(2).collect::<Vec<_>>(), &OWN, &[]);
        let prepared = Prepared::new(self.sweep.config.as_deref(), own, command_line())?;
        let limit = prepared.sweep.limit.seconds();
        prepared.with_plan(|plan, _| {
            let planned = plan.planned(self.shards, self.speed, limit).map_err(named)?;
            match prepared.sweep.json {
                true => print_json(&planned),
                false => print_line(text(&planned, &plan.costs().map_err(named)?)),
            }
        })
    }
}

fn text(planned: &Planned, costs: &[u64]) -> String {
    let time = |seconds: Option<f64>| seconds.map_or(String::new(), |s| format!("{s:>10.0} s"));
    let work = |operations: u64| format!("{:>14.1}", operations as f64 / 1e9);
    let mut text = format!("{:50}{:>8}{:>8}{:>14}\n", "cell", "batches", "blocks", "GFLOP");
    for cell in &planned.cells {
        let PlannedCell { cell, batches, blocks, operations, seconds } = cell;
        let _ = writeln!(text, "{cell:50}{batches:>8}{blocks:>8}{}{}", work(*operations), time(*seconds));
    }
    let _ = writeln!(
        text,
        "{:50}{:>8}{:>8}{}{}",
        "all",
        "",
        planned.blocks,
        work(planned.operations),
        time(planned.seconds)
    );
    if planned.shards.is_empty() {
        for shards in SHOWN.into_iter().filter(|shards| *shards <= planned.blocks) {
            let _ = writeln!(
                text,
                "{shards:>4} shards: the longest is {:.2} of the mean",
                imbalance(costs, shards)
            );
        }
    }
    for shard in &planned.shards {
        let PlannedShard { shard, blocks, operations, seconds } = shard;
        let _ = writeln!(
            text,
            "{:58}{blocks:>8}{}{}",
            format!("shard {shard}"),
            work(*operations),
            time(*seconds)
        );
    }
    if let Some(imbalance) = planned.imbalance {
        let _ = writeln!(text, "the longest shard is {imbalance:.2} of the mean");
    }
    if let Some(shards) = planned.suggested_shards {
        let _ = writeln!(text, "within the time limit: {shards} shards");
    }
    text.trim_end().to_string()
}
