//! What users read when a plan is wrong: `ui/NAME.toml` and, beside it, its faults as `ui/NAME.txt`.
//!
//! Adding a case is adding a `.toml` file; `UPDATE=1 cargo test -p coracle-pilot --test ui` writes the texts.

use std::fs;
use std::path::Path;

use coracle_pilot::plan::{Plan, TEMPLATE};

#[test]
fn every_fault_reads_as_written() {
    let update = std::env::var_os("UPDATE").is_some();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui");
    let (mut wrong, mut cases) = (Vec::new(), 0);
    for entry in fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        cases += 1;
        let text = fs::read_to_string(&file).unwrap();
        let faults = Plan::parse(&text, Path::new("pilot.toml")).expect_err(&file.display().to_string());
        let actual = format!("{faults}\n");
        let expected = file.with_extension("txt");
        if update {
            fs::write(&expected, &actual).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default().replace('\r', "") != actual {
            wrong.push(format!("{}:\n{actual}", expected.display()));
        }
    }
    assert!(cases >= 6, "{cases} cases");
    assert!(wrong.is_empty(), "these differ; UPDATE=1 rewrites them:\n{}", wrong.join("\n"));
}

#[test]
fn what_init_writes_is_a_plan() {
    let plan = Plan::parse(TEMPLATE, Path::new("pilot.toml")).unwrap();
    assert_eq!(plan.candidates.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["today", "port"]);
    assert_eq!(plan.inputs.len(), 2);
}

#[test]
fn the_worked_pilots_are_plans() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/pilots");
    for name in ["blur", "invoice", "kernel"] {
        let plan = Plan::load(&folder.join(name)).unwrap_or_else(|faults| panic!("{faults}"));
        assert!(plan.candidates.len() == 3 && plan.inputs.len() == 2, "{name}");
    }
}
