//! A sweep under a real Slurm, one node, and under GNU parallel: killed, out of time, sent again, merged to the same bytes.

#![cfg(target_os = "linux")]

use std::{
    collections::BTreeMap,
    env, fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::support::*;

/// Blocks of unequal work, about half a minute of it.
const OPTIONS: &str =
    "--victim lenet-zhu --batch-sizes 1,4 --batches 8 --block 1 --iterations 1500 --no-names --device cpu";

fn is_there(program: &str) -> bool {
    let paths = env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    env::split_paths(&paths).chain(more).any(|folder| folder.join(program).is_file())
}

/// What a sweep leaves to be looked at.
fn shown(out: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let keep = |name: &PathBuf| {
        let name = name.to_string_lossy();
        !["journal", "timings.csv", ".sbatch", ".log"].iter().any(|part| name.contains(part))
    };
    files(out).into_iter().filter(|(name, _)| keep(name)).collect()
}

/// Daemons of one node, ended when this is dropped.
struct Slurm {
    folder: TempDir,
}

impl Slurm {
    /// `None`, with the reason, where it cannot be.
    fn start() -> Option<Slurm> {
        let needed = ["munged", "slurmctld", "slurmd", "sbatch", "srun", "scancel", "scontrol", "squeue"];
        if let Some(missing) = needed.into_iter().find(|program| !is_there(program)) {
            eprintln!("skipped: {missing} is not installed (Debian: slurm-wlm, munge)");
            return None;
        }
        if fs::metadata("/proc/self").map(|own| std::os::unix::fs::MetadataExt::uid(&own)).ok() != Some(0) {
            eprintln!("skipped: Slurm's daemons are started by root only");
            return None;
        }
        let slurm = Slurm { folder: tempfile::tempdir_in("/tmp").unwrap() };
        slurm.configure();
        let place = slurm.folder.path().display();
        let mut munged = Command::new("munged");
        munged.args([
            "--force",
            &format!("--key-file={place}/key"),
            &format!("--socket={place}/munge.socket"),
        ]);
        munged.args([&format!("--pid-file={place}/munged.pid"), &format!("--log-file={place}/munged.log")]);
        munged.arg(format!("--seed-file={place}/seed"));
        assert!(munged.status().unwrap().success());
        assert!(slurm.command("slurmctld", "").status().unwrap().success());
        assert!(slurm.command("slurmd", &format!("-N {}", host())).status().unwrap().success());
        slurm.wait("an idle node", 60, || slurm.says("sinfo", "--noheader --format=%T").contains("idle"));
        Some(slurm)
    }

    fn configure(&self) {
        use std::os::unix::fs::PermissionsExt;
        let place = self.folder.path();
        fs::set_permissions(place, fs::Permissions::from_mode(0o755)).unwrap();
        ["state", "spool"].iter().for_each(|name| fs::create_dir(place.join(name)).unwrap());
        let key: Vec<u8> = (0..1024_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        fs::write(place.join("key"), key).unwrap();
        fs::set_permissions(place.join("key"), fs::Permissions::from_mode(0o400)).unwrap();
        // Free ones, as far as one can know.
        let sockets = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [controller, node] = sockets.map(|socket| socket.local_addr().unwrap().port());
        let (host, place) = (host(), place.display());
        let text = format!(
            "ClusterName=test\nSlurmctldHost={host}(127.0.0.1)\nSlurmUser=root\nSlurmdUser=root\nAuthType=auth/munge\n\
             AuthInfo=socket={place}/munge.socket\nCredType=cred/munge\nProctrackType=proctrack/pgid\nTaskPlugin=task/none\n\
             JobAcctGatherType=jobacct_gather/none\nAccountingStorageType=accounting_storage/none\nMpiDefault=none\n\
             MailProg=/bin/true\nSelectType=select/cons_tres\nSelectTypeParameters=CR_Core\nSlurmctldPort={controller}\n\
             SlurmdPort={node}\nSlurmctldPidFile={place}/slurmctld.pid\nSlurmdPidFile={place}/slurmd.pid\n\
             SlurmctldLogFile={place}/slurmctld.log\nSlurmdLogFile={place}/slurmd.log\nStateSaveLocation={place}/state\n\
             SlurmdSpoolDir={place}/spool\nReturnToService=2\nKillWait=5\nMinJobAge=600\n\
             SchedulerParameters=sched_interval=2,batch_sched_delay=0\nNodeName={host} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN\n\
             PartitionName=p Nodes={host} Default=YES MaxTime=INFINITE State=UP\n"
        );
        fs::write(self.configuration(), text).unwrap();
    }

    fn configuration(&self) -> PathBuf {
        self.folder.path().join("slurm.conf")
    }

    fn command(&self, program: &str, arguments: &str) -> Command {
        let mut command = Command::new(program);
        command.args(arguments.split_whitespace()).env("SLURM_CONF", self.configuration());
        command
    }

    fn says(&self, program: &str, arguments: &str) -> String {
        let output = self.command(program, arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    fn wait(&self, what: &str, seconds: u64, mut until: impl FnMut() -> bool) {
        let began = Instant::now();
        while !until() {
            if began.elapsed() > Duration::from_secs(seconds) {
                let log = fs::read_to_string(self.folder.path().join("slurmctld.log")).unwrap_or_default();
                panic!("no {what} after {seconds} s\n{}\n{log}", self.says("squeue", ""));
            }
            sleep(Duration::from_millis(300));
        }
    }

    /// Sends the sweep; the numbers of the array and of the job that merges it.
    fn submit(&self, options: &str) -> [String; 2] {
        let mut command = program();
        command.args(format!("sweep submit --slurm --now {options}").split_whitespace());
        let output = command.env("SLURM_CONF", self.configuration()).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        let text = String::from_utf8(output.stdout).unwrap();
        let job = |after: &str| {
            let rest = &text[text.find(after).unwrap() + after.len()..];
            rest.chars().take_while(char::is_ascii_digit).collect::<String>()
        };
        [job("job "), job("; job ")]
    }

    fn is_over(&self, job: &str) -> bool {
        self.says("squeue", &format!("--noheader --jobs={job}")).trim().is_empty()
    }

    fn states(&self, job: &str) -> String {
        self.says("scontrol", &format!("show job {job}"))
    }
}

impl Drop for Slurm {
    fn drop(&mut self) {
        for name in ["slurmd.pid", "slurmctld.pid", "munged.pid"] {
            if let Ok(pid) = fs::read_to_string(self.folder.path().join(name)) {
                let _ = Command::new("kill").arg(pid.trim()).status();
            }
        }
        sleep(Duration::from_secs(1));
    }
}

fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    name.trim().split('.').next().unwrap().to_string()
}

#[test]
fn an_array_of_slurm_survives_a_kill_and_the_end_of_its_time() {
    let Some(slurm) = Slurm::start() else { return };
    let scene = folder();
    let [whole, split] = ["whole", "split"].map(|name| scene.path().join(name));
    succeed(&format!("sweep {OPTIONS} --out {}", whole.display()));
    let options = format!("--shards 4 --time 1:00:00 {OPTIONS} --out {}", split.display());
    let [array, merge] = slurm.submit(&options);
    // The first task is killed in its work, the second has no more than a minute.
    slurm.wait("running task", 60, || {
        slurm.says("squeue", &format!("--noheader --jobs={array}_1 --format=%T")).contains("RUNNING")
    });
    let shorter = format!("update JobId={array}_2 TimeLimit=1");
    assert!(slurm.command("scontrol", &shorter).status().unwrap().success());
    let journal = split.join("journal-001-of-004.jsonl");
    slurm.wait("block of the first task", 120, || {
        fs::read_to_string(&journal).is_ok_and(|text| text.lines().count() > 1)
            || slurm.is_over(&format!("{array}_1"))
    });
    let _ = slurm.command("scancel", &format!("--signal=KILL --full {array}_1")).status().unwrap();
    slurm.wait("end of the array", 600, || slurm.is_over(&array) && slurm.is_over(&merge));
    let first = slurm.states(&array);
    // Sent again it computes what is missing, and what was finished before is kept.
    let [again, merging] = slurm.submit(&options);
    slurm.wait("end of the second array", 900, || slurm.is_over(&again) && slurm.is_over(&merging));
    let logs = || {
        let text = |path: &PathBuf| fs::read_to_string(split.join(path)).unwrap_or_default();
        files(&split).keys().filter(|p| p.to_string_lossy().contains(".log")).map(text).collect::<String>()
    };
    assert_eq!(shown(&whole), shown(&split), "{first}\n{}", logs());
}

#[test]
fn gnu_parallel_does_the_same() {
    if !is_there("parallel") {
        eprintln!("skipped: GNU parallel is not installed (Debian: parallel)");
        return;
    }
    let scene = folder();
    let [whole, split] = ["whole", "split"].map(|name| scene.path().join(name));
    let options = OPTIONS.replace("--iterations 1500", "--iterations 60");
    succeed(&format!("sweep {options} --out {}", whole.display()));
    let program = env!("CARGO_BIN_EXE_gia-gpu");
    let script = format!(
        "seq 4 | GIA_GPU_SHARDS=4 parallel --jobs 2 '{program} sweep {options} --out {} --shard auto # {{}}'",
        split.display()
    );
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    succeed(&format!("sweep merge {} --device cpu", split.display()));
    assert_eq!(shown(&whole), shown(&split));
}
