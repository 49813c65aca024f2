//! One file for each verb.

pub(crate) mod build;
pub(crate) mod cache;
pub(crate) mod completions;
pub(crate) mod compose;
pub(crate) mod demo;
pub(crate) mod dev;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod inspect;
pub(crate) mod new;
pub(crate) mod pilot;
pub(crate) mod run;
pub(crate) mod serve;
pub(crate) mod test;
pub(crate) mod wit;

use clap::Subcommand;

use crate::environment::Environment;
use crate::error::{Exit, Failure};

/// What `coracle` can do.
#[derive(Subcommand)]
pub(crate) enum Verb {
    Run(Box<run::Arguments>),
    Serve(Box<serve::Arguments>),
    Demo(demo::Arguments),
    New(new::Arguments),
    Build(build::Arguments),
    Dev(dev::Arguments),
    Test(test::Arguments),
    Wit(wit::Arguments),
    Compose(compose::Arguments),
    Inspect(inspect::Arguments),
    Diff(diff::Arguments),
    Pilot(pilot::Arguments),
    Doctor(doctor::Arguments),
    Cache(cache::Arguments),
    Completions(completions::Arguments),
    Man(completions::ManArguments),
}

impl Verb {
    pub(crate) fn execute(self, environment: &Environment) -> Result<Exit, Failure> {
        match self {
            Self::Run(arguments) => run::execute(&arguments, environment),
            Self::Serve(arguments) => serve::execute(&arguments, environment),
            Self::Demo(arguments) => demo::execute(&arguments, environment),
            Self::New(arguments) => new::execute(&arguments),
            Self::Build(arguments) => build::execute(&arguments, environment),
            Self::Dev(arguments) => dev::execute(&arguments, environment),
            Self::Test(arguments) => test::execute(&arguments, environment),
            Self::Wit(arguments) => wit::execute(&arguments, environment),
            Self::Compose(arguments) => compose::execute(&arguments),
            Self::Inspect(arguments) => inspect::execute(&arguments),
            Self::Diff(arguments) => diff::execute(&arguments),
            Self::Pilot(arguments) => pilot::execute(&arguments, environment),
            Self::Doctor(arguments) => doctor::execute(&arguments, environment),
            Self::Cache(arguments) => cache::execute(&arguments, environment),
            Self::Completions(arguments) => completions::execute(&arguments),
            Self::Man(arguments) => completions::man(&arguments),
        }
    }
}
