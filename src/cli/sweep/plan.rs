//! `gia-gpu sweep plan`

use std::fmt::Write;

use clap::Args;
use serde::Serialize;

use super::{Sweep, named, prepared::Prepared};
use crate::{
    cli::{command_line, help::group, options::at_least_one, own_arguments, print_json, print_line},
    sweep::{Plan, Shard, imbalance},
};

/// Shards that a table shows.
const SHOWN: [usize; 6] = [1, 2, 4, 8, 16, 32];

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
pub struct PlanSweep {
    #[command(flatten)]
    sweep: Sweep,
    /// Show what each of N shards would have
    #[arg(long, value_name = "N", value_parser = at_least_one(), help_heading = group::OUTPUT)]
    shards: Option<usize>,
    /// Speed of a machine, in GFLOP/s, to say how long it takes
    #[arg(long, value_name = "GFLOPS", help_heading = group::OUTPUT)]
    speed: Option<f64>,
}

#[derive(Serialize)]
struct Planned {
    cells: Vec<PlannedCell>,
    blocks: usize,
    operations: u64,
    seconds: Option<f64>,
    /// Fewest shards of which none takes longer than --time-limit.
    suggested_shards: Option<usize>,
    shards: Vec<PlannedShard>,
    /// The longest shard, in mean ones.
    imbalance: Option<f64>,
}

#[derive(Serialize)]
struct PlannedCell {
    cell: String,
    batches: usize,
    blocks: usize,
    operations: u64,
    seconds: Option<f64>,
}

#[derive(Serialize)]
struct PlannedShard {
    shard: String,
    blocks: usize,
    operations: u64,
    seconds: Option<f64>,
}

impl PlanSweep {
    pub fn run(self) -> anyhow::Result<()> {
        let mut own: Vec<std::ffi::OsString> = own_arguments(2).collect();
        // What is only this command's.
        for option in ["--shards", "--speed"] {
            while let Some(at) = own.iter().position(|word| {
                let word = word.to_string_lossy();
                word == option || word.starts_with(&format!("{option}="))
            }) {
                let with_value = !own[at].to_string_lossy().contains('=');
                own.drain(at..(at + 1 + usize::from(with_value)).min(own.len()));
            }
        }
        let prepared = Prepared::new(self.sweep.config.as_deref(), own, command_line())?;
        let limit = prepared.sweep.limit.seconds();
        prepared.with_plan(|plan, _| {
            let planned = self.planned(plan, limit)?;
            match prepared.sweep.json {
                true => print_json(&planned),
                false => print_line(text(&planned, &plan.costs().map_err(named)?)),
            }
        })
    }

    fn planned(&self, plan: &Plan, limit: Option<f64>) -> anyhow::Result<Planned> {
        let seconds = |operations: u64| self.speed.map(|speed| operations as f64 / (speed * 1e9));
        let costs = plan.costs().map_err(named)?;
        let mut at = 0;
        let cells = plan.tasks.iter().map(|task| {
            let blocks = plan.blocks_of(task);
            let operations = costs[at..at + blocks.len()].iter().sum();
            at += blocks.len();
            PlannedCell {
                cell: task.cell.to_string(),
                batches: blocks.iter().map(|block| block.batches).sum(),
                blocks: blocks.len(),
                operations,
                seconds: seconds(operations),
            }
        });
        let cells: Vec<PlannedCell> = cells.collect();
        let blocks = plan.blocks();
        let operations: u64 = costs.iter().sum();
        let longest = |shards: usize| {
            let mean = operations as f64 / shards as f64;
            (imbalance(&costs, shards) * mean) as u64
        };
        let fits = |shards: &usize| seconds(longest(*shards)).zip(limit).is_some_and(|(s, most)| s <= most);
        let shards = self.shards.map_or(vec![], |of| {
            let shard = |number: usize| {
                let own = Shard { number, of }.blocks(&blocks, &costs);
                let of_block = |block| blocks.iter().position(|b| b == block).map_or(0, |place| costs[place]);
                let operations = own.iter().map(of_block).sum();
                let shard = format!("{number}/{of}");
                PlannedShard { shard, blocks: own.len(), operations, seconds: seconds(operations) }
            };
            (1..=of).map(shard).collect()
        });
        Ok(Planned {
            cells,
            blocks: blocks.len(),
            operations,
            seconds: seconds(operations),
            suggested_shards: (1..=blocks.len()).find(fits),
            shards,
            imbalance: self.shards.map(|of| imbalance(&costs, of)),
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
