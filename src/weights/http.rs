//! Requests that follow redirections themselves: on the way, Hugging Face says what the file's SHA-256 is.

use std::time::Duration;

use ureq::{
    Agent, Body,
    http::{HeaderMap, Response, StatusCode, Uri},
};

use super::WeightsError;

const REDIRECTIONS: usize = 8;
/// A server that says nothing for so long has gone.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Client {
    agent: Agent,
}

/// What headers say of a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Said {
    pub size: Option<u64>,
    /// Hexadecimal, lower case.
    pub sha256: Option<String>,
    /// Changes with the file.
    pub tag: Option<String>,
}

impl Client {
    pub fn new() -> Self {
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
    pub fn ask(&self, url: &str) -> Result<Said, WeightsError> {
        let (response, said) = self.follow(url, |url| self.agent.head(url).call())?;
        match response.status().as_u16() {
            200 => Ok(said),
            // Signed addresses are often for one method only.
            400 | 403 | 405 | 501 => Ok(Said::default()),
            status => Err(WeightsError::Status { url: url.into(), status }),
        }
    }

    /// The file from byte `from` on, as far as the server goes along with that.
    pub fn get(&self, url: &str, from: u64) -> Result<Response<Body>, WeightsError> {
        let call = |url: &str| {
            let request = self.agent.get(url);
            match from {
                0 => request.call(),
                _ => request.header("range", format!("bytes={from}-")).call(),
            }
        };
        Ok(self.follow(url, call)?.0)
    }

    fn follow(
        &self,
        url: &str,
        call: impl Fn(&str) -> Result<Response<Body>, ureq::Error>,
    ) -> Result<(Response<Body>, Said), WeightsError> {
        let mut at = url.to_string();
        let mut said = Said::default();
        for _ in 0..=REDIRECTIONS {
            if !at.starts_with("http://") && !at.starts_with("https://") {
                return Err(WeightsError::Url { url: at });
            }
            let response = call(&at)
                .map_err(|error| WeightsError::NoAnswer { url: at.clone(), cause: error.to_string() })?;
            said.hear(response.headers(), response.status());
            let location = response.headers().get("location").and_then(|value| value.to_str().ok());
            match location.filter(|_| response.status().is_redirection()) {
                Some(location) => at = resolve(&at, location),
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
        let tag = |name| text(name).map(|tag| tag.trim_start_matches("W/").trim_matches('"').to_string());
        let linked = tag("x-linked-etag");
        // Without the prefix, a tag belongs to the redirection itself.
        let own = if status == StatusCode::OK { tag("etag") } else { None };
        let length = if status == StatusCode::OK { text("content-length") } else { None };
        let found = linked.or(own);
        let hash = found.clone().filter(|tag| tag.len() == 64 && tag.chars().all(|c| c.is_ascii_hexdigit()));
        self.sha256 = self.sha256.take().or(hash.map(|hash| hash.to_lowercase()));
        self.tag = self.tag.take().or(found);
        let size = text("x-linked-size").or(length).and_then(|text| text.parse().ok());
        self.size = self.size.or(size);
    }
}

/// A location may leave out the server.
fn resolve(at: &str, location: &str) -> String {
    match at.parse::<Uri>() {
        Ok(uri) if location.starts_with('/') && !location.starts_with("//") => {
            let (scheme, server) = (uri.scheme_str().unwrap_or("https"), uri.authority());
            format!("{scheme}://{}{location}", server.map_or("", |server| server.as_str()))
        }
        _ => location.into(),
    }
}
