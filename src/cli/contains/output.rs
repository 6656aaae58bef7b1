//! What `contains` prints.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use crate::attack::exact::membership::Verdict;

#[derive(Serialize)]
pub struct Found {
    pub layer: String,
    pub batch: usize,
    pub rank: usize,
    pub outsiders: usize,
    /// In the order given.
    pub candidates: Vec<Candidate>,
}

#[derive(Serialize)]
pub struct Candidate {
    picture: String,
    distance: f64,
    false_alarm_rate: Option<f64>,
    p_value: Option<f64>,
    member: Option<bool>,
}

impl Candidate {
    pub fn new(picture: String, verdict: Verdict) -> Candidate {
        let Verdict { distance, false_alarm_rate, p_value, member } = verdict;
        Candidate { picture, distance, false_alarm_rate, p_value, member }
    }
}

/// The same for a person at a terminal, the nearest candidate first.
pub struct Table<'a> {
    pub found: &'a Found,
    pub alpha: f64,
}

impl Display for Table<'_> {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        let Found { layer, batch, rank, outsiders, candidates } = self.found;
        writeln!(
            f,
            "layer '{layer}': a gradient of rank {rank} over a batch of {batch}, against {outsiders} outsiders"
        )?;
        writeln!(f, "{:>10} {:>12} {:>9}  {:10} picture", "distance", "false alarms", "p", "verdict")?;
        let mut order: Vec<&Candidate> = candidates.iter().collect();
        order.sort_by(|a, b| a.distance.total_cmp(&b.distance));
        for candidate in order {
            let verdict = match candidate.member {
                Some(true) => "member",
                Some(false) => "not shown",
                None => "-",
            };
            let share =
                candidate.false_alarm_rate.map_or("-".into(), |rate| format!("{:.2} %", 100.0 * rate));
            let p = candidate.p_value.map_or("-".into(), |p| format!("{p:.2e}"));
            writeln!(
                f,
                "{:>10.3e} {share:>12} {p:>9}  {verdict:10} {}",
                candidate.distance, candidate.picture
            )?;
        }
        write!(f, "a member by mistake: a chance of at most {} over all candidates (Holm)", self.alpha)
    }
}
