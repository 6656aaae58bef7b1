//! `--scaling`: how times grow.

use std::{fs, path::PathBuf};

use anyhow::Context;
use clap::Args;
use serde::Serialize;

use super::report::{self, Report};
use crate::{
    bench::{Axis, Growth, Point, Step, csv, peak_resident, svg, sweeps},
    cli::{help::group, print_json, print_line, progress::Progress},
    data::atomic,
    device::Device,
    federated::Request,
};

#[derive(Args)]
#[command(next_help_heading = group::MEASUREMENT)]
pub struct ScalingOptions {
    /// Time iterations against batch, trials and width
    ///
    /// The attack's iteration against the batch (1 to 64), the trials (1 to 256, in rounds as attacks run them) and the width
    /// of a ConvNet (4 to 64); says where a trial costs more among many. Of --arch, lenet-zhu if not given.
    #[arg(long, conflicts_with_all = ["only", "batch", "trials", "input", "check"])]
    pub scaling: bool,
    /// Folder for scaling.csv, batch.svg, trials.svg and width.svg
    #[arg(long, value_name = "DIR", requires = "scaling", help_heading = group::OUTPUT)]
    out: Option<PathBuf>,
}

#[derive(Serialize)]
struct ScalingReport {
    #[serde(flatten)]
    about: Report,
    scaling: Vec<Growth>,
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
        let mut scaling = vec![];
        for sweep in &sweeps {
            let bar = Progress::counting(sweep.axis.name());
            scaling.push(sweep.measure(device, seed, about.seconds(), &mut |done, of| bar.count(done, of))?);
            bar.finish();
        }
        self.write(&scaling)?;
        if json {
            about.peak_memory_bytes = peak_resident();
            return print_json(&ScalingReport { about, scaling });
        }
        about.print(false)?;
        scaling.iter().try_for_each(print)
    }

    fn write(&self, scaling: &[Growth]) -> anyhow::Result<()> {
        let Some(out) = &self.out else { return Ok(()) };
        atomic::write_bytes(&out.join("scaling.csv"), csv(scaling).as_bytes())?;
        for Growth { axis, points, .. } in scaling {
            let picture = svg(*axis, points).map_err(anyhow::Error::msg)?;
            atomic::write_bytes(&out.join(format!("{}.svg", axis.name())), picture.as_bytes())?;
        }
        Ok(())
    }
}

fn print(growth: &Growth) -> anyhow::Result<()> {
    let Growth { axis, points, steps } = growth;
    let trials = *axis == Axis::Trials;
    print_line(format!(
        "\n{:<8} {:<20} {:>10} {:>10} {:>12}{}",
        axis.name(),
        "victim",
        "median",
        "each",
        "memory",
        if trials { "  a trial's cost by the row before's" } else { "" }
    ))?;
    for point in points {
        let Point { value, rounds, measured } = point;
        let memory = measured.totals.map_or(0, |totals| totals.memory) as f64 / 1e6;
        let step = steps.iter().find(|step| step.to == *value);
        let step = step.map_or(String::new(), |Step { median, interval_95: [low, high], .. }| {
            format!("  {median:.3} [{low:.3}, {high:.3}]")
        });
        print_line(format!(
            "{value:<8} {:<20} {:>10} {:>10} {memory:>9.1} MB{step}{}",
            measured.architecture,
            report::time(point.seconds()),
            report::time(measured.seconds.median / (measured.batch * measured.trials) as f64),
            if *rounds > 1 { format!(", {rounds} rounds of {}", measured.trials) } else { String::new() }
        ))?;
    }
    for Step { from, to, median, .. } in steps.iter().filter(|step| step.rises) {
        let percent = 100.0 * (median - 1.0);
        print_line(format!("a trial costs {percent:.0} % more among {to} than among {from}"))?;
    }
    if trials && !steps.iter().any(|step| step.rises) {
        print_line("no step where a trial costs more among more trials")?;
    }
    Ok(())
}
