//! From the text of a manifest to a [`Manifest`], or to all its faults.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::component::read_component;
use super::route::read_routes;
use super::wiring::Wiring;
use super::wit::read_wit;
use super::{App, FILE_NAME, Faults, MAX_COMPONENTS, Manifest, SecretSource, Variable, keys};
use crate::check::{Check, Reader, Span, author_name, table, text};
use crate::document;
use crate::fault::SyntaxError;
use crate::grant::assignment::check_name;
use crate::suggest::nearest;

impl Manifest {
    /// Reads the manifest at `path`, a file or the folder that holds `coracle.toml`, and checks that the files it names
    /// are there.
    ///
    /// # Errors
    /// Every fault of the file, or one without a place when it cannot be read.
    pub fn load(path: &Path) -> Result<Self, Faults> {
        let file = if path.is_dir() { path.join(FILE_NAME) } else { path.to_owned() };
        let text = document::read(&file, "manifest", "an app's folder holds a `coracle.toml`")?;
        read(&text, &file, true)
    }

    /// Reads the manifest `text`, which stands in `file`. Nothing but the text is looked at.
    ///
    /// # Errors
    /// Every fault of the text.
    pub fn parse(text: &str, file: &Path) -> Result<Self, Faults> {
        read(text, file, false)
    }
}

/// A file or folder that a manifest names, and where it does.
pub(super) struct Named {
    pub(super) path: PathBuf,
    pub(super) span: Span,
    pub(super) wanted: Wanted,
}

/// What has to be at a path.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    File,
    Folder,
}

/// What every part of the parser may refer to.
pub(super) struct Context {
    pub(super) variables: BTreeSet<String>,
    pub(super) secrets: BTreeSet<String>,
    pub(super) components: BTreeSet<String>,
    pub(super) named: Vec<Named>,
    pub(super) wiring: Wiring,
}

fn read(text: &str, file: &Path, look: bool) -> Result<Manifest, Faults> {
    let directory = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    document::parse(text, file, "manifest", |check, document| {
        let (manifest, context) = read_document(check, document, directory);
        if look {
            context.named.iter().for_each(|named| look_at(check, &manifest, named));
            context.wiring.look_at(check, &manifest);
        }
        manifest
    })
}

fn read_document(check: &mut Check<'_>, document: &Spanned<DeTable<'_>>, directory: PathBuf) -> (Manifest, Context) {
    let root = Reader::new(check, &keys::ROOT, document.get_ref(), 0..0);
    let app = read_app(check, &root);
    let variables = root.named(check, "variables", read_variable);
    let secrets = root.named(check, "secrets", read_secret);
    let mut context = Context {
        variables: root.declared("variables"),
        secrets: root.declared("secrets"),
        components: root.declared("component"),
        named: Vec::new(),
        wiring: Wiring::default(),
    };
    let components = root.named(check, "component", |check, name, value, span| {
        context.wiring.headers.insert(name.to_owned(), span.clone());
        read_component(check, &mut context, name, value, span)
    });
    check_count(check, context.wiring.headers.values());
    context.wiring.check(check, &components);
    let routes = read_routes(check, &mut context, root.get("route"));
    context.wiring.check_requests(check);
    let wit = read_wit(check, &root);
    (Manifest { app, variables, secrets, components, routes, wit, directory }, context)
}

/// Notes the first component that is one too many.
fn check_count<'a>(check: &mut Check<'_>, headers: impl Iterator<Item = &'a Span>) {
    let mut headers: Vec<&Span> = headers.collect();
    headers.sort_by_key(|span| span.start);
    if let Some(span) = headers.get(MAX_COMPONENTS) {
        let error = SyntaxError::new(format!(
            "an app has at most {MAX_COMPONENTS} components, and this manifest has {}",
            headers.len()
        ));
        check.fault((*span).clone(), error.hint("make two apps of it"));
    }
}

fn read_app(check: &mut Check<'_>, root: &Reader<'_, '_>) -> App {
    let none = App { name: String::new(), version: None, description: None };
    let hint = "start the manifest with [app] and name = \"...\"";
    let Some((table, span)) = root.require(check, "app", hint).and_then(|_| root.table(check, "app")) else {
        return none;
    };
    let app = Reader::new(check, &keys::APP, table, span);
    app.require(check, "name", "name the app: name = \"shop\"");
    let name = app.text(check, "name").and_then(|(name, span)| {
        let checked = author_name("app", name);
        check.accept(span, checked)
    });
    let version = app.text(check, "version").and_then(|(version, span)| {
        let wrong = |_| {
            SyntaxError::new(format!("{version:?} is not a semantic version"))
                .hint("write three numbers, like \"1.2.3\"")
        };
        check.accept(span, semver::Version::parse(version).map_err(wrong))
    });
    let description = app.owned_text(check, "description");
    App { name: name.unwrap_or_default(), version: version.map(|version| version.to_string()), description }
}

fn read_variable(check: &mut Check<'_>, name: &str, value: &Spanned<DeValue<'_>>, span: Span) -> Option<Variable> {
    if let DeValue::String(text) = value.get_ref() {
        let error = SyntaxError::new(format!("the variable `{name}` takes a table, and this is text"));
        check.fault(value.span(), error.hint(format!("write {name} = {{ default = {text:?} }}")));
        return None;
    }
    let table = table(check, name, value)?;
    let variable = Reader::new(check, &keys::VARIABLE, table, span);
    let default = variable.owned_text(check, "default");
    Some(Variable { default, description: variable.owned_text(check, "description") })
}

fn read_secret(check: &mut Check<'_>, name: &str, value: &Spanned<DeValue<'_>>, span: Span) -> Option<SecretSource> {
    let hint =
        format!("name where the host keeps it: {name} = {{ env = \"VARIABLE\" }} or {name} = {{ file = \"/path\" }}");
    // The messages leave the value out: what was written here by mistake may be a secret.
    let Some(table) = value.get_ref().as_table() else {
        let error = SyntaxError::new(format!("the value of the secret `{name}` cannot stand in the manifest"));
        check.fault(value.span(), error.hint(hint));
        return None;
    };
    if let Some(literal) = ["value", "default", "literal"].into_iter().find_map(|key| table.get_key_value(key)) {
        let error = SyntaxError::new(format!("the value of the secret `{name}` cannot stand in the manifest"));
        check.fault(literal.0.span(), error.hint(hint));
        return None;
    }
    let secret = Reader::new(check, &keys::SECRET, table, span);
    match (secret.get("env"), secret.get("file")) {
        (Some(env), None) => {
            let (env, span) = text(check, "env", env)?;
            check.accept(span, check_name(env))?;
            Some(SecretSource::Env(env.to_owned()))
        }
        (None, Some(file)) => {
            let (file, span) = text(check, "file", file)?;
            check.accept(span, check_path(file)).map(SecretSource::File)
        }
        (Some(_), Some(file)) => {
            let error = SyntaxError::new(format!("the secret `{name}` names both `env` and `file`"));
            check.fault(file.span(), error.hint("keep one of them"));
            None
        }
        (None, None) if secret.misspells("env") || secret.misspells("file") => None,
        (None, None) => {
            let error = SyntaxError::new(format!("the secret `{name}` does not say where its value is found"));
            check.absent(secret.span, error.hint(hint));
            None
        }
    }
}

/// Checks the text of a path.
pub(super) fn check_path(text: &str) -> Result<PathBuf, SyntaxError> {
    if text.is_empty() {
        return Err(SyntaxError::new("a path cannot be empty"));
    }
    if text.contains('\0') {
        return Err(SyntaxError::new("a path cannot hold a NUL character"));
    }
    Ok(PathBuf::from(text))
}

/// The fault of a reference to a name that nothing declares.
pub(super) fn unknown(kind: &str, name: &str, known: &BTreeSet<String>, declare: &str) -> SyntaxError {
    let hint = match nearest(name, known.iter().map(String::as_str)) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => declare.to_owned(),
    };
    SyntaxError::new(format!("there is no {kind} `{name}`")).hint(hint)
}

/// Notes a file or folder that is not there.
fn look_at(check: &mut Check<'_>, manifest: &Manifest, named: &Named) {
    let path = manifest.resolve(&named.path);
    let shown = path.display();
    let error = match (std::fs::metadata(&path), named.wanted) {
        (Err(error), Wanted::File) => SyntaxError::new(format!("cannot read `{shown}`: {error}"))
            .hint("build the component first; a relative path starts from the manifest's folder"),
        (Err(error), Wanted::Folder) => SyntaxError::new(format!("cannot read the folder `{shown}`: {error}"))
            .hint("make the folder; a relative path starts from the manifest's folder"),
        (Ok(found), Wanted::File) if found.is_dir() => {
            SyntaxError::new(format!("`{shown}` is a folder, and a component is a file"))
        }
        (Ok(found), Wanted::Folder) if !found.is_dir() => SyntaxError::new(format!("`{shown}` is not a folder")),
        (Ok(_), _) => return,
    };
    check.fault(named.span.clone(), error);
}
