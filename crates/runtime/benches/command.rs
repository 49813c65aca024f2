//! One command from the start of the process to its end, for a profiler to count.
//!
//! `command COMPONENT CACHE` runs it with nothing granted. The first time fills the cache; from the second on this is what
//! `coracle run` does but for reading its own command line. `cargo xtask bench instructions` runs it.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use coracle_package::grant::Grants;
use coracle_package::limit::Limits;
use coracle_runtime::app::Guest;
use coracle_runtime::cache::Cache;
use coracle_runtime::compile::{Compiler, load_file};
use coracle_runtime::{Authority, Engine, EngineOptions, Observation, Outcome, Resolution, command};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let (Some(file), Some(folder)) = (arguments.next(), arguments.next()) else {
        return Err("usage: command COMPONENT CACHE".into());
    };
    // The component is one of this project's own samples.
    let engine = Engine::new(EngineOptions::command(), Compiler::InProcess)?;
    let cache = Cache::open(Path::new(&folder))?;
    let code = load_file(&engine, Some(&cache), Path::new(&file), &())?;
    let resolution = Resolution {
        directory: Path::new("."),
        variables: &BTreeMap::new(),
        secrets: &BTreeMap::new(),
        environment: &|_| None,
        roots: &[],
    };
    let authority = Authority::resolve(&Grants::default(), Limits::command(), &resolution)
        .map_err(|errors| format!("{errors:?}"))?;
    let guest = Guest::alone(code, Arc::new(authority));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let finished = runtime.block_on(command::run(&engine, &guest, &["command".into()], Observation::default()))?;
    if finished.record.outcome != Outcome::Ok {
        return Err(format!("{finished:?}").into());
    }
    // As the program itself does: what the system frees is not torn down.
    std::process::exit(0);
}
