//! Habits that are easy to hold while a tree is small, and hard to win back.

/// What is kept in the tree is smaller, in bytes; what is larger is built on the spot, by toolchains that write their own folders
/// into it.
const KEPT: usize = 1 << 20;

/// How long a file may be: about 500 lines, so that one idea fits and two do not.
const LINES: usize = 550;

#[test]
fn no_file_is_long() {
    let long: Vec<String> = support::files(support::root(), "rs")
        .into_iter()
        // What a generator wrote is read by nobody.
        .filter(|file| !file.components().any(|part| part.as_os_str() == "bindings"))
        .filter_map(|file| {
            let lines = std::fs::read_to_string(&file).unwrap().lines().count();
            (lines > LINES).then(|| format!("{} has {lines} lines", file.display()))
        })
        .collect();
    assert!(long.is_empty(), "split these by idea:\n{}", long.join("\n"));
}

#[test]
fn every_crate_that_ships_is_held_to_the_lints() {
    for package in crate::metadata().workspace_packages() {
        let manifest: toml::Table = std::fs::read_to_string(&package.manifest_path).unwrap().parse().unwrap();
        let inherits = manifest["lints"].get("workspace").and_then(toml::Value::as_bool) == Some(true);
        assert!(inherits || *package.name == "coracle-tests", "{} has lints of its own", package.name);
    }
}

#[test]
fn no_kept_component_names_a_folder_of_the_machine_it_was_built_on() {
    let root = support::root().to_str().expect("a path of text");
    let mut kept = 0;
    for file in support::files(&support::root().join("samples"), "wasm") {
        let bytes = std::fs::read(&file).unwrap();
        if bytes.len() > KEPT {
            continue;
        }
        for folder in ["/home/", "/root/", "/Users/", "C:\\Users", ".cargo/registry", root] {
            let found = bytes.windows(folder.len()).any(|window| window == folder.as_bytes());
            assert!(!found, "{} holds `{folder}`: build it with --remap-path-prefix", file.display());
        }
        kept += 1;
    }
    assert!(kept > 10, "the samples are elsewhere");
}
