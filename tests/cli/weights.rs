//! `gia-gpu weights`, against a server on this machine.

use std::{collections::BTreeMap, fs, path::PathBuf, process::Output};

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::{
    server::{Manners, Server},
    support::*,
};

/// An entry without a SHA-256 of its own.
const NAME: &str = "tinyclip-8m";
const SIZE: usize = 300_000;

/// A tensor whose parts differ in their bytes.
fn weights() -> Vec<u8> {
    let header = |bytes: usize| {
        let text = format!("{{\"t\":{{\"dtype\":\"U8\",\"shape\":[{bytes}],\"data_offsets\":[0,{bytes}]}}}}");
        format!("{text:<80}")
    };
    let header = header(SIZE - 88);
    let data = (0..SIZE as u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes());
    (header.len() as u64)
        .to_le_bytes()
        .into_iter()
        .chain(header.into_bytes())
        .chain(data)
        .take(SIZE)
        .collect()
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn files() -> BTreeMap<String, Vec<u8>> {
    BTreeMap::from([("/m/model.safetensors".into(), weights()), ("/m/config.json".into(), b"{}".to_vec())])
}

struct Cache(TempDir);

impl Cache {
    fn new() -> Cache {
        Cache(folder())
    }

    fn run(&self, arguments: &str) -> Output {
        let mut command = program();
        // Linux's and macOS's words for where the cache is.
        command.env("XDG_CACHE_HOME", self.0.path().join("Library/Caches")).env("HOME", self.0.path());
        for proxy in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
            command.env_remove(proxy);
        }
        command.args(arguments.split_whitespace()).output().unwrap()
    }

    fn get(&self, server: &Server, rest: &str) -> Output {
        self.run(&format!("weights get {NAME} --from {}/m {rest}", server.address))
    }

    fn folder(&self) -> PathBuf {
        self.0.path().join("Library/Caches/gia-gpu/weights").join(NAME)
    }

    fn names(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.folder()) else { return vec![] };
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn assert_whole(&self) {
        assert_eq!(self.names(), ["config.json", "model.safetensors"]);
        assert!(fs::read(self.folder().join("model.safetensors")).unwrap() == weights());
    }
}

fn said(output: &Output, code: i32, words: &[&str]) {
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &stderr(output);
    assert_eq!(output.status.code(), Some(code), "{text}");
    words.iter().for_each(|word| assert!(text.contains(word), "no '{word}' in\n{text}"));
}

#[test]
fn weights_that_are_published_as_pickles_alone_are_said_to_be() {
    fail(2, "weights get lpips-alex", &["lpips-alex", "pickle", "examples/export_lpips.py"]);
}

#[test]
fn weights_are_fetched_once_and_then_listed() {
    let (cache, server) = (Cache::new(), Server::start(files(), Manners::default()));
    said(
        &cache.run("weights list"),
        0,
        &["tinyclip-8m   can be had", "clip-vit-b32", "builtin       built in"],
    );
    said(
        &cache.get(&server, ""),
        0,
        &["300000 bytes", &hash(&weights()), "compared with nothing", "--clip tinyclip-8m"],
    );
    cache.assert_whole();
    let before = server.requests("").len();
    said(&cache.get(&server, ""), 0, &["is on this machine"]);
    assert_eq!(server.requests("").len(), before);
    said(&cache.run("weights list"), 0, &["tinyclip-8m   on this machine"]);
    let list: serde_json::Value = serde_json::from_slice(&cache.run("weights list --json").stdout).unwrap();
    assert_eq!(list[4]["folder"].as_str().unwrap(), cache.folder().to_str().unwrap());
}

/// As Hugging Face does: the first answer leads elsewhere and says the SHA-256 of what is there.
#[test]
fn the_servers_own_sha256_is_checked() {
    let linked = Some(hash(&weights()));
    let server = Server::start(
        BTreeMap::from([("/m/model.safetensors".into(), weights())]),
        Manners { linked, ..Manners::default() },
    );
    let cache = Cache::new();
    said(&cache.get(&server, ""), 0, &["the server says so"]);
    assert_eq!(cache.names(), ["model.safetensors"]);

    let wrong = Cache::new();
    server.manners.lock().unwrap().linked = Some("0".repeat(64));
    said(&wrong.get(&server, ""), 1, &["SHA-256 is", &hash(&weights()), &"0".repeat(64), "deleted"]);
    assert_eq!(wrong.names(), [""; 0]);
}

#[test]
fn a_sha256_that_the_user_states_is_checked() {
    let server = Server::start(files(), Manners::default());
    let cache = Cache::new();
    let other = hash(b"other");
    said(&cache.get(&server, &format!("--sha256 {other}")), 1, &["--sha256 says so", &other]);
    assert_eq!(cache.names(), ["config.json"]);
    said(&cache.get(&server, "--sha256 12ab"), 2, &["--sha256", "'12ab'", "64 hexadecimal digits"]);
    said(
        &cache.get(&server, &format!("--sha256 {}", hash(&weights()).to_uppercase())),
        0,
        &["--sha256 says so"],
    );
    cache.assert_whole();
}

#[test]
fn a_transfer_that_breaks_off_goes_on_where_it_stopped() {
    let manners = Manners { ranges: true, cut: Some(50_000), ..Manners::default() };
    let (cache, server) = (Cache::new(), Server::start(files(), manners));
    // Four attempts of 50,000 bytes each.
    said(&cache.get(&server, ""), 1, &["broke off after 200000 of 300000 bytes", "goes on from there"]);
    assert_eq!(cache.names(), ["config.json", "model.safetensors.v300000.part"]);
    server.manners.lock().unwrap().cut = None;
    said(&cache.get(&server, ""), 0, &["300000 bytes"]);
    cache.assert_whole();
    let starts = server.requests("GET /m/model");
    let expected = ["None", "Some(50000)", "Some(100000)", "Some(150000)", "Some(200000)"];
    assert_eq!(starts, expected.map(|start| format!("GET /m/model.safetensors {start}")));
}

#[test]
fn a_server_without_ranges_starts_again() {
    let manners = Manners { cut: Some(100_000), ..Manners::default() };
    let (cache, server) = (Cache::new(), Server::start(files(), manners));
    said(&cache.get(&server, ""), 1, &["broke off after 100000 of 300000 bytes"]);
    server.manners.lock().unwrap().cut = None;
    said(&cache.get(&server, ""), 0, &["300000 bytes"]);
    cache.assert_whole();
}

/// What is there is judged, too: by its header, and by the hash that is known or stated.
#[test]
fn a_login_page_and_an_empty_body_are_no_weights() {
    for (body, found) in [("<html>log in</html>", "a web page"), ("", "an empty file")] {
        let files = BTreeMap::from([("/m/model.safetensors".into(), body.as_bytes().to_vec())]);
        let (cache, server) = (Cache::new(), Server::start(files, Manners::default()));
        said(&cache.get(&server, ""), 1, &["expected weights as safetensors", found, "deleted"]);
        assert_eq!(cache.names(), [""; 0]);
        fs::create_dir_all(cache.folder()).unwrap();
        fs::write(cache.folder().join("model.safetensors"), body).unwrap();
        said(&cache.get(&server, ""), 1, &["model.safetensors", found, "delete it"]);
    }
    let page = BTreeMap::from([
        ("/m/model.safetensors".into(), weights()),
        ("/m/config.json".into(), b"<html>".to_vec()),
    ]);
    let (cache, server) = (Cache::new(), Server::start(page, Manners::default()));
    said(&cache.get(&server, ""), 1, &["config.json", "expected JSON", "a web page"]);
}

#[test]
fn a_stated_sha256_is_checked_of_what_is_there() {
    let (cache, server) = (Cache::new(), Server::start(files(), Manners::default()));
    said(&cache.get(&server, ""), 0, &["compared with nothing"]);
    said(&cache.get(&server, &format!("--sha256 {}", hash(&weights()))), 0, &["is on this machine"]);
    let other = hash(b"other");
    said(
        &cache.get(&server, &format!("--sha256 {other}")),
        1,
        &["--sha256 says so", &other, "delete the file"],
    );
    cache.assert_whole();
}

#[test]
fn a_file_that_changes_while_it_is_resumed_is_fetched_whole() {
    let manners = Manners { ranges: true, cut: Some(100_000), changes: true, ..Manners::default() };
    let (cache, server) = (Cache::new(), Server::start(files(), manners));
    // The first part is the file's, what follows another's: never both in one.
    said(&cache.get(&server, ""), 1, &["changed on the server", "begins anew"]);
    assert!(!cache.names().contains(&"model.safetensors".to_string()), "{:?}", cache.names());
    *server.manners.lock().unwrap() = Manners { ranges: true, ..Manners::default() };
    said(&cache.get(&server, ""), 0, &["300000 bytes"]);
    cache.assert_whole();
}

#[test]
fn an_endless_file_is_ended() {
    let files =
        BTreeMap::from([("/m/config.json".into(), b"{}".to_vec()), ("/m/model.safetensors".into(), vec![])]);
    let server = Server::start(files, Manners { endless: true, ..Manners::default() });
    let cache = Cache::new();
    // The file of JSON comes first, and has a limit of its own.
    said(&cache.get(&server, ""), 1, &["config.json", "more than such a file has"]);
}

#[test]
fn redirections_may_be_relative_and_passwords_are_not_printed() {
    let server = Server::start(
        BTreeMap::from([
            ("/m/config.json".into(), b"{}".to_vec()),
            ("/m/model.safetensors".into(), weights()),
        ]),
        Manners { location: Some("../cdn/m/model.safetensors".into()), ..Manners::default() },
    );
    // The file beside the weights leads to them, too: it is no JSON.
    let cache = Cache::new();
    let host = server.address.trim_start_matches("http://").to_string();
    let output = cache.run(&format!("weights get {NAME} --from http://me:secret@{host}/m"));
    said(&output, 1, &["config.json", "expected JSON", &host]);
    assert!(!stderr(&output).contains("secret"), "{}", stderr(&output));
    server.manners.lock().unwrap().location = Some(format!("//{host}/cdn/m/model.safetensors"));
    said(&cache.get(&server, ""), 1, &["expected JSON"]);
}

#[test]
fn no_network_and_no_file_are_told_apart() {
    let cache = Cache::new();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    said(&cache.run(&format!("weights get {NAME} --from http://{nobody}")), 1, &["no answer"]);
    let host = "no-such-host.invalid";
    said(
        &cache.run(&format!("weights get {NAME} --from http://{host}")),
        1,
        &[host, "no answer", "is there a network?"],
    );
    let server = Server::start(BTreeMap::new(), Manners::default());
    said(&cache.get(&server, ""), 1, &["/m/model.safetensors", "answers 404", "--from"]);
    said(&cache.run(&format!("weights get {NAME} --from ftp://x/y")), 1, &["expected http:// or https://"]);
    said(&cache.run("weights get clip"), 2, &["'clip'", "clip-vit-b32, clip-vit-b16"]);
    assert_eq!(cache.names(), [""; 0]);
}

#[test]
fn a_folder_on_this_machine_will_do() {
    let cache = Cache::new();
    let source = folder();
    fs::write(source.path().join("model.safetensors"), weights()).unwrap();
    fs::write(source.path().join("config.json"), "{}").unwrap();
    let from = source.path().display();
    said(&cache.run(&format!("weights get {NAME} --from {from}")), 0, &["compared with nothing"]);
    cache.assert_whole();
    // What is known here is checked wherever the file comes from.
    said(
        &cache.run(&format!("weights get clip-vit-b32 --from {from}")),
        1,
        &["300000 bytes, expected 605157884"],
    );
    said(&cache.run(&format!("weights get clip-vit-b16 --from {from}/none")), 1, &["none/model.safetensors"]);
}
