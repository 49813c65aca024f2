//! `cargo xtask guests --check`: whether what is kept in the tree is what its sources make.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use super::build::Builder;
use super::component::Surface;
use super::samples::Sample;
use crate::Result;
use crate::project::Project;

/// Builds each kept sample elsewhere, and compares. Bytes may differ, as compilers do; what is offered may not.
pub(crate) fn run(project: &Project, builder: &mut Builder<'_>, samples: &[&Sample]) -> Result {
    let mut faults = Vec::new();
    for sample in samples.iter().filter(|sample| sample.is_kept()) {
        let rebuilt = place(project, sample);
        builder.rebuild(sample, &rebuilt)?;
        if !builder.is_current(sample)? {
            let name = sample.name;
            faults
                .push(format!("{name} was not built from the sources it lies beside: run `cargo xtask guests {name}`"));
        }
        faults.extend(compare(sample, &fs::read(sample.component(project))?, &fs::read(rebuilt)?)?);
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\nerror: ").into()) }
}

/// Where a kept sample is built to when it is only compared.
fn place(project: &Project, sample: &Sample) -> PathBuf {
    project.tools().join("rebuilt").join(sample.file())
}

/// Prints how two builds of a sample differ. What must not differ is returned.
fn compare(sample: &Sample, kept: &[u8], rebuilt: &[u8]) -> Result<Option<String>> {
    let name = sample.name;
    if kept == rebuilt {
        println!("{name}: the same bytes");
        return Ok(None);
    }
    let (kept, rebuilt) = (Surface::of(kept)?, Surface::of(rebuilt)?);
    if kept.exports != rebuilt.exports {
        let difference = difference(&kept.exports, &rebuilt.exports);
        return Ok(Some(format!("{name} does not export what its sources make: {difference}")));
    }
    if kept.imports == rebuilt.imports {
        println!("{name}: other bytes, the same imports and exports");
    } else {
        // What a compiler's own library asks for changes with its version.
        println!("{name}: other bytes, the same exports; imports: {}", difference(&kept.imports, &rebuilt.imports));
    }
    Ok(None)
}

/// What is only in the first, and what is only in the second.
fn difference(kept: &BTreeSet<String>, rebuilt: &BTreeSet<String>) -> String {
    let only = |these: &BTreeSet<String>, those: &BTreeSet<String>| {
        let only: Vec<&str> = these.difference(those).map(String::as_str).collect();
        if only.is_empty() { "nothing".to_owned() } else { only.join(", ") }
    };
    format!("kept and not rebuilt {}; rebuilt and not kept {}", only(kept, rebuilt), only(rebuilt, kept))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_names_both_sides() {
        let set = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        assert_eq!(difference(&set(&["a", "b"]), &set(&["b"])), "kept and not rebuilt a; rebuilt and not kept nothing");
    }
}
