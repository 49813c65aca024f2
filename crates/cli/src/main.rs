//! The `coracle` binary: reads the command line and the environment, calls one library for each verb, and renders errors.

mod commands;
mod compiler;
#[cfg(test)]
mod documents;
mod environment;
mod error;
mod grants;
mod output;
mod panic;
mod progress;
mod snapshot;
mod target;

use clap::Parser;
use environment::Environment;
use error::Exit;

/// Runs WebAssembly components that may touch only what they are granted.
///
/// A component is a small sandboxed program, built from Rust, Go, C, Python, JavaScript and other languages. Coracle
/// runs it on a command line or behind HTTP. It reads no file, no variable and no address that it was not granted, and
/// it is limited in everything it uses.
#[derive(Parser)]
#[command(name = "coracle", version, max_term_width = 100, subcommand_required = true, arg_required_else_help = true)]
struct CommandLine {
    #[command(subcommand)]
    verb: commands::Verb,
}

fn main() {
    let exit = panic::guard(|| {
        if compiler::is_wanted() {
            return if compiler::work() { Exit::Success } else { Exit::Internal };
        }
        let environment = Environment::read();
        let result = match CommandLine::try_parse() {
            Ok(line) => line.verb.execute(&environment),
            Err(error) => error::from_clap(&error),
        };
        match result {
            Ok(exit) => exit,
            Err(failure) => failure.report(),
        }
    });
    // Leaves without tearing down what the system frees anyway: a command's start and end are most of its time.
    std::process::exit(exit.unwrap_or(Exit::Internal).code());
}
