//! Ctrl-C, SIGTERM and SIGUSR1: the work ends soon and keeps what it has.

use std::{
    fmt::{self, Display, Formatter},
    path::Path,
    sync::{
        Arc, LazyLock, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// Exit code of work that was stopped early, everything kept.
pub(crate) const STOPPED: u8 = 4;

static ASKED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// From now on a signal asks the work to end; a second one ends the process at once.
pub(crate) fn keep_what_there_is() {
    use signal_hook::{consts::*, flag};
    #[cfg(unix)]
    let signals = [SIGINT, SIGTERM, SIGUSR1];
    #[cfg(not(unix))]
    let signals = [SIGINT, SIGTERM];
    for signal in signals {
        // Registered first, it sees the flag of the signal before. Where signals cannot be caught, they do as ever.
        let _ = flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&ASKED))
            .and_then(|_| flag::register(signal, Arc::clone(&ASKED)));
    }
}

static ENDS: OnceLock<Instant> = OnceLock::new();

/// The work ends so long from now, as if a signal came then.
pub(crate) fn stop_after(limit: Duration) {
    if let Some(end) = Instant::now().checked_add(limit) {
        let _ = ENDS.set(end);
    }
}

/// Whether a signal has come, or the time is over.
pub(crate) fn is_stopped() -> bool {
    ASKED.load(Ordering::Relaxed) || ENDS.get().is_some_and(|end| Instant::now() >= *end)
}

/// Says that what lies in the folder is not all.
pub(crate) fn check(interrupted: bool, out: &Path) -> anyhow::Result<()> {
    match interrupted {
        true => {
            Err(Stopped(format!("stopped early: {} has what was found until then", out.display())).into())
        }
        false => Ok(()),
    }
}

/// An error of exit code 4.
pub(crate) fn stopped(message: String) -> anyhow::Error {
    Stopped(message).into()
}

/// The work was stopped early: an error of exit code 4.
#[derive(Debug)]
pub(crate) struct Stopped(String);

impl Display for Stopped {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Stopped {}
