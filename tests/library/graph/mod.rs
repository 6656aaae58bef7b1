//! Networks from files: what is read of them, and what is refused.

mod damage;
mod last_layer;
mod reading;
mod refused;

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use gia_gpu::{
    federated::Request,
    nn::graph::{Graph, GraphError},
};
use serde_json::Value;

use crate::npz::support::zip;

pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/graphs").join(name)
}

/// Begins what is wrong with a network as a victim.
pub(crate) const MODEL: &str = "as a victim: ";

/// Reads bytes as a file, and makes a victim's model of its network; an error names the file.
pub(crate) fn read(folder: &Path, bytes: &[u8]) -> Result<Graph, String> {
    let file = folder.join("network.bin");
    fs::write(&file, bytes).unwrap();
    let graph = Graph::read(&file).map_err(|error: GraphError| {
        let message = error.to_string();
        assert!(message.starts_with(&file.display().to_string()), "{message}");
        message
    })?;
    let request = Request {
        image: Some(graph.image),
        graph: Some(graph.clone().into()),
        ..Request::named(&graph.name)
    };
    request.model(graph.classes).map_err(|error| {
        let message = error.to_string();
        assert!(message.contains(&graph.name), "{message}");
        format!("{}: {MODEL}{message}", file.display())
    })?;
    Ok(graph)
}

/// The members of a `.pt2` archive, which are stored as they are.
pub(crate) struct Archive(pub Vec<(String, Vec<u8>)>);

impl Archive {
    pub(crate) fn of(name: &str) -> Archive {
        let file = fs::File::open(path(name)).unwrap();
        let mut buffer = vec![0; rawzip::RECOMMENDED_BUFFER_SIZE];
        let archive = rawzip::ZipArchive::from_file(file, &mut buffer).unwrap();
        let mut places = vec![];
        let mut entries = archive.entries(&mut buffer);
        while let Some(entry) = entries.next_entry().unwrap() {
            places.push((
                String::from_utf8_lossy(entry.file_path().as_bytes()).into_owned(),
                entry.wayfinder(),
            ));
        }
        let read = |(name, place): (String, _)| {
            let mut bytes = vec![];
            archive.get_entry(place).unwrap().reader().read_to_end(&mut bytes).unwrap();
            (name, bytes)
        };
        Archive(places.into_iter().map(read).collect())
    }

    pub(crate) fn member(&mut self, end: &str) -> &mut Vec<u8> {
        &mut self.0.iter_mut().find(|(name, _)| name.ends_with(end)).unwrap().1
    }

    /// With a change of the graph's JSON.
    pub(crate) fn edited(mut self, change: impl FnOnce(&mut Value)) -> Archive {
        let member = self.member("models/model.json");
        let mut program: Value = serde_json::from_slice(member).unwrap();
        change(&mut program);
        *member = serde_json::to_vec(&program).unwrap();
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let members: Vec<(&str, Vec<u8>)> =
            self.0.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
        zip(&members, false)
    }
}
