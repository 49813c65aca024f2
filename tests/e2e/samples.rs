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
