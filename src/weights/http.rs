//! Requests that follow redirections themselves: on the way, Hugging Face says what the file's SHA-256 is.

use std::time::Duration;

use ureq::{
    Agent, Body,
    http::{HeaderMap, Response, StatusCode},
};

use super::{
    WeightsError,
    address::{is_plain, is_web, resolve},
};

const REDIRECTIONS: usize = 8;
/// A server that says nothing for so long has gone.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Client {
    agent: Agent,
}

/// What headers say of a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Said {
    pub size: Option<u64>,
    /// Hexadecimal, lower case.
    pub sha256: Option<String>,
    /// Changes with the file, as the server writes it.
    pub tag: Option<String>,
}

impl Client {
    pub(crate) fn new() -> Self {
        let config = Agent::config_builder()
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .timeout_connect(Some(PATIENCE))
            .timeout_recv_response(Some(PATIENCE))
            .timeout_per_read(Some(PATIENCE))
            .user_agent(concat!("gia-gpu/", env!("CARGO_PKG_VERSION")))
            .build();
        Client { agent: config.into() }
    }

    /// What the server says of the file; nothing where it does not answer such questions.
    pub(crate) fn ask(&self, url: &str) -> Result<Said, WeightsError> {
        let (response, said) = self.follow(url, |url| self.agent.head(url).call())?;
        match response.status().as_u16() {
            200 => Ok(said),
            // Signed addresses are often for one method only.
            400 | 403 | 405 | 501 => Ok(Said::default()),
            status => Err(WeightsError::Status { url: url.into(), status }),
        }
    }

    /// The file from byte `from` on, if it still is the one with this tag; else from its start, as far as the server goes
    /// along with that. With what the server says of it.
    pub(crate) fn get(
        &self,
        url: &str,
        from: u64,
        tag: Option<&str>,
    ) -> Result<(Response<Body>, Said), WeightsError> {
        let call = |url: &str| {
            let request = self.agent.get(url);
            match (from, tag) {
                (0, _) => request.call(),
                (_, None) => request.header("range", format!("bytes={from}-")).call(),
                (_, Some(tag)) => {
                    request.header("range", format!("bytes={from}-")).header("if-range", tag).call()
                }
            }
        };
        self.follow(url, call)
    }

    fn follow(
        &self,
        url: &str,
        call: impl Fn(&str) -> Result<Response<Body>, ureq::Error>,
    ) -> Result<(Response<Body>, Said), WeightsError> {
        let mut at = url.to_string();
        let mut said = Said::default();
        for _ in 0..=REDIRECTIONS {
            if !is_web(&at) {
                return Err(WeightsError::Url { url: at });
            }
            let response = call(&at)
                .map_err(|error| WeightsError::NoAnswer { url: at.clone(), cause: error.to_string() })?;
            said.hear(response.headers(), response.status());
            let location = response.headers().get("location").and_then(|value| value.to_str().ok());
            match location.filter(|_| response.status().is_redirection()) {
                Some(location) => {
                    let next = resolve(&at, location);
                    if is_plain(&next) && !is_plain(&at) {
                        return Err(WeightsError::Plain { url: at, to: next });
                    }
                    at = next;
                }
                None => return Ok((response, said)),
            }
        }
        Err(WeightsError::Redirections { url: url.into(), limit: REDIRECTIONS })
    }
}

impl Said {
    /// What was heard first counts: a redirection's `x-linked-` headers are about the file that it leads to.
    fn hear(&mut self, headers: &HeaderMap, status: StatusCode) {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let bare = |tag: &str| tag.trim_start_matches("W/").trim_matches('"').to_string();
        let linked = text("x-linked-etag").map(bare);
        // Without the prefix, a tag belongs to the redirection itself.
        let is_file = matches!(status, StatusCode::OK | StatusCode::PARTIAL_CONTENT);
        let own = text("etag").filter(|_| is_file);
        let length = if status == StatusCode::OK { text("content-length") } else { None };
        let found = linked.or(own.map(bare));
        let hash = found.filter(|tag| tag.len() == 64 && tag.chars().all(|c| c.is_ascii_hexdigit()));
        self.sha256 = self.sha256.take().or(hash.map(|hash| hash.to_lowercase()));
        // A weak tag is the same for files that differ in their bytes.
        let strong = own.filter(|tag| !tag.starts_with("W/")).map(str::to_string);
        self.tag = self.tag.take().or(strong);
        let size = text("x-linked-size").or(length).and_then(|text| text.parse().ok());
        self.size = self.size.or(size);
    }
}
