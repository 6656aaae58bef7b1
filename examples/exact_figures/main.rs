//! The figures on exact attacks of `docs/results.md`.
//!
//! `cargo run --release --example exact_figures -- --cifar cifar10-first4000.bin --test cifar10/test \
//!   --public cifar10/train --resnet20 resnet20_cifar10.safetensors [spear | heads | membership | labels | names | combination]…`
//!
//! `… -- --cifar … --mlp mlp.safetensors --mlp-data t10k-images-idx3-ubyte.gz trained`

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example prints")]

mod membership;
mod names;
mod spear;

use std::path::{Path, PathBuf};

use clap::Parser;
use gia_gpu::{
    data::{Dataset, Normalisation},
    device::{Device, cpu::Cpu},
    federated::{Request, Victim},
    nn::Options,
    random,
    statistics::Estimate,
};
use rand::seq::SliceRandom;

#[derive(Parser)]
struct Figures {
    /// CIFAR-10's binary format, for untrained victims
    #[arg(long)]
    cifar: PathBuf,
    /// Pictures that the trained victim has not seen: a folder per class
    #[arg(long)]
    test: Option<PathBuf>,
    /// Public pictures with names: a folder per class
    #[arg(long)]
    public: Option<PathBuf>,
    /// Weights of a trained resnet20
    #[arg(long)]
    resnet20: Option<PathBuf>,
    /// Weights of a trained mlp
    #[arg(long)]
    mlp: Option<PathBuf>,
    /// Pictures for it
    #[arg(long)]
    mlp_data: Option<PathBuf>,
    /// Its hidden layers
    #[arg(long, value_delimiter = ',', default_value = "300,300")]
    mlp_hidden: Vec<usize>,
    /// Channels, height and width of its pictures
    #[arg(long, value_delimiter = ',', default_value = "1,28,28")]
    mlp_image: Vec<usize>,
    /// Batches of each row of the SPEAR tables
    #[arg(long, default_value_t = 20)]
    batches: usize,
    /// Batches of each row of vgg11's features
    #[arg(long, default_value_t = 3)]
    vgg_batches: usize,
    /// Of untrained weights and batches, where names are told
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Of tables with several victims, those whose name holds this
    #[arg(long, default_value = "")]
    only: String,
    /// spear, heads, membership, labels, names, combination, trained; all if none is given
    tables: Vec<String>,
}

impl Figures {
    fn mlp_shape(&self) -> Result<[usize; 3], Failure> {
        Ok(self.mlp_image[..].try_into().map_err(|_| "--mlp-image: expected three numbers")?)
    }
}

type Failure = Box<dyn std::error::Error>;

/// Normalised pictures and labels.
struct Pictures {
    dataset: Dataset,
    shape: [usize; 3],
}

impl Pictures {
    fn images(&self, indices: &[usize]) -> Result<Vec<f32>, Failure> {
        let fitted = |&i: &usize| Ok(self.dataset.picture(i)?.fitted(self.shape)?);
        let pictures: Vec<_> = indices.iter().map(fitted).collect::<Result<_, Failure>>()?;
        Ok(Normalisation::default().for_channels(self.shape[0]).normalise(&pictures)?)
    }

    fn labels(&self, indices: &[usize]) -> Result<Vec<usize>, Failure> {
        Ok(indices.iter().map(|&i| self.dataset.label(i)).collect::<Result<_, _>>()?)
    }

    /// Batches that share no picture, in an order of this seed, and what is left.
    fn batches(&self, count: usize, size: usize, seed: u64) -> (Vec<Vec<usize>>, Vec<usize>) {
        let mut order: Vec<usize> = (0..self.dataset.len()).collect();
        order.shuffle(&mut random::generator(seed, "batches"));
        let rest = order.split_off((count * size).min(order.len()));
        (order.chunks(size).map(<[usize]>::to_vec).collect(), rest)
    }
}

fn victim(name: &str, options: Options, seed: u64) -> Result<Victim, Failure> {
    let request = Request { options, image: Some([3, 32, 32]), ..Request::named(name) };
    Ok(Victim::from_seed(&request, seed)?)
}

/// The public resnet20.
fn trained(weights: &Path) -> Result<Victim, Failure> {
    let request = Request { image: Some([3, 32, 32]), ..Request::named("resnet20") };
    Ok(Victim::from_file(weights, &request)?)
}

fn mlp(hidden: &[usize]) -> Options {
    Options { hidden: Some(hidden.to_vec()), ..Options::default() }
}

/// Normal noise on every tensor, of this share of the tensor's root mean square.
fn add_noise(gradient: &mut [Vec<f32>], share: f64, seed: u64) {
    let mut generator = random::generator(seed, "noise");
    for tensor in gradient.iter_mut().filter(|_| share > 0.0) {
        let square: f64 = tensor.iter().map(|&g| f64::from(g).powi(2)).sum();
        let size = (share * (square / tensor.len() as f64).sqrt()) as f32;
        let draws = random::normal(&mut generator, tensor.len());
        tensor.iter_mut().zip(draws).for_each(|(g, n)| *g += size * n);
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    if values.is_empty() { f64::NAN } else { values[values.len() / 2] }
}

fn percent(estimate: Estimate) -> String {
    let [low, high] = estimate.interval_95.unwrap_or_default().map(|share| 100.0 * share);
    format!("{:.0} % [{low:.0}, {high:.0}]", 100.0 * estimate.mean)
}

/// Prints a table.
type Compute = fn(&Figures, &dyn Device) -> Result<(), Failure>;

fn main() -> Result<(), Failure> {
    let all = Figures::parse();
    let device = Cpu::<f32>::new();
    let tables: [(&str, Compute); 7] = [
        ("spear", spear::spear),
        ("heads", spear::heads),
        ("membership", membership::membership),
        ("labels", names::labels),
        ("names", names::names),
        ("combination", names::combination),
        ("trained", spear::of_trained),
    ];
    for (name, table) in tables {
        if all.tables.is_empty() || all.tables.iter().any(|wanted| wanted == name) {
            table(&all, &device)?;
        }
    }
    Ok(())
}
