//! `docs/reference.md`: every verb and flag from the command line's own definition, every manifest key from the parser's
//! own tables. The test fails when the document says something else; `cargo xtask reference` writes it anew.

use std::fmt::Write as _;

use clap::{Arg, Command, CommandFactory};

/// Set to write the document in place of comparing it.
const WRITE: &str = "CORACLE_WRITE_REFERENCE";

#[test]
fn the_reference_is_what_the_program_says() {
    let expected = document();
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(super::path("reference.md"), &expected).unwrap();
    }
    let found = super::read("reference.md");
    let stale = expected.lines().zip(found.lines()).position(|(expected, found)| expected != found);
    assert!(
        found == expected,
        "docs/reference.md is stale, first in line {}: write it anew with `cargo xtask reference`",
        stale.unwrap_or_else(|| expected.lines().count().min(found.lines().count())) + 1
    );
}

fn document() -> String {
    let mut text = String::from(
        "# Reference\n\n\
         Every verb, flag, manifest key and default. This page is generated from the program by `cargo xtask reference`.\n",
    );
    let mut program = crate::CommandLine::command();
    program.build();
    text += "\n## Command line\n";
    for verb in program.get_subcommands().filter(|verb| is_shown(verb)) {
        describe(&mut text, "coracle", verb);
    }
    text += "\n## Manifest\n\nThe keys of `coracle.toml`. A key that is not here is a fault.\n";
    keys(&mut text, &coracle_package::reference::tables());
    text += "\n## Pilot plan\n\nThe keys of `pilot.toml`. A key that is not here is a fault.\n";
    keys(&mut text, &coracle_pilot::plan::tables());
    text += "\n## Constants\n\nEvery limit, time and size that the source names: the defaults of what can be set, and what cannot.\n";
    for (name, constants) in super::constants::by_crate() {
        // Writing to a string does not fail, here and below.
        let _ = write!(text, "\n### {name}\n\n| constant | value | what for |\n|---|---|---|\n");
        for constant in constants {
            row(&mut text, &[&format!("`{}`", constant.name), &format!("`{}`", constant.value), &constant.reason]);
        }
    }
    text
}

/// Tables of keys.
fn keys(text: &mut String, tables: &[coracle_package::reference::Table]) {
    for table in tables {
        let _ = write!(text, "\n### `{}`\n\n{}\n\n", table.title, table.about);
        text.push_str("| key | kind | default | written as | what for |\n|---|---|---|---|---|\n");
        for key in &table.keys {
            let cells = [&format!("`{}`", key.key), key.kind, &key.default, key.unit, key.reason];
            row(text, &cells);
        }
    }
}

/// A verb, and those below it.
fn describe(text: &mut String, above: &str, verb: &Command) {
    let name = format!("{above} {}", verb.get_name());
    if verb.has_subcommands() {
        for below in verb.get_subcommands().filter(|below| is_shown(below)) {
            describe(text, &name, below);
        }
        return;
    }
    let about = verb.get_long_about().or(verb.get_about()).map(ToString::to_string).unwrap_or_default();
    let _ = writeln!(text, "\n### `{name}`\n\n{}", about.trim());
    let shown = |argument: &&Arg| !argument.is_hide_set() && argument.get_id() != "help";
    for (index, argument) in verb.get_arguments().filter(shown).enumerate() {
        if index == 0 {
            text.push_str("\n| argument | default | what for |\n|---|---|---|\n");
        }
        let help = argument.get_long_help().or(argument.get_help()).map(ToString::to_string).unwrap_or_default();
        // A default that is found out later is said in the help, as clap says those that it knows.
        let (help, said) = help.rsplit_once(" [default: ").unwrap_or((&help, ""));
        let default = if said.is_empty() { default(argument) } else { said.trim_end_matches(']').to_owned() };
        row(text, &[&format!("`{}`", spelling(argument)), &default, help]);
    }
}

fn is_shown(verb: &Command) -> bool {
    !verb.is_hide_set() && verb.get_name() != "help"
}

/// An argument as it is typed: `--name VALUE`, `-n`, or `VALUE`.
fn spelling(argument: &Arg) -> String {
    let takes_value = argument.get_action().takes_values();
    let values = argument.get_value_names().unwrap_or_default();
    let value = values.iter().map(|name| name.to_string()).collect::<Vec<_>>().join(" ");
    match (argument.get_long(), argument.get_short()) {
        (Some(long), Some(short)) if takes_value => format!("-{short}, --{long} {value}"),
        (Some(long), Some(short)) => format!("-{short}, --{long}"),
        (Some(long), None) if takes_value => format!("--{long} {value}"),
        (Some(long), None) => format!("--{long}"),
        (None, Some(short)) => format!("-{short}"),
        (None, None) => value,
    }
}

/// What holds when the argument is not given, with the environment variable that may give it instead.
fn default(argument: &Arg) -> String {
    let values: Vec<_> = argument.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    let mut text = match values.as_slice() {
        _ if !argument.get_action().takes_values() => "off".to_owned(),
        [] if argument.is_required_set() => "required".to_owned(),
        [] => "none".to_owned(),
        values => format!("`{}`", values.join(" ")),
    };
    if let Some(variable) = argument.get_env() {
        let _ = write!(text, ", or from `{}`", variable.to_string_lossy());
    }
    text
}

/// A row of a table: one line, whatever its cells hold.
fn row(text: &mut String, cells: &[&str]) {
    for cell in cells {
        let paragraphs = cell.split("\n\n").map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
        let cell = paragraphs.reduce(|mut text, paragraph| {
            text.push_str(if text.ends_with('.') { " " } else { ". " });
            text + &paragraph
        });
        let cell = cell.unwrap_or_default().replace('|', "\\|");
        let _ = write!(text, "| {cell} ");
    }
    text.push_str("|\n");
}
