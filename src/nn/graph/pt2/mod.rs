//! `.pt2`, as `torch.export.save` writes it: a zip archive with the graph as JSON and, since torch 2.8, weights as raw bytes.
//! Before, weights are a Python pickle: of such a file the graph is read, and weights come from elsewhere. Nothing of
//! Python is run or unpickled.

mod archive;
pub(crate) mod aten;
mod call;
mod memory;
mod payload;
mod schema;
mod signature;
mod translate;

use std::path::Path;

use serde::de::DeserializeOwned;

use super::{Graph, GraphError, assemble::Assembly, file_name};
use archive::Archive;
use schema::{MAJOR, Payloads, Program, Version};

const MODEL: &str = "models/model.json";
/// The same before torch 2.8.
const EARLIER: &str = "serialized_exported_program.json";
const WEIGHTS: &str = "data/weights/";
const CONSTANTS: &str = "data/constants/";
/// Most bytes of a member that is text.
const MOST_TEXT: u64 = 64 << 20;

/// `length` is the file's.
pub(crate) fn read(path: &Path, length: u64) -> Result<Graph, GraphError> {
    let refused = |reason: &str| GraphError::file(path, reason);
    let archive = Archive::open(path, length)?;
    let Some(model) = [MODEL, EARLIER].into_iter().find(|name| archive.has(name)) else {
        return Err(refused(foreign(&archive)));
    };
    if archive.has("byteorder") && archive.read("byteorder", 16)? != b"little" {
        return Err(refused("its numbers are big-endian, expected little-endian ones"));
    }
    let text = archive.read(model, MOST_TEXT)?;
    let version: Version = json(path, model, &text)?;
    let found = version.schema_version.major;
    if found != MAJOR {
        return Err(refused(&format!(
            "its schema is version {found}, expected {MAJOR}: export it again with a torch from 2.6 on"
        )));
    }
    let program: Program = json(path, model, &text)?;
    drop(text);
    let lists = [WEIGHTS, CONSTANTS].map(|folder| {
        let name = archive
            .names()
            .find(|name| name.starts_with(folder) && name.ends_with("_config.json"))
            .map(str::to_string);
        match name {
            Some(name) => json(path, &name, &archive.read(&name, MOST_TEXT)?),
            None => Ok(Payloads { config: Default::default() }),
        }
    });
    let [weights, constants] = lists;
    let (weights, constants, pickled) = (weights?, constants?, model == EARLIER);
    let weights = if pickled { signature::described(&program.graph_module) } else { weights };
    let sources = signature::Sources { archive: &archive, weights, constants, pickled };

    let mut assembly = Assembly::default();
    assembly.weightless = pickled;
    let module = &program.graph_module;
    let names = signature::declare(path, module, &sources, &mut assembly)?;
    let output = signature::output(path, &module.signature)?;
    let mut translation = translate::Translation::new(assembly, names);
    let needed = translate::needed(&module.graph.nodes, &output);
    for (call, _) in module.graph.nodes.iter().zip(needed).filter(|(_, needed)| *needed) {
        translation
            .apply(call, &module.graph.tensor_values)
            .map_err(|reason| GraphError::node(path, &translate::place(call), reason))?;
    }
    let at_output = |reason| GraphError::node(path, &format!("output '{output}'"), reason);
    let (assembly, node) = translation.finish(&output).map_err(at_output)?;
    assembly.finish(file_name(path), node).map_err(at_output)
}

fn json<T: DeserializeOwned>(path: &Path, name: &str, text: &[u8]) -> Result<T, GraphError> {
    serde_json::from_slice(text).map_err(|cause| GraphError::file(path, &format!("member '{name}': {cause}")))
}

/// What a zip archive without a graph is.
fn foreign(archive: &Archive) -> &'static str {
    let has = |end: &str| archive.names().any(|name| name == end || name.ends_with(end));
    if has("data.pkl") {
        return "what torch.save or torch.jit.save writes, a Python pickle, which can run code and is not read: export \
                the network with torch.export.export and torch.export.save";
    }
    if has(".npy") {
        return "an .npz file, which holds arrays and no network: give it as --weights";
    }
    "a zip archive without models/model.json, expected a .pt2 file as torch.export.save writes it"
}
