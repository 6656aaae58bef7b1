//! What `contains` prints.

use std::fmt::{self, Display, Formatter};

use crate::audit::{Candidate, Membership};

/// For a person at a terminal, the nearest candidate first.
pub(crate) struct Table<'a> {
    pub found: &'a Membership,
    pub alpha: f64,
}

impl Display for Table<'_> {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        let Membership { layer, batch, rank, outsiders, candidates, .. } = self.found;
        writeln!(
            f,
            "layer '{layer}': a gradient of rank {rank} over a batch of {batch}, against {outsiders} outsiders"
        )?;
        writeln!(f, "{:>10} {:>12} {:>9}  {:10} picture", "distance", "false alarms", "p", "verdict")?;
        let mut order: Vec<&Candidate> = candidates.iter().collect();
        order.sort_by(|a, b| a.verdict.distance.total_cmp(&b.verdict.distance));
        for Candidate { picture, verdict: found } in order {
            let verdict = match found.member {
                Some(true) => "member",
                Some(false) => "not shown",
                None => "-",
            };
            let share = found.false_alarm_rate.map_or("-".into(), |rate| format!("{:.2} %", 100.0 * rate));
            let p = found.p_value.map_or("-".into(), |p| format!("{p:.2e}"));
            writeln!(f, "{:>10.3e} {share:>12} {p:>9}  {verdict:10} {picture}", found.distance)?;
        }
        write!(f, "a member by mistake: a chance of at most {} over all candidates (Holm)", self.alpha)
    }
}
