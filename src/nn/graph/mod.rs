//! Networks that others wrote: a small typed graph of named operations, one importer a file format, one builder onto the
//! tape. A file's network becomes an [`Architecture`](super::Architecture) as those of the registry are, so that nothing
//! outside `nn/` asks where a victim comes from.

mod assemble;
mod build;
mod compose;
mod constants;
mod error;
mod extent;
mod last;
mod onnx;
mod op;
mod patches;
mod pt2;
mod shapes;

use std::{io::Read, path::Path, sync::Arc};

pub use build::GraphNetwork;
pub use error::GraphError;
use extent::Extent;
use op::Op;

use crate::files::incoming;

/// One operation, its operands and the shape of its result.
#[derive(Clone, Debug, PartialEq)]
struct Node {
    op: Op,
    /// Positions of earlier nodes; `None` where an operand that may be missing is.
    inputs: Vec<Option<usize>>,
    shape: Vec<Extent>,
}

/// A parameter or a running statistic.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// As the file has it.
    pub name: String,
    /// Sizes of the axes.
    pub shape: Vec<usize>,
    /// Row-major; nothing in a [`Graph::weightless`] network.
    pub data: Arc<Vec<f32>>,
    /// False for batch norm's running statistics.
    pub trainable: bool,
}

/// A network from a file, with the weights that the file holds, if it does.
#[derive(Clone, Debug, PartialEq)]
pub struct Graph {
    /// The file's name, which reports and gradient files call the network.
    pub name: String,
    /// `[C, H, W]` that it was exported for.
    pub image: [usize; 3],
    /// `K`
    pub classes: usize,
    /// In `state_dict` order.
    pub tensors: Vec<Tensor>,
    /// Whether the tensors' numbers must come from another file: this one has them as a pickle.
    pub weightless: bool,
    /// What is computed otherwise than the file says, in words.
    pub notes: Vec<String>,
    nodes: Vec<Node>,
    /// Which node is the logits `(B,K)`.
    output: usize,
    last: Last,
}

/// The last layer, which is linear in a picture's features.
#[derive(Clone, Debug, PartialEq)]
struct Last {
    /// `Linear`, or a `Conv2d` that is one.
    node: usize,
    /// Which tensors are its weight and bias.
    weight: usize,
    bias: Option<usize>,
}

impl Graph {
    /// Reads a `.pt2` file of `torch.export.save` or an ONNX file, whatever its extension says.
    ///
    /// # Errors
    /// Another kind of file, a damaged one, and a network that no victim can be, with the file and the place.
    pub fn read(path: &Path) -> Result<Graph, GraphError> {
        let io = |cause| GraphError::Read { path: path.into(), cause };
        let mut start = vec![];
        let (mut file, length) = incoming::open(path).map_err(io)?;
        Read::by_ref(&mut file).take(8).read_to_end(&mut start).map_err(io)?;
        if start.starts_with(b"PK") {
            return pt2::read(path, length);
        }
        if onnx::is_onnx(&start) {
            return onnx::read(path);
        }
        let looks_like = match &start[..] {
            [] => "it is empty",
            [0x80, 2..=5, ..] => "it looks like a Python pickle, which can run code and is not read",
            _ => "its first bytes are of no such file",
        };
        Err(GraphError::file(
            path,
            &format!("expected a .pt2 file as torch.export.save writes it, or an .onnx file: {looks_like}"),
        ))
    }
}

/// The last part of a path, for names in files.
fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
