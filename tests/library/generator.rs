//! Attacks by the numbers and the weights of a generator, what it is asked for, and who may use it.

use std::sync::Arc;

use gia_gpu::{
    attack::{
        AttackError, GO_ON, Hooks,
        config::{AttackConfig, GeneratorClass, LabelStrategy, Sought},
        generated::{Classes, Latent, Prior, Source},
        invert::{Reconstruction, Setting, Target, invert},
        setting::Trial,
        threat::{Knowledge, ThreatModel},
        unknown::{Unknown, pictures},
    },
    audit::{GeneratorChoice, choose_generator},
    data::Normalisation,
    device::cpu::Cpu,
    federated::{Protocol, Request, Victim, client},
    nn::{Depth, generator::Dcgan},
    watch::Watch,
};

const IMAGE: [usize; 3] = [3, 32, 32];

/// As if somebody had trained it.
fn trained(normal: &Normalisation) -> (Prior, Vec<f32>) {
    let mut trained = Prior::untrained(Arc::new(Dcgan::untrained(4, 3)), 3);
    // Weights of N(0, 0.02²) make nothing but grey at the end.
    let mut tensors = trained.tensors.to_vec();
    tensors.last_mut().unwrap().iter_mut().for_each(|w| *w *= 40.0);
    trained.tensors = Arc::new(tensors);
    trained.from = Some("test".into());
    let source = Source {
        generator: Arc::clone(&trained.generator),
        image: IMAGE,
        normalisation: normal.clone(),
        output: Default::default(),
        classes: Classes::Open,
    };
    let unknown = Latent { batch: 2, source, tensors: Arc::clone(&trained.tensors), latent_kl: 0.0 };
    let held_out = unknown.start(99, Trial { target: 0, hypothesis: 0, restart: 0 });
    let made = pictures(&Cpu::<f32>::new(), &unknown, &[held_out]).unwrap().swap_remove(0);
    (trained, made)
}

struct Scene {
    victim: Victim,
    normalisation: Normalisation,
    generator: Prior,
    original: Vec<f32>,
    target: Target,
}

impl Scene {
    fn new() -> Scene {
        let victim = Victim::from_seed(&Request::named("lenet-zhu"), 4).unwrap();
        let normalisation = Normalisation::default();
        let (generator, original) = trained(&normalisation);
        let update =
            client::update(&Cpu::<f32>::new(), &victim, &Protocol::default(), &original, &[3, 7]).unwrap();
        let target = Target { gradient: update.gradient, labels: Some(vec![3, 7]), ..Target::default() };
        Scene { victim, normalisation, generator, original, target }
    }

    fn attack(
        &self,
        config: &AttackConfig,
        generator: Option<&Prior>,
        threat: &ThreatModel,
    ) -> Result<Reconstruction, AttackError> {
        let found = self.attack_all(config, generator, threat, std::slice::from_ref(&self.target))?;
        Ok(found.into_iter().next().unwrap())
    }

    fn attack_all(
        &self,
        config: &AttackConfig,
        generator: Option<&Prior>,
        threat: &ThreatModel,
        targets: &[Target],
    ) -> Result<Vec<Reconstruction>, AttackError> {
        let setting = Setting {
            generator,
            first: 0,
            victim: &self.victim,
            protocol: &Protocol::default(),
            views: &[],
            batch: 2,
            normalisation: &self.normalisation,
            config,
            threat,
            restarts: 2,
            seed: 1,
        };
        let hooks = &mut Hooks { progress: &mut |_, _, _| {}, stop: GO_ON, checkpoints: None };
        invert(&Cpu::<f32>::new(), &setting, targets, hooks)
    }
}

fn config(sought: Sought, iterations: usize) -> AttackConfig {
    AttackConfig { sought, iterations, ..AttackConfig::preset("gias", Depth::Shallow).unwrap() }
}

pub(crate) fn error(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>() / a.len() as f64
}

#[test]
fn what_a_generator_made_is_found_by_its_numbers_and_then_by_its_weights() {
    let scene = Scene::new();
    let insider = ThreatModel::insider();
    let found = |sought, generator| scene.attack(&config(sought, 60), generator, &insider).unwrap();
    let latent = found(Sought::Latent, Some(&scene.generator));
    let both = found(Sought::LatentWeights, Some(&scene.generator));
    for (first, second) in latent.trials.iter().zip(&both.trials) {
        assert!(first.objective < 0.8 * first.history[0], "{} from {}", first.objective, first.history[0]);
        // The weights begin where the best numbers are, and as the file has them.
        assert!(
            (second.history[0] - first.objective).abs() < 1e-4,
            "{} {}",
            second.history[0],
            first.objective
        );
        assert!(second.objective <= first.objective + 1e-6);
        assert!(second.film.len() > first.film.len(), "pictures of each stage");
    }
    assert_ne!(both.trials[0].images, both.trials[1].images);
    let untrained = found(Sought::Latent, None);
    let [own, without] = [&latent, &untrained].map(|f| error(&f.best().images, &scene.original));
    assert!(own < without, "{own} with the generator that made them, {without} with another");
}

#[test]
fn the_rate_of_the_weights_is_a_thousandth_or_what_is_given() {
    let scene = Scene::new();
    let histories = |weights_rate: Option<f64>| {
        let config = AttackConfig { weights_rate, ..config(Sought::LatentWeights, 20) };
        let found = scene.attack(&config, Some(&scene.generator), &ThreatModel::insider()).unwrap();
        found.trials.into_iter().map(|trial| trial.history).collect::<Vec<_>>()
    };
    let [own, thousandth, faster] = [None, Some(1e-4), Some(1e-3)].map(histories);
    assert_eq!(own, thousandth);
    assert_eq!(own[0][0], faster[0][0], "the same start");
    let lowest = |history: &[f32]| history.iter().copied().fold(f32::INFINITY, f32::min);
    assert!(lowest(&faster[0]) < lowest(&own[0]));
}

/// Each stage begins where the one before ended, keeps to its ball, and the lowest of all is the result.
#[test]
fn features_are_sought_stage_after_stage_and_the_lowest_objective_is_the_result() {
    let scene = Scene::new();
    let gifd = AttackConfig {
        iterations: 40,
        total_variation: 0.0,
        ..AttackConfig::preset("gifd", Depth::Shallow).unwrap()
    };
    let found = scene.attack(&gifd, Some(&scene.generator), &ThreatModel::insider()).unwrap();
    for trial in &found.trials {
        let names: Vec<&str> = trial.stages.iter().map(|stage| stage.name.as_str()).collect();
        assert_eq!(names, ["latent", "features 1", "features 2", "features 3", "features 4"]);
        let objectives: Vec<f32> = trial.stages.iter().map(|stage| stage.objective).collect();
        assert!(objectives.is_sorted_by(|a, b| *b <= a + 1e-5), "{objectives:?}");
        let lowest = objectives.iter().copied().fold(f32::INFINITY, f32::min);
        assert_eq!(trial.objective, lowest);
        let chosen = trial.stages.iter().rfind(|stage| stage.objective == lowest).unwrap();
        assert_eq!(trial.images, chosen.images);
        assert!(lowest < 0.9 * objectives[0], "features find more than numbers: {objectives:?}");
    }
    // Balls of no size keep every stage where the numbers were.
    let still = AttackConfig { radii: vec![0.0], ..gifd };
    let found = scene.attack(&still, Some(&scene.generator), &ThreatModel::insider()).unwrap();
    for stage in &found.trials[0].stages[1..] {
        let off = error(&stage.images, &found.trials[0].stages[0].images);
        assert!(off < 1e-9, "{}: {off}", stage.name);
    }
}

#[test]
fn a_generator_that_knows_classes_is_told_one_or_left_open() {
    let scene = Scene::new();
    let insider = ThreatModel::insider();
    let names = ["cat", "dog", "ship"].map(String::from).to_vec();
    let dcgan = Dcgan::to_train(4, 3, 3).trained();
    let knowing =
        Prior { class_names: names, from: Some("test".into()), ..Prior::untrained(Arc::new(dcgan), 3) };
    let with = |class: Option<GeneratorClass>| {
        let config = AttackConfig { generator_class: class, ..config(Sought::Latent, 3) };
        scene.attack(&config, Some(&knowing), &insider)
    };
    let class = |names: &[&str]| Some(GeneratorClass::Names(names.iter().map(|n| n.to_string()).collect()));
    let refused = |class, words: &str| {
        let error = with(class).unwrap_err().to_string();
        assert!(error.contains(words), "{error}, not {words}");
    };
    refused(None, "expected open, or names of its classes (cat, dog, ship), found none");
    refused(class(&["fox"]), "expected one of cat, dog, ship, found fox");
    refused(class(&["cat", "dog", "ship"]), "one name for all pictures or one for each of the 2, found 3");
    let all = [Some(GeneratorClass::Open), class(&["cat"]), class(&["cat", "dog"])].map(|c| with(c).unwrap());
    assert_ne!(all[0].trials[0].images, all[1].trials[0].images);
    // The first picture is a cat in both.
    let half = 3 * 32 * 32;
    let start = |found: &Reconstruction| found.trials[0].film[0].images.clone();
    let [a, b] = [start(&all[1]), start(&all[2])];
    assert_eq!(a[..half], b[..half]);
    assert_ne!(a[half..], b[half..]);
    // By their labels, 3 and 7, whatever the target.
    let by_label = |names: &[(usize, &str)]| {
        Some(GeneratorClass::Labels(names.iter().map(|&(label, name)| (label, name.into())).collect()))
    };
    let told = by_label(&[(3, "Cat"), (7, "dog")]);
    assert_eq!(with(told.clone()).unwrap().trials[0].images, all[2].trials[0].images);
    let turned = Target { labels: Some(vec![7, 3]), ..scene.target.clone() };
    let config_of = |class| AttackConfig { generator_class: class, ..config(Sought::LatentWeights, 3) };
    let both = [scene.target.clone(), turned.clone()];
    let both = scene.attack_all(&config_of(told.clone()), Some(&knowing), &insider, &both).unwrap();
    for (found, classes) in both.iter().zip([["cat", "dog"], ["dog", "cat"]]) {
        let targets = [scene.target.clone(), turned.clone()];
        let alone =
            scene.attack_all(&config_of(class(&classes)), Some(&knowing), &insider, &targets).unwrap();
        let own = usize::from(found.labels == [7, 3]);
        assert_eq!(found.trials[1].images, alone[own].trials[1].images, "{classes:?}");
    }
    refused(by_label(&[(3, "cat")]), "expected a name for every label of the batch, found none for 7");
    refused(by_label(&[(3, "cat"), (7, "fox")]), "expected one of cat, dog, ship, found fox");
    let learned = AttackConfig { labels: LabelStrategy::Joint, ..config_of(told) };
    let unlabelled = [Target { labels: None, ..scene.target.clone() }];
    let error = scene.attack_all(&learned, Some(&knowing), &insider, &unlabelled).unwrap_err().to_string();
    assert!(error.contains("found ones learned with it"), "{error}");
    let open = AttackConfig { generator_class: Some(GeneratorClass::Open), ..config(Sought::Latent, 3) };
    let error = scene.attack(&open, Some(&scene.generator), &insider).unwrap_err().to_string();
    assert!(error.contains("a generator that knows no classes"), "{error}");
}

#[test]
fn a_generator_that_others_trained_is_knowledge_that_must_be_granted() {
    let scene = Scene::new();
    let server = ThreatModel::named("server").unwrap();
    let server = ThreatModel { grants: [server.grants, vec![Knowledge::Labels]].concat(), ..server };
    let few = config(Sought::Latent, 2);
    let error = scene.attack(&few, Some(&scene.generator), &server).unwrap_err().to_string();
    assert!(error.contains("does not grant generative-prior"), "{error}");
    // One that nobody trained knows nothing, and pixels ask for none.
    scene.attack(&few, None, &server).unwrap();
    let ig = AttackConfig { iterations: 2, ..AttackConfig::preset("ig", Depth::Shallow).unwrap() };
    scene.attack(&ig, Some(&scene.generator), &server).unwrap();
}

/// Of what it says, for tests.
#[derive(Default)]
struct Heard(std::sync::Mutex<Vec<String>>);

impl Watch for Heard {
    fn note(&self, text: &str) {
        self.0.lock().unwrap().push(text.into());
    }
}

#[test]
fn the_generator_inside_the_program_is_taken_where_it_fits_and_is_granted() {
    let heard = Heard::default();
    let choose = |choice: Option<&str>, preset: &str, image: [usize; 3], threat: Option<&ThreatModel>| {
        let mut config = AttackConfig::preset(preset, Depth::Shallow).unwrap();
        let choice: Option<GeneratorChoice> = choice.map(|text| text.parse().unwrap());
        let found = choose_generator(choice.as_ref(), None, (&mut config, image), threat, &heard).unwrap();
        let notes = std::mem::take(&mut *heard.0.lock().unwrap()).concat();
        (found, config.generator_class, notes)
    };
    for preset in ["gias", "gifd"] {
        let (found, class, notes) = choose(None, preset, IMAGE, None);
        let found = found.unwrap();
        assert_eq!(
            (found.name.as_str(), found.class_names.len(), class),
            ("builtin", 10, Some(GeneratorClass::Open))
        );
        assert_eq!(found.generator.image(), IMAGE);
        assert!(found.from.unwrap().contains("of CIFAR-10"), "its data are named");
        assert!(notes.contains("builtin (assumed"), "{notes}");
    }
    let none = |(found, class, notes): (Option<Prior>, Option<GeneratorClass>, String), words: &str| {
        assert!(found.is_none() && class.is_none());
        assert!(notes.contains(words), "{notes}");
    };
    none(choose(None, "gias", [1, 28, 28], None), "untrained (assumed, for the built-in one makes 3×32×32");
    let server = ThreatModel::named("server").unwrap();
    none(choose(None, "gias", IMAGE, Some(&server)), "does not grant generative-prior");
    none(choose(Some("untrained"), "gias", IMAGE, None), "");
    none(choose(None, "ig", IMAGE, None), "");
    let (found, _, notes) = choose(Some("builtin"), "gifd", [1, 28, 28], Some(&server));
    assert!(found.is_some() && notes.is_empty(), "what is asked for is taken, and refused later");
}

#[test]
fn a_generator_of_other_pictures_is_refused_or_resized() {
    let scene = Scene::new();
    let insider = ThreatModel::insider();
    let faces = |channels: usize| {
        let shapes = [[100, 8, 4, 4], [8, 4, 4, 4], [4, channels, 4, 4]];
        let shape = |name: &str| {
            let layer: Option<usize> = name.strip_prefix("main.")?.strip_suffix(".weight")?.parse().ok();
            shapes.get(layer? / 3).map(|shape| &shape[..])
        };
        Prior::untrained(Arc::new(Dcgan::of_shapes(shape).unwrap()), 1)
    };
    let few = config(Sought::LatentWeights, 2);
    let refused = |generator: &Prior| scene.attack(&few, Some(generator), &insider).unwrap_err().to_string();
    let words = "expected pictures of 3×32×32, as the victim takes, found 3×16×16; --resize-generator";
    assert!(refused(&faces(3)).contains(words), "{}", refused(&faces(3)));
    assert!(refused(&faces(1)).contains("found 1×16×16"));
    let resized = AttackConfig { resize: true, ..few };
    scene.attack(&resized, Some(&faces(3)), &insider).unwrap();
}
