//! A mean with its uncertainty.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Serialize, Serializer};

use super::{fraction_interval_95, mean_interval_95};

/// Fewer independent values have no interval of their mean.
pub const FEWEST: usize = 6;

/// Mean and median of a sample, with a 95 % interval of the mean. Infinite values (a PSNR without error) become `null` in
/// JSON.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Estimate {
    /// Over all values.
    #[schemars(with = "Option<f64>")]
    pub mean: f64,
    /// Over all values.
    #[schemars(with = "Option<f64>")]
    pub median: f64,
    /// Of all values.
    #[schemars(with = "Option<f64>")]
    pub lowest: f64,
    /// Of all values.
    #[schemars(with = "Option<f64>")]
    pub highest: f64,
    /// `null` below six batches, and where all agree on a value of no known range.
    #[schemars(with = "Option<[Option<f64>; 2]>")]
    pub interval_95: Option<[f64; 2]>,
    /// Values, such as pictures.
    pub count: usize,
    /// What was drawn independently, such as the batches of the pictures.
    pub units: usize,
    /// The units' values where they are too few for an interval.
    pub too_few: Option<Few>,
}

/// Up to five values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Few {
    values: [f64; FEWEST - 1],
    count: usize,
}

impl Few {
    fn of(values: &[f64]) -> Option<Few> {
        let mut kept = [0.0; FEWEST - 1];
        kept.get_mut(..values.len())?.copy_from_slice(values);
        Some(Few { values: kept, count: values.len() })
    }

    /// As many as there were units.
    pub fn values(&self) -> &[f64] {
        &self.values[..self.count]
    }
}

impl Serialize for Few {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.values().serialize(serializer)
    }
}

impl JsonSchema for Few {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Few".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Vec::<Option<f64>>::json_schema(generator)
    }
}

/// `mean [low, high]`, `mean (too few: value, value)` or `mean`.
impl std::fmt::Display for Estimate {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let text = match (self.interval_95, self.too_few) {
            (Some([low, high]), _) => format!("{:.3} [{low:.3}, {high:.3}]", self.mean),
            (None, Some(few)) if few.count > 1 => {
                let values: Vec<String> = few.values().iter().map(|v| format!("{v:.3}")).collect();
                format!("{:.3} (too few: {})", self.mean, values.join(", "))
            }
            _ => format!("{:.3}", self.mean),
        };
        f.pad(&text)
    }
}

impl Estimate {
    /// Of independent values, which must not be none. The resampling is seeded: the same values give the same interval.
    pub fn of(values: &[f64]) -> Estimate {
        Estimate::within(values, None)
    }

    /// The same where no value can lie outside of `range`.
    pub fn within(values: &[f64], range: Option<[f64; 2]>) -> Estimate {
        let groups: Vec<&[f64]> = values.chunks(1).collect();
        Estimate::of_groups(&groups, range)
    }

    /// Of values in groups that were drawn independently, such as pictures in batches; the mean is over all values.
    /// There must be one.
    pub fn of_groups(groups: &[&[f64]], range: Option<[f64; 2]>) -> Estimate {
        let plain = Estimate::plain(groups);
        let units = units(groups, plain.mean);
        Estimate { interval_95: mean_interval_95(&units, range), too_few: Few::of(&units), ..plain }
    }

    /// Of independent shares in [0, 1], with Clopper and Pearson's interval, which holds for few of them too.
    pub fn of_shares(shares: &[f64]) -> Estimate {
        let groups: Vec<&[f64]> = shares.chunks(1).collect();
        let interval_95 = fraction_interval_95(shares.iter().sum(), shares.len() as f64);
        Estimate { interval_95: Some(interval_95), ..Estimate::plain(&groups) }
    }

    fn plain(groups: &[&[f64]]) -> Estimate {
        let mut sorted = groups.concat();
        sorted.sort_by(f64::total_cmp);
        let n = sorted.len();
        Estimate {
            mean: sorted.iter().sum::<f64>() / n as f64,
            median: (sorted[(n - 1) / 2] + sorted[n / 2]) / 2.0,
            lowest: sorted[0],
            highest: sorted[n - 1],
            interval_95: None,
            count: n,
            units: groups.len(),
            too_few: None,
        }
    }
}

/// A value a group whose mean is the mean of all values: a group's own mean, or, where groups differ in size, the mean of
/// all and what the group adds to it (the linearised ratio, Cochran 1977, section 6.4).
fn units(groups: &[&[f64]], mean: f64) -> Vec<f64> {
    let all: usize = groups.iter().map(|g| g.len()).sum();
    let size = all as f64 / groups.len() as f64;
    let equal = groups.iter().all(|g| g.len() == groups[0].len());
    let unit = |group: &&[f64]| match group.iter().all(|v| v.is_finite()) {
        true if equal => group.iter().sum::<f64>() / size,
        true => mean + group.iter().map(|v| v - mean).sum::<f64>() / size,
        false => f64::INFINITY,
    };
    groups.iter().map(unit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_of_one_batch_are_one_unit() {
        let batches: Vec<Vec<f64>> = (0..8).map(|b| vec![f64::from(b % 3); 4]).collect();
        let groups: Vec<&[f64]> = batches.iter().map(Vec::as_slice).collect();
        let grouped = Estimate::of_groups(&groups, None);
        let means = Estimate::of(&batches.iter().map(|b| b[0]).collect::<Vec<_>>());
        assert_eq!((grouped.interval_95, grouped.mean), (means.interval_95, means.mean));
        assert_eq!((grouped.count, grouped.units, means.count), (32, 8, 8));
    }

    #[test]
    fn the_interval_holds_the_mean_and_narrows_with_the_sample() {
        let width = |n: usize| {
            let e = Estimate::of(&(0..n).map(|i| (i % 5) as f64).collect::<Vec<_>>());
            let [low, high] = e.interval_95.unwrap();
            assert!(low <= e.mean && e.mean <= high);
            high - low
        };
        assert!(width(400) < width(20));
    }

    #[test]
    fn few_values_are_shown_themselves() {
        let e = Estimate::of(&[0.25, 0.75]);
        assert_eq!((e.interval_95, e.too_few.unwrap().values()), (None, &[0.25, 0.75][..]));
        assert_eq!(e.to_string(), "0.500 (too few: 0.250, 0.750)");
        assert_eq!(serde_json::to_value(e).unwrap()["too_few"], serde_json::json!([0.25, 0.75]));
        assert!(Estimate::of(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]).too_few.is_none());
    }

    #[test]
    fn shares_have_an_interval_whatever_their_number() {
        let e = Estimate::of_shares(&[1.0, 1.0]);
        assert!((e.interval_95.unwrap()[0] - 0.158).abs() < 1e-3);
    }
}
