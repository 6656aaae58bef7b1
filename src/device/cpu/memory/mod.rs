//! Memory that is allocated before a run, and the threads that work in it.

pub mod budget;
pub mod crew;
pub mod output;
pub mod pages;
pub mod prefetch;
pub mod workers;
