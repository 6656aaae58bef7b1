//! The study as a table for the terminal.

use std::fmt::Write;

use super::HypothesesReport;

impl HypothesesReport {
    /// For people.
    pub fn table(&self) -> String {
        let mut text = format!(
            "{} batches\n{:52}{:>26}{:>26}\n",
            self.batches, "true hypothesis, by", "first", "among three"
        );
        for together in &self.together {
            let _ = writeln!(text, "{:52}{:>26}{:>26}", together.by, together.first, together.top_3);
        }
        let _ = writeln!(text, "{:52}{:>26.3}{:>26.3}", "chance", self.chance_first, self.chance_top_3);
        for compared in &self.comparisons {
            let _ = write!(text, "{}: {:.0} s", compared.comparison, compared.seconds);
            if let (Some(record), Some(claimed)) = (&compared.calibration, compared.claimed) {
                let rate = record["observed_rate"].as_f64();
                let rate = rate
                    .map_or("too few to observe".into(), |rate| format!("{:.1} % observed", 100.0 * rate));
                let _ = write!(
                    text,
                    ", {claimed} of {} claimed at 5 % false positives ({rate} on {} unrelated gradients)",
                    compared.batches.len(),
                    record["unrelated"]
                );
            }
            if let Some(error) =
                compared.reliability.as_ref().and_then(|r| r["expected_calibration_error"].as_f64())
            {
                let _ = write!(text, ", posterior off by {error:.3}");
            }
            for skipped in &compared.skipped {
                let _ = write!(text, "\n  batch {} is left out: {}", skipped.batch, skipped.reason);
            }
            text.push('\n');
        }
        text.trim_end().into()
    }
}
