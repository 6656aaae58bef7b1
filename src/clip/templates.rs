//! Sentences that a name is put into, so that its vector is the mean of many ways to say it.

use std::path::Path;

use super::ClipError;
use crate::files::incoming;

/// Where the name goes.
const SLOT: &str = "{}";

/// The 80 that Radford 2021 found for ImageNet, as published with CLIP (MIT).
const IMAGENET: &str = include_str!("imagenet_templates.txt");

/// At least one sentence, each with a place for the name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Templates(Vec<String>);

impl Templates {
    /// The name alone.
    pub fn plain() -> Self {
        Templates(vec![SLOT.into()])
    }

    /// The sentences that OpenAI used for ImageNet.
    pub fn imagenet() -> Self {
        Templates(lines(IMAGENET).map(|(_, line)| line.into()).collect())
    }

    /// One a line, with `{}` where the name goes; empty lines do not count.
    pub fn read(path: &Path) -> Result<Self, ClipError> {
        let wrong = |what: String| ClipError::Templates { path: path.into(), what };
        let bytes = incoming::read(path, incoming::TEXT)
            .map_err(|cause| ClipError::Read { path: path.into(), cause })?;
        let text = String::from_utf8(bytes)
            .map_err(|_| wrong("expected text, one template a line, found something else".into()))?;
        for (number, line) in lines(&text) {
            if line.matches(SLOT).count() != 1 {
                return Err(wrong(format!(
                    "line {number}: expected one {SLOT} for the name, found \"{line}\""
                )));
            }
        }
        let templates: Vec<String> = lines(&text).map(|(_, line)| line.into()).collect();
        match templates.is_empty() {
            true => Err(wrong("no templates, expected one a line".into())),
            false => Ok(Templates(templates)),
        }
    }

    /// How many sentences there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Never: there is at least one.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The name in every template.
    pub fn prompts(&self, name: &str) -> impl Iterator<Item = String> {
        self.0.iter().map(move |template| template.replacen(SLOT, name, 1))
    }
}

/// Lines that say something, and their numbers from 1.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(i, line)| (i + 1, line.trim())).filter(|(_, line)| !line.is_empty())
}
