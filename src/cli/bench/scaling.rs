//! `--scaling`: how times grow.

use std::{fs, path::PathBuf};

use anyhow::Context;
use clap::Args;
use serde::Serialize;

use crate::{
    bench::{BenchReport, Growth, csv, peak_resident, svg, sweeps},
    cli::{help::group, print_json, print_line, progress::Terminal},
    data::atomic,
    device::Device,
    federated::Request,
};

#[derive(Args)]
#[command(next_help_heading = group::MEASUREMENT)]
pub(crate) struct ScalingOptions {
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
    about: BenchReport,
    scaling: Vec<Growth>,
}

impl ScalingOptions {
    pub(crate) fn run(
        &self,
        device: &dyn Device,
        victim: &Request,
        mut about: BenchReport,
        seed: u64,
        json: bool,
    ) -> anyhow::Result<()> {
        if let Some(out) = &self.out {
            fs::create_dir_all(out).with_context(|| format!("{} cannot be made", out.display()))?;
        }
        let sweeps = sweeps(victim);
        let mut scaling = vec![];
        for sweep in &sweeps {
            scaling.push(sweep.measure(device, seed, about.seconds, &Terminal)?);
        }
        self.write(&scaling)?;
        if json {
            about.peak_memory_bytes = peak_resident();
            return print_json(&ScalingReport { about, scaling });
        }
        let tables = scaling.iter().map(Growth::table);
        print_line([about.table()].into_iter().chain(tables).collect::<Vec<_>>().join("\n\n"))
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
