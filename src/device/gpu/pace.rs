//! How much work goes into one submission.
//!
//! A submission that is too long freezes the desktop, and Windows resets the device at 2 s; one that is
//! too short leaves the device waiting for the host. Two are in flight at a time.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use wgpu::SubmissionIndex;

/// Submissions in flight.
const IN_FLIGHT: usize = 2;
/// Dispatches in flight at most.
const MOST: usize = 512 / IN_FLIGHT;
/// Aimed at for one submission.
const TARGET: Duration = Duration::from_millis(100);
/// Dispatches of the first submission, before anything is known.
const FIRST: usize = 8;

pub(crate) struct Pace {
    size: usize,
    in_flight: VecDeque<Submission>,
    last_end: Instant,
}

struct Submission {
    index: SubmissionIndex,
    dispatches: usize,
    start: Instant,
    /// False if the host did other things meanwhile.
    timed: bool,
}

impl Pace {
    pub(crate) fn new() -> Self {
        Pace { size: FIRST, in_flight: VecDeque::new(), last_end: Instant::now() }
    }

    /// Dispatches that the next submission may hold.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    pub(crate) fn submitted(&mut self, index: SubmissionIndex, dispatches: usize) {
        self.in_flight.push_back(Submission { index, dispatches, start: Instant::now(), timed: true });
    }

    /// The submission that must have run before another one is sent.
    pub(crate) fn due(&self) -> Option<SubmissionIndex> {
        self.in_flight.front().filter(|_| self.in_flight.len() >= IN_FLIGHT).map(|s| s.index.clone())
    }

    /// Notes that the submission that was due has run, and adapts the size of the next.
    pub(crate) fn finished(&mut self) {
        let now = Instant::now();
        if let Some(done) = self.in_flight.pop_front()
            && done.timed
        {
            let one = (now - done.start.max(self.last_end)) / done.dispatches.max(1) as u32;
            let fitting = TARGET.as_nanos() / one.as_nanos().max(1);
            self.size = (fitting as usize).clamp(1, MOST).min(2 * self.size);
        }
        self.last_end = now;
    }

    /// Forgets the times of what is in flight: the host turns to other things.
    pub(crate) fn pause(&mut self) {
        for submission in &mut self.in_flight {
            submission.timed = false;
        }
    }
}
