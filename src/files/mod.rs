//! What comes in and what goes out: tensors, pictures and texts are opened by [`incoming`], which judges what a file is and how
//! large before it is read; a folder for a report is [claimed](claim), so that two runs never share it; outputs stand
//! [apart] from inputs.

pub mod apart;
pub mod claim;
pub mod incoming;
pub mod limits;
