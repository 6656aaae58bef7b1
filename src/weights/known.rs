//! Weights that can be asked for by name.

use super::WeightsError;

/// Published weights.
#[derive(Debug)]
pub struct Known {
    /// What the user asks for, such as `clip-vit-b32`.
    pub name: &'static str,
    /// One line for the list.
    pub about: &'static str,
    /// Where they are published.
    pub source: Source,
}

/// A repository of Hugging Face.
#[derive(Debug)]
pub struct Source {
    /// As in `OWNER/NAME`.
    pub repository: &'static str,
    /// The revision that has the weights as safetensors.
    pub weights_revision: &'static str,
    /// Bytes and SHA-256 of the weights, where they are known here; else the server's word is taken.
    pub weights: Option<(u64, &'static str)>,
}

/// What the weights are called, there and here.
pub const WEIGHTS: &str = "model.safetensors";
/// What is read beside them.
pub const BESIDE: [&str; 2] = ["config.json", "preprocessor_config.json"];

/// In the order in which people are shown them.
pub const KNOWN: [Known; 4] = [
    Known {
        name: "clip-vit-b32",
        about: "OpenAI's CLIP, ViT-B/32 at 224 pixels, 605 MB",
        source: Source {
            repository: "openai/clip-vit-base-patch32",
            // The main branch has PyTorch's format alone; this is Hugging Face's own conversion.
            weights_revision: "refs%2Fpr%2F15",
            weights: Some((605_157_884, "99d28a652e6ec46629ab7047a0ac82c69b1fe11e0ce672c43af65d3a9a3fc05d")),
        },
    },
    Known {
        name: "clip-vit-b16",
        about: "OpenAI's CLIP, ViT-B/16 at 224 pixels",
        source: Source {
            repository: "openai/clip-vit-base-patch16",
            weights_revision: "main",
            weights: None,
        },
    },
    Known {
        name: "clip-vit-l14",
        about: "OpenAI's CLIP, ViT-L/14 at 224 pixels",
        source: Source {
            repository: "openai/clip-vit-large-patch14",
            weights_revision: "main",
            weights: None,
        },
    },
    Known {
        name: "tinyclip-8m",
        about: "TinyCLIP, ViT-8M/16 with Text-3M, YFCC-15M, 94 MB",
        source: Source {
            repository: "wkcn/TinyCLIP-ViT-8M-16-Text-3M-YFCC15M",
            weights_revision: "main",
            weights: None,
        },
    },
];

/// LPIPS' AlexNet: its authors and PyPI publish pickles, which are not read.
const LPIPS: &str = "lpips-alex";

/// The entry of this name.
pub fn known(name: &str) -> Result<&'static Known, WeightsError> {
    if name == LPIPS {
        return Err(WeightsError::Elsewhere { name: LPIPS, script: "examples/export_lpips.py" });
    }
    KNOWN.iter().find(|entry| entry.name == name).ok_or_else(|| {
        let names: Vec<&str> = KNOWN.iter().map(|entry| entry.name).collect();
        WeightsError::Unknown { name: name.into(), expected: names.join(", ") }
    })
}

impl Known {
    /// Every file's name and address; the weights come first.
    pub fn files(&self) -> Vec<(&'static str, String)> {
        let Source { repository, weights_revision, .. } = &self.source;
        let address = |revision: &str, file: &str| {
            format!("https://huggingface.co/{repository}/resolve/{revision}/{file}")
        };
        let beside = BESIDE.map(|file| (file, address("main", file)));
        [(WEIGHTS, address(weights_revision, WEIGHTS))].into_iter().chain(beside).collect()
    }
}
