//! How pictures came about: a row each, from the first iterate to the last.

use askama::Template;
use base64::{Engine, prelude::BASE64_STANDARD};

use crate::{data::Picture, report::ReportError};

/// Iterates on the way to reconstructions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Film {
    /// A row each.
    pub strips: Vec<Strip>,
}

/// One picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Strip {
    /// What stands before the row.
    pub title: String,
    /// With what stands under each.
    pub frames: Vec<(Picture, String)>,
}

#[derive(Template)]
#[template(path = "film.html")]
struct View {
    strips: Vec<(String, Vec<Shown>)>,
}

struct Shown {
    source: String,
    caption: String,
    width: usize,
    height: usize,
}

impl Film {
    pub(super) fn html(&self) -> Result<String, ReportError> {
        let shown = |(picture, caption): &(Picture, String)| {
            let source = format!("data:image/png;base64,{}", BASE64_STANDARD.encode(picture.to_png()?));
            Ok(Shown { source, caption: caption.clone(), width: picture.width, height: picture.height })
        };
        let strip = |strip: &Strip| {
            let frames = strip.frames.iter().map(shown).collect::<Result<Vec<_>, ReportError>>()?;
            Ok((strip.title.clone(), frames))
        };
        let strips = self.strips.iter().map(strip).collect::<Result<Vec<_>, ReportError>>()?;
        Ok(View { strips }.render()?)
    }
}
