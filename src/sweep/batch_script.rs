//! A sweep as jobs of Slurm, for people to read: an array, a task a shard, and a job that puts their journals together.

use std::{fmt::Write, path::Path};

/// What Slurm is asked for, as its own options have it.
#[derive(Clone, Debug, Default)]
pub struct Resources {
    /// `2:00:00`
    pub time: Option<String>,
    /// Name of the cluster's partition.
    pub partition: Option<String>,
    /// GPUs of a task.
    pub gpus: Option<usize>,
    /// Processors of a task.
    pub cpus: Option<usize>,
    /// `16G`
    pub memory: Option<String>,
}

/// Seconds before its time ends at which a task is told to stop.
const NOTICE: usize = 60;

/// The array's script and the merging job's. `sweep`: the program and its arguments, quoted, without those of a shard.
pub fn scripts(sweep: &str, program: &str, out: &Path, shards: usize, resources: &Resources) -> [String; 2] {
    let Resources { time, partition, gpus, cpus, memory } = resources;
    // Also on nodes that see the folder by the same path only.
    let log = out.join("slurm-%A_%a.log");
    let mut all = vec![];
    let mut each = |option: &str, value: Option<String>| {
        if let Some(value) = value {
            all.push(format!("--{option}={value}"));
        }
    };
    each("partition", partition.clone());
    each("time", time.clone());
    each("cpus-per-task", cpus.map(|n| n.to_string()));
    each("mem", memory.clone());
    let head = |name: &str, more: &[String]| {
        let mut text = format!("#!/bin/bash\n#SBATCH --job-name={name}\n");
        for option in all.iter().chain(more) {
            let _ = writeln!(text, "#SBATCH {option}");
        }
        text
    };
    let mut own = vec![format!("--array=1-{shards}"), format!("--output={}", log.display())];
    own.extend(gpus.map(|n| format!("--gpus={n}")));
    // To the program itself, so that it keeps what it has.
    own.push(format!("--signal=TERM@{NOTICE}"));
    let array = format!(
        "{}\n# Each task computes what its shard lacks: sent again, the array goes on where it was stopped.\n\
         srun --ntasks=1 {sweep} --shard \"$SLURM_ARRAY_TASK_ID/{shards}\"\n",
        head("gia-gpu-sweep", &own)
    );
    let log = out.join("slurm-merge-%j.log");
    let merge = format!(
        "{}\n# After the array: tables, plots and report.html.\n{program} sweep merge {}\n",
        head("gia-gpu-merge", &[format!("--output={}", log.display())]),
        shlex::try_quote(&out.display().to_string()).unwrap_or_default()
    );
    [array, merge]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_ask_for_what_was_given_and_no_more() {
        let resources = Resources { time: Some("2:00:00".into()), gpus: Some(1), ..Resources::default() };
        let [array, merge] = scripts("gia-gpu sweep --out s", "gia-gpu", Path::new("s"), 16, &resources);
        for line in ["#SBATCH --array=1-16", "#SBATCH --time=2:00:00", "#SBATCH --gpus=1"] {
            assert!(array.lines().any(|l| l == line), "{array}");
        }
        assert!(!array.contains("partition"));
        assert!(array.contains("gia-gpu sweep --out s --shard \"$SLURM_ARRAY_TASK_ID/16\""), "{array}");
        assert!(merge.contains("gia-gpu sweep merge s\n") && !merge.contains("--array"), "{merge}");
    }
}
