//! What comes in and what goes out: tensors, pictures and texts are opened by [`incoming`], which judges what a file is and how
//! large before it is read; all that is written goes through [`outgoing`], whole or not at all; a folder for a report is
//! [claimed](claim), so that two runs never share it; outputs stand [apart] from inputs.

pub mod apart;
pub mod claim;
#[doc(hidden)]
pub mod faults;
pub mod incoming;
pub mod limits;
pub mod outgoing;
pub mod program;
