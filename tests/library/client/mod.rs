//! The user's own client: what arrives is understood, or refused for the right reason.

mod files;
mod folders;
mod last_layers;
mod local_updates;
mod metrics;
mod pytorch;
mod saturated;
mod sign_and_scale;
mod surrogate;
mod warnings_table;
