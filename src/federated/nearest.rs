//! Which architecture a file of weights fits best, for a message.

use crate::{
    nn::{Model, Options, architecture::NAMES, options::Stem},
    tensor_file::TensorFile,
};

/// The architecture that most of the file's tensors fit, by name and shape, with the share they are of
/// the larger of the two lists: `resnet18 stem=cifar`, `lenet5 of 1 channel`.
pub(crate) fn nearest(
    file: &TensorFile,
    image: [usize; 3],
    classes: usize,
) -> Option<(String, usize, usize)> {
    let [asked, h, w] = image;
    // Of those that fit equally the last is taken.
    let kinds = [1, 3, asked].map(|channels| [None, Some(Stem::Cifar)].map(|stem| (channels, stem)));
    let candidates = kinds.as_flattened().iter().flat_map(|&(channels, stem)| {
        NAMES.iter().map(move |name| (name, channels, Options { stem, ..Options::default() }))
    });
    let fit = candidates.filter_map(|(name, channels, options)| {
        // `convnet<width>, e.g. …` stands for any width: the file's first layer tells.
        let width = |tensor: &str| file.tensors.get(tensor)?.shape.first();
        let name = match *name {
            name if name.starts_with("convnet") => format!("convnet{}", width("model.conv0.weight")?),
            name if name.starts_with("resnet9") => format!("resnet9-{}", width("prep.conv.weight")?),
            name => name.to_string(),
        };
        let model = Model::new(&name, &options, Some([channels, h, w]), classes).ok()?;
        let declarations = model.declarations();
        let fits =
            |d: &&crate::nn::Declaration| file.tensors.get(&d.name).is_some_and(|t| t.shape == d.shape);
        let matches = declarations.iter().filter(fits).count();
        let described = match (channels == asked, channels) {
            (true, _) => model.describe(),
            (_, 1) => format!("{} of 1 channel", model.describe()),
            (_, n) => format!("{} of {n} channels", model.describe()),
        };
        Some((described, matches, declarations.len().max(file.tensors.len())))
    });
    fit.filter(|f| f.1 > 0).max_by(|a, b| (a.1 * b.2).cmp(&(b.1 * a.2)))
}
