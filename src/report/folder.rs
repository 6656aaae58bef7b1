//! The folder a run writes: it appears complete, `report.json` last, or not at all.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::{ReportError, atomic, write_picture_grid};
use crate::data::{DataError, Picture};

/// A folder that has been found writable, before anything is computed.
pub struct OutputFolder {
    path: PathBuf,
    /// Outermost folder made for it; removed again if nothing is written.
    made: Option<PathBuf>,
}

impl OutputFolder {
    /// Makes the folder if needed and tries to write to it.
    pub fn open(path: &Path) -> Result<OutputFolder, ReportError> {
        let unwritable = |cause| ReportError::Data(DataError::Unwritable { path: path.to_owned(), cause });
        let missing = path.ancestors().filter(|a| !a.as_os_str().is_empty() && !a.exists()).last();
        let folder = OutputFolder { path: path.to_owned(), made: missing.map(Path::to_owned) };
        fs::create_dir_all(path).map_err(unwritable)?;
        tempfile::tempfile_in(path).map_err(unwritable)?;
        Ok(folder)
    }

    /// Writes `images/original_NN.png`, `images/reconstruction_NN.png`, `grid.png` and `report.json`,
    /// replacing those of an earlier run.
    pub fn write(
        mut self,
        originals: Option<&[Picture]>,
        reconstructions: &[Picture],
        captions: &[String],
        report: &impl Serialize,
    ) -> Result<(), ReportError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |cause| ReportError::Data(DataError::Unwritable { path, cause })
        };
        let stage = tempfile::Builder::new()
            .prefix(".partial-")
            .tempdir_in(&self.path)
            .map_err(failed(&self.path))?;
        let images = stage.path().join("images");
        fs::create_dir(&images).map_err(failed(&images))?;
        let mut rows = vec![];
        for (name, pictures) in [("original", originals), ("reconstruction", Some(reconstructions))] {
            let Some(pictures) = pictures else { continue };
            for (i, picture) in pictures.iter().enumerate() {
                picture.write_png(&images.join(format!("{name}_{i:02}.png")))?;
            }
            rows.push((name, pictures));
        }
        write_picture_grid(&stage.path().join("grid.png"), &rows, captions)?;
        atomic::write_json(&stage.path().join("report.json"), report)?;

        // A report.json beside pictures of another run would be a lie: it goes first and comes last.
        let (old_report, old_images) = (self.path.join("report.json"), self.path.join("images"));
        if old_report.exists() {
            fs::remove_file(&old_report).map_err(failed(&old_report))?;
        }
        if old_images.exists() {
            fs::remove_dir_all(&old_images).map_err(failed(&old_images))?;
        }
        for name in ["images", "grid.png", "report.json"] {
            let target = self.path.join(name);
            fs::rename(stage.path().join(name), &target).map_err(failed(&target))?;
        }
        self.made = None;
        Ok(())
    }
}

impl Drop for OutputFolder {
    fn drop(&mut self) {
        let Some(made) = &self.made else { return };
        // Only folders that are still empty go.
        for folder in self.path.ancestors().take_while(|a| a.starts_with(made)) {
            if fs::remove_dir(folder).is_err() {
                return;
            }
        }
    }
}
