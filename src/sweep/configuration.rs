//! What decides a sweep's results.

use std::fmt::{self, Display, Formatter};

use serde::{Deserialize, Serialize};

/// Options with their values as text, in the order in which they are compared. Two sweeps of equal configurations have
/// equal results.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration(Vec<(String, String)>);

/// The first option that two configurations do not share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// As it is written, with its dashes on the command line.
    pub option: String,
    /// What it was, if it was given.
    pub was: Option<String>,
    /// What it is now, if it is given.
    pub is: Option<String>,
}

impl Configuration {
    /// The same with one option more.
    pub fn with(mut self, option: impl Into<String>, value: impl Display) -> Configuration {
        self.0.push((option.into(), value.to_string()));
        self
    }

    /// Options and values, in the order in which they are compared.
    pub fn options(&self) -> &[(String, String)] {
        &self.0
    }

    /// All but these options.
    pub fn without(&self, but: &[&str]) -> Configuration {
        Configuration(self.0.iter().filter(|(name, _)| !but.contains(&name.as_str())).cloned().collect())
    }

    /// Where this differs from an `earlier` one.
    pub fn difference(&self, earlier: &Configuration) -> Option<Difference> {
        let value = |of: &Configuration, option: &str| {
            of.0.iter().find(|(name, _)| name == option).map(|(_, value)| value.clone())
        };
        let all = self.0.iter().chain(&earlier.0).map(|(option, _)| option);
        all.map(|option| Difference {
            option: option.clone(),
            was: value(earlier, option),
            is: value(self, option),
        })
        .find(|d| d.was != d.is)
    }
}

impl Display for Difference {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "not given".into());
        write!(f, "{} was {}, now it is {}", self.option, shown(&self.was), shown(&self.is))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_option_that_differs_is_named() {
        let base = Configuration::default().with("--seeds", "1,2").with("--batches", 50);
        assert_eq!(base.difference(&base.clone()), None);
        let other = Configuration::default().with("--seeds", "1,3").with("--batches", 8);
        let difference = other.difference(&base).unwrap();
        assert_eq!(difference.to_string(), "--seeds was 1,2, now it is 1,3");
        let fewer = Configuration::default().with("--seeds", "1,2");
        assert_eq!(fewer.difference(&base).unwrap().to_string(), "--batches was 50, now it is not given");
        assert_eq!(base.difference(&fewer).unwrap().to_string(), "--batches was not given, now it is 50");
    }
}
