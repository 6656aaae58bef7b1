//! Values of the library as clap reads them: their forms are shown in the help, completed, and suggested for typos.

use std::{ffi::OsStr, marker::PhantomData};

use clap::{
    Arg, Command, Error,
    builder::{PossibleValue, PossibleValuesParser, StringValueParser, TypedValueParser, ValueParser},
};

use crate::spelling::{Form, Spelled};

/// Says every value of a type together.
const ALL: &str = "all";

/// One value, or all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OneOrAll<T> {
    One(T),
    All,
}

/// Reads a value of this type.
pub(crate) fn spelled<T: Spelled + Clone + Send + Sync + 'static>() -> ValueParser {
    match T::FORMS.iter().any(Form::is_open) {
        true => Forms(PhantomData::<fn() -> T>).into(),
        false => PossibleValuesParser::new(shown::<T>()).try_map(|text| text.parse::<T>()).into(),
    }
}

/// Reads a value of this type, which has closed forms alone, or `all`.
pub(crate) fn one_or_all<T: Spelled + Clone + Send + Sync + 'static>(meaning: &'static str) -> ValueParser {
    let all = PossibleValue::new(ALL).help(meaning);
    let read = |text: String| match text.as_str() {
        ALL => Ok(OneOrAll::All),
        one => one.parse::<T>().map(OneOrAll::One),
    };
    PossibleValuesParser::new(shown::<T>().chain([all])).try_map(read).into()
}

/// The forms as help shows them.
fn shown<T: Spelled>() -> impl Iterator<Item = PossibleValue> {
    T::FORMS.iter().map(|form| PossibleValue::new(form.text).help(form.meaning.trim().trim_end_matches('.')))
}

/// Reads values that may carry numbers; what is wrong with one is said by its type.
#[derive(Clone)]
struct Forms<T>(PhantomData<fn() -> T>);

impl<T: Spelled + Clone + Send + Sync + 'static> TypedValueParser for Forms<T> {
    type Value = T;

    fn parse_ref(&self, command: &Command, option: Option<&Arg>, value: &OsStr) -> Result<T, Error> {
        StringValueParser::new().try_map(|text| text.parse::<T>()).parse_ref(command, option, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(shown::<T>()))
    }
}
