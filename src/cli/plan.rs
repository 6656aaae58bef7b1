//! `gia-gpu plan`

use clap::Args;

use super::{
    attack_options::AttackOptions,
    misuse,
    model_options::{Known, ModelOptions},
    options::{MAX_BATCH, check_batch},
    print_line,
    protocol_options::ProtocolOptions,
};
use crate::{
    attack::{
        adam::{self, Adam},
        config::LabelStrategy,
        lbfgs,
        problem::{Problem, Scene, Sizes},
    },
    data::Normalisation,
    federated::{DEFAULT_CLASSES, check_classes},
    nn::Model,
    tensor_file::GradientInfo,
};

/// Show the steps of one attack iteration: kernel, shapes, FLOPs, bytes, and totals.
#[derive(Args)]
#[command(after_help = "Example: gia-gpu plan --arch convnet64 --preset ig --batch 1")]
pub struct PlanCommand {
    #[command(flatten)]
    model: ModelOptions,
    #[command(flatten)]
    protocol: ProtocolOptions,
    #[command(flatten)]
    attack: AttackOptions,
    /// Pictures in the batch
    #[arg(long, value_name = "N", default_value_t = 1)]
    batch: usize,
    /// Time each step so many times on the CPU device
    #[arg(long, value_name = "N")]
    time: Option<usize>,
}

impl PlanCommand {
    pub fn run(self) -> anyhow::Result<()> {
        check_batch(self.batch)?;
        let request = self.model.request(&Known::default())?;
        let config = self.attack.config(&request.name)?;
        let (batch, trials) = (self.batch, self.attack.trials);
        if batch * trials > MAX_BATCH {
            return Err(misuse(format!(
                "--batch {batch} × --trials {trials}: expected at most {MAX_BATCH} pictures"
            )));
        }
        let protocol = self.protocol.protocol(&GradientInfo::default(), batch)?;
        let classes = request.classes.unwrap_or(DEFAULT_CLASSES);
        check_classes(classes).map_err(misuse)?;
        let model = Model::new(&request.name, &request.options, request.image, classes).map_err(misuse)?;
        let scene =
            Scene { model: &model, protocol: &protocol, config: &config, views: &[], weighted: false };
        let joint = config.labels == LabelStrategy::Joint;
        let mut problem = Problem::new(&scene, Sizes::one_target(trials, batch, joint));
        let plan = match Adam::of(config.optimiser, 0) {
            Some(adam) => {
                let bounds = Normalisation::default().for_channels(model.image[0]).bounds();
                let bounds = config.clamp.then_some(bounds.as_slice());
                adam::Iteration::new(&mut problem, adam, config.iterations, bounds).plan
            }
            None => lbfgs::plan(&problem),
        };
        if let Some(n) = self.time {
            let mut executable = crate::device::cpu::Cpu::<f32>::new().compile_typed(&plan)?;
            let mut state = 1u32;
            for (&var, &(_, len)) in &plan.bound {
                let values: Vec<f32> = (0..len)
                    .map(|_| {
                        state = state.wrapping_mul(1664525).wrapping_add(1013904223);
                        (state >> 8) as f32 / 16777216.0 - 0.5
                    })
                    .collect();
                executable.write_typed(var, &values)?;
            }
            let times = executable.time_steps(n);
            let dump = plan.dump();
            let mut total = 0.0;
            for (line, time) in dump.lines().zip(&times) {
                total += time;
                println!("{:9.1} us {}", time / 1e3, line);
            }
            println!("{:.1} us in all, {} threads", total / 1e3, rayon::current_num_threads());
            return Ok(());
        }
        print_line(plan.dump().trim_end())
    }
}
