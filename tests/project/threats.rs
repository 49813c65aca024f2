//! Every promise of the threat model names a test, and every test that it names exists.

#[test]
fn every_promise_is_held_by_tests_that_exist() {
    let root = support::root();
    let document = std::fs::read_to_string(root.join("docs/threat-model.md")).unwrap();
    let cases: String = support::files(&root.join("tests/hostile/cases"), "rs")
        .iter()
        .map(|file| std::fs::read_to_string(file).unwrap())
        .collect();
    let promises: Vec<&str> = document.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    assert!(promises.len() > 20, "{} promises", promises.len());
    for promise in promises {
        let held_by = promise.rsplit(" | ").next().unwrap_or_default();
        let tests: Vec<_> = held_by.split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "no test holds this: {promise}");
        for test in tests {
            let (place, name) = test.split_once(": ").unwrap_or_else(|| panic!("`{test}` names no test"));
            let exists = match place {
                "hostile" => cases.contains(&format!("{name:?}")),
                file => {
                    std::fs::read_to_string(root.join(file)).is_ok_and(|text| text.contains(&format!("fn {name}(")))
                }
            };
            assert!(exists, "there is no test `{test}`");
        }
    }
}
