//! Progress on standard error, while somebody looks; notes and warnings in any case.

use std::{
    fmt,
    io::{self, Write},
    sync::{LazyLock, Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{printed, signals, verbosity::is_quiet};
use indicatif::{HumanDuration, MultiProgress, ProgressBar, ProgressState, ProgressStyle};

use crate::watch::{Progress, Watch};

/// All bars of the process, so that those of stages stand under the one of the whole.
static SCREEN: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);
/// Stages under way, the last to begin at the end.
static BARS: Mutex<Vec<(&'static str, ProgressBar)>> = Mutex::new(vec![]);
/// How often a bar is drawn whose work says nothing for long.
const TICK: Duration = Duration::from_secs(1);

/// The terminal: a bar a stage, hidden where standard error is not a terminal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terminal;

impl Watch for Terminal {
    fn progress(&self, stage: &'static str, now: Progress) {
        let bar = bar(stage, &now);
        let (done, of) = match now {
            Progress::Count { done, of } => (done as u64, of as u64),
            Progress::Bytes { done, of } => (done, of.unwrap_or(done)),
            Progress::Iterations { done, of, latest } => {
                bar.set_message(mean(latest));
                (done as u64, of as u64)
            }
            Progress::Part { name, done, of, left } => {
                count_down(&bar, left);
                bar.set_message(name.to_string());
                (done as u64, of as u64)
            }
        };
        bar.set_length(of);
        bar.set_position(done);
    }

    fn is_stopped(&self) -> bool {
        signals::is_stopped()
    }

    fn finished(&self, stage: &'static str) {
        let mut bars = BARS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = bars.iter().rposition(|(name, _)| *name == stage) {
            let (_, bar) = bars.remove(at);
            bar.finish_and_clear();
            SCREEN.remove(&bar);
        }
    }

    fn note(&self, text: &str) {
        if !is_quiet() {
            say("note", text);
        }
    }

    fn warning(&self, text: &str) {
        say("warning", text);
    }
}

/// Prints above the bars.
pub(crate) fn above<R>(print: impl FnOnce() -> R) -> R {
    SCREEN.suspend(print)
}

fn say(kind: &str, text: &str) {
    above(|| {
        let _ = writeln!(io::stderr(), "{kind}: {}", printed::harmless(text));
    });
}

/// The stage's bar, as what is said of it wants to be shown.
fn bar(stage: &'static str, now: &Progress) -> ProgressBar {
    let mut bars = BARS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, bar)) = bars.iter().rfind(|(name, _)| *name == stage) {
        return bar.clone();
    }
    let template = match now {
        Progress::Count { .. } => "{prefix} {wide_bar} {pos}/{len}, {elapsed} gone, {eta} left",
        Progress::Bytes { .. } => "{prefix} {wide_bar} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left",
        Progress::Iterations { .. } => {
            "{prefix} {wide_bar} {pos}/{len} objective {msg}, {elapsed} gone, {eta} left"
        }
        Progress::Part { .. } => PART,
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = match is_quiet() {
        true => ProgressBar::hidden(),
        false => SCREEN.add(ProgressBar::new(0).with_style(style).with_prefix(stage)),
    };
    if matches!(now, Progress::Part { .. }) && !bar.is_hidden() {
        bar.enable_steady_tick(TICK);
    }
    bars.push((stage, bar.clone()));
    bar
}

const PART: &str = "{prefix} {wide_bar} {pos}/{len}: {msg}; {elapsed} gone, {left} left";

/// Counts down from what is left now.
fn count_down(bar: &ProgressBar, left: Option<Duration>) {
    let began = Instant::now();
    let left = move |_: &ProgressState, text: &mut dyn fmt::Write| {
        let _ = match left {
            Some(left) => write!(text, "{}", HumanDuration(left.saturating_sub(began.elapsed()))),
            None => text.write_char('?'),
        };
    };
    if let Ok(style) = ProgressStyle::with_template(PART) {
        bar.set_style(style.with_key("left", left));
    }
}

fn mean(latest: &[f32]) -> String {
    let finite: Vec<f32> = latest.iter().copied().filter(|l| l.is_finite()).collect();
    format!("{:.3e}", finite.iter().sum::<f32>() / finite.len().max(1) as f32)
}
