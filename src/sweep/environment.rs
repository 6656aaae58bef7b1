//! Which task of an array this process is, as schedulers tell it.

use super::Shard;

/// Names of variables: of the index, of the first index (a number where it is fixed), of the last or of the count, of the
/// step.
struct Scheduler {
    name: &'static str,
    index: &'static str,
    first: First,
    end: End,
    step: Option<&'static str>,
}

enum First {
    At(usize),
    Told(&'static str),
}

enum End {
    Count(&'static str),
    Last(&'static str),
}

/// Where a scheduler says the index and no count, as PBS, Kubernetes and GNU parallel do.
const COUNT: &str = "GIA_GPU_SHARDS";

const SCHEDULERS: [Scheduler; 7] = [
    Scheduler {
        name: "Slurm",
        index: "SLURM_ARRAY_TASK_ID",
        first: First::Told("SLURM_ARRAY_TASK_MIN"),
        end: End::Last("SLURM_ARRAY_TASK_MAX"),
        step: Some("SLURM_ARRAY_TASK_STEP"),
    },
    Scheduler {
        name: "AWS Batch",
        index: "AWS_BATCH_JOB_ARRAY_INDEX",
        first: First::At(0),
        end: End::Count("AWS_BATCH_JOB_ARRAY_SIZE"),
        step: None,
    },
    Scheduler {
        name: "Kubernetes",
        index: "JOB_COMPLETION_INDEX",
        first: First::At(0),
        end: End::Count(COUNT),
        step: None,
    },
    Scheduler {
        name: "LSF",
        index: "LSB_JOBINDEX",
        first: First::At(1),
        end: End::Last("LSB_JOBINDEX_END"),
        step: Some("LSB_JOBINDEX_STEP"),
    },
    Scheduler {
        name: "PBS",
        index: "PBS_ARRAY_INDEX",
        first: First::At(1),
        end: End::Count(COUNT),
        step: None,
    },
    Scheduler {
        name: "Grid Engine",
        index: "SGE_TASK_ID",
        first: First::Told("SGE_TASK_FIRST"),
        end: End::Last("SGE_TASK_LAST"),
        step: Some("SGE_TASK_STEPSIZE"),
    },
    Scheduler {
        name: "GNU parallel",
        index: "PARALLEL_SEQ",
        first: First::At(1),
        end: End::Count(COUNT),
        step: None,
    },
];

impl Shard {
    /// The shard and who said so; `variable` looks up the environment.
    ///
    /// # Errors
    /// No scheduler is known by its variables, or one says an index without a count.
    pub fn of_environment(
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(Shard, &'static str), String> {
        // Elsewhere than in an array some are set to a word, or to 0 where they count from 1.
        let number = |name: &str| variable(name).and_then(|text| text.trim().parse::<usize>().ok());
        for scheduler in SCHEDULERS {
            let Some(index) = number(scheduler.index) else { continue };
            let first = match scheduler.first {
                First::At(first) => first,
                First::Told(name) => number(name).unwrap_or(1),
            };
            if index < first {
                continue;
            }
            let step = scheduler.step.and_then(number).unwrap_or(1).max(1);
            let (count, said) = match scheduler.end {
                End::Count(name) => (number(name), name),
                End::Last(name) => (number(name).map(|last| (last.saturating_sub(first)) / step + 1), name),
            };
            let name = scheduler.name;
            let Some(count) = count else {
                return Err(format!(
                    "{name} says that this is task {index}, and not of how many: give --shard I/N, or set {said}"
                ));
            };
            // An array of some tasks only, as when the failed ones are sent again.
            if let ("Slurm", Some(tasks)) = (name, number("SLURM_ARRAY_TASK_COUNT"))
                && tasks != count
            {
                return Err(format!(
                    "Slurm's array has {tasks} tasks between {first} and {}: with gaps nobody knows of how many shards \
                     this is one; give --shard $SLURM_ARRAY_TASK_ID/N",
                    first + (count - 1) * step
                ));
            }
            let shard = Shard::new((index - first) / step + 1, count)?;
            return Ok((shard, name));
        }
        Err("no scheduler's array index is set (Slurm, Grid Engine, PBS, LSF, Kubernetes, AWS Batch, GNU parallel): give \
             --shard I/N"
            .into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Result<(Shard, &'static str), String> {
        let found = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| v.to_string());
        Shard::of_environment(&found)
    }

    #[test]
    fn schedulers_are_known_by_their_variables() {
        let shard = |number, of| Shard { number, of };
        let slurm = [
            ("SLURM_ARRAY_TASK_ID", "6"),
            ("SLURM_ARRAY_TASK_MIN", "2"),
            ("SLURM_ARRAY_TASK_MAX", "10"),
            ("SLURM_ARRAY_TASK_STEP", "2"),
            ("SLURM_ARRAY_TASK_COUNT", "5"),
        ];
        assert_eq!(of(&slurm), Ok((shard(3, 5), "Slurm")));
        let aws = [("AWS_BATCH_JOB_ARRAY_INDEX", "0"), ("AWS_BATCH_JOB_ARRAY_SIZE", "4")];
        assert_eq!(of(&aws), Ok((shard(1, 4), "AWS Batch")));
        assert_eq!(of(&[("JOB_COMPLETION_INDEX", "3"), (COUNT, "4")]), Ok((shard(4, 4), "Kubernetes")));
        let lsf = [("LSB_JOBINDEX", "2"), ("LSB_JOBINDEX_END", "8")];
        assert_eq!(of(&lsf), Ok((shard(2, 8), "LSF")));
        assert_eq!(of(&[("PBS_ARRAY_INDEX", "2"), (COUNT, "8")]), Ok((shard(2, 8), "PBS")));
        let sge = [("SGE_TASK_ID", "4"), ("SGE_TASK_FIRST", "1"), ("SGE_TASK_LAST", "4")];
        assert_eq!(of(&sge), Ok((shard(4, 4), "Grid Engine")));
        assert_eq!(of(&[("PARALLEL_SEQ", "1"), (COUNT, "2")]), Ok((shard(1, 2), "GNU parallel")));
    }

    #[test]
    fn what_is_not_known_is_not_guessed() {
        assert!(of(&[]).unwrap_err().contains("--shard I/N"));
        // No array: the variable is a word, or 0.
        assert!(of(&[("SGE_TASK_ID", "undefined")]).is_err());
        assert!(of(&[("LSB_JOBINDEX", "0")]).is_err());
        assert!(of(&[("PBS_ARRAY_INDEX", "2")]).unwrap_err().contains(COUNT));
        let gaps = [
            ("SLURM_ARRAY_TASK_ID", "7"),
            ("SLURM_ARRAY_TASK_MIN", "3"),
            ("SLURM_ARRAY_TASK_MAX", "7"),
            ("SLURM_ARRAY_TASK_COUNT", "2"),
        ];
        assert!(of(&gaps).unwrap_err().contains("gaps"));
        let beyond = [("AWS_BATCH_JOB_ARRAY_INDEX", "4"), ("AWS_BATCH_JOB_ARRAY_SIZE", "4")];
        assert!(of(&beyond).is_err());
    }
}
