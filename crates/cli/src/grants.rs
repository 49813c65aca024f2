//! Grants and limits by flag: read all at once, so that every fault is shown at once.

use std::collections::BTreeMap;
use std::path::Path;

use clap::Args;
use coracle_package::fault::SyntaxError;
use coracle_package::grant::{Assignment, DirGrant, Grants, KeyValueGrant, NetGrant, VariableValue, parse_listen};
use coracle_package::limit::{Key, Limits};

use crate::error::{Exit, Failure, Fault};

/// What the guest may touch. Without these flags it can compute and print, and no more.
#[derive(Args, Default)]
#[command(next_help_heading = "Grants")]
pub(crate) struct GrantFlags {
    /// Lets the guest see a folder, as GUEST if that is given; `:ro` keeps it from changing anything, and with a quota the folder holds so much at the most
    #[arg(long, value_name = "HOST[::GUEST][:ro|:quota=SIZE[,FILES]]")]
    dir: Vec<String>,
    /// Sets an environment variable
    #[arg(long, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// Passes on an environment variable of the host
    #[arg(long, value_name = "NAME")]
    env_from_host: Vec<String>,
    /// Lets the guest connect to HOST: a name, `*.suffix`, an address or a network (CIDR).
    ///
    /// PORT is one port, a range such as `8000-8010`, or `*`. Without a prefix TCP, UDP and outbound HTTP are granted;
    /// `tcp://`, `udp://`, `http://` and `https://` grant one of them. An IPv6 address is written `[::1]:80`.
    #[arg(long, value_name = "[tcp://|udp://|http://|https://]HOST:PORT")]
    net: Vec<String>,
    /// Lets the guest listen on an address
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Vec<String>,
    /// Sets a configuration variable (wasi:config)
    #[arg(long, value_name = "NAME=VALUE")]
    var: Vec<String>,
    /// Gives the guest a key-value store: `memory`, `redb:PATH` or `redis://...`
    #[arg(long, value_name = "NAME=BACKEND")]
    keyvalue: Vec<String>,
}

/// How much the guest may use.
#[derive(Args, Default, PartialEq, Eq)]
#[command(next_help_heading = "Limits")]
pub(crate) struct LimitFlags {
    /// Linear memory, such as `64 MiB` [default: 1 GiB]
    #[arg(long, value_name = "SIZE")]
    memory: Option<String>,
    /// CPU time, such as `10s` or `500ms` [default: none]
    #[arg(long, value_name = "DURATION")]
    cpu_time: Option<String>,
    /// Wall time, waiting included [default: none]
    #[arg(long, value_name = "DURATION")]
    wall_time: Option<String>,
    /// WebAssembly instructions, for an end that repeats exactly; costs speed [default: none]
    #[arg(long, value_name = "COUNT")]
    fuel: Option<String>,
    /// Lines that the guest may log by wasi:logging; more are dropped and counted [default: 1000000]
    #[arg(long, value_name = "COUNT")]
    log_lines: Option<String>,
}

/// Collects faults of flags.
#[derive(Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    /// The value, or its fault kept for later.
    pub(crate) fn keep<T>(&mut self, flag: &str, result: Result<T, SyntaxError>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                let hints = error.hint.into_iter().collect();
                self.0.push(Fault { what: error.message, place: Some(flag.into()), details: Vec::new(), hints });
                None
            }
        }
    }

    /// All of them as one failure, if there are any.
    pub(crate) fn into_result(self) -> Result<(), Failure> {
        if self.0.is_empty() { Ok(()) } else { Err(Failure { exit: Exit::Usage, faults: self.0 }) }
    }
}

impl GrantFlags {
    /// Reads the flags.
    pub(crate) fn read(&self, faults: &mut Faults) -> Grants {
        let mut grants = Grants { env_from_host: self.env_from_host.clone(), ..Grants::default() };
        for text in &self.dir {
            grants.dirs.extend(faults.keep("--dir", text.parse::<DirGrant>()));
        }
        for text in &self.env {
            let assignment = faults.keep("--env", text.parse::<Assignment>());
            grants.env.extend(assignment.map(|assignment| (assignment.name, assignment.value)));
        }
        for text in &self.net {
            grants.net.extend(faults.keep("--net", text.parse::<NetGrant>()));
        }
        for text in &self.listen {
            grants.listen.extend(faults.keep("--listen", parse_listen(text)));
        }
        for text in &self.var {
            let assignment = faults.keep("--var", text.parse::<Assignment>());
            grants
                .variables
                .extend(assignment.map(|assignment| (assignment.name, VariableValue::Literal(assignment.value))));
        }
        for text in &self.keyvalue {
            let store = faults.keep("--keyvalue", text.parse::<KeyValueGrant>());
            grants.keyvalue.extend(store.map(|store| (store.name, store.backend)));
        }
        grants
    }
}

/// The values of variables that the flags set for the app at `path`, whose grants are in its manifest and not in flags.
pub(crate) fn values_alone(grants: &Grants, path: &Path) -> Result<BTreeMap<String, String>, Failure> {
    if *grants != (Grants { variables: grants.variables.clone(), ..Grants::default() }) {
        return Err(Failure::usage("an app's components have their grants in its manifest, not by flag")
            .at(path.display())
            .hint("write them into [component.NAME.grants]; flags are for a component on its own"));
    }
    let values = grants.variables.iter().filter_map(|(name, value)| match value {
        VariableValue::Literal(text) => Some((name.clone(), text.clone())),
        VariableValue::Variable(_) | VariableValue::Secret(_) => None,
    });
    Ok(values.collect())
}

impl LimitFlags {
    /// Puts the flags' values in place of those of `limits`.
    pub(crate) fn read(&self, limits: &mut Limits, faults: &mut Faults) {
        let given = [
            ("memory", &self.memory),
            ("cpu-time", &self.cpu_time),
            ("wall-time", &self.wall_time),
            ("fuel", &self.fuel),
            ("log-lines", &self.log_lines),
        ];
        for (name, text) in given {
            if let (Some(key), Some(text)) = (Key::find(name), text) {
                faults.keep(&format!("--{name}"), key.set(limits, text));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn every_fault_is_shown_at_once() {
        let grants = GrantFlags { env: vec!["A".into()], net: vec!["nowhere".into()], ..GrantFlags::default() };
        let limits = LimitFlags { memory: Some("64".into()), ..LimitFlags::default() };
        let mut faults = Faults::default();
        grants.read(&mut faults);
        limits.read(&mut Limits::command(), &mut faults);
        let failure = faults.into_result().unwrap_err();
        let places: Vec<_> = failure.faults.iter().filter_map(|fault| fault.place.as_deref()).collect();
        assert_eq!(places, ["--env", "--net", "--memory"]);
        assert_eq!(failure.exit, Exit::Usage);
    }

    #[test]
    fn limits_replace_the_defaults() {
        let flags = LimitFlags { cpu_time: Some("2s".into()), ..LimitFlags::default() };
        let mut limits = Limits::command();
        let mut faults = Faults::default();
        flags.read(&mut limits, &mut faults);
        faults.into_result().unwrap();
        assert_eq!(limits, Limits { cpu_time: Some(Duration::from_secs(2)), ..Limits::command() });
    }
}
