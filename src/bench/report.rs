//! What was measured of a device, as JSON or as a table.

use std::fmt::{Result, Write};

use serde::Serialize;

use super::{Bound, KernelMeasured, Measured, Peaks, Spread, Work};
use crate::{attack::preset::Preset, device::DeviceInfo};

/// A bench as JSON.
#[derive(Clone, Debug, Serialize)]
pub struct BenchReport {
    /// Of this program.
    pub version: &'static str,
    /// What was measured.
    pub device: DeviceInfo,
    /// Of the CPU device.
    pub threads: usize,
    /// Asked for each measurement.
    pub seconds: f64,
    /// Null where neither they nor kernels were asked for.
    pub peaks: Option<Peaks>,
    /// One for each kernel and shape; empty where they were not asked for.
    pub kernels: Vec<KernelMeasured>,
    /// One for each subject; empty where none was asked for.
    pub iterations: Vec<Measured>,
    /// The most memory of this process that was resident at once; null where the system does not say.
    pub peak_memory_bytes: Option<u64>,
}

impl BenchReport {
    /// A report without measurements.
    pub fn new(device: DeviceInfo, seconds: f64) -> BenchReport {
        BenchReport {
            version: env!("CARGO_PKG_VERSION"),
            device,
            threads: rayon::current_num_threads(),
            seconds,
            peaks: None,
            kernels: vec![],
            iterations: vec![],
            peak_memory_bytes: None,
        }
    }

    /// For people.
    pub fn table(&self) -> String {
        let mut text = String::new();
        // Nothing can fail where text is written to.
        let _ = self.write(&mut text);
        text.trim_end().into()
    }

    fn write(&self, out: &mut String) -> Result {
        self.write_device(self.device.isa.as_deref().unwrap_or_default(), out)?;
        if let Some(Peaks { flops_per_second, bytes_per_second }) = self.peaks {
            let (flops, bytes) = (flops_per_second / 1e9, bytes_per_second / 1e9);
            writeln!(out, "peaks: {flops:.1} GFLOP/s of multiply-adds in f32, {bytes:.1} GB/s of a triad")?;
        }
        self.write_kernels(out)?;
        self.write_iterations(out)?;
        if let Some(bytes) = self.peak_memory_bytes {
            writeln!(out, "\npeak resident memory {:.0} MB", bytes as f64 / 1e6)?;
        }
        Ok(())
    }

    /// The instruction set, or that it is a GPU.
    pub(super) fn isa(&self) -> String {
        self.device.isa.as_ref().unwrap_or(&self.device.kind).clone()
    }

    pub(super) fn write_device(&self, isa: &str, out: &mut String) -> Result {
        let DeviceInfo { kind, name, backend, driver, software, .. } = &self.device;
        let isa = if isa.is_empty() { String::new() } else { format!(", {isa}") };
        let threads = if kind == "cpu" { format!(", {} threads", self.threads) } else { String::new() };
        writeln!(out, "{kind} {name}, {}{isa}{threads}", format!("{backend} {driver}").trim_end())?;
        if *software {
            writeln!(out, "a software driver: its figures are no measure of a GPU")?;
        }
        Ok(())
    }

    fn write_kernels(&self, out: &mut String) -> Result {
        if self.kernels.is_empty() {
            return Ok(());
        }
        writeln!(
            out,
            "\n{:<18} {:<42} {:>10} {:>8} {:>7}  share of the peak",
            "kernel", "shape", "median", "GFLOP/s", "GB/s"
        )?;
        for measured in &self.kernels {
            let bound = match measured.bound {
                Bound::Arithmetic => "arithmetic",
                Bound::Memory => "memory",
            };
            writeln!(
                out,
                "{:<18} {:<42} {:>10} {:>8.1} {:>7.1}  {:.0} % of {bound}",
                measured.kernel,
                measured.shape,
                time(measured.seconds.median),
                measured.flops_per_second / 1e9,
                measured.bytes_per_second / 1e9,
                100.0 * measured.share,
            )?;
        }
        Ok(())
    }

    fn write_iterations(&self, out: &mut String) -> Result {
        if self.iterations.is_empty() {
            return Ok(());
        }
        writeln!(
            out,
            "\n{:<32} {:>10} {:>21} {:>10} {:>8} {:>10} {:>9}",
            "iteration", "median", "quartiles", "per trial", "GFLOP/s", "memory", "plan"
        )?;
        for measured in &self.iterations {
            let Measured { seconds, .. } = measured;
            let Spread { median, lower_quartile, upper_quartile, .. } = *seconds;
            let rate =
                measured.totals.map_or("-".into(), |t| format!("{:.1}", t.flops as f64 / median / 1e9));
            let memory = measured.totals.map_or("-".into(), |t| format!("{:.1} MB", t.memory as f64 / 1e6));
            let plan = measured.plan_seconds
                + measured.tape_seconds.unwrap_or(0.0)
                + measured.compile_seconds.unwrap_or(0.0);
            writeln!(
                out,
                "{:<32} {:>10} {:>21} {:>10} {:>8} {:>10} {:>9}",
                name(measured),
                time(median),
                format!("{} - {}", time(lower_quartile), time(upper_quartile)),
                time(measured.seconds_per_trial),
                rate,
                memory,
                time(plan)
            )?;
        }
        Ok(())
    }
}

/// The victim and its sizes.
pub(super) fn name(measured: &Measured) -> String {
    let Measured { work, preset, architecture, options, batch, trials, .. } = measured;
    let options = if options.is_empty() { String::new() } else { format!(" {options}") };
    match work {
        Work::Training => format!("{architecture}{options} training B={batch}"),
        Work::Attack => {
            let preset = preset.filter(|&preset| preset != Preset::Ig);
            let preset = preset.map_or(String::new(), |preset| format!(" {preset}"));
            format!("{architecture}{options} B={batch} T={trials}{preset}")
        }
    }
}

/// With three digits or so, in the unit that fits.
pub(super) fn time(seconds: f64) -> String {
    let (value, unit) = match seconds {
        s if s >= 1.0 => (s, "s"),
        s if s >= 1e-3 => (1e3 * s, "ms"),
        s => (1e6 * s, "µs"),
    };
    let digits = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.digits$} {unit}")
}
