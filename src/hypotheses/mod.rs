//! What label indices could mean, weighed by reconstructions that were guided by each possibility: which there are
//! ([`enumerate`]), which are worth the effort ([`beam`]), how they compare in the end ([`ranking`]), and how often the
//! true one comes first ([`tally`]).

pub mod beam;
pub mod enumerate;
pub mod ranking;
pub mod tally;

pub use beam::{Kept, most_similar};
pub use ranking::{Ranked, Ranking, rank};
pub use tally::{Judged, Tally};

/// Candidate names of label indices in turn: `names[i]` is the place of index `i`'s name among the candidates.
pub type Names = Vec<usize>;
