//! Tests that the rest of their binary would disturb.

use std::{any::type_name, env, process::Command};

/// Set in the process that runs one test alone.
const ALONE: &str = "GIA_TEST_ALONE";

/// Runs the calling test in a process of its own, where no other test's threads are: `body` runs there, and what it
/// says if it fails is shown here. `body` must be a closure written in the test itself, whose path its type carries.
pub(crate) fn alone<F: FnOnce()>(body: F) {
    if env::var_os(ALONE).is_some() {
        return body();
    }
    // As in `engine::replay::a_test::{{closure}}`; the harness knows it as `replay::a_test`.
    let path = type_name::<F>();
    let (_, test) = path.split_once("::").expect("a path within a crate");
    let test = test.strip_suffix("::{{closure}}").expect("a closure within a test");
    let own = env::current_exe().expect("this test has a file");
    let arguments = [test, "--exact", "--test-threads=1", "--nocapture"];
    let output = Command::new(own).args(arguments).env(ALONE, "1").output().expect("this test starts again");
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{test}, alone:\n{text}");
    assert!(text.contains("1 passed"), "{test} was not found:\n{text}");
}
