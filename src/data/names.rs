//! Names of classes and of what pictures show. Upper and lower case and spaces around a name do not matter.

/// Whether two names are one.
pub fn same_name(a: &str, b: &str) -> bool {
    a.trim().to_lowercase() == b.trim().to_lowercase()
}

/// The place of a name in a list.
pub fn place_of_name(names: &[String], name: &str) -> Option<usize> {
    names.iter().position(|other| same_name(other, name))
}

/// The place of a name in a list, to which it is added if it is new.
pub fn add_name(names: &mut Vec<String>, name: &str) -> usize {
    place_of_name(names, name).unwrap_or_else(|| {
        names.push(name.into());
        names.len() - 1
    })
}

/// As people say it: a folder's name has underscores for spaces.
pub fn spoken(name: &str) -> String {
    name.replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_whatever_its_case_and_added_once() {
        let mut names = vec!["Ankle boot".to_string()];
        assert_eq!(add_name(&mut names, " ankle BOOT"), 0);
        assert_eq!(add_name(&mut names, &spoken("egyptian_cat")), 1);
        assert_eq!(names, ["Ankle boot", "egyptian cat"]);
        assert_eq!(place_of_name(&names, "cat"), None);
    }
}
