//! The values of a manifest's variables and secrets.

use std::collections::{BTreeMap, BTreeSet};

use coracle_capability::secret::Secret;
use coracle_package::compose;
use coracle_package::fault::{Kind, Problem};
use coracle_package::grant::{KeyValueBackend, VariableValue};
use coracle_package::manifest::{Manifest, SecretSource};

use super::Loader;

/// The start of the name of an environment variable that sets a variable of the manifest: `CORACLE_VAR_CURRENCY` sets
/// `currency`.
pub const VARIABLE_PREFIX: &str = "CORACLE_VAR_";

/// The values of a manifest's variables and secrets.
pub(super) struct Values {
    pub(super) variables: BTreeMap<String, String>,
    pub(super) secrets: BTreeMap<String, Secret>,
}

impl Values {
    /// Those that the components which are `wanted`, and all that provide for them, are granted. Who calls one function need not
    /// have the secrets of all others.
    pub(super) fn read(loader: &Loader, manifest: &Manifest, wanted: &[&str], problems: &mut Vec<Problem>) -> Self {
        let granted = Granted::to(manifest, wanted);
        Self {
            variables: variables(loader, manifest, &granted, problems),
            secrets: secrets(loader, manifest, &granted, problems),
        }
    }
}

/// The names of variables and secrets that some components are granted.
#[derive(Default)]
struct Granted<'a> {
    variables: BTreeSet<&'a str>,
    secrets: BTreeSet<&'a str>,
}

impl<'a> Granted<'a> {
    fn to(manifest: &'a Manifest, wanted: &[&'a str]) -> Self {
        let mut granted = Self::default();
        let members: BTreeSet<&str> =
            wanted.iter().flat_map(|name| compose::members(name, &manifest.components)).collect();
        for grants in members.into_iter().filter_map(|name| Some(&manifest.components.get(name)?.grants)) {
            for value in grants.variables.values() {
                match value {
                    VariableValue::Variable(name) => _ = granted.variables.insert(name),
                    VariableValue::Secret(name) => _ = granted.secrets.insert(name),
                    VariableValue::Literal(_) => {}
                }
            }
            granted.secrets.extend(grants.keyvalue.values().filter_map(|backend| match backend {
                KeyValueBackend::Secret(name) => Some(name.as_str()),
                _ => None,
            }));
        }
        granted
    }
}

/// The manifest's variables with what was set from outside.
fn variables(
    loader: &Loader,
    manifest: &Manifest,
    granted: &Granted<'_>,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, String> {
    for name in loader.variables.keys().filter(|name| !manifest.variables.contains_key(*name)) {
        let known = manifest.variables.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let problem = Problem::new(format!("there is no variable `{name}` in this app")).kind(Kind::Usage);
        let problem = problem.at(format!("--var {name}"));
        problems.push(match known.as_str() {
            "" => problem.hint("its manifest has no [variables]"),
            known => problem.hint(format!("it has: {known}")),
        });
    }
    let mut values = BTreeMap::new();
    for (name, variable) in manifest.variables.iter().filter(|(name, _)| granted.variables.contains(name.as_str())) {
        let from_environment = || (loader.environment)(&environment_name(name));
        let set = loader.variables.get(name).cloned().or_else(from_environment);
        match set.or_else(|| variable.default.clone()) {
            Some(value) => _ = values.insert(name.clone(), value),
            None => problems.push(
                Problem::new(format!("the variable `{name}` has no value, and needs one"))
                    .hint(format!("--var {name}=VALUE, or set {} in the environment", environment_name(name))),
            ),
        }
    }
    values
}

fn secrets(
    loader: &Loader,
    manifest: &Manifest,
    granted: &Granted<'_>,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, Secret> {
    let mut values = BTreeMap::new();
    for (name, source) in manifest.secrets.iter().filter(|(name, _)| granted.secrets.contains(name.as_str())) {
        let found = match source {
            SecretSource::Env(variable) => match (loader.environment)(variable) {
                Some(text) => Secret::from_text(&text).map_err(|error| Problem::of(&error)),
                None => Err(Problem::new(format!("the environment variable {variable} is not set"))),
            },
            SecretSource::File(path) => {
                let path = manifest.resolve(path);
                Secret::from_file(&path).map_err(|error| {
                    let problem = Problem::of(&error);
                    Problem { what: format!("{}: {}", path.display(), problem.what), ..problem }
                })
            }
        };
        match found {
            Ok(secret) => _ = values.insert(name.clone(), secret),
            Err(problem) => problems.push(problem.at(format!("secret `{name}`"))),
        }
    }
    values
}

/// The environment variable that sets a manifest variable.
fn environment_name(variable: &str) -> String {
    let letters =
        variable.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' });
    VARIABLE_PREFIX.chars().chain(letters).collect()
}
