//! The arguments of `coracle run` that give a component what its manifest grants it.

use coracle_package::grant::{Grants, KeyValueBackend, VariableValue};
use coracle_package::manifest::{Component, Manifest};
use coracle_package::unit::{format_duration, format_size};

/// Every grant and limit of a component as flags, from the manifest's folder.
pub(super) fn of(manifest: &Manifest, component: &Component) -> Result<Vec<String>, String> {
    let mut flags = Vec::new();
    let mut flag = |name: &str, value: String| flags.extend([format!("--{name}"), value]);
    let Grants { dirs, env, env_from_host, net, listen, variables, keyvalue } = &component.grants;
    dirs.iter().for_each(|dir| flag("dir", dir.to_string()));
    env.iter().for_each(|(name, value)| flag("env", format!("{name}={value}")));
    env_from_host.iter().for_each(|name| flag("env-from-host", name.clone()));
    net.iter().for_each(|net| flag("net", net.to_string()));
    listen.iter().for_each(|address| flag("listen", address.to_string()));
    for (name, value) in variables {
        flag("var", format!("{name}={}", variable(manifest, value)?));
    }
    for (name, backend) in keyvalue {
        if let KeyValueBackend::Secret(secret) = backend {
            return Err(no_secrets(secret));
        }
        flag("keyvalue", format!("{name}={backend}"));
    }
    let limits = &component.limits;
    flag("memory", format_size(limits.memory));
    limits.cpu_time.into_iter().for_each(|time| flag("cpu-time", format_duration(time)));
    limits.wall_time.into_iter().for_each(|time| flag("wall-time", format_duration(time)));
    limits.fuel.into_iter().for_each(|fuel| flag("fuel", fuel.to_string()));
    Ok(flags)
}

fn variable(manifest: &Manifest, value: &VariableValue) -> Result<String, String> {
    match value {
        VariableValue::Literal(text) => Ok(text.clone()),
        VariableValue::Variable(name) => {
            let default = manifest.variables.get(name).and_then(|variable| variable.default.clone());
            default.ok_or_else(|| format!("the variable `{name}` has no default, and a case cannot set it"))
        }
        VariableValue::Secret(name) => Err(no_secrets(name)),
    }
}

/// What is given by flag shows in the list of processes.
fn no_secrets(name: &str) -> String {
    format!("the component is granted the secret `{name}`, which only [request] cases can be given")
}
