//! One spelling of a value, wherever it is written: `Display`, `FromStr`, serde and the report's schema go through it, and
//! the command line shows it in its help. `cosine-top:0.3` is the same on the command line, in TOML and in JSON.

use std::{fmt::Display, str::FromStr};

use schemars::{Schema, json_schema};
use serde_json::json;

/// A way to write a value, and what the value is then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// CAPITALS stand for a value, what is in brackets may be left out: `cosine-top[:SHARE]`.
    pub text: &'static str,
    /// In words, for help and schema.
    pub meaning: &'static str,
}

impl Form {
    /// Whether it stands for more than one value.
    pub fn is_open(&self) -> bool {
        self.text.contains(|c: char| c == '[' || c.is_ascii_uppercase())
    }

    /// The regular expression of what is written so.
    fn pattern(&self) -> String {
        let mut pattern = String::from("^");
        let mut before = ' ';
        for c in self.text.chars() {
            match c {
                '[' => pattern.push_str("(?:"),
                ']' => pattern.push_str(")?"),
                'A'..='Z' if before.is_ascii_uppercase() => {}
                'A'..='Z' => pattern.push_str("[^:]+"),
                c => pattern.push(c),
            }
            before = c;
        }
        pattern + "$"
    }
}

/// A type whose values have one spelling each: what `Display` writes, `FromStr` reads.
pub trait Spelled: Display + FromStr<Err = String> {
    /// What a value is, for the report's schema.
    const ABOUT: &'static str;
    /// In the order in which people are shown them.
    const FORMS: &'static [Form];
}

/// `l2, l1 or cosine-top[:SHARE]`
pub fn expected<T: Spelled>() -> String {
    let texts: Vec<&str> = T::FORMS.iter().map(|form| form.text).collect();
    match texts.split_last() {
        Some((last, [])) => (*last).into(),
        Some((last, before)) => format!("{} or {last}", before.join(", ")),
        None => String::new(),
    }
}

/// Why a text is none of the forms.
pub fn unknown<T: Spelled>(text: &str) -> String {
    format!("expected {}, found '{text}'", expected::<T>())
}

/// How alike two names are that may be one with a slip, of 1.
const ALIKE: f64 = 0.8;

/// `, did you mean 'seed'?`, if a known name is like this one.
pub fn did_you_mean(found: &str, known: &[&str]) -> String {
    let alike =
        known.iter().map(|name| (strsim::jaro(found, name), name)).filter(|(alike, _)| *alike >= ALIKE);
    alike
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map_or(String::new(), |(_, name)| format!(", did you mean '{name}'?"))
}

/// A string that is one of the forms.
pub fn schema<T: Spelled>() -> Schema {
    let form = |form: &Form| match form.is_open() {
        true => json!({ "description": form.meaning.trim(), "type": "string", "pattern": form.pattern() }),
        false => json!({ "description": form.meaning.trim(), "type": "string", "const": form.text }),
    };
    let forms: Vec<_> = T::FORMS.iter().map(form).collect();
    json_schema!({ "description": T::ABOUT.trim(), "oneOf": forms })
}

/// Serde and schema of a [`Spelled`] type.
macro_rules! as_text {
    ($name:ident) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn schema_id() -> std::borrow::Cow<'static, str> {
                concat!(module_path!(), "::", stringify!($name)).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                $crate::spelling::schema::<$name>()
            }
        }
    };
}
pub(crate) use as_text;

/// An enum without data, each value with its spelling; its documentation is the command line's help, too.
macro_rules! choices {
    (
        $(#[doc = $about:literal])+
        #[derive($($derive:ident),+ $(,)?)]
        $visibility:vis enum $name:ident {
            $($(#[doc = $meaning:literal])+ $variant:ident = $text:literal),+ $(,)?
        }
    ) => {
        $(#[doc = $about])+
        #[derive($($derive),+)]
        $visibility enum $name {
            $($(#[doc = $meaning])+ $variant),+
        }

        impl $name {
            /// Every value.
            pub const ALL: [$name; [$($text),+].len()] = [$($name::$variant),+];

            /// How it is spelled.
            pub const fn name(self) -> &'static str {
                match self {
                    $($name::$variant => $text),+
                }
            }
        }

        impl $crate::spelling::Spelled for $name {
            const ABOUT: &'static str = concat!($($about),+);
            const FORMS: &'static [$crate::spelling::Form] = &[
                $($crate::spelling::Form { text: $text, meaning: concat!($($meaning),+) }),+
            ];
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<$name, String> {
                let named = $name::ALL.into_iter().find(|value| value.name() == text);
                named.ok_or_else(|| $crate::spelling::unknown::<$name>(text))
            }
        }

        $crate::spelling::as_text!($name);
    };
}
pub(crate) use choices;

// TOML is the command line's.
#[cfg(all(test, feature = "cli"))]
mod tests {
    use std::fmt::Debug;

    use super::*;
    use crate::{
        attack::{
            config::{
                LabelStrategy, LayerWeights, Layers, Objective, Schedule, Sign, Start, StatisticsTarget,
            },
            guidance::Anneal,
            labels::Method,
            threat::Knowledge,
        },
        clip::Activation as ClipActivation,
        data::BatchRule,
        federated::{Kind, defence::Defence},
        nn::{
            Mode,
            options::{Activation, Norm, Stem},
        },
        semantic::Assignment,
    };

    /// Each form with numbers for its capitals, with and without what is in brackets.
    fn written(form: &Form) -> Vec<String> {
        let fill = |text: &str| {
            let parts: Vec<String> = text
                .split(':')
                .enumerate()
                .map(|(at, part)| match part.chars().all(|c| c.is_ascii_uppercase()) {
                    true if matches!(part, "N" | "G") => "3".into(),
                    true => format!("0.{}", 2 + at),
                    false => part.into(),
                })
                .collect();
            parts.join(":")
        };
        match form.text.split_once('[') {
            Some((bare, more)) => vec![fill(bare), fill(&format!("{bare}{}", more.trim_end_matches(']')))],
            None => vec![fill(form.text)],
        }
    }

    /// Text, JSON and TOML agree, for every form, and nothing else is taken.
    fn agree<T>()
    where
        T: Spelled + PartialEq + Debug + serde::Serialize + serde::de::DeserializeOwned,
    {
        for text in T::FORMS.iter().flat_map(written) {
            let value: T = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            let shown = value.to_string();
            assert_eq!(shown.parse::<T>().as_ref(), Ok(&value), "{text}");
            let json = serde_json::to_value(&value).unwrap();
            assert_eq!(json, serde_json::Value::String(shown), "{text}");
            assert_eq!(serde_json::from_value::<T>(json).unwrap(), value);
            let toml = toml::Value::try_from(&value).unwrap();
            assert_eq!(toml.try_into::<T>().unwrap(), value);
        }
        for wrong in ["", "no such value", "sign:", ":1", "L2"] {
            let error = wrong.parse::<T>().unwrap_err();
            assert!(error.contains(&format!("found '{wrong}'")), "{error}");
            assert!(serde_json::from_value::<T>(wrong.into()).is_err());
        }
    }

    #[test]
    fn text_json_and_toml_have_one_spelling() {
        agree::<Objective>();
        agree::<Layers>();
        agree::<LayerWeights>();
        agree::<Sign>();
        agree::<Schedule>();
        agree::<Start>();
        agree::<LabelStrategy>();
        agree::<StatisticsTarget>();
        agree::<Method>();
        agree::<Anneal>();
        agree::<Knowledge>();
        agree::<ClipActivation>();
        agree::<BatchRule>();
        agree::<Kind>();
        agree::<Defence>();
        agree::<Mode>();
        agree::<Activation>();
        agree::<Norm>();
        agree::<Stem>();
        agree::<Assignment>();
    }

    #[test]
    fn a_form_is_a_pattern() {
        let pattern = |text| Form { text, meaning: "" }.pattern();
        assert_eq!(pattern("last:N"), "^last:[^:]+$");
        assert_eq!(pattern("cosine[:FROM:TO]"), "^cosine(?::[^:]+:[^:]+)?$");
        assert!(!Form { text: "bias-corrected", meaning: "" }.is_open());
    }
}
