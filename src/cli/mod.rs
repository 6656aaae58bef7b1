//! The command line: reads arguments, calls the library, prints.
//!
//! Exit code 0: done; 1: it failed; 2: the command was misused.

mod advise_options;
mod attack_options;
mod bench;
mod capture;
mod clients;
mod clip_options;
mod commit;
mod comparison_options;
mod completions;
mod config;
mod config_command;
mod contains;
mod data_options;
mod defence_options;
mod destination;
mod device;
mod devices;
mod evaluate;
mod example_options;
mod generator_options;
mod guidance_options;
mod guide;
mod help;
mod invert;
mod judge_options;
mod labels;
mod limits;
mod metrics;
mod model_options;
mod name;
mod named_sets;
mod names_table;
mod naming_options;
mod observation;
mod observed;
mod options;
mod plan;
mod plan_time;
mod printed;
mod progress;
mod protocol_options;
mod public_options;
mod reference;
mod resume_options;
mod run;
mod signals;
mod spelled;
mod study;
mod summary;
mod sweep;
mod threat_options;
mod train;
mod train_clip;
mod train_generator;
mod train_victim;
mod training_options;
mod verbosity;
mod verdict;
mod weights;

use std::{
    ffi::OsString,
    fmt::Display,
    io::{self, Write},
    process::ExitCode,
    sync::{PoisonError, RwLock},
};

use anyhow::Context;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::{audit::AuditError, report::ReportError};
use verbosity::Verbosity;

/// Shows what a federated client's update gives away: labels, pictures and words, restored from the gradients of your own
/// training step.
#[derive(Parser)]
#[command(
    name = "gia-gpu",
    max_term_width = 100,
    disable_help_flag = true,
    after_help = "Examples:\n  gia-gpu run\n  gia-gpu run --data pictures --out report\n  gia-gpu run -h"
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    verbosity: Verbosity,
    /// Print version, commit and devices
    #[arg(short = 'V', long, help_heading = help::group::GLOBAL)]
    version: bool,
}

/// What `gia-gpu` alone says.
const FIRST: &str = "\
gia-gpu shows what a federated client's update gives away.

Begin with
  gia-gpu run                            attack embedded pictures; see out/report.html
then
  gia-gpu run --data PICTURES            your own pictures, a folder per class
  gia-gpu run --gradient G.safetensors --weights W.safetensors --names dog,cat
                                         what a client of yours sent
  gia-gpu sweep --config study.toml      many victims, batch sizes and defences

gia-gpu -h lists all commands, gia-gpu run -h the options of one.";

#[derive(Subcommand)]
enum Command {
    /// Capture gradients or take given ones, reconstruct pictures, say what the labels mean, and report
    Run(Box<run::Run>),
    /// Write a documented file of options for `run`, or show what a run would use
    Config(config_command::ConfigCommand),
    /// Compute a client's gradient for given pictures and write it to a file
    Capture(capture::Capture),
    /// Attack a gradient file
    Invert(Box<invert::Invert>),
    /// Say whether pictures were in the batch behind a gradient, with the rate of false alarms
    Contains(Box<contains::Contains>),
    /// Say what label indices mean by trying names as hypotheses in guided reconstructions
    Guide(Box<guide::Guide>),
    /// Restore the labels of a batch from the last layer's gradient
    Labels(labels::Labels),
    /// Train a victim
    Train(train::Train),
    /// Classify a data set: accuracy and cross entropy
    Evaluate(evaluate::Evaluate),
    /// Compare two folders of PNG files: MSE, PSNR, SSIM
    Metrics(metrics::Metrics),
    /// Measure over many batches: label restoration, defences
    Study(study::StudyCommand),
    /// Attack many victims, batch sizes, defences and seeds; goes on where it was stopped
    Sweep(Box<sweep::SweepCommand>),
    /// Say what pictures show, in words of your choice
    Name(name::Name),
    /// Get published CLIP weights, or list those there are
    Weights(weights::Weights),
    /// List the devices this machine has
    Devices(devices::Devices),
    /// Show the steps of one attack iteration: kernels, shapes, bytes, FLOPs
    Plan(plan::PlanCommand),
    /// Measure this machine's devices: peaks, kernels, attack iterations
    Bench(bench::Bench),
    /// Print a shell's completions
    Completions(completions::Completions),
    /// Print the manual page, or write those of all commands
    Man(completions::Manual),
    /// Print docs/reference.md
    #[command(hide = true)]
    Reference(reference::Reference),
}

/// A mistake in how the command was called, as opposed to a failure of what it does.
#[derive(Debug)]
struct Misuse(String);

impl Display for Misuse {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Misuse {}

/// Says something beside the result, on standard error.
fn note(text: &str) {
    if !verbosity::is_quiet() {
        let _ = writeln!(io::stderr(), "note: {}", printed::harmless(text));
    }
}

/// An error of exit code 2.
fn misuse(message: impl Display) -> anyhow::Error {
    Misuse(message.to_string()).into()
}

/// Whether the command was called wrongly, as opposed to a failure of what it does.
fn is_misuse(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Misuse>().is_some()
        || matches!(error.downcast_ref(), Some(ReportError::Claim(error)) if error.is_misuse())
        || error.downcast_ref::<AuditError>().is_some_and(AuditError::is_misuse)
}

/// Whether the work ended because it was told to, whatever it had found.
fn is_stopped(error: &anyhow::Error) -> bool {
    error.is::<signals::Stopped>() || error.downcast_ref::<AuditError>().is_some_and(AuditError::is_stopped)
}

/// All commands, as they are read and shown.
pub fn command() -> clap::Command {
    help::shortened(Cli::command())
}

/// The arguments of a subcommand of this depth, by the process's own.
fn own_arguments(depth: usize) -> impl Iterator<Item = OsString> {
    // What stands before a subcommand are options without values.
    let mut left = depth;
    arguments().into_iter().skip(1).filter(move |argument| {
        let is_command = left > 0 && !argument.to_string_lossy().starts_with('-');
        left -= usize::from(is_command);
        !is_command
    })
}

/// What the program was called with, itself first.
static ARGUMENTS: RwLock<Vec<OsString>> = RwLock::new(vec![]);

fn arguments() -> Vec<OsString> {
    ARGUMENTS.read().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    run(std::env::args_os()).into()
}

/// Runs a command line, whose first word is the program, and says with which code the process is to end.
pub fn run(command_line: impl IntoIterator<Item = OsString>) -> u8 {
    let called: Vec<OsString> = command_line.into_iter().collect();
    ARGUMENTS.write().unwrap_or_else(PoisonError::into_inner).clone_from(&called);
    let cli = match command().try_get_matches_from(&called).and_then(|matches| {
        options::limit_memory(&matches);
        Cli::from_arg_matches(&matches)
    }) {
        Ok(cli) => cli,
        // Help is no mistake.
        Err(error) => {
            let _ = error.print();
            return error.exit_code() as u8;
        }
    };
    cli.verbosity.set();
    let result = verbosity::told(|| match cli.command {
        _ if cli.version => commit::described().and_then(print_line),
        None => print_line(FIRST),
        Some(command) => command.run(),
    });
    match result {
        Ok(()) => 0,
        Err(error) => {
            // Where nobody reads standard error, the exit code still tells.
            let _ = writeln!(io::stderr(), "error: {}", printed::harmless(&format!("{error:#}")));
            match () {
                () if is_stopped(&error) => signals::STOPPED,
                () if error.is::<limits::Exceeded>() => limits::EXCEEDED,
                () if is_misuse(&error) => 2,
                () => 1,
            }
        }
    }
}

impl Command {
    fn run(self) -> anyhow::Result<()> {
        match self {
            Command::Run(command) => command.run(),
            Command::Config(command) => command.run(),
            Command::Capture(command) => command.run(),
            Command::Invert(command) => command.run(),
            Command::Contains(command) => command.run(),
            Command::Guide(command) => command.run(),
            Command::Labels(command) => command.run(),
            Command::Train(command) => command.run(),
            Command::Evaluate(command) => command.run(),
            Command::Metrics(command) => command.run(),
            Command::Study(command) => command.run(),
            Command::Sweep(command) => command.run(),
            Command::Name(command) => command.run(),
            Command::Weights(command) => command.run(),
            Command::Devices(command) => command.run(),
            Command::Plan(command) => command.run(),
            Command::Bench(command) => command.run(),
            Command::Completions(command) => command.run(),
            Command::Man(command) => command.run(),
            Command::Reference(command) => command.run(),
        }
    }
}

/// Prints a value as JSON on standard output.
fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    print_text(format!("{}\n", serde_json::to_string_pretty(value)?).as_bytes())
}

/// Prints a line on standard output.
fn print_line(text: impl Display) -> anyhow::Result<()> {
    print_text(format!("{}\n", printed::harmless(&text.to_string())).as_bytes())
}

/// Prints text on standard output. A reader that has seen enough (`| head`) is no failure.
fn print_text(text: &[u8]) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.context("standard output cannot be written"),
    }
}

/// The command as called, for reports.
fn command_line() -> Vec<String> {
    arguments().iter().map(|argument| argument.to_string_lossy().into_owned()).collect()
}
