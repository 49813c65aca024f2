//! `coracle new`: a project to begin with.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, ValueEnum};
use coracle_package::manifest::Language;
use coracle_toolchain::new::{self, Config, Kind, NewError, Wasi};

use crate::error::{Exit, Failure};
use crate::output;

/// Makes a project: a small component that builds, with a test and a manifest
///
/// PATH is the folder to make; its last part names the app. What is in it is what that language's people write: a crate, a
/// Go module, an `app.py`, a `package.json`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle new hello --lang rust --kind http
  coracle new hello --lang python --wasi 0.3
  coracle new tools/greet --lang go --kind command")]
pub(crate) struct Arguments {
    /// The folder to make
    path: PathBuf,
    /// The language
    #[arg(long, value_name = "LANGUAGE", value_parser = PossibleValuesParser::new(Language::ALL.map(Language::key)))]
    lang: String,
    /// What the component is for
    #[arg(long, value_enum, default_value_t = KindFlag::Http)]
    kind: KindFlag,
    /// The version of WASI; 0.3 is there for http in rust, python, javascript and typescript
    #[arg(long, value_enum, default_value_t = WasiFlag::P2)]
    wasi: WasiFlag,
}

/// The versions of WASI.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum WasiFlag {
    /// What every language has
    #[value(name = "0.2")]
    P2,
    /// Functions that wait for several requests at once
    #[value(name = "0.3")]
    P3,
}

impl WasiFlag {
    fn wasi(self) -> Wasi {
        match self {
            Self::P2 => Wasi::P2,
            Self::P3 => Wasi::P3,
        }
    }
}

/// The kinds of components.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum KindFlag {
    /// Answers HTTP requests
    Http,
    /// Runs on a command line
    Command,
    /// Has functions for others to call
    Library,
    /// Answers what a product asks it, with the settings that it is given
    Plugin,
}

impl KindFlag {
    fn kind(self) -> Kind {
        match self {
            Self::Http => Kind::Http,
            Self::Command => Kind::Command,
            Self::Library => Kind::Library,
            Self::Plugin => Kind::Plugin,
        }
    }
}

/// Writes the project.
pub(crate) fn execute(arguments: &Arguments) -> Result<Exit, Failure> {
    let language = Language::find(&arguments.lang).ok_or_else(|| Failure::usage("no such language").at("--lang"))?;
    let config =
        Config { folder: arguments.path.clone(), language, kind: arguments.kind.kind(), wasi: arguments.wasi.wasi() };
    let files = new::run(&config).map_err(|error| failure(&error, arguments))?;
    let mut text = format!("made {}\n", arguments.path.display());
    for file in files {
        text.push_str(&format!("  {}\n", file.display()));
    }
    let path = arguments.path.display();
    output::print(format_args!("{text}next: coracle build {path} && coracle test {path}\n"))?;
    Ok(Exit::Success)
}

fn failure(error: &NewError, arguments: &Arguments) -> Failure {
    let place = arguments.path.display();
    match error {
        NewError::Name(faults) => {
            let hints = faults.faults.iter().filter_map(|fault| fault.hint.as_ref()).take(1);
            hints.fold(Failure::usage(error).at(place), Failure::hint)
        }
        NewError::NoP3 { .. } => Failure::usage(error)
            .at("--wasi")
            .hint("leave --wasi out for 0.2; rust, python, javascript and typescript have 0.3, with --kind http"),
        NewError::Exists(_) => Failure::usage(error).hint("name a folder that is not there yet"),
        NewError::Write { .. } => Failure::internal(error),
    }
}
