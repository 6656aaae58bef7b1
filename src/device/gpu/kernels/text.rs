//! The little that is done to the text of a shader: names are replaced, marked lines repeated.

/// Replaces every `{{NAME}}` of a template; the first value of a name counts.
pub fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut text = template.to_string();
    for (name, value) in values {
        text = text.replace(&format!("{{{{{name}}}}}"), value);
    }
    text
}

/// Repeats the lines from `//repeat i N` to `//end` N times, with 0, 1 … for `{{i}}`. A WGSL loop stays a loop
/// in what drivers compile; this one does not.
pub fn unroll(text: &str) -> String {
    let mut result = String::with_capacity(2 * text.len());
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(heading) = line.strip_prefix("//repeat ") else {
            result += line;
            result.push('\n');
            continue;
        };
        let (name, count) = heading.split_once(' ').unwrap_or((heading, ""));
        let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "//end").collect();
        for i in 0..count.parse().unwrap_or(0) {
            for line in &body {
                result += &line.replace(&format!("{{{{{name}}}}}"), &i.to_string());
                result.push('\n');
            }
        }
    }
    result
}

/// A `bool` of WGSL.
pub fn boolean(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}
