//! Progress on standard error, while somebody looks.

use std::{
    fmt::Write,
    sync::LazyLock,
    time::{Duration, Instant},
};

use super::verbosity::is_quiet;
use indicatif::{HumanDuration, MultiProgress, ProgressBar, ProgressState, ProgressStyle};

/// All bars of the process, so that those of stages stand under the one of the whole.
static SCREEN: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);
/// How often a bar is drawn whose work says nothing for long.
const TICK: Duration = Duration::from_secs(1);

/// A bar with the loss and the time left; hidden where standard error is not a terminal.
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    pub fn new(stage: &'static str) -> Progress {
        let template = "{prefix} {wide_bar} {pos}/{len} objective {msg}, {elapsed} gone, {eta} left";
        Progress::with_template(stage, template)
    }

    /// A bar without a loss.
    pub fn counting(stage: &'static str) -> Progress {
        Progress::with_template(stage, "{prefix} {wide_bar} {pos}/{len}, {elapsed} gone, {eta} left")
    }

    /// A bar of bytes, with the speed.
    pub fn bytes(stage: &'static str) -> Progress {
        let template = "{prefix} {wide_bar} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left";
        Progress::with_template(stage, template)
    }

    /// A bar over parts that have bars of their own; see [`Progress::part`].
    pub fn of_parts(stage: &'static str) -> Progress {
        let progress = Progress::counting(stage);
        if !progress.bar.is_hidden() {
            progress.bar.enable_steady_tick(TICK);
        }
        progress
    }

    fn with_template(stage: &'static str, template: &str) -> Progress {
        let style = ProgressStyle::with_template(template);
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        if is_quiet() {
            return Progress { bar: ProgressBar::hidden() };
        }
        Progress { bar: SCREEN.add(ProgressBar::new(0).with_style(style).with_prefix(stage)) }
    }

    pub fn count(&self, done: usize, of: usize) {
        self.bar.set_length(of as u64);
        self.bar.set_position(done as u64);
    }

    /// Which part begins, how many are done and of how many, and how long all that is left will take, if one can say.
    pub fn part(&self, what: &str, done: usize, of: usize, left: Option<Duration>) {
        let template = "{prefix} {wide_bar} {pos}/{len}: {msg}; {elapsed} gone, {left} left";
        let began = Instant::now();
        let left = move |_: &ProgressState, text: &mut dyn Write| {
            let _ = match left {
                Some(left) => write!(text, "{}", HumanDuration(left.saturating_sub(began.elapsed()))),
                None => text.write_char('?'),
            };
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style.with_key("left", left));
        }
        self.bar.set_message(what.to_string());
        self.count(done, of);
    }

    /// Iterations done and in all, and the latest objective of every trial.
    pub fn update(&self, done: usize, of: usize, latest: &[f32]) {
        let finite: Vec<f32> = latest.iter().copied().filter(|l| l.is_finite()).collect();
        let mean = finite.iter().sum::<f32>() / finite.len().max(1) as f32;
        self.bar.set_length(of as u64);
        self.bar.set_position(done as u64);
        self.bar.set_message(format!("{mean:.3e}"));
    }

    /// Prints above the bar.
    pub fn above(&self, print: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
        self.bar.suspend(print)
    }

    pub fn finish(self) {
        self.bar.finish_and_clear();
        SCREEN.remove(&self.bar);
    }
}
