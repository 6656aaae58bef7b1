//! Which architecture a file of weights fits best, for a message.

use crate::{
    nn::{Model, Options, architecture::NAMES, options::Stem},
    tensor_file::TensorFile,
};

/// The architecture that most of the file's tensors fit, by name and shape, with the share they are of
/// the larger of the two lists: `resnet18 stem=cifar`.
pub fn nearest(file: &TensorFile, image: [usize; 3], classes: usize) -> Option<(String, usize, usize)> {
    let stems = [None, Some(Stem::Cifar)];
    let candidates =
        NAMES.iter().flat_map(|name| stems.map(|stem| (name, Options { stem, ..Options::default() })));
    let fit = candidates.filter_map(|(name, options)| {
        // `convnet<width>, e.g. …` stands for any width: the file's first layer tells.
        let width = |tensor: &str| file.tensors.get(tensor)?.shape.first();
        let name = match *name {
            name if name.starts_with("convnet") => format!("convnet{}", width("model.conv0.weight")?),
            name if name.starts_with("resnet9") => format!("resnet9-{}", width("prep.conv.weight")?),
            name => name.to_string(),
        };
        let model = Model::new(&name, &options, Some(image), classes).ok()?;
        let declarations = model.declarations();
        let fits =
            |d: &&crate::nn::Declaration| file.tensors.get(&d.name).is_some_and(|t| t.shape == d.shape);
        let matches = declarations.iter().filter(fits).count();
        Some((model.describe(), matches, declarations.len().max(file.tensors.len())))
    });
    fit.filter(|f| f.1 > 0).max_by(|a, b| (a.1 * b.2).cmp(&(b.1 * a.2)))
}
