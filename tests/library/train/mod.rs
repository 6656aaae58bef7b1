//! Training: one step against its definition, running statistics, checkpoints, and what goes wrong.

mod pictures;
mod rounds;
mod steps;
mod training;

use gia_gpu::{
    federated::{Request, Victim},
    nn::Options,
};

fn victim(name: &str, options: &str, image: [usize; 3], classes: usize) -> Victim {
    let options: Options = options.parse().unwrap();
    let request = Request { options, image: Some(image), classes: Some(classes), ..Request::named(name) };
    Victim::from_seed(&request, 7).unwrap()
}
