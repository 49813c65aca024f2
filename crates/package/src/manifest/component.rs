//! Components, with their grants, limits and reuse.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::build::read_build;
use super::parse::{Context, Named, Wanted, check_path, unknown};
use super::wiring::{REUSE, read_fuse, read_imports};
use super::{Component, Reuse, keys};
use crate::check::{Check, Reader, Span, table, text, unknown_key, wrong_type};
use crate::fault::SyntaxError;
use crate::grant::assignment::check_name;
use crate::grant::{DirGrant, Grants, KeyValueBackend, NetGrant, VariableValue, parse_listen};
use crate::limit::{self, Limits};
use crate::unit::parse_duration;

/// What a hint says to who refers to a variable or secret that is not declared.
const DECLARE_VARIABLE: &str = "declare it under [variables]";
const DECLARE_SECRET: &str = "declare it under [secrets]";

pub(super) fn read_component(
    check: &mut Check<'_>,
    context: &mut Context,
    name: &str,
    value: &Spanned<DeValue<'_>>,
    span: Span,
) -> Option<Component> {
    if let DeValue::String(text) = value.get_ref() {
        let error = SyntaxError::new(format!("the component `{name}` takes a table, and this is text"));
        check.fault(value.span(), error.hint(format!("write {name} = {{ source = {text:?} }}")));
        return None;
    }
    let table = table(check, name, value)?;
    let component = Reader::new(check, &keys::COMPONENT, table, span);
    component.require(check, "source", "name the component's file: source = \"NAME.wasm\"");
    let source = component.text(check, "source").and_then(|(text, span)| {
        let path = check.accept(span.clone(), check_path(text))?;
        context.named.push(Named { path: path.clone(), span, wanted: Wanted::File });
        Some(path)
    });
    Some(Component {
        source: source.unwrap_or_default(),
        description: component.owned_text(check, "description"),
        build: component.table(check, "build").and_then(|(table, span)| read_build(check, table, span)),
        imports: component
            .table(check, "imports")
            .map(|(table, _)| read_imports(check, context, name, table))
            .unwrap_or_default(),
        fuse: read_fuse(check, context, &component, name),
        grants: component
            .table(check, "grants")
            .map(|(table, span)| read_grants(check, context, table, span))
            .unwrap_or_default(),
        limits: component
            .table(check, "limits")
            .map_or_else(Limits::http, |(table, _)| read_limits(check, context, name, table)),
        reuse: component.table(check, REUSE).and_then(|(table, span)| {
            context.wiring.note_request(name, REUSE, span.clone());
            read_reuse(check, table, span)
        }),
    })
}

fn read_grants(check: &mut Check<'_>, context: &mut Context, table: &DeTable<'_>, span: Span) -> Grants {
    let grants = Reader::new(check, &keys::GRANTS, table, span);
    let env = read_env(check, &grants);
    Grants {
        dirs: read_dirs(check, context, &grants),
        env_from_host: read_env_from_host(check, &grants, &env),
        env,
        net: read_list(check, &grants, "net", str::parse::<NetGrant>),
        listen: read_list(check, &grants, "listen", parse_listen),
        variables: read_map(check, &grants, "variables", |check, key, value| read_config(check, context, key, value)),
        keyvalue: read_map(check, &grants, "keyvalue", |check, key, value| read_keyvalue(check, context, key, value)),
    }
}

fn read_list<T>(
    check: &mut Check<'_>,
    grants: &Reader<'_, '_>,
    key: &str,
    read: impl Fn(&str) -> Result<T, SyntaxError>,
) -> Vec<T> {
    let texts = grants.texts(check, key);
    texts.into_iter().filter_map(|(text, span)| check.accept(span, read(text))).collect()
}

/// Reads a table whose keys the guest asks for.
fn read_map<T>(
    check: &mut Check<'_>,
    grants: &Reader<'_, '_>,
    key: &str,
    mut read: impl FnMut(&mut Check<'_>, &str, &Spanned<DeValue<'_>>) -> Option<T>,
) -> BTreeMap<String, T> {
    let mut values = BTreeMap::new();
    for (name, value) in grants.table(check, key).into_iter().flat_map(|(table, _)| table) {
        let named = check.accept(name.span(), check_name(name.get_ref()));
        if let (Some(()), Some(value)) = (named, read(check, name.get_ref(), value)) {
            values.insert(name.get_ref().to_string(), value);
        }
    }
    values
}

fn read_dirs(check: &mut Check<'_>, context: &mut Context, grants: &Reader<'_, '_>) -> Vec<DirGrant> {
    let mut dirs: Vec<DirGrant> = Vec::new();
    for (text, span) in grants.texts(check, "dirs") {
        let Some(dir) = check.accept(span.clone(), text.parse::<DirGrant>()) else { continue };
        if dirs.iter().any(|other| other.guest == dir.guest) {
            let error = SyntaxError::new(format!("two folders are granted as {:?} to the guest", dir.guest));
            check.fault(span.clone(), error.hint("give each a path of its own after `::`"));
        }
        context.named.push(Named { path: dir.host.clone(), span, wanted: Wanted::Folder });
        dirs.push(dir);
    }
    dirs
}

fn read_env(check: &mut Check<'_>, grants: &Reader<'_, '_>) -> BTreeMap<String, String> {
    read_map(check, grants, "env", |check, key, value| {
        if value.get_ref().is_table() {
            let error = SyntaxError::new(format!("the environment variable `{key}` takes text, and this is a table"));
            check.fault(
                value.span(),
                error.hint("variables and secrets reach the guest through `variables`, not through `env`"),
            );
            return None;
        }
        let (text, span) = text(check, key, value)?;
        if text.contains('\0') {
            check.fault(span, SyntaxError::new(format!("the value of `{key}` holds a NUL character")));
            return None;
        }
        Some(text.to_owned())
    })
}

fn read_env_from_host(check: &mut Check<'_>, grants: &Reader<'_, '_>, env: &BTreeMap<String, String>) -> Vec<String> {
    let mut names = Vec::new();
    for (name, span) in grants.texts(check, "env-from-host") {
        if check.accept(span.clone(), check_name(name)).is_none() {
            continue;
        }
        if env.contains_key(name) {
            let error = SyntaxError::new(format!("`{name}` has a value in `env` and is asked from the host too"));
            check.fault(span, error.hint("keep one of them"));
        } else {
            names.push(name.to_owned());
        }
    }
    names
}

/// Reads where the value of a wasi:config key comes from.
fn read_config(
    check: &mut Check<'_>,
    context: &Context,
    key: &str,
    value: &Spanned<DeValue<'_>>,
) -> Option<VariableValue> {
    if let DeValue::Table(table) = value.get_ref() {
        let source = Reader::new(check, &keys::VARIABLE_VALUE, table, value.span());
        return match (source.get("variable"), source.get("secret")) {
            (Some(variable), None) => {
                let name = read_reference(check, "variable", variable, &context.variables, DECLARE_VARIABLE)?;
                Some(VariableValue::Variable(name))
            }
            (None, Some(secret)) => {
                let name = read_reference(check, "secret", secret, &context.secrets, DECLARE_SECRET)?;
                Some(VariableValue::Secret(name))
            }
            _ => {
                let error = SyntaxError::new(format!("`{key}` has to name one variable or one secret"));
                check.absent(value.span(), error.hint("write { variable = \"NAME\" } or { secret = \"NAME\" }"));
                None
            }
        };
    }
    let (text, span) = text(check, key, value)?;
    let braced = text.trim_matches(['{', '}', '$', ' ']);
    if text.contains('{') && (context.variables.contains(braced) || context.secrets.contains(braced)) {
        let kind = if context.variables.contains(braced) { "variable" } else { "secret" };
        let error = SyntaxError::new(format!("the guest would see the text {text:?}, not the {kind}'s value"));
        check.fault(span, error.hint(format!("write {key} = {{ {kind} = \"{braced}\" }}")));
        return None;
    }
    Some(VariableValue::Literal(text.to_owned()))
}

fn read_keyvalue(
    check: &mut Check<'_>,
    context: &Context,
    key: &str,
    value: &Spanned<DeValue<'_>>,
) -> Option<KeyValueBackend> {
    if let DeValue::Table(table) = value.get_ref() {
        let source = Reader::new(check, &keys::KEYVALUE_VALUE, table, value.span());
        let secret = source.require(check, "secret", "write { secret = \"NAME\" }, or the backend as text")?;
        let name = read_reference(check, "secret", secret, &context.secrets, DECLARE_SECRET)?;
        return Some(KeyValueBackend::Secret(name));
    }
    let (text, span) = text(check, key, value)?;
    let backend = check.accept(span.clone(), text.parse())?;
    if matches!(&backend, KeyValueBackend::Redis(url) if url.has_login()) {
        let error = SyntaxError::new("a URL with a user or password cannot stand in the manifest");
        check.fault(
            span,
            error.hint(format!("put the whole URL into a secret and write {key} = {{ secret = \"NAME\" }}")),
        );
        return None;
    }
    Some(backend)
}

fn read_reference(
    check: &mut Check<'_>,
    kind: &str,
    value: &Spanned<DeValue<'_>>,
    known: &std::collections::BTreeSet<String>,
    declare: &str,
) -> Option<String> {
    let (name, span) = text(check, kind, value)?;
    if !known.contains(name) {
        check.absent(span, unknown(kind, name, known, declare));
        return None;
    }
    Some(name.to_owned())
}

fn read_limits(check: &mut Check<'_>, context: &mut Context, component: &str, table: &DeTable<'_>) -> Limits {
    let mut limits = Limits::http();
    for (name, value) in table {
        let Some(key) = limit::Key::find(name.get_ref()) else {
            let known = limit::KEYS.iter().map(|key| key.key);
            let error = if limit::fixed().iter().any(|fixed| fixed.key == name.get_ref()) {
                SyntaxError::new(format!("the limit `{}` is the same for the whole process", name.get_ref()))
                    .hint("leave it out: a component cannot change it")
            } else {
                unknown_key(name.get_ref(), &keys::LIMITS, known)
            };
            check.fault(name.span(), error);
            continue;
        };
        context.wiring.note_request(component, key.key, name.span());
        let counted = key.kind() == "count";
        let result = match value.get_ref() {
            DeValue::String(text) if counted && text.parse::<u64>().is_ok() => {
                Err(wrong_type(key.key, "a whole number", value)
                    .hint(format!("leave the quotes out: {} = {text}", key.key)))
            }
            DeValue::String(text) => key.set(&mut limits, text),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => key.set(&mut limits, &number.to_string()),
                Err(_) => Err(SyntaxError::new(format!("the number for `{}` is too large", key.key))),
            },
            _ if counted => Err(wrong_type(key.key, "a whole number", value)),
            _ => Err(wrong_type(key.key, &format!("a {}", key.kind()), value)),
        };
        check.accept(value.span(), result);
    }
    limits
}

fn read_reuse(check: &mut Check<'_>, table: &DeTable<'_>, span: Span) -> Option<Reuse> {
    let reuse = Reader::new(check, &keys::REUSE, table, span);
    reuse.require(check, "invocations", "say how many invocations one instance serves: invocations = 100");
    let mut count = |key| reuse.get(key).and_then(|value| read_count(check, key, value));
    let (invocations, concurrent) = (count("invocations"), count("concurrent"));
    let idle = reuse.get("idle").and_then(|value| {
        let duration = match value.get_ref() {
            DeValue::String(text) => parse_duration(text),
            DeValue::Integer(number) => parse_duration(&number.to_string()),
            _ => Err(wrong_type("idle", "a duration", value)),
        };
        check.accept(value.span(), duration)
    });
    Some(Reuse {
        invocations: invocations?,
        concurrent: concurrent.or(NonZeroU32::new(keys::REUSE_CONCURRENT))?,
        idle: idle.unwrap_or(keys::REUSE_IDLE),
    })
}

fn read_count(check: &mut Check<'_>, key: &str, value: &Spanned<DeValue<'_>>) -> Option<NonZeroU32> {
    let result = match value.get_ref() {
        DeValue::Integer(number) => {
            u32::from_str_radix(number.as_str(), number.radix()).ok().and_then(NonZeroU32::new).ok_or_else(|| {
                SyntaxError::new(format!("`{key}` is a whole number from 1 to {}, and this is {number}", u32::MAX))
            })
        }
        _ => Err(wrong_type(key, "a whole number", value)),
    };
    check.accept(value.span(), result)
}
