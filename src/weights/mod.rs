//! Weights that others publish: which there are, where they are kept, and how they come over a network that breaks.

mod address;
mod cache;
mod content;
mod download;
mod error;
mod http;
mod known;

pub use address::shown;
pub use cache::{Cached, cache_folder, cached};
pub use content::Content;
pub use download::{Checked, Checks, Fetched, check_there, fetch, fetch_copy, parse_sha256};
pub use error::WeightsError;
pub use known::{BESIDE, KNOWN, Known, Source, WEIGHTS, known};
