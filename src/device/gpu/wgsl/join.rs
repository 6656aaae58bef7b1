//! A file and all that it imports as one text.

use std::collections::{BTreeSet, HashMap};

use super::{Library, WgslError, Words};

/// `words` none: everything at its default.
pub(crate) fn join(library: &Library, path: &str, words: Option<&Words>) -> Result<String, WgslError> {
    let mut joined = Joined {
        library,
        words,
        seen: Vec::new(),
        declared: BTreeSet::new(),
        constants: HashMap::new(),
        enables: BTreeSet::new(),
        parts: Vec::new(),
    };
    joined.add(Import { path: path.to_string(), fixed: Vec::new() }, path)?;
    for (name, _) in words.into_iter().flat_map(|words| &words.0) {
        if !joined.declared.contains(name) {
            let expected = joined.declared.into_iter().collect::<Vec<_>>().join(", ");
            return Err(WgslError::Undeclared { file: path.to_string(), name: name.clone(), expected });
        }
    }
    let mut text: String = joined.enables.iter().map(|line| format!("{line}\n")).collect();
    for part in &joined.parts {
        text += &format!("// shaders/{}\n", part.path);
        part.unroll(&joined.constants, &mut text)?;
        text.push('\n');
    }
    Ok(text)
}

/// A file, and those of its words and constants that the importing file fixes. The same import comes in once.
#[derive(Clone, PartialEq, Eq)]
struct Import {
    path: String,
    fixed: Vec<(String, String)>,
}

impl Import {
    /// Of a line's `PATH NAME=VALUE …`.
    fn read(line: &str) -> Option<Self> {
        let mut items = line.split_whitespace();
        let path = items.next()?.to_string();
        let pair = |item: &str| item.split_once('=').map(|(name, value)| (name.into(), value.into()));
        Some(Import { path, fixed: items.map(pair).collect::<Option<_>>()? })
    }
}

struct Joined<'a> {
    library: &'a Library<'a>,
    words: Option<&'a Words>,
    seen: Vec<Import>,
    /// What a value may be given for.
    declared: BTreeSet<String>,
    /// Values of constants, which say how often lines are repeated.
    constants: HashMap<String, String>,
    /// Directives: WGSL wants them before everything else.
    enables: BTreeSet<String>,
    parts: Vec<Part>,
}

impl Joined<'_> {
    /// The file, then what it imports.
    fn add(&mut self, import: Import, by: &str) -> Result<(), WgslError> {
        if self.seen.contains(&import) {
            return Ok(());
        }
        self.seen.push(import.clone());
        let mut part = Part { path: import.path.clone(), lines: Vec::new() };
        let (mut own, mut names) = (HashMap::new(), BTreeSet::new());
        let mut imports = Vec::new();
        for (at, written) in self.library.file(&import.path, by)?.lines().enumerate() {
            let malformed = |what: &str| part.malformed(at + 1, format!("{what}: {written}"));
            if let Some(word) = written.strip_prefix("//word ") {
                let (name, default) =
                    word.split_once('=').ok_or_else(|| malformed("expected //word NAME = DEFAULT"))?;
                let value = self.value(&import, name.trim(), default.trim())?;
                names.insert(name.trim().to_string());
                own.insert(name.trim().to_string(), value);
                continue;
            }
            let mut line = written.to_string();
            // Most lines hold no word, and a plan has thousands of texts.
            if line.contains("{{") {
                for (name, value) in &own {
                    line = line.replace(&format!("{{{{{name}}}}}"), value.trim_end());
                }
            }
            if let Some(import) = line.strip_prefix("//import ") {
                let import = Import::read(import);
                imports.push(import.ok_or_else(|| malformed("expected //import PATH NAME=VALUE …"))?);
            } else if let Some(constant) = line.strip_prefix("override ") {
                let (left, default) = constant
                    .strip_suffix(';')
                    .and_then(|constant| constant.split_once(" = "))
                    .ok_or_else(|| malformed("expected override NAME: TYPE = DEFAULT; in one line"))?;
                // What has no type follows from others.
                let value = match left.split_once(": ") {
                    None => default.to_string(),
                    Some((name, _)) => {
                        let value = self.value(&import, name, default)?;
                        names.insert(name.to_string());
                        self.constants.insert(name.to_string(), value.clone());
                        value
                    }
                };
                part.push(at + 1, format!("const {left} = {value};"));
            } else if line.starts_with("enable ") {
                self.enables.insert(line);
            } else if !line.trim().is_empty() || written.trim().is_empty() {
                part.push(at + 1, line);
            }
        }
        if let Some((name, _)) = import.fixed.iter().find(|(name, _)| !names.contains(name)) {
            let expected = names.into_iter().collect::<Vec<_>>().join(", ");
            return Err(WgslError::Undeclared { file: import.path, name: name.clone(), expected });
        }
        self.parts.push(part);
        imports.into_iter().try_for_each(|next| self.add(next, &import.path))
    }

    fn value(&mut self, import: &Import, name: &str, default: &str) -> Result<String, WgslError> {
        if let Some((_, fixed)) = import.fixed.iter().find(|(known, _)| known == name) {
            return Ok(fixed.clone());
        }
        self.declared.insert(name.to_string());
        let Some(words) = self.words else { return Ok(default.to_string()) };
        let missing = || WgslError::Missing { file: import.path.clone(), name: name.to_string() };
        words.get(name).map(str::to_string).ok_or_else(missing)
    }
}

/// What one file adds to the text.
struct Part {
    path: String,
    /// With their numbers in the file.
    lines: Vec<(usize, String)>,
}

impl Part {
    /// Without blank lines at the start or one after another, as they are left where imports stood.
    fn push(&mut self, at: usize, line: String) {
        if !line.is_empty() || self.lines.last().is_some_and(|(_, last)| !last.is_empty()) {
            self.lines.push((at, line));
        }
    }

    fn malformed(&self, line: usize, what: String) -> WgslError {
        WgslError::Malformed { file: self.path.clone(), line, what }
    }

    /// Repeats the lines from `//repeat i COUNT` to `//end`, with 0, 1 … for `{{i}}`. A WGSL loop stays a loop in
    /// what drivers compile; this one does not.
    fn unroll(&self, constants: &HashMap<String, String>, text: &mut String) -> Result<(), WgslError> {
        let mut add = |at: usize, line: &str| {
            if line.contains("{{") || line == "//end" {
                return Err(self.malformed(at, format!("neither a word nor repeated: {line}")));
            }
            text.push_str(line);
            text.push('\n');
            Ok(())
        };
        let mut lines = self.lines.iter();
        while let Some((at, line)) = lines.next() {
            let Some(heading) = line.strip_prefix("//repeat ") else {
                add(*at, line)?;
                continue;
            };
            let repeated = heading.split_once(' ').and_then(|(name, count)| {
                Some((name, constants.get(count).map_or(count, String::as_str).parse::<usize>().ok()?))
            });
            let (name, count) = repeated.ok_or_else(|| {
                self.malformed(*at, format!("expected //repeat NAME COUNT, a number or a constant: {line}"))
            })?;
            let Some(len) = lines.as_slice().iter().position(|(_, line)| line == "//end") else {
                return Err(self.malformed(*at, format!("no //end to {line}")));
            };
            let body = &lines.as_slice()[..len];
            for i in 0..count {
                for (at, line) in body {
                    add(*at, &line.replace(&format!("{{{{{name}}}}}"), &i.to_string()))?;
                }
            }
            lines.nth(len);
        }
        Ok(())
    }
}
