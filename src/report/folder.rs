//! The folder a run writes: it is the run's alone from before it computes, and appears complete, `report.json` last, or not
//! at all.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::{ReportError, atomic, picture_grid::MOST_PICTURES, write_picture_grid};
use crate::{
    data::{DataError, Picture},
    files::{
        claim::{Claim, Destination},
        outgoing::{self, PARTIAL},
    },
    metrics::IMAGES,
    tensor_file::{Tensor, TensorFile},
};

const PAGE: &str = "report.html";
const UNROUNDED: &str = "reconstruction.safetensors";
const ANIMATION: &str = "film.gif";

/// What says that a run has ended in a folder.
const FINISHED: [&str; 1] = ["report.json"];

/// A folder that has been found writable, before anything is computed.
pub struct OutputFolder {
    /// No other run writes here meanwhile; a folder made for it goes again if nothing is written.
    claim: Claim,
    page: Option<String>,
    /// Shape `(N,C,H,W)` and pixels.
    unrounded: Option<Tensor>,
    animation: Option<Vec<u8>>,
}

impl OutputFolder {
    /// Makes the folder if needed, claims it and tries to write to it. Results of an earlier run in it will be replaced.
    ///
    /// # Errors
    /// Another process writes there; it cannot be written to.
    pub fn open(path: &Path) -> Result<OutputFolder, ReportError> {
        OutputFolder::claim(&Destination { path: path.into(), numbered: false }, true)
    }

    /// The same of a folder, or of the first one of a name that is free; results of an earlier run are refused, unless by
    /// `force`.
    ///
    /// # Errors
    /// As [`OutputFolder::open`]; results are there.
    pub fn claim(to: &Destination, force: bool) -> Result<OutputFolder, ReportError> {
        if !to.numbered {
            check_kinds(&to.path)?;
        }
        let claim = to.claim(&FINISHED, force)?;
        tempfile::tempfile_in(claim.path()).map_err(unwritable(claim.path()))?;
        // What a kill left: nobody else writes here.
        for leftover in names(claim.path())?.iter().filter(|name| name.starts_with(PARTIAL)) {
            let leftover = claim.path().join(leftover);
            let removed =
                if leftover.is_dir() { fs::remove_dir_all(&leftover) } else { fs::remove_file(&leftover) };
            removed.map_err(unwritable(&leftover))?;
        }
        Ok(OutputFolder { claim, page: None, unrounded: None, animation: None })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.claim.path()
    }

    /// `report.html`, to be written with the rest: what [`super::html::Page::render`] made.
    pub fn set_page(&mut self, html: String) {
        self.page = Some(html);
    }

    /// `film.gif`, to be written with the rest.
    pub fn set_animation(&mut self, gif: Vec<u8>) {
        self.animation = Some(gif);
    }

    /// `reconstruction.safetensors`, to be written with the rest: all pictures' pixels, neither clamped nor rounded,
    /// `shape` `[C, H, W]` each.
    pub fn set_unrounded(&mut self, pixels: Vec<f32>, shape: [usize; 3]) {
        let count = pixels.len() / shape.iter().product::<usize>().max(1);
        self.unrounded = Some(Tensor { shape: [&[count], &shape[..]].concat(), data: pixels });
    }

    /// Writes `images/original_NN.png`, `images/reconstruction_NN.png`, `grid.png` (of the first 1024
    /// pictures), `report.html` if there is a page, and `report.json`, replacing those of an earlier run. Other
    /// files stay.
    pub fn write(
        mut self,
        originals: Option<&[Picture]>,
        reconstructions: &[Picture],
        captions: &[String],
        report: &impl Serialize,
    ) -> Result<(), ReportError> {
        let stage = outgoing::stage(self.path()).map_err(unwritable(self.path()))?;
        let images = stage.path().join("images");
        outgoing::make_folder(&images).map_err(unwritable(&images))?;
        // As many digits as the last one needs: sorted names are then in the pictures' order.
        let digits = reconstructions.len().saturating_sub(1).to_string().len().max(2);
        let mut rows = vec![];
        for (name, pictures) in [("original", originals), ("reconstruction", Some(reconstructions))] {
            let Some(pictures) = pictures else { continue };
            for (i, picture) in pictures.iter().enumerate() {
                picture.write_png(&images.join(format!("{name}_{i:0digits$}.png")))?;
            }
            rows.push((name, &pictures[..pictures.len().min(MOST_PICTURES)]));
        }
        let captions = &captions[..captions.len().min(MOST_PICTURES)];
        write_picture_grid(&stage.path().join("grid.png"), &rows, captions)?;
        if let Some(page) = &self.page {
            atomic::write_bytes(&stage.path().join(PAGE), page.as_bytes())?;
        }
        if let Some(gif) = &self.animation {
            atomic::write_bytes(&stage.path().join(ANIMATION), gif)?;
        }
        if let Some(tensor) = self.unrounded.take() {
            let tensors = BTreeMap::from([(IMAGES.to_owned(), tensor)]);
            TensorFile::write(&stage.path().join(UNROUNDED), &tensors, &BTreeMap::new())?;
        }
        atomic::write_json(&stage.path().join("report.json"), report)?;
        self.replace(stage.path())?;
        self.claim.keep();
        Ok(())
    }

    /// Moves what is in `stage` to its place.
    fn replace(&self, stage: &Path) -> Result<(), ReportError> {
        // A report beside pictures of another run would be a lie: it goes first and comes last.
        let images = self.images();
        for stale in
            [self.report(), self.path().join(PAGE), self.path().join(UNROUNDED), self.path().join(ANIMATION)]
        {
            if stale.exists() {
                outgoing::remove(&stale).map_err(unwritable(&stale))?;
            }
        }
        outgoing::make_folder(&images).map_err(unwritable(&images))?;
        for old in names(&images)?.iter().filter(|name| is_ours(name)) {
            let old = images.join(old);
            outgoing::remove(&old).map_err(unwritable(&old))?;
        }
        let pictures = names(&stage.join("images"))?.into_iter().map(|name| format!("images/{name}"));
        let optional = [PAGE, UNROUNDED, ANIMATION]
            .into_iter()
            .filter(|name| stage.join(name).exists())
            .map(String::from);
        for name in pictures.chain(["grid.png".into()]).chain(optional).chain(["report.json".into()]) {
            let target = self.path().join(&name);
            outgoing::rename(&stage.join(&name), &target).map_err(unwritable(&target))?;
        }
        Ok(())
    }

    fn images(&self) -> PathBuf {
        self.path().join("images")
    }

    fn report(&self) -> PathBuf {
        self.path().join("report.json")
    }
}

/// Whether a picture of this name comes from an earlier run, not from the user.
fn is_ours(name: &str) -> bool {
    let number = ["original_", "reconstruction_"].iter().find_map(|start| name.strip_prefix(start));
    let number = number.and_then(|rest| rest.strip_suffix(".png"));
    number.is_some_and(|number| number.len() >= 2 && number.bytes().all(|b| b.is_ascii_digit()))
}

/// Names of what a folder holds; those that are not Unicode are not ours.
fn names(folder: &Path) -> Result<Vec<String>, ReportError> {
    let entries: io::Result<Vec<_>> = fs::read_dir(folder).and_then(Iterator::collect);
    let entries = entries.map_err(unwritable(folder))?;
    Ok(entries.into_iter().filter_map(|entry| entry.file_name().into_string().ok()).collect())
}

fn unwritable(path: &Path) -> impl Fn(io::Error) -> ReportError + use<> {
    let path = path.to_owned();
    move |cause| DataError::Unwritable { path: path.clone(), cause }.into()
}

/// What is in the way of the files that will be written.
fn check_kinds(path: &Path) -> Result<(), ReportError> {
    let files = ["grid.png", "report.json", PAGE, UNROUNDED, ANIMATION].map(|name| (path.join(name), false));
    for (entry, is_folder) in
        [(path.to_path_buf(), true), (path.join("images"), true)].into_iter().chain(files)
    {
        if entry.exists() && entry.is_dir() != is_folder {
            let kind = |is_folder| String::from(if is_folder { "a folder" } else { "a file" });
            let (expected, found) = (kind(is_folder), kind(!is_folder));
            return Err(DataError::Malformed { path: entry, expected, found }.into());
        }
    }
    Ok(())
}
