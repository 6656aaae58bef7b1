//! What comes in and what goes out: every file that somebody else wrote is opened by [`incoming`], which judges what it is
//! and how large before it is read; every folder that results go to is [claimed](claim), so that two runs never share it.
//!
//! *Invariant:* nothing outside this module opens a user's file for reading.

pub mod apart;
pub mod claim;
pub mod incoming;
pub mod limits;
