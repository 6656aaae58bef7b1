//! Progress on standard error, while somebody looks.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar with the loss and the time left; hidden where standard error is not a terminal.
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    pub fn new(stage: &'static str) -> Progress {
        let style =
            ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} {msg}{elapsed} gone, {eta} left");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        Progress { bar: ProgressBar::new(0).with_style(style).with_prefix(stage) }
    }

    /// Iterations done and in all, and the latest objective of every trial, if there is one.
    pub fn update(&self, done: usize, of: usize, latest: &[f32]) {
        self.bar.set_length(of as u64);
        self.bar.set_position(done as u64);
        if latest.is_empty() {
            return;
        }
        let finite: Vec<f32> = latest.iter().copied().filter(|l| l.is_finite()).collect();
        let mean = finite.iter().sum::<f32>() / finite.len().max(1) as f32;
        self.bar.set_message(format!("objective {mean:.3e}, "));
    }

    pub fn finish(self) {
        self.bar.finish_and_clear();
    }
}
