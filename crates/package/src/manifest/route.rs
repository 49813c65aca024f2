//! Routes, and which of them collide.

use std::collections::HashMap;
use std::net::Ipv6Addr;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::parse::{Context, Named, Wanted, check_path, unknown};
use super::{PathPattern, Route, RouteTarget, keys};
use crate::check::{Check, Reader, Span, list, wrong_type};
use crate::fault::SyntaxError;
use crate::grant::host as host_name;
use crate::suggest::nearest;

/// The methods that a route can name.
pub const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
/// The methods that files answer.
const STATIC_METHODS: &[&str] = &["GET", "HEAD"];

pub(super) fn read_routes(
    check: &mut Check<'_>,
    context: &mut Context,
    value: Option<&Spanned<DeValue<'_>>>,
) -> Vec<Route> {
    let Some(value) = value else { return Vec::new() };
    let items = match value.get_ref() {
        DeValue::Array(items) if items.iter().all(|item| item.get_ref().is_table()) => items,
        _ => {
            let error = wrong_type("route", "a list of tables", value);
            check.fault(value.span(), error.hint("write [[route]], with two pairs of brackets, before each route"));
            return Vec::new();
        }
    };
    let mut routes = Vec::new();
    let mut seen: HashMap<Place, Vec<(Vec<String>, u32)>> = HashMap::new();
    for item in items.iter() {
        let Some(table) = item.get_ref().as_table() else { continue };
        let Some((route, span)) = read_route(check, context, table, item.span()) else { continue };
        let line = check.line(span.start);
        let others = seen.entry((route.host.clone(), route.path.clone())).or_default();
        if let Some((methods, other)) = others.iter().find(|(methods, _)| overlap(methods, &route.methods)) {
            check.fault(span, collision(&route, methods, *other));
        }
        others.push((route.methods.clone(), line));
        routes.push(route);
    }
    routes
}

/// The host and the path of a route: routes with the same place differ in their methods only.
type Place = (Option<String>, PathPattern);

/// Whether a method is in both lists. An empty list stands for all.
fn overlap(a: &[String], b: &[String]) -> bool {
    a.is_empty() || b.is_empty() || a.iter().any(|method| b.contains(method))
}

fn collision(route: &Route, methods: &[String], line: u32) -> SyntaxError {
    let both: Vec<&str> =
        route.methods.iter().map(String::as_str).filter(|method| overlap(methods, &[(*method).to_owned()])).collect();
    let both = match (both.as_slice(), methods) {
        ([], []) => "every method".to_owned(),
        ([], methods) => list(methods.iter().map(String::as_str)),
        (both, _) => list(both.iter().copied()),
    };
    let host = route.host.as_deref().map(|host| format!(" of {host}")).unwrap_or_default();
    SyntaxError::new(format!(
        "this route collides with the one in line {line}: both answer {both} on `{}`{host}",
        route.path
    ))
    .hint("give them different paths, hosts or methods, or remove one")
}

fn read_route(check: &mut Check<'_>, context: &mut Context, table: &DeTable<'_>, span: Span) -> Option<(Route, Span)> {
    let route = Reader::new(check, &keys::ROUTE, table, span);
    let host = match route.text(check, "host") {
        Some((text, span)) => Some(check.accept(span, read_host(text))?),
        None => None,
    };
    let target = read_target(check, context, &route);
    let methods = read_methods(check, &route, matches!(target, Some(RouteTarget::Static(_))));
    route.require(check, "path", "name the path: path = \"/hello\", or \"/hello/*\" with everything below");
    let (path, span) = route.text(check, "path")?;
    let path = check.accept(span.clone(), read_path(path))?;
    if let (Some(RouteTarget::Static(_)), PathPattern::Exact(exact)) = (&target, &path) {
        let error = SyntaxError::new(format!(
            "a folder of files answers a path and everything below, and `{exact}` is one path"
        ));
        check.fault(span.clone(), error.hint(format!("write `{}/*`", exact.trim_end_matches('/'))));
    }
    Some((Route { host, path, methods, target: target? }, span))
}

fn read_target(check: &mut Check<'_>, context: &mut Context, route: &Reader<'_, '_>) -> Option<RouteTarget> {
    match (route.get("component"), route.get("static")) {
        (Some(_), None) => {
            let (name, span) = route.text(check, "component")?;
            if !context.components.contains(name) {
                let error = unknown("component", name, &context.components, "describe it under [component.NAME]");
                check.absent(span, error);
            }
            context.wiring.note_route(name);
            Some(RouteTarget::Component(name.to_owned()))
        }
        (None, Some(_)) => {
            let (text, span) = route.text(check, "static")?;
            let path = check.accept(span.clone(), check_path(text))?;
            context.named.push(Named { path: path.clone(), span, wanted: Wanted::Folder });
            Some(RouteTarget::Static(path))
        }
        (Some(_), Some(folder)) => {
            let error = SyntaxError::new("this route names both a component and a folder of files");
            check.fault(folder.span(), error.hint("keep `component` or `static`"));
            None
        }
        (None, None) => {
            let error = SyntaxError::new("this route names nothing that answers");
            check.absent(route.span.clone(), error.hint("add component = \"NAME\" or static = \"FOLDER\""));
            None
        }
    }
}

fn read_methods(check: &mut Check<'_>, route: &Reader<'_, '_>, files: bool) -> Vec<String> {
    let known = if files { STATIC_METHODS } else { METHODS };
    let mut methods: Vec<String> = Vec::new();
    for (method, span) in route.texts(check, "methods") {
        if known.contains(&method) {
            if !methods.iter().any(|other| other == method) {
                methods.push(method.to_owned());
            }
            continue;
        }
        let error = match (files && METHODS.contains(&method), nearest(method, known.iter().copied())) {
            (true, _) => {
                SyntaxError::new(format!("files do not answer {method}")).hint("name GET and HEAD, or no methods")
            }
            (_, Some(meant)) => {
                SyntaxError::new(format!("there is no method {method:?}")).hint(format!("did you mean `{meant}`?"))
            }
            _ => SyntaxError::new(format!("there is no method {method:?}"))
                .hint(format!("the methods are {}", list(known.iter().copied()))),
        };
        check.fault(span, error);
    }
    if let Some(value) =
        route.get("methods").filter(|value| value.get_ref().as_array().is_some_and(|items| items.is_empty()))
    {
        let error = SyntaxError::new("a route without any method answers nothing");
        check.fault(value.span(), error.hint("leave `methods` out to answer all of them"));
    }
    if files && methods.is_empty() { STATIC_METHODS.iter().map(|&method| method.to_owned()).collect() } else { methods }
}

/// Reads the host of a route: a name or an address, without a port.
fn read_host(text: &str) -> Result<String, SyntaxError> {
    if text.contains("://") || text.contains('/') {
        return Err(SyntaxError::new(format!("{text:?} is not a host name"))
            .hint("write the host alone, like `shop.example.com`"));
    }
    if text.contains('*') {
        return Err(SyntaxError::new(format!("the host {text:?} has a `*`"))
            .hint("name one host for each route, or leave `host` out to answer every host"));
    }
    if let Some(inside) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'))
        && let Ok(address) = inside.parse::<Ipv6Addr>()
    {
        return Ok(format!("[{address}]"));
    }
    if let Some((host, port)) = text.rsplit_once(':')
        && port.parse::<u16>().is_ok()
        && (!host.contains(':') || host.ends_with(']'))
    {
        return Err(SyntaxError::new(format!("the host {text:?} has a port"))
            .hint(format!("write `{host}`: the server's address has the port")));
    }
    match host_name::ipv4(text)? {
        Some(address) => Ok(address.to_string()),
        None => host_name::name(text),
    }
}

/// Reads the path of a route.
fn read_path(text: &str) -> Result<PathPattern, SyntaxError> {
    let wrong = |what: &str| SyntaxError::new(format!("the path {text:?} {what}"));
    if !text.starts_with('/') {
        return Err(wrong("does not start with `/`").hint(format!("write `/{text}`")));
    }
    let (path, prefix) = match text.strip_suffix("/*") {
        Some(path) => (path, true),
        None => (text, false),
    };
    if path.contains('*') {
        return Err(wrong("has a `*` where none can be")
            .hint("a `*` stands alone after the last `/`, and means everything below: `/assets/*`"));
    }
    if path.contains(['{', '}']) || path.contains("/:") {
        return Err(wrong("has a placeholder").hint("end the path with `/*`; the component reads the rest of it"));
    }
    if path.contains(['?', '#']) {
        return Err(
            wrong("has a query or a fragment").hint("leave out `?` or `#` and what follows: a route looks at the path")
        );
    }
    if path.contains("//") || (prefix && path.ends_with('/')) {
        return Err(wrong("has an empty part").hint("write one `/` between parts"));
    }
    if path.split('/').any(|part| part == "." || part == "..") {
        return Err(
            wrong("has a part `.` or `..`").hint("clients resolve these before they ask; write the path that remains")
        );
    }
    check_characters(path, wrong)?;
    Ok(if prefix { PathPattern::Prefix(path.to_owned()) } else { PathPattern::Exact(path.to_owned()) })
}

/// Checks that a path has the characters that it can have in a request, each in the one spelling that clients send.
fn check_characters(path: &str, wrong: impl Fn(&str) -> SyntaxError) -> Result<(), SyntaxError> {
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let code =
                    [rest.next(), rest.next()].map(|digit| digit.and_then(|digit| char::from(digit).to_digit(16)));
                let [Some(high), Some(low)] = code else {
                    return Err(
                        wrong("has a `%` without two hexadecimal digits").hint("write `%25` for the character `%`")
                    );
                };
                let coded =
                    char::from_u32(high * 16 + low).filter(|c| c.is_ascii_alphanumeric() || "-._~".contains(*c));
                if let Some(coded) = coded {
                    return Err(wrong(&format!("spells `{coded}` as a code")).hint(format!("write `{coded}`")));
                }
            }
            b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'+' | b',' | b';' | b'=' | b':'
            | b'@' | b'/' => {}
            letter if letter.is_ascii_alphanumeric() => {}
            _ => {
                let hint = "write it percent-encoded, as it stands in a request: `%20` for a space, `%C3%A9` for `é`";
                return Err(wrong("has a character that no request's path has").hint(hint));
            }
        }
    }
    Ok(())
}
