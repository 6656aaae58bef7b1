//! What a caller may see of long work: how far each stage is, and what it should know beside the result. The library
//! itself never prints.

use std::time::Duration;

/// Told how long work goes on. Every method may be left out; [`Silent`] leaves out all of them.
pub trait Watch: Sync {
    /// How far a stage is; the first call begins it. Several may run at once, each under its own name.
    fn progress(&self, stage: &'static str, now: Progress) {
        let _ = (stage, now);
    }

    /// The stage is over, whether or not it came to its end.
    fn finished(&self, stage: &'static str) {
        let _ = stage;
    }

    /// Whether the work should end now, with what it has. Asked a few times a second.
    fn is_stopped(&self) -> bool {
        false
    }

    /// Something that the user should know.
    fn note(&self, text: &str) {
        let _ = text;
    }

    /// Something that makes the result doubtful.
    fn warning(&self, text: &str) {
        let _ = text;
    }
}

/// How far a stage is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Progress<'a> {
    /// Pieces done and in all: pictures, names, batches.
    Count {
        /// Pieces that are done.
        done: usize,
        /// Pieces in all.
        of: usize,
    },
    /// Bytes done, and in all where that is known.
    Bytes {
        /// Bytes that have arrived.
        done: u64,
        /// Bytes in all.
        of: Option<u64>,
    },
    /// Iterations done and in all, and the latest objective of every trial.
    Iterations {
        /// Iterations that are done.
        done: usize,
        /// Iterations in all.
        of: usize,
        /// Of every trial, `(T)`.
        latest: &'a [f32],
    },
    /// A part with stages of its own begins: its name, parts done and in all, and how long all that is left will take,
    /// where one can say.
    Part {
        /// For people.
        name: &'a str,
        /// Parts that are done.
        done: usize,
        /// Parts in all.
        of: usize,
        /// Of all the work.
        left: Option<Duration>,
    },
}

/// Nobody looks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Watch for Silent {}

/// A stage under way: it is over when this is dropped.
pub struct Stage<'w> {
    watch: &'w dyn Watch,
    name: &'static str,
}

impl<'w> Stage<'w> {
    /// Shows nothing before its first progress.
    pub fn new(watch: &'w dyn Watch, name: &'static str) -> Stage<'w> {
        Stage { watch, name }
    }

    /// So many of so many are done.
    pub fn count(&self, done: usize, of: usize) {
        self.watch.progress(self.name, Progress::Count { done, of });
    }

    /// So many bytes have arrived, of all where that is known.
    pub fn bytes(&self, done: u64, of: Option<u64>) {
        self.watch.progress(self.name, Progress::Bytes { done, of });
    }

    /// So many iterations are done, with every trial's latest objective.
    pub fn iterations(&self, done: usize, of: usize, latest: &[f32]) {
        self.watch.progress(self.name, Progress::Iterations { done, of, latest });
    }

    /// A named part of the stage is so far, with the time that is left where that can be told.
    pub fn part(&self, name: &str, done: usize, of: usize, left: Option<Duration>) {
        self.watch.progress(self.name, Progress::Part { name, done, of, left });
    }
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        self.watch.finished(self.name);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Seen(Mutex<Vec<String>>);

    impl Watch for Seen {
        fn progress(&self, stage: &'static str, now: Progress) {
            self.0.lock().unwrap().push(format!("{stage} {now:?}"));
        }

        fn finished(&self, stage: &'static str) {
            self.0.lock().unwrap().push(format!("{stage} is over"));
        }
    }

    #[test]
    fn a_stage_is_over_however_it_is_left() {
        let seen = Seen::default();
        let fails = || -> Result<(), ()> {
            let stage = Stage::new(&seen, "reading");
            stage.count(1, 2);
            Err(())
        };
        assert!(fails().is_err());
        let expected = ["reading Count { done: 1, of: 2 }", "reading is over"];
        assert_eq!(*seen.0.lock().unwrap(), expected);
    }
}
