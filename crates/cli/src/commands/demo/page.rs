//! The page of the demo: one file, made when it starts.

use std::fmt::Write as _;
use std::path::Path;

use coracle_package::grant::Grants;
use coracle_package::inspect::World;
use coracle_package::limit::Limits;
use coracle_package::unit::{format_duration, format_size};

use super::{INPUTS, Sample};
use crate::progress::readable;

const TEMPLATE: &str = include_str!("page.html");

/// The whole page. `folder` is where the inputs of the samples lie, for those who would rather use curl.
pub(super) fn render(samples: &[Sample<'_>], missing: &[String], folder: &Path) -> String {
    let functions: String = samples.iter().map(|sample| function(sample, folder)).collect();
    let missing = match missing {
        [] => String::new(),
        names => format!(
            "<p class=\"missing\">Not built yet: {}. <code>cargo xtask guests</code> builds them.</p>",
            names.iter().map(|name| format!("<code>{}</code>", escape(name))).collect::<Vec<_>>().join(", ")
        ),
    };
    TEMPLATE
        .replace("{{count}}", &samples.len().to_string())
        .replace("{{missing}}", &missing)
        .replace("{{functions}}", &functions)
}

fn function(sample: &Sample<'_>, folder: &Path) -> String {
    let Sample { name, component, call, inspection } = sample;
    let mut html = String::new();
    let description = component.description.as_deref().unwrap_or_default();
    let language = &call.language;
    let world = match &inspection.world {
        World::Http(version) => format!("wasi:http {version}"),
        world => world.to_string(),
    };
    // Writing to a text does not fail.
    let _ = write!(
        html,
        "<article id=\"{name}\"><header><h2>{name}</h2><span class=\"language {class}\">{language}</span></header>\
         <p>{description}.</p><dl>\
         <div><dt>Size</dt><dd>{size}</dd></div>\
         <div><dt>Interface</dt><dd>{world}</dd></div>\
         <div><dt>May touch</dt><dd>{grants}</dd></div>\
         <div><dt>May use</dt><dd>{limits}</dd></div></dl>",
        name = escape(name),
        class = escape(&language.to_lowercase()),
        language = escape(language),
        description = escape(description),
        size = escape(&readable(inspection.size)),
        world = escape(&world),
        grants = grants(&component.grants),
        limits = escape(&limits(&component.limits)),
    );
    html.push_str(&form(sample));
    let _ = write!(
        html,
        "<details><summary>With curl</summary><pre><code>{}</code></pre></details></article>",
        escape(&curl(sample, folder))
    );
    html
}

/// A form that sends the sample's call, with what may be changed in it.
fn form(sample: &Sample<'_>) -> String {
    let Sample { name, call, .. } = sample;
    let (name, path) = (escape(name), escape(&call.path));
    let content_type = call.content_type.as_deref().unwrap_or_default();
    let mut html = format!(
        "<form data-method=\"{}\" data-type=\"{}\"><label class=\"path\"><span>{}</span>\
         <input name=\"path\" value=\"{path}\" aria-label=\"Path of {name}\" spellcheck=\"false\"></label>",
        escape(&call.method),
        escape(content_type),
        escape(&call.method),
    );
    if let Some(file) = &call.body_file {
        let input = escape(&format!("{INPUTS}/{}", sample.input_name(file)));
        if content_type.starts_with("image/") {
            let _ = write!(
                html,
                "<figure><img src=\"{input}\" alt=\"The picture that is sent\" loading=\"lazy\"></figure>\
                 <label class=\"file\"><span>or another picture</span><input type=\"file\" name=\"file\" accept=\"image/*\" \
                 data-default=\"{input}\"></label>"
            );
        } else {
            let _ = write!(
                html,
                "<label class=\"body\"><span>Body, {}</span><textarea name=\"body\" rows=\"6\" spellcheck=\"false\" \
                 data-default=\"{input}\"></textarea></label>",
                escape(content_type)
            );
        }
    }
    html.push_str("<button>Send</button></form><output aria-live=\"polite\" hidden></output>");
    html
}

/// What a component was granted, and that this is all.
fn grants(grants: &Grants) -> String {
    let mut list: Vec<String> = Vec::new();
    list.extend(grants.dirs.iter().map(|dir| format!("folder {dir}")));
    list.extend(grants.env.keys().chain(&grants.env_from_host).map(|name| format!("variable {name}")));
    list.extend(grants.net.iter().map(|net| format!("network {net}")));
    list.extend(grants.listen.iter().map(|address| format!("listening on {address}")));
    list.extend(grants.variables.keys().map(|key| format!("configuration {key}")));
    list.extend(grants.keyvalue.iter().map(|(name, backend)| format!("key-value store {name} ({backend})")));
    if list.is_empty() {
        return "<strong>nothing</strong>: it computes and answers".to_owned();
    }
    list.iter().map(|grant| escape(grant)).collect::<Vec<_>>().join(", ")
}

fn limits(limits: &Limits) -> String {
    let mut list = vec![format!("{} of memory", format_size(limits.memory))];
    list.extend(limits.cpu_time.map(|time| format!("{} of CPU time", format_duration(time))));
    list.extend(limits.wall_time.map(|time| format!("{} in all", format_duration(time))));
    list.join(", ")
}

/// A line for a shell. The page puts its own address in the place of `$URL`.
fn curl(sample: &Sample<'_>, folder: &Path) -> String {
    let call = sample.call;
    let mut line = "curl".to_owned();
    if let Some(content_type) = &call.content_type {
        let _ = write!(line, " -H {}", quote(&format!("content-type: {content_type}")));
    }
    if let Some(file) = &call.body_file {
        let file = folder.join(file);
        let _ =
            write!(line, " --data-binary {}", quote(&format!("@{}", file.canonicalize().unwrap_or(file).display())));
    }
    if call.content_type.as_deref().is_some_and(|kind| kind.starts_with("image/")) {
        let _ = write!(line, " -o {}.out", sample.name);
    }
    let _ = write!(line, " {}", quote(&format!("$URL{}", call.path)));
    line
}

/// One word for a shell. Double quotes: the only dollar sign is that of `$URL`.
fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Text as it may stand in HTML, also in an attribute.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_shown_is_markup() {
        assert_eq!(escape("<a href=\"x\">&'"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
        assert_eq!(quote("a\"b"), "\"a\\\"b\"");
    }

    #[test]
    fn what_is_granted_is_said() {
        assert!(grants(&Grants::default()).contains("nothing"));
        let mut some = Grants { net: vec!["https://*.example.com:443".parse().unwrap()], ..Grants::default() };
        some.env.insert("A".into(), "b".into());
        assert_eq!(grants(&some), "variable A, network https://*.example.com:443");
        assert!(limits(&Limits::http()).starts_with("128 MiB of memory, 10s of CPU time"));
    }
}
