//! The attack itself refuses what its threat model does not grant.

use gia_gpu::{
    attack::{
        AttackError, GO_ON, Hooks,
        config::{AttackConfig, StatisticsTarget},
        invert::{Reconstruction, Setting, Target, invert, known_labels},
        threat::{Knowledge, ThreatError, ThreatModel},
    },
    data::Normalisation,
    federated::{Local, Protocol, Request, Victim, defence::adapt::View},
};

use super::{config, target, tiny};
use crate::watched::Watched;

struct Case<'a> {
    victim: &'a Victim,
    protocol: Protocol,
    views: &'a [View],
    config: AttackConfig,
    target: Target,
}

impl Case<'_> {
    fn attack(&self, device: &Watched, threat: &ThreatModel) -> Result<Vec<Reconstruction>, AttackError> {
        let normalisation = Normalisation::default().for_channels(self.victim.image_shape()[0]);
        let setting = Setting {
            generator: None,
            first: 0,
            victim: self.victim,
            protocol: &self.protocol,
            views: self.views,
            batch: 2,
            normalisation: &normalisation,
            config: &self.config,
            threat,
            restarts: 1,
            seed: 1,
        };
        let targets = [self.target.clone()];
        assert_eq!(known_labels(&setting, &targets).is_ok(), setting.check(None, &targets).is_ok());
        invert(
            device,
            &setting,
            &targets,
            &mut Hooks { progress: &mut |_, _, _| {}, stop: GO_ON, checkpoints: None },
        )
    }
}

fn without(knowledge: Knowledge) -> ThreatModel {
    let grants = Knowledge::ALL.into_iter().filter(|&k| k != knowledge).collect();
    ThreatModel { name: "nearly".into(), grants }
}

#[test]
fn an_attack_refuses_each_piece_of_knowledge_that_it_uses_and_is_not_granted() {
    let plain = tiny();
    let deep = Request { image: Some([3, 16, 16]), ..Request::named("convnet1") };
    let deep = Victim::from_seed(&deep, 1).unwrap();
    let case = |victim, change: fn(&mut Case)| {
        let target = Target { labels: None, ..target(victim, &[0, 2]) };
        let mut case = Case { victim, protocol: Protocol::default(), views: &[], config: config(1), target };
        change(&mut case);
        case
    };
    let always = [Knowledge::Weights, Knowledge::Update, Knowledge::BatchSize, Knowledge::DataStatistics];
    let mut cases: Vec<(Knowledge, Case)> = always.map(|k| (k, case(&plain, |_| ()))).into();
    cases.push((Knowledge::Labels, case(&plain, |c| c.target.labels = Some(vec![0, 2]))));
    cases.push((Knowledge::Defence, case(&plain, |c| c.views = &[View::Clip(1.0)])));
    cases.push((Knowledge::Defence, case(&plain, |c| c.protocol.example_clip = Some(1.0))));
    cases.push((Knowledge::Defence, case(&plain, |c| c.target.weights = Some(vec![0.5; 4]))));
    let local = |c: &mut Case| {
        c.protocol.local = Some(Local::sgd(2, 1, 0.1));
    };
    cases.push((Knowledge::LocalTraining, case(&plain, local)));
    cases.push((Knowledge::RunningStatistics, case(&deep, |_| ())));
    let of_batch = |c: &mut Case| {
        c.config.batch_norm = 0.1;
        c.config.batch_norm_target = StatisticsTarget::Batch;
        let lengths = c.victim.buffer_specs();
        c.target.statistics = Some(lengths.iter().map(|s| vec![1.0; s.shape[0]]).collect());
    };
    cases.push((Knowledge::BatchStatistics, case(&deep, of_batch)));
    for (knowledge, case) in cases {
        let device = Watched::default();
        match case.attack(&device, &without(knowledge)).unwrap_err() {
            AttackError::Threat(ThreatError::NotGranted { missing, name, .. }) => {
                assert_eq!((missing, name.as_str()), (knowledge, "nearly"));
            }
            error => panic!("{knowledge:?}: {error}"),
        }
        assert_eq!((device.plans(), device.bytes()), (0, 0), "refused before anything is computed");
        let found = case.attack(&device, &ThreatModel::insider());
        assert!(found.is_ok(), "{knowledge:?}, granted: {:?}", found.err());
    }
}

#[test]
fn a_server_attacks_what_it_sees_and_is_refused_the_labels() {
    let victim = tiny();
    let mut case = Case {
        victim: &victim,
        protocol: Protocol::default(),
        views: &[],
        config: config(1),
        target: target(&victim, &[0, 2]),
    };
    let server = ThreatModel::named("server").unwrap();
    case.attack(&Watched::default(), &server).unwrap();
    case.target.labels = Some(vec![0, 2]);
    let refused = case.attack(&Watched::default(), &server).unwrap_err().to_string();
    assert!(refused.contains("'server' does not grant labels"), "{refused}");
}
