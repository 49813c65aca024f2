//! `coracle completions` and `coracle man`: what shells and `man` want to know of the command line.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::CommandLine;
use crate::error::{Exit, Failure};
use crate::output;

/// Prints a completion script for a shell
#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle completions bash > ~/.local/share/bash-completion/completions/coracle
  coracle completions zsh > ~/.zfunc/_coracle
  coracle completions fish > ~/.config/fish/completions/coracle.fish")]
pub(crate) struct Arguments {
    /// The shell to complete in
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the manual page, or that of one verb
#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle man | man -l -
  coracle man run > ~/.local/share/man/man1/coracle-run.1")]
pub(crate) struct ManArguments {
    /// The verb; without it, the page of `coracle` itself
    verb: Option<String>,
}

/// Prints the completion script.
pub(crate) fn execute(arguments: &Arguments) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut CommandLine::command(), "coracle", &mut script);
    output::write(&script)?;
    Ok(Exit::Success)
}

/// Prints a manual page.
pub(crate) fn man(arguments: &ManArguments) -> Result<Exit, Failure> {
    let mut command = CommandLine::command();
    command.build();
    let command = match &arguments.verb {
        None => command,
        Some(verb) => {
            let known: Vec<&str> =
                command.get_subcommands().map(clap::Command::get_name).filter(|name| *name != "help").collect();
            let known = known.join(", ");
            let Some(found) = command.find_subcommand(verb) else {
                return Err(Failure::usage(format!("no verb `{verb}`")).hint(format!("the verbs are {known}")));
            };
            found.clone()
        }
    };
    let mut page = Vec::new();
    clap_mangen::Man::new(command)
        .render(&mut page)
        .map_err(|error| Failure::internal(format!("cannot render the manual page: {error}")))?;
    output::write(&page)?;
    Ok(Exit::Success)
}
