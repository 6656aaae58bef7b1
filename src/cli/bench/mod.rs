//! `gia-gpu bench`

mod check;
mod options;
mod scaling;

use clap::{Args, ValueEnum};

use super::{device::with_all, help::group, misuse, print_json, print_line, progress::Terminal};
use crate::{
    bench::{BenchReport, Case, Subject, cases, levels, peak_resident, peaks},
    device::Device,
    watch::Stage,
};
use options::SubjectOptions;

/// Measure a device: its peaks, its kernels' shares of them, and the time of attack iterations.
#[derive(Args)]
#[command(
    mut_arg("isa", with_all),
    next_help_heading = group::MEASUREMENT,
    after_help = "Examples:\n  gia-gpu bench --json\n  gia-gpu bench --isa all\n  \
                  gia-gpu bench --only attack --arch resnet18 --stem cifar \
                  --batch 1,4 --trials 1 --threads 2\n  gia-gpu bench --scaling --out scaling",
    after_long_help = "Without --arch, the standard victims' iterations are measured, and a training step; with it, \
                       that victim's. Each time is the median of samples that take --seconds together; the quartiles \
                       show how much they differ. The peaks are multiply-adds from registers and a triad over memory; \
                       a kernel's share is of the peak that it would run into first. With --isa all, peaks and \
                       kernels (or what --only and --arch say) are measured with each instruction set that the \
                       processor has, and the table has a column for each.\n\nJSON: version, device, \
                       threads, seconds; peaks {flops_per_second, bytes_per_second}; kernels [kernel, shape, seconds, \
                       flops, bytes, flops_per_second, bytes_per_second, bound, share]; iterations [work, \
                       architecture, options, image, batch, trials, seconds, seconds_per_trial, tape_seconds, \
                       plan_seconds, compile_seconds, totals]; peak_memory_bytes, resident, null where the system \
                       does not say. seconds {median, lower_quartile, upper_quartile, lowest, highest, samples, \
                       iterations} are of one iteration; totals {steps, flops, contraction_flops, bytes, memory} of \
                       its plan. Planning a training step includes its graph and compilation. With --isa all: a list \
                       of these, an instruction set each, widest first. \
                       With --scaling, whose points are measured in turn so that a machine that slows down meets all: \
                       scaling [axis, points [value, rounds, and as an iteration], steps [from, to, median, \
                       interval_95, rises]], a step being what a trial costs by what it cost among fewer, rises \
                       where that is beyond chance and 2 %.\n\nExamples:\n  \
                       gia-gpu bench --json\n  gia-gpu bench --isa all\n  \
                       gia-gpu bench --only attack --arch resnet18 --stem cifar --batch 1,4 \
                       --trials 1 --threads 2\n  gia-gpu bench --scaling --out scaling"
)]
pub(crate) struct Bench {
    /// What to measure, as in peaks,kernels
    ///
    /// Without it all of it, or with --arch the attack.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PARTS")]
    only: Vec<Part>,
    #[command(flatten)]
    subjects: SubjectOptions,
    /// Seconds for each measurement, after warm-up
    #[arg(long, value_name = "S", default_value_t = 1.0, help_heading = group::MEASUREMENT)]
    seconds: f64,
    #[command(flatten)]
    check: check::CheckOptions,
    #[command(flatten)]
    scaling: scaling::ScalingOptions,
    #[command(flatten)]
    device: super::options::DeviceOptions,
    /// Threads of the CPU device; one a core if not given
    #[arg(long, value_name = "N", help_heading = group::DEVICE)]
    threads: Option<usize>,
    /// Seed of weights and starts
    #[arg(long, value_name = "N", default_value_t = 42, help_heading = group::MEASUREMENT)]
    seed: u64,
    /// Print JSON
    #[arg(long, help_heading = group::OUTPUT)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Multiply-adds a second, bytes a second
    Peaks,
    /// Every kernel's share of them, at the shapes of real attacks
    Kernels,
    /// Iterations of the `ig` attack
    Attack,
    /// Steps of first-order training
    Training,
}

/// More threads than any machine has are a mistake.
const MAX_THREADS: usize = 1024;
/// Longest measurement.
const MAX_SECONDS: f64 = 3600.0;

impl Bench {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        if !(self.seconds > 0.0 && self.seconds <= MAX_SECONDS) {
            return Err(misuse(format!(
                "--seconds: expected more than 0 and at most {MAX_SECONDS}, found {}",
                self.seconds
            )));
        }
        let every_isa = self.device.place.every_isa();
        if every_isa && (self.check.wanted() || self.scaling.scaling) {
            return Err(misuse(
                "--isa all is for peaks, kernels and iterations: give one with --check or --scaling",
            ));
        }
        if let Some(threads) = self.threads {
            if !(1..=MAX_THREADS).contains(&threads) {
                return Err(misuse(format!("--threads: expected 1 to {MAX_THREADS}, found {threads}")));
            }
            rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
        }
        let subjects: Vec<Subject> =
            self.subjects.subjects(self.wants(Part::Attack), self.wants(Part::Training))?;
        self.check.check(&subjects)?;
        let devices = self.device.place.open_each()?;
        if self.check.wanted() {
            return self.check.write(&*devices[0], &subjects[0], self.seed);
        }
        if self.scaling.scaling {
            let (victim, report) =
                (self.subjects.victim()?, BenchReport::new(devices[0].info(), self.seconds));
            return self.scaling.run(&*devices[0], &victim, report, self.seed, self.json);
        }
        let kernels = if self.wants(Part::Kernels) { cases() } else { vec![] };
        let stage = Stage::new(&Terminal, "measuring");
        let (mut done, all) = (0, devices.len() * (kernels.len() + subjects.len()));
        let mut count = || {
            stage.count(done, all);
            done += 1;
        };
        let reports = devices.iter().map(|device| self.measure(&**device, &kernels, &subjects, &mut count));
        let reports = reports.collect::<anyhow::Result<Vec<BenchReport>>>()?;
        drop(stage);
        match (every_isa, self.json) {
            (true, true) => print_json(&reports),
            (true, false) => print_line(levels(&reports)),
            (false, true) => print_json(&reports[0]),
            (false, false) => print_line(reports[0].table()),
        }
    }

    /// All that is asked for, on one device.
    fn measure(
        &self,
        device: &dyn Device,
        kernels: &[Case],
        subjects: &[Subject],
        count: &mut dyn FnMut(),
    ) -> anyhow::Result<BenchReport> {
        let mut report = BenchReport::new(device.info(), self.seconds);
        if self.wants(Part::Peaks) || !kernels.is_empty() {
            report.peaks = Some(peaks(device, self.seconds)?);
        }
        for case in kernels {
            count();
            if let Some(peaks) = &report.peaks {
                report.kernels.push(case.measure(device, peaks, self.seconds)?);
            }
        }
        for subject in subjects {
            count();
            let inputs = self.check.inputs(device, subject, self.seed)?;
            report.iterations.push(subject.measure(device, &inputs, self.seconds)?);
        }
        report.peak_memory_bytes = peak_resident();
        Ok(report)
    }

    fn wants(&self, part: Part) -> bool {
        match self.only.is_empty() {
            true if self.subjects.one_victim() => part == Part::Attack,
            true if self.device.place.every_isa() => matches!(part, Part::Peaks | Part::Kernels),
            true => true,
            false => self.only.contains(&part),
        }
    }
}
