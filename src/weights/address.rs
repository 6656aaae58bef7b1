//! Addresses: where a redirection leads, and how they are printed.

use std::borrow::Cow;

/// `scheme://authority`, path and query of an address of http or https.
fn parts(url: &str) -> Option<(&str, &str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    (matches!(scheme.to_ascii_lowercase().as_str(), "http" | "https") && !authority.is_empty())
        .then_some((scheme, authority, rest))
}

/// Whether it is an address that can be asked.
pub(crate) fn is_web(url: &str) -> bool {
    parts(url).is_some()
}

/// Whether what is said there can be read and changed on the way.
pub(crate) fn is_plain(url: &str) -> bool {
    parts(url).is_some_and(|(scheme, ..)| scheme.eq_ignore_ascii_case("http"))
}

/// Where a location leads that was said at `at`: whole, without scheme, without server, or relative to its path
/// (RFC 3986, 5.2).
pub(crate) fn resolve(at: &str, location: &str) -> String {
    let location = location.split('#').next().unwrap_or_default();
    let has_scheme = location.split(['/', '?']).next().is_some_and(|start| start.contains(':'));
    let Some((scheme, authority, rest)) = parts(at).filter(|_| !has_scheme) else { return location.into() };
    if let Some(other) = location.strip_prefix("//") {
        return format!("{scheme}://{other}");
    }
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    let (wanted, query) = match location.find('?') {
        Some(at) => location.split_at(at),
        None => (location, ""),
    };
    let merged = match wanted {
        "" => path.to_string(),
        absolute if absolute.starts_with('/') => absolute.to_string(),
        relative => format!("{}/{relative}", path.rsplit_once('/').map_or("", |(folder, _)| folder)),
    };
    format!("{scheme}://{authority}{}{query}", without_dots(&merged))
}

/// `/a/./b/../c` → `/a/c`
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = vec![];
    let mut is_folder = false;
    for part in path.split('/').skip(1) {
        is_folder = matches!(part, "." | "..");
        match part {
            "." => {}
            ".." => drop(kept.pop()),
            part => kept.push(part),
        }
    }
    format!("/{}{}", kept.join("/"), if is_folder && !kept.is_empty() { "/" } else { "" })
}

/// The address as it may be printed: without a name and password, and without what its query gives away.
pub fn shown(url: &str) -> Cow<'_, str> {
    let Some((scheme, authority, rest)) = parts(url) else { return Cow::Borrowed(url) };
    let server = authority.rsplit_once('@').map(|(_, server)| server);
    let path = rest.split('?').next().unwrap_or_default();
    match (server, path == rest) {
        (None, true) => Cow::Borrowed(url),
        (server, whole) => {
            let query = if whole { "" } else { "?…" };
            Cow::Owned(format!("{scheme}://{}{path}{query}", server.unwrap_or(authority)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_leads_where_a_browser_would_go() {
        let at = "https://host/a/b/file?x=1";
        for (location, expected) in [
            ("http://other/c", "http://other/c"),
            ("//other/c", "https://other/c"),
            ("/c/d?y=2", "https://host/c/d?y=2"),
            ("c", "https://host/a/b/c"),
            ("./c", "https://host/a/b/c"),
            ("../c", "https://host/a/c"),
            ("../../../../c", "https://host/c"),
            ("..", "https://host/a/"),
            ("?y=2", "https://host/a/b/file?y=2"),
            ("c#part", "https://host/a/b/c"),
            ("ftp://other/c", "ftp://other/c"),
            ("data:text/plain,x", "data:text/plain,x"),
        ] {
            assert_eq!(resolve(at, location), expected, "{location}");
        }
        assert_eq!(resolve("https://host", "c"), "https://host/c");
        assert!(is_web("HTTPS://host/x") && !is_web("ftp://x/y") && !is_web("https:///x"));
        assert!(is_plain("http://host") && !is_plain("https://host"));
    }

    #[test]
    fn passwords_and_signatures_are_not_printed() {
        assert_eq!(shown("https://me:secret@host/x"), "https://host/x");
        assert_eq!(shown("https://host/x?X-Signature=secret"), "https://host/x?…");
        assert_eq!(shown("https://me@host"), "https://host");
        assert!(matches!(shown("https://host/x"), Cow::Borrowed(_)));
        assert_eq!(shown("a folder"), "a folder");
    }
}
