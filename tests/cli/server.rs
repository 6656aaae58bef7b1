//! An HTTP server for one folder of files, which can be told to misbehave.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// What a server does wrong, or leaves out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Manners {
    /// Every answer says `Range` and `206`.
    pub ranges: bool,
    /// Say the SHA-256 as Hugging Face does, on a redirection to the file.
    pub linked: Option<String>,
    /// Close the connection after so many bytes of each file's body.
    pub cut: Option<usize>,
    /// From the second part of a file on, it is another one: the same length, other bytes, another tag.
    pub changes: bool,
    /// Say no length, and go on for ever.
    pub endless: bool,
    /// Where every request that is not yet there is sent.
    pub location: Option<String>,
}

pub(crate) struct Server {
    pub address: String,
    pub manners: Arc<Mutex<Manners>>,
    /// The first line of every request, and its range.
    pub seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Serves `files` by path until the test ends.
    pub(crate) fn start(files: BTreeMap<String, Vec<u8>>, manners: Manners) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let manners = Arc::new(Mutex::new(manners));
        let seen = Arc::new(Mutex::new(vec![]));
        let shared = (manners.clone(), seen.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let manners = shared.0.lock().unwrap().clone();
                // A client that has gone is no failure of the server.
                let _ = answer(stream.unwrap(), &files, &manners, &shared.1);
            }
        });
        Server { address, manners, seen }
    }

    /// Requests of this method, each with its range.
    pub(crate) fn requests(&self, method: &str) -> Vec<String> {
        self.seen.lock().unwrap().iter().filter(|line| line.starts_with(method)).cloned().collect()
    }
}

fn answer(
    mut stream: TcpStream,
    files: &BTreeMap<String, Vec<u8>>,
    manners: &Manners,
    seen: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let (mut start, mut if_range) = (None, None);
    for line in lines {
        let line = line?.to_lowercase();
        if line.is_empty() {
            break;
        }
        let range = line.strip_prefix("range: bytes=").and_then(|range| range.strip_suffix('-'));
        start = start.or(range.map(|range| range.parse::<usize>().unwrap()));
        if_range = if_range.or(line.strip_prefix("if-range: ").map(str::to_string));
    }
    let words: Vec<&str> = first.split(' ').collect();
    seen.lock().unwrap().push(format!("{} {} {start:?}", words[0], words[1]));
    let head = |status: &str, rest: &str| format!("HTTP/1.1 {status}\r\nconnection: close\r\n{rest}\r\n");
    let path = words[1];
    if let Some(location) = manners.location.as_ref().filter(|_| !path.starts_with("/cdn")) {
        let rest = format!("location: {location}\r\ncontent-length: 0\r\n");
        return stream.write_all(head("302 Found", &rest).as_bytes());
    }
    let direct = path.strip_prefix("/cdn");
    let Some(file) = files.get(direct.unwrap_or(path)) else {
        return stream.write_all(head("404 Not Found", "content-length: 0\r\n").as_bytes());
    };
    if let (Some(hash), None) = (&manners.linked, direct) {
        let size = file.len();
        let rest = format!(
            "location: /cdn{path}\r\ncontent-length: 0\r\nx-linked-etag: \"{hash}\"\r\nx-linked-size: {size}\r\n"
        );
        return stream.write_all(head("302 Found", &rest).as_bytes());
    }
    if manners.endless {
        if words[0] == "HEAD" {
            return stream.write_all(head("405 Method Not Allowed", "content-length: 0\r\n").as_bytes());
        }
        stream.write_all(head("200 OK", "").as_bytes())?;
        loop {
            stream.write_all(&[b'x'; 1 << 16])?;
        }
    }
    let changed: Vec<u8> = file.iter().map(|byte| !byte).collect();
    let is_changed = manners.changes && start.is_some();
    let file = if is_changed { &changed } else { file };
    let tag = format!("{}{}", if is_changed { "w" } else { "v" }, file.len());
    let is_same = if_range.is_none_or(|asked| asked == format!("\"{tag}\""));
    let from = start.filter(|_| manners.ranges && is_same).unwrap_or(0);
    let (status, range) = match from {
        0 => ("200 OK", String::new()),
        from => (
            "206 Partial Content",
            format!("content-range: bytes {from}-{}/{}\r\n", file.len() - 1, file.len()),
        ),
    };
    let body = &file[from..];
    let tag = format!("etag: \"{tag}\"\r\n");
    stream.write_all(head(status, &format!("content-length: {}\r\n{range}{tag}", body.len())).as_bytes())?;
    if words[0] == "GET" {
        let end = manners.cut.map_or(body.len(), |cut| cut.min(body.len()));
        stream.write_all(&body[..end])?;
    }
    stream.flush()
}
