//! Settings drawn at random.

use gia_gpu::{
    attack::{
        config::{
            AttackConfig, LabelStrategy, LayerWeights, Layers, Objective, Optimiser, Schedule, Sign, Start,
            StatisticsTarget,
        },
        guidance::{Anneal, Fall, Guidance},
        invert::Target,
        labels::Method,
        preset::Preset,
    },
    federated::{Local, Protocol, Shares, defence::Defence},
    nn::{Depth, Mode},
};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Draws of values as users give them: most make sense.
pub(crate) struct Draw(pub ChaCha8Rng);

impl Draw {
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0.random_range(0..n)
    }

    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn of<T: Clone>(&mut self, values: &[T]) -> T {
        values[self.below(values.len())].clone()
    }

    /// One of the first, and once in 40 draws one of the second.
    pub(crate) fn mostly<T: Clone>(&mut self, good: &[T], odd: &[T]) -> T {
        if self.one_in(40) { self.of(odd) } else { self.of(good) }
    }

    pub(crate) fn number(&mut self, good: &[f64]) -> f64 {
        let odd =
            [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, -0.0, 0.0, f64::MIN_POSITIVE, f64::MAX, 1e300];
        self.mostly(good, &odd)
    }

    pub(crate) fn count(&mut self, good: &[usize]) -> usize {
        self.mostly(good, &[0, 0, 1, 10_000_001, usize::MAX])
    }

    fn optimiser(&mut self) -> Optimiser {
        if self.one_in(4) {
            let (inner, history) = (self.count(&[1, 2]), self.count(&[1, 3, 100]));
            return Optimiser::Lbfgs { inner, history, stop: self.number(&[0.0, 1e-6]) };
        }
        let slope = self.number(&[1.0, 100.0]);
        Optimiser::Adam {
            learning_rate: self.number(&[0.1, 1.0, 1e-3]),
            sign: self.of(&[Sign::None, Sign::Hard, Sign::Soft(slope)]),
            schedule: self.of(&[Schedule::Constant, Schedule::Steps, Schedule::Cosine]),
            warm_up: self.count(&[0, 0, 1, 5]),
            // Its table takes time.
            langevin: if self.one_in(20) { self.number(&[0.01]) } else { 0.0 },
        }
    }

    pub(crate) fn guidance(&mut self) -> Guidance {
        Guidance {
            weight: self.number(&[0.0, 0.1, 2.0]),
            schedule: Anneal {
                fall: self.of(&[Fall::Step, Fall::Linear, Fall::Cosine]),
                from: self.number(&[0.0, 0.3, 0.5]),
                to: self.number(&[0.5, 0.7, 0.9]),
            },
            views: self.of(&[None, None, Some(1), Some(3)]),
        }
    }

    pub(crate) fn config(&mut self) -> AttackConfig {
        let preset = self.of(&Preset::ALL).name();
        let share = self.number(&[0.5, 1.0, 1e-3]);
        let last = self.count(&[1, 2, 99]);
        let factors: Vec<usize> = self.of(&[vec![], vec![], vec![2], vec![4, 2], vec![64]]);
        let odd = [vec![0], vec![1], vec![2, 2], vec![2, 4], vec![usize::MAX], vec![2; 100]];
        AttackConfig {
            objective: self.of(&[
                Objective::L2,
                Objective::L1,
                Objective::Cosine,
                Objective::CosineLayerwise,
                Objective::CosineTop(share),
            ]),
            objective_weight: self.number(&[1.0, 1.0, 0.5]),
            layers: self.of(&[Layers::All, Layers::All, Layers::Last(last)]),
            layer_weights: self.of(&[LayerWeights::Equal, LayerWeights::Rising]),
            optimiser: self.optimiser(),
            iterations: self.count(&[1, 1, 2]),
            start: self.of(&[Start::Normal, Start::NormalPixels, Start::Pattern]),
            scales: self.mostly(&[factors], &odd),
            total_variation: self.number(&[0.0, 0.1]),
            isotropic: self.one_in(2),
            colour_opponents: self.one_in(2),
            image_norm: self.number(&[0.0, 0.1]),
            batch_norm: self.number(&[0.0, 0.1]),
            batch_norm_target: self.of(&[StatisticsTarget::Running, StatisticsTarget::Batch]),
            group_consistency: self.number(&[0.0, 0.0, 0.1]),
            guidance: if self.one_in(3) { Some(self.guidance()) } else { None },
            clamp: self.one_in(2),
            labels: self.of(&[
                LabelStrategy::Auto,
                LabelStrategy::Joint,
                LabelStrategy::Restore(Method::Sign),
                LabelStrategy::Restore(Method::Yin),
                LabelStrategy::Restore(Method::BiasCorrected),
            ]),
            ..AttackConfig::preset(preset, Depth::Deep).unwrap()
        }
    }

    pub(crate) fn protocol(&mut self, batch: usize) -> Protocol {
        let optimiser = ["sgd", "momentum:0.9", "nesterov:0.5", "adam", "adamw:1e-2", "rmsprop"];
        let local = Local {
            steps: self.count(&[1, 2, 3]),
            epochs: if self.one_in(5) { Some(self.count(&[1, 2])) } else { None },
            batch: self.count(&[1, 2]),
            learning_rate: self.number(&[0.1, 1e-3]),
            optimiser: self.of(&optimiser).parse().unwrap(),
            weight_decay: self.number(&[0.0, 0.1]),
        };
        let loss = ["mean", "mean", "sum", "smoothing:0.1", "weights:1,2", "bce"];
        Protocol {
            mode: if self.one_in(4) { Mode::Train } else { Mode::Eval },
            clients: match self.one_in(5) {
                true => Shares::Sizes(vec![self.count(&[1, 2]), batch.saturating_sub(1)]),
                false => Shares::Equal(self.count(&[1, 1, batch.clamp(1, 4)])),
            },
            local: if self.one_in(4) { Some(local) } else { None },
            example_clip: if self.one_in(10) { Some(self.number(&[1.0, 1e-3])) } else { None },
            loss: self.of(&loss).parse().unwrap(),
        }
    }

    pub(crate) fn defence(&mut self) -> Defence {
        let (a, b) = (self.number(&[0.1, 0.5]), self.number(&[0.1, 1.0]));
        self.of(&[
            Defence::Noise(a),
            Defence::Laplace(a),
            Defence::Clip(a),
            Defence::DpSgd { clip: a, multiplier: b },
            Defence::TopK(a),
            Defence::Sign,
            Defence::Soteria(a),
        ])
    }

    /// Of the victim, or not quite.
    pub(crate) fn target(&mut self, whole: &Target, batch: usize, labelled: bool) -> Target {
        let mut target = whole.clone();
        target.labels = target.labels.filter(|_| labelled);
        match self.below(120) {
            0 => drop(target.gradient.pop()),
            1 => target.gradient[0].push(1.0),
            2 => target.gradient = vec![],
            3 => target.gradient.iter_mut().flatten().for_each(|v| *v = 0.0),
            4 => target.gradient.iter_mut().flatten().for_each(|v| *v = f32::NAN),
            5 => target.labels = Some(vec![usize::MAX; batch.min(9)]),
            6 => target.labels = Some(vec![]),
            7 => target.weights = Some(vec![1.0; target.gradient.len()]),
            8 => target.weights = Some(vec![f32::NAN; target.gradient.len()]),
            9 => target.weights = Some(vec![]),
            10 => target.statistics = None,
            11 => target.statistics = Some(vec![vec![]; 2]),
            _ => {}
        }
        target
    }
}
