//! `-q`, `-v` and `-h`: how much is said on standard error beside results, warnings and errors. And what files may take.

use std::{
    io::{self, Write},
    sync::atomic::{AtomicI8, Ordering},
    time::Instant,
};

use clap::{ArgAction, Args};

use super::{commit, help::group};
use crate::{bench::peak_resident, files::limits};

/// Of this process: below 0 quiet, above 0 verbose.
static LEVEL: AtomicI8 = AtomicI8::new(0);

/// Options that every command has.
#[derive(Args, Clone, Copy, Debug, Default)]
#[command(next_help_heading = group::GLOBAL)]
pub(crate) struct Verbosity {
    /// Say nothing but results, warnings and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Say more: version, device, time and memory
    #[arg(short, long, global = true)]
    verbose: bool,
    /// Most pixels of a picture; one whose header says more is not decoded
    ///
    /// Without it 50 million.
    #[arg(long, global = true, hide_short_help = true, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_pixels: Option<u64>,
    /// Print help; -h has the common options alone
    #[arg(short, long, global = true, action = ArgAction::Help)]
    help: Option<bool>,
}

impl Verbosity {
    /// Holds for this process from now on.
    pub(crate) fn set(self) {
        if let Some(pixels) = self.max_pixels {
            limits::set_max_pixels(pixels);
        }
        LEVEL.store(i8::from(self.verbose) - i8::from(self.quiet), Ordering::Relaxed);
    }
}

/// Whether nothing beside results, warnings and errors is said.
pub(crate) fn is_quiet() -> bool {
    LEVEL.load(Ordering::Relaxed) < 0
}

/// Says on standard error what only those who asked for more want to know.
pub(crate) fn detail(text: impl FnOnce() -> String) {
    if LEVEL.load(Ordering::Relaxed) > 0 {
        let _ = writeln!(io::stderr(), "{}", text());
    }
}

/// Runs a command; with `-v` says which program it is, and at the end how long it took.
pub(crate) fn told<T>(command: impl FnOnce() -> T) -> T {
    detail(|| format!("gia-gpu {}", commit::version()));
    let started = Instant::now();
    let result = command();
    detail(|| {
        let memory = peak_resident().map_or(String::new(), |bytes| format!(", {} MB at most", bytes >> 20));
        format!("{:.2} s{memory}", started.elapsed().as_secs_f64())
    });
    result
}
