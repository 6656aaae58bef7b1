//! Whatever a user sets of an attack: an error in words, or an attack. No panic.

use gia_gpu::{
    attack::{
        AttackError, GO_ON, Hooks,
        config::{AttackConfig, Layers, Objective, Optimiser, Sought},
        guidance::{Anneal, Fall, Guidance, Guide, Hypothesis},
        invert::{Setting, Target, invert_guided, known_labels},
        preset::Preset,
        threat::ThreatModel,
    },
    clip::{ClipError, Encoder, Head, NameFeatures, Templates},
    data::Normalisation,
    device::{Device, cpu::Cpu},
    federated::{Victim, defence::adapt},
    nn::{Architecture, Depth, Model, Network, Options},
    random,
    tape::{Tape, Var},
};

use super::{draw::Draw, no_panic, target, tiny};

/// Configurations that are drawn.
const ATTACKS: usize = 1_100;

/// Batch norm on the picture itself, then a linear layer.
struct Normed;

impl Architecture for Normed {
    fn forward(&self, net: &mut Network, x: Var, classes: usize) -> Var {
        let y = net.normalise("norm", x);
        let y = net.flatten(y);
        net.linear("out", y, classes, None)
    }

    fn options(&self) -> &'static [&'static str] {
        &[]
    }
}

/// Features of a picture: its first four values.
struct Corner(Normalisation);

impl Encoder for Corner {
    fn model(&self) -> String {
        "corner".into()
    }

    fn head(&self) -> Head {
        Head { scale: 10.0, bias: None }
    }

    fn image_size(&self) -> usize {
        2
    }

    fn normalisation(&self) -> &Normalisation {
        &self.0
    }

    fn encode_image<'w>(&'w self, tape: &mut Tape, pixels: Var) -> (Var, Vec<(Var, &'w [f32])>) {
        let batch = tape.shape(pixels)[0];
        let flat = tape.reshape(pixels, &[batch, 12]);
        (tape.narrow(flat, 1, 0, 4), vec![])
    }

    fn name_features(
        &self,
        _: &dyn Device,
        _: &[String],
        _: &Templates,
        _: &dyn gia_gpu::watch::Watch,
    ) -> Result<NameFeatures, ClipError> {
        Ok(NameFeatures { vectors: vec![], notes: vec![] })
    }
}

/// All that an attack may need of a batch.
fn whole(victim: &Victim, batch: usize) -> Target {
    let labels: Vec<usize> = (0..batch).collect();
    let statistics = victim.buffer_specs().iter().map(|s| vec![0.5; s.shape[0]]).collect();
    Target { labels: Some(labels.clone()), statistics: Some(statistics), ..target(victim, &labels) }
}

#[test]
fn any_configuration_is_refused_in_words_or_attacks() {
    let mut draw = Draw(random::generator(1, "configurations"));
    let normed = Model::of(Box::new(Normed), "normed", &Options::default(), Some([3, 4, 4]), 3).unwrap();
    let victims = [tiny(), Victim::initialised(normed, 1).unwrap()];
    let (device, threat) = (Cpu::<f32>::new(), ThreatModel::insider());
    let encoder = Corner(Normalisation::default());
    let wholes = victims.each_ref().map(|victim| [1, 2].map(|batch| whole(victim, batch)));
    let (mut attacked, mut refused, mut failed) = (0, 0, 0);
    for number in 0..ATTACKS {
        let which = draw.below(2);
        let victim = &victims[which];
        let config = draw.config();
        let batch = draw.count(&[1, 2, 2]);
        let protocol = draw.protocol(batch);
        let limit = draw.number(&[1.0, 0.1]);
        let views = draw.of(&[vec![], vec![], vec![adapt::View::Clip(limit)], vec![adapt::View::SoftSign]]);
        let channels = draw.mostly(&[victim.image_shape()[0]], &[1, 2, 3]);
        let labelled = draw.one_in(2);
        let count = draw.mostly(&[1, 1, 2], &[0]);
        let targets: Vec<Target> =
            (0..count).map(|_| draw.target(&wholes[which][batch.clamp(1, 2) - 1], batch, labelled)).collect();
        let normalisation = Normalisation::default().for_channels(channels);
        let setting = Setting {
            generator: None,
            first: 0,
            victim,
            protocol: &protocol,
            views: &views,
            batch,
            normalisation: &normalisation,
            config: &config,
            threat: &threat,
            restarts: draw.count(&[1, 1, 2]),
            seed: number as u64,
        };
        let hypothesis: Hypothesis =
            [(draw.mostly(&[0, 1], &[usize::MAX]), draw.mostly(&[0, 1], &[9]))].into();
        let hypotheses = vec![vec![hypothesis]; draw.mostly(&[count], &[0, 5])];
        let width = draw.mostly(&[4], &[0, 3, 5, usize::MAX]);
        let names = vec![0.5; draw.mostly(&[8], &[0, 7])];
        let guide = Guide { encoder: &encoder, names: &names, width, hypotheses: &hypotheses, oracle: false };
        let guide = draw.one_in(4).then_some(&guide);

        let what = || format!("{number}: {config:?}, {protocol:?}, batch {batch}, {views:?}, {targets:?}");
        let checked = no_panic(&what, || setting.check(guide, &targets));
        let known = no_panic(&what, || known_labels(&setting, &targets));
        let mut progress = |done: usize, of: usize, _: &[f32]| assert!(done <= of, "{done} of {of}");
        let hooks = &mut Hooks { progress: &mut progress, stop: GO_ON, checkpoints: None };
        let found = no_panic(&what, || invert_guided(&device, &setting, guide, &targets, hooks));
        match (checked, found) {
            (Err(expected), Err(found)) => {
                assert_eq!(expected.to_string(), found.to_string(), "{}", what());
                assert!(!expected.to_string().is_empty());
                refused += 1;
            }
            (Err(expected), Ok(_)) => panic!("{}: {expected}, and attacked all the same", what()),
            (Ok(()), Ok(found)) => {
                assert!(known.is_ok() && found.len() == targets.len());
                assert!(found.iter().all(|f| f.labels.len() == batch), "{}", what());
                attacked += 1;
            }
            (Ok(()), Err(error)) => {
                use AttackError::{Exact, GuidedLabel, Invalid, Labels, NotFinite, ZeroGradient};
                let numeric = matches!(error, GuidedLabel { .. } | Labels { .. } | NotFinite { .. });
                let numeric = numeric || matches!(error, Invalid(_) | ZeroGradient { .. } | Exact { .. });
                assert!(numeric, "{}: {error}", what());
                failed += 1;
            }
        }
    }
    println!("{attacked} attacked, {refused} refused, {failed} failed");
    assert!(attacked > ATTACKS / 4 && refused > ATTACKS / 4 && failed > 0, "{attacked} {refused} {failed}");
}

#[test]
fn settings_that_once_panicked_are_refused_by_name() {
    let base = AttackConfig::preset("ig", Depth::Deep).unwrap();
    base.check().unwrap();
    for preset in Preset::ALL.map(Preset::name) {
        for depth in [Depth::Shallow, Depth::Deep] {
            AttackConfig::preset(preset, depth).unwrap().check().unwrap();
        }
    }
    let refused = |change: &dyn Fn(&mut AttackConfig), setting: &str| {
        let mut config = base.clone();
        change(&mut config);
        assert_eq!(config.check().unwrap_err().setting, setting);
    };
    refused(&|c| c.layers = Layers::Last(0), "layers");
    refused(&|c| c.scales = vec![0], "scales");
    refused(&|c| c.iterations = 0, "iterations");
    refused(&|c| c.total_variation = f64::NAN, "total_variation");
    refused(&|c| c.batch_norm = -1.0, "batch_norm");
    refused(&|c| c.objective = Objective::CosineTop(0.0), "objective cosine-top");
    let endless = Optimiser::Lbfgs { inner: 0, history: 1, stop: 0.0 };
    refused(&|c| c.optimiser = endless, "inner iterations of L-BFGS");
    let late = Guidance::new(1.0, Anneal { fall: Fall::Step, from: 1.0, to: 1.0 });
    refused(&|c| c.guidance = Some(late), "fall of guidance");
    let many = |views| Guidance { views: Some(views), ..Guidance::new(1.0, Anneal::default()) };
    refused(&|c| c.guidance = Some(many(0)), "views of guidance");
    refused(&|c| c.guidance = Some(many(65)), "views of guidance");
    let lbfgs =
        AttackConfig { sought: Sought::Pyramid, ..AttackConfig::preset("dlg", Depth::Shallow).unwrap() };
    assert_eq!(lbfgs.check().unwrap_err().to_string(), "optimiser: expected adam for pyramid, found lbfgs");
}
