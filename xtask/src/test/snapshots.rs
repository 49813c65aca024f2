//! Snapshots of Go's started runtime: what instances of one share and do not share, and what no snapshot is taken of.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use crate::Result;
use crate::project::Project;
use crate::server::{self, Server};

/// How many instances are held against each other.
const INSTANCES: usize = 12;

/// What of the build's environment must not be in what it builds.
const CANARY: (&str, &str) = ("CORACLE_CANARY", "the build's own 3f9c1d");

/// What `samples/probe-go` draws: numbers of math/rand, math/rand/v2 and crypto/rand, a hash by a new seed, and the order of a
/// small map, which may start with any of its keys.
const DRAWN: [&str; 5] = ["math/rand", "math/rand/v2", "crypto/rand", "hash/maphash", "the order of a map"];

/// Programs in Go with what is said of them: what they do when they start would be the same in every instance.
const REFUSED: [(&str, &str, &str); 6] = [
    ("drawn", "import \"math/rand/v2\"\n\nvar lucky = rand.Int()\n", "it draws random numbers"),
    ("seeded", "import \"hash/maphash\"\n\nvar seed = maphash.MakeSeed()\n", "it draws random numbers"),
    ("secret", "import \"crypto/rand\"\n\nvar secret = rand.Text()\n", "it draws random numbers"),
    ("timed", "import \"time\"\n\nvar began = time.Now()\n", "it asks for the time of day"),
    ("waiting", "import \"time\"\n\nfunc init() { time.Sleep(time.Hour) }\n", "it waits"),
    ("failing", "func init() { panic(\"cannot start\") }\n", "cannot start"),
];

/// Builds and serves `samples/probe-go`, and builds what is refused, below `folder`.
pub(super) fn check(project: &Project, folder: &Path, coracle: impl Fn(&Path, &[&str]) -> Command) -> Result {
    let probe = project.root.join("samples").join("probe-go");
    crate::shell::run(coracle(&probe, &["build", "--force"]).env(CANARY.0, CANARY.1))?;
    let built = fs::read(probe.join("snapshot.wasm"))?;
    if built.windows(CANARY.1.len()).any(|part| part == CANARY.1.as_bytes()) {
        return Err("a variable of the build's environment is in what it built".into());
    }
    let server = Server::start(|address| Ok(coracle(&probe, &["serve", ".", "--addr", &address.to_string()])))?;
    instances_draw_anew(server.address)?;
    for path in ["/granted", "/work", "/time"] {
        let (snapshot, fresh) = (ask(server.address, path)?, ask(server.address, &format!("/fresh{path}"))?);
        if snapshot != fresh {
            return Err(format!("{path}: a snapshot answers {snapshot:?}, and a fresh start {fresh:?}").into());
        }
    }
    holds(&ask(server.address, "/granted")?, "granted when it runs granted when it runs\n <nil> 1")?;
    holds(&ask(server.address, "/time")?, "true true")?;
    instances_leave_nothing(server.address)?;
    drop(server);
    what_reads_at_its_start_is_refused(folder, coracle)
}

/// Every instance draws anew.
fn instances_draw_anew(address: SocketAddr) -> Result {
    let answers = (0..INSTANCES).map(|_| ask(address, "/random")).collect::<Result<Vec<_>>>()?;
    for (line, what) in DRAWN.iter().enumerate() {
        let values: BTreeSet<&str> = answers.iter().filter_map(|answer| answer.lines().nth(line)).collect();
        let least = if line == DRAWN.len() - 1 { 2 } else { INSTANCES };
        if values.len() < least {
            return Err(format!("{what}: {INSTANCES} instances drew {} values: {values:?}", values.len()).into());
        }
    }
    Ok(())
}

/// Every instance begins as the build left it, whatever those before it did and however they ended.
fn instances_leave_nothing(address: SocketAddr) -> Result {
    // The build sees no variables, and its work is done once.
    const BEGUN: &str = "0 1 999 1000";
    holds(&ask(address, "/began")?, BEGUN)?;
    for path in ["/leave", "/leave/dying", "/leave", "/work"] {
        // What ends in a trap is answered as an error.
        match (path, ask(address, path)) {
            ("/leave", Ok(left)) => holds(&left, "1000 1001 1001")?,
            ("/leave/dying", Err(died)) => holds(&died.to_string(), "500")?,
            ("/work", Ok(_)) => {}
            (path, answer) => return Err(format!("{path} was answered with {answer:?}").into()),
        }
        holds(&ask(address, "/began")?, BEGUN)?;
    }
    Ok(())
}

fn what_reads_at_its_start_is_refused(folder: &Path, coracle: impl Fn(&Path, &[&str]) -> Command) -> Result {
    let folder = folder.join("refused");
    let mut manifest = "[app]\nname = \"refused\"\n".to_owned();
    fs::create_dir_all(folder.join("wit"))?;
    fs::write(folder.join("wit").join("nothing.wit"), "package test:refused;\n\nworld nothing {}\n")?;
    fs::write(folder.join("go.mod"), "module refused\n\ngo 1.25\n")?;
    for (name, source, _) in REFUSED {
        fs::create_dir_all(folder.join(name))?;
        fs::write(
            folder.join(name).join("main.go"),
            format!("package main\n\nimport _ \"os\"\n{source}\nfunc main() {{}}\n"),
        )?;
        manifest.push_str(&format!(
            "\n[component.{name}]\nsource = \"{name}.wasm\"\nbuild = {{ language = \"go\", folder = \"{name}\", wit = \"../wit\", world = \"nothing\", snapshot = true }}\n"
        ));
    }
    fs::write(folder.join("coracle.toml"), manifest)?;
    let output = coracle(&folder, &["build"]).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.code() != Some(1) {
        return Err(format!("what cannot be snapshotted was built: {said}").into());
    }
    for (name, _, reason) in REFUSED {
        // One fault begins where the next one ends.
        let faults: Vec<&str> = said.split("error: ").collect();
        let fault = faults.iter().find(|fault| fault.contains(&format!("(component `{name}`)")));
        let fault = fault.ok_or_else(|| format!("nothing is said of {name}: {said}"))?;
        holds(fault, reason)?;
        // The function of the program that did it, among the calls or in Go's own words. One that waits has left.
        if name != "waiting" {
            holds(fault, "main.init")?;
        }
    }
    Ok(())
}

fn holds(text: &str, part: &str) -> Result {
    if text.contains(part) { Ok(()) } else { Err(format!("{part:?} should be in {text:?}").into()) }
}

fn ask(address: SocketAddr, path: &str) -> Result<String> {
    Ok(server::get(address, path)?.body)
}
