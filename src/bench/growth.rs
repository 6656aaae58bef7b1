//! How times grow, as a table.

use std::fmt::{Result, Write};

use super::{Axis, Growth, Point, Step, report::time};

impl Growth {
    /// For people.
    pub fn table(&self) -> String {
        let mut text = String::new();
        // Nothing can fail where text is written to.
        let _ = self.write(&mut text);
        text.trim_end().into()
    }

    fn write(&self, out: &mut String) -> Result {
        let Growth { axis, points, steps } = self;
        let trials = *axis == Axis::Trials;
        writeln!(
            out,
            "{:<8} {:<20} {:>10} {:>10} {:>12}{}",
            axis.name(),
            "victim",
            "median",
            "each",
            "memory",
            if trials { "  a trial's cost by the row before's" } else { "" }
        )?;
        for point in points {
            let Point { value, rounds, measured } = point;
            let memory = measured.totals.map_or(0, |totals| totals.memory) as f64 / 1e6;
            let step = steps.iter().find(|step| step.to == *value);
            let step = step.map_or(String::new(), |Step { median, interval_95: [low, high], .. }| {
                format!("  {median:.3} [{low:.3}, {high:.3}]")
            });
            writeln!(
                out,
                "{value:<8} {:<20} {:>10} {:>10} {memory:>9.1} MB{step}{}",
                measured.architecture,
                time(point.seconds()),
                time(measured.seconds.median / (measured.batch * measured.trials) as f64),
                if *rounds > 1 { format!(", {rounds} rounds of {}", measured.trials) } else { String::new() }
            )?;
        }
        for Step { from, to, median, .. } in steps.iter().filter(|step| step.rises) {
            let percent = 100.0 * (median - 1.0);
            writeln!(out, "a trial costs {percent:.0} % more among {to} than among {from}")?;
        }
        if trials && !steps.iter().any(|step| step.rises) {
            writeln!(out, "no step where a trial costs more among more trials")?;
        }
        Ok(())
    }
}
