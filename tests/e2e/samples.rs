//! Every sample answers every case in its `tests/` folder, by `coracle test`.

use std::process::Command;

use support::{coracle, root};

#[test]
fn every_sample_answers_its_cases() {
    let samples = root().join("samples");
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.xml");
    let output = Command::new(coracle()).arg("test").arg("--junit").arg(&report).arg(&samples).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));

    // A component without a case would never be asked.
    let manifest: toml::Table = std::fs::read_to_string(samples.join("coracle.toml")).unwrap().parse().unwrap();
    let tested = |name: &&String| text.lines().any(|line| line.starts_with(&format!("ok      {name}/")));
    let untested: Vec<_> = manifest["component"].as_table().unwrap().keys().filter(|name| !tested(name)).collect();
    assert!(untested.is_empty(), "served, and no case asks for them: {untested:?}");

    let passed = text.lines().filter(|line| line.starts_with("ok ")).count();
    let report = std::fs::read_to_string(report).unwrap();
    assert!(report.contains(&format!("tests=\"{passed}\" skipped=\"0\" failures=\"0\" errors=\"0\"")), "{report}");
}

/// The quote service in four languages: apart as it stands, with the prices in C, and fused.
#[test]
fn the_mixed_sample_answers_however_it_is_wired() {
    let sample = root().join("samples/quote");
    let manifest = std::fs::read_to_string(sample.join("coracle.toml")).unwrap();
    for part in ["front", "validation", "pricing", "rendering"] {
        let file = sample.join(part).join(part).with_extension("wasm");
        assert!(file.is_file(), "build it with `cargo xtask guests quote/{part}`");
    }
    let in_c = manifest.replace("pricing/pricing.wasm", "pricing-c/pricing-c.wasm");
    assert_ne!(in_c, manifest);
    let fused = in_c.replace("\nimports = ", "\nfuse = true\nimports = ");
    assert_ne!(fused, in_c);
    for (how, manifest) in [("apart", &manifest), ("with C", &in_c), ("fused", &fused)] {
        let folder = tempfile::tempdir().unwrap();
        let moved = manifest.replace("source = \"", &format!("source = \"{}/", sample.display()));
        std::fs::write(folder.path().join("coracle.toml"), moved).unwrap();
        std::fs::create_dir(folder.path().join("tests")).unwrap();
        for case in std::fs::read_dir(sample.join("tests")).unwrap() {
            let case = case.unwrap();
            std::fs::copy(case.path(), folder.path().join("tests").join(case.file_name())).unwrap();
        }
        let output = Command::new(coracle()).arg("test").arg(folder.path()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{how}: {text}{}", String::from_utf8_lossy(&output.stderr));
        assert!(text.contains("3 passed"), "{how}: {text}");
    }
}

#[test]
fn the_mixed_sample_is_composed_of_four_languages() {
    let folder = tempfile::tempdir().unwrap();
    let quote = folder.path().join("quote.wasm");
    let composed =
        Command::new(coracle()).arg("compose").arg(root().join("samples/quote")).arg("-o").arg(&quote).output();
    assert!(composed.unwrap().status.success());
    let output = Command::new(coracle()).args(["inspect", "--json"]).arg(&quote).output().unwrap();
    let seen: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut languages: Vec<&str> = seen["languages"].as_array().unwrap().iter().filter_map(|it| it.as_str()).collect();
    languages.sort_unstable();
    assert_eq!(languages, ["Go", "Python", "Rust", "TypeScript"]);
    assert_eq!(seen["parts"].as_array().unwrap().len(), 4);
}
