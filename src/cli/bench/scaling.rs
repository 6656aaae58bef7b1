//! `--scaling`: how times grow.

use std::{fs, path::PathBuf};

use anyhow::Context;
use clap::Args;
use serde::Serialize;

use super::report::{self, Report};
use crate::{
    bench::{Axis, Point, Rise, csv, peak_resident, rises, svg, sweeps},
    cli::{print_json, print_line, progress::Progress},
    data::atomic,
    device::Device,
    federated::Request,
};

#[derive(Args)]
pub struct ScalingOptions {
    /// Time the attack's iteration against the batch (1 to 64), the trials (1 to 256, in rounds as attacks run them) and the width of a
    /// ConvNet (4 to 64), and say where a trial costs more among many; of --arch, lenet-zhu if not given
    #[arg(long, conflicts_with_all = ["only", "batch", "trials", "input", "check"])]
    pub scaling: bool,
    /// Folder for scaling.csv, batch.svg, trials.svg and width.svg
    #[arg(long, value_name = "DIR", requires = "scaling")]
    out: Option<PathBuf>,
}

#[derive(Serialize)]
struct Measurements {
    axis: Axis,
    points: Vec<Point>,
    rises: Vec<Rise>,
}

#[derive(Serialize)]
struct ScalingReport {
    #[serde(flatten)]
    about: Report,
    scaling: Vec<Measurements>,
}

impl ScalingOptions {
    pub fn run(
        &self,
        device: &dyn Device,
        victim: &Request,
        mut about: Report,
        seed: u64,
        json: bool,
    ) -> anyhow::Result<()> {
        if let Some(out) = &self.out {
            fs::create_dir_all(out).with_context(|| format!("{} cannot be made", out.display()))?;
        }
        let sweeps = sweeps(victim);
        let all: usize = sweeps.iter().map(|sweep| sweep.subjects.len()).sum();
        let bar = Progress::counting("measuring");
        let mut done = 0;
        let mut scaling = vec![];
        for sweep in &sweeps {
            let points = sweep.measure(device, seed, about.seconds(), &mut || {
                bar.count(done, all);
                done += 1;
            })?;
            // More pictures in a trial, or wider layers, cost more.
            let rises = if sweep.axis == Axis::Trials { rises(&points) } else { vec![] };
            scaling.push(Measurements { axis: sweep.axis, points, rises });
        }
        bar.finish();
        self.write(&scaling)?;
        if json {
            about.peak_memory_bytes = peak_resident();
            return print_json(&ScalingReport { about, scaling });
        }
        about.print(false)?;
        scaling.iter().try_for_each(print)
    }

    fn write(&self, scaling: &[Measurements]) -> anyhow::Result<()> {
        let Some(out) = &self.out else { return Ok(()) };
        let rows = scaling.iter().map(|m| (m.axis, m.points.as_slice()));
        atomic::write_bytes(&out.join("scaling.csv"), csv(rows).as_bytes())?;
        for Measurements { axis, points, .. } in scaling {
            let picture = svg(*axis, points).map_err(anyhow::Error::msg)?;
            atomic::write_bytes(&out.join(format!("{}.svg", axis.name())), picture.as_bytes())?;
        }
        Ok(())
    }
}

fn print(measurements: &Measurements) -> anyhow::Result<()> {
    let Measurements { axis, points, rises } = measurements;
    print_line(format!(
        "\n{:<8} {:<20} {:>10} {:>10} {:>12}",
        axis.name(),
        "victim",
        "median",
        "each",
        "memory"
    ))?;
    for point in points {
        let Point { value, rounds, measured } = point;
        let memory = measured.totals.map_or(0, |totals| totals.memory) as f64 / 1e6;
        print_line(format!(
            "{value:<8} {:<20} {:>10} {:>10} {memory:>9.1} MB{}",
            measured.architecture,
            report::time(point.seconds()),
            report::time(measured.seconds.median / (measured.batch * measured.trials) as f64),
            if *rounds > 1 { format!(", {rounds} rounds of {}", measured.trials) } else { String::new() }
        ))?;
    }
    for Rise { from, to, factor } in rises {
        let percent = 100.0 * (factor - 1.0);
        print_line(format!("a trial costs {percent:.0} % more among {to} than among {from}"))?;
    }
    if *axis == Axis::Trials && rises.is_empty() {
        print_line("no step where a trial costs more among more trials")?;
    }
    Ok(())
}
