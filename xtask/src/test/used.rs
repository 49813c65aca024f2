//! What a project's component is for, done as somebody does it, and how long that takes once its code is compiled.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::served::Served;
use crate::Result;

/// How often a use is timed. The machine has other work too: the middle one counts.
const TIMES: usize = 11;

/// What is asked of a plugin.
const ORDER: &str = r#"example:plugin/rules.check({customer: "Ada", items: [{name: "pear", count: 3}]})"#;

/// A use of a component.
pub(super) struct Used {
    /// Bytes of the component.
    pub(super) size: u64,
    /// A request to a fresh instance, or a whole `coracle run`.
    pub(super) took: Duration,
}

/// Uses the project called `name` in `folder`. `coracle` makes a command of the program with these arguments.
pub(super) fn project(folder: &Path, name: &str, kind: &str, coracle: impl Fn(&[&str]) -> Command) -> Result<Used> {
    let file = format!("{name}/{name}.wasm");
    let run = |arguments: &[&str]| coracle(&[&["run"], arguments].concat()).stdin(Stdio::null()).output();
    let took = match kind {
        "http" => served(folder, name, &coracle)?,
        "command" => timed(|| expect(&run(&[&file, "--", "Ada"])?, "Hello, Ada!"))?,
        "library" => timed(|| expect(&run(&["--invoke", "greet(\"Ada\")", &file])?, "\"Hello, Ada!\""))?,
        "plugin" => timed(|| {
            let output = run(&["--var", "unsold=durian", "--invoke", ORDER, &file])?;
            expect(&output, "ok([\"3 x pear\"])")?;
            match String::from_utf8_lossy(&output.stderr).contains("[info] rules: checking an order of Ada") {
                true => Ok(()),
                false => Err(format!("{name} should log what it does: {output:?}").into()),
            }
        })?,
        other => return Err(format!("nobody knows how to use a {other}").into()),
    };
    Ok(Used { size: std::fs::metadata(folder.join(file))?.len(), took })
}

fn served(folder: &Path, name: &str, coracle: impl Fn(&[&str]) -> Command) -> Result<Duration> {
    let mut served = Served::start(&mut coracle(&["serve", name]), &folder.join(format!("{name}.log")))?;
    let greeting = format!("Hello from {name}!");
    served.wait(&format!("{name} answers"), |served| served.get().contains(&greeting))?;
    timed(|| match served.get() {
        answer if answer.contains(&greeting) => Ok(()),
        answer => Err(format!("{name} should greet: {answer}").into()),
    })
}

fn expect(output: &Output, stdout: &str) -> Result {
    let [said, why] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    match output.status.success() && said.trim_end() == stdout {
        true => Ok(()),
        false => Err(format!("should print {stdout:?}: {said}{why}").into()),
    }
}

/// The time of one call, after a first one that may compile.
fn timed(call: impl Fn() -> Result) -> Result<Duration> {
    call()?;
    let mut times = Vec::new();
    for _ in 0..TIMES {
        let began = Instant::now();
        call()?;
        times.push(began.elapsed());
    }
    times.sort();
    Ok(times[TIMES / 2])
}
