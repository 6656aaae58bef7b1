//! Memory that is allocated before a run, and the threads that work in it.

pub(crate) mod budget;
pub(crate) mod crew;
pub(crate) mod output;
pub(crate) mod pages;
pub(crate) mod prefetch;
pub(crate) mod workers;
