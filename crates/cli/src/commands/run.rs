//! `coracle run`: one guest in a process of its own.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use coracle_daemon::log::{self, Filter, Format, Sink};
use coracle_package::limit::Limits;
use coracle_package::manifest::FILE_NAME;
use coracle_package::unit::format_duration;
use coracle_runtime::cache::Cache;
use coracle_runtime::command::{self, StartError};
use coracle_runtime::compile::{self, Code, CompileError};
use coracle_runtime::diagnose::lacks;
use coracle_runtime::invoke::{self, InvokeError};
use coracle_runtime::{
    Authority, CallStack, Engine, EngineOptions, Finished, GuestLog, LogLevel, LogStream, Observation, Outcome,
    Resolution,
};

use crate::compiler;
use crate::environment::Environment;
use crate::error::{Exit, Failure, Fault, chain};
use crate::grants::{Faults, GrantFlags, LimitFlags};
use crate::output;
use crate::progress::CompileLine;

/// Runs a component or module as a command, or calls one of its functions
///
/// TARGET is a component for wasi:cli/command (0.2 or 0.3), a core module for WASI preview 1, or the text form of either.
/// Arguments, standard streams and the exit code pass through. The guest is granted what the flags below say and nothing
/// else.
///
/// Exit codes: the guest's own; 2 the command line is wrong; 65 TARGET is wrong; 124 a limit of time was reached; 125
/// Coracle failed; 134 the guest trapped.
#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle run hello.wasm
  coracle run --dir ./data::/data:ro count.wasm -- --words /data/book.txt
  coracle run --net api.example.com:443 --env-from-host API_KEY fetch.wasm
  coracle run --invoke 'render(\"# Title\")' render.wasm
  coracle run --cpu-time 5s --memory 64MiB untrusted.wasm < input.json")]
pub(crate) struct Arguments {
    /// The component, core module or text form to run
    target: PathBuf,
    /// Arguments for the guest
    #[arg(last = true)]
    arguments: Vec<String>,
    /// Calls an exported function and prints its result; arguments and result are in WAVE
    ///
    /// A function inside an exported interface is `interface.function`, or in full
    /// `namespace:package/interface@version.function`.
    #[arg(long, value_name = "FUNCTION(ARGUMENTS)")]
    invoke: Option<String>,
    #[command(flatten)]
    grants: GrantFlags,
    #[command(flatten)]
    limits: LimitFlags,
    /// Writes a profile of the guest, for <https://profiler.firefox.com>
    #[arg(long, value_name = "FILE", help_heading = "Diagnosis")]
    profile: Option<PathBuf>,
    /// Writes a WebAssembly core dump if the guest traps
    #[arg(long, value_name = "FILE", help_heading = "Diagnosis")]
    coredump: Option<PathBuf>,
    /// Logs what Coracle itself does: a level such as `debug`, or levels by target [default: nothing]
    #[arg(long, value_name = "FILTER", help_heading = "Diagnosis")]
    log: Option<String>,
}

/// Runs the guest.
pub(crate) fn execute(arguments: &Arguments, environment: &Environment) -> Result<Exit, Failure> {
    let mut faults = Faults::default();
    let mut limits = Limits::command();
    let grants = arguments.grants.read(&mut faults);
    arguments.limits.read(&mut limits, &mut faults);
    faults.into_result()?;
    if let Some(filter) = &arguments.log {
        start_log(filter, environment)?;
    }

    let resolution = Resolution {
        directory: Path::new(""),
        variables: &BTreeMap::new(),
        secrets: &BTreeMap::new(),
        environment: &|name| environment.text(name),
        roots: &[],
    };
    let options = EngineOptions {
        fuel: limits.fuel.is_some(),
        coredump: arguments.coredump.is_some(),
        ..EngineOptions::command()
    };
    let authority = Authority::resolve(&grants, limits, &resolution).map_err(|errors| refused(&errors))?;
    let engine = Engine::new(options, compiler::own()).map_err(|error| Failure::internal(chain(&error)))?;
    let code = load(&engine, &arguments.target, environment)?;
    // One thread serves one guest: others would only have to be started and woken.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::internal(format!("cannot start the event loop: {error}")))?;
    // Nothing of this is torn down: the process ends next, which frees it at once, and a thread that still waits for
    // standard input must not keep it.
    let run = ManuallyDrop::new(Run { arguments, engine, code, authority: Arc::new(authority) });
    ManuallyDrop::new(runtime).block_on(run.to_end())
}

fn start_log(filter: &str, environment: &Environment) -> Result<(), Failure> {
    let filter: Filter = filter.parse().map_err(|error| Failure::usage(error).at("--log"))?;
    let colour = std::io::stderr().is_terminal() && environment.get("NO_COLOR").is_none();
    log::init(Format::Text { colour }, filter, Sink::direct()).map_err(Failure::internal)
}

fn load(engine: &Engine, target: &Path, environment: &Environment) -> Result<Code, Failure> {
    let cache = environment.cache_directory().and_then(|directory| {
        Cache::open(&directory)
            .inspect_err(|error| tracing::debug!(error = chain(error), "running without a code cache"))
            .ok()
    });
    let name = target.file_name().map_or_else(|| target.to_string_lossy(), |name| name.to_string_lossy());
    compile::load_file(engine, cache.as_ref(), target, &CompileLine::new(&name))
        .map_err(|error| compile_failure(&error, target))
}

/// A guest that is ready to run.
struct Run<'a> {
    arguments: &'a Arguments,
    engine: Engine,
    code: Code,
    authority: Arc<Authority>,
}

/// What a guest logs stands beside what it writes to standard error.
struct Told;

impl GuestLog for Told {
    fn line(&self, stream: LogStream<'_>, text: &str) {
        let LogStream::Log(level, context) = stream else { return };
        let level = format!("{level:?}").to_lowercase();
        let line = format!("[{level}] {}: {}\n", output::visible(context), output::visible(text));
        // Where standard error is closed, nobody is there to be told.
        let _ = std::io::stderr().lock().write_all(line.as_bytes());
    }
}

impl Run<'_> {
    async fn to_end(&self) -> Result<Exit, Failure> {
        let Arguments { target, profile, coredump, .. } = self.arguments;
        let name = target.file_name().map_or_else(|| "guest".into(), |name| name.to_string_lossy().into_owned());
        let mut argv = vec![name.clone()];
        argv.extend(self.arguments.arguments.iter().cloned());
        let observation = Observation {
            name,
            profile: profile.is_some(),
            // Otherwise the system ends the process, which is faster and always works.
            cancel: profile.is_some().then(|| Box::pin(interrupt()) as _),
            logs: Some(Arc::new(Told)),
        };
        let (finished, value) = match &self.arguments.invoke {
            None => {
                let finished = command::run(&self.engine, &self.code, &self.authority, &argv, observation).await;
                (finished.map_err(|error| start_failure(&error, target))?, None)
            }
            Some(call) => invoke::invoke(&self.engine, &self.code, &self.authority, call, &argv, observation)
                .await
                .map_err(|error| invoke_failure(&error, call, target))?,
        };
        let finished = ManuallyDrop::new(finished);
        if finished.record.dropped_log_lines > 0 {
            let dropped =
                format!("{} more lines were logged than `log-lines` allows", finished.record.dropped_log_lines);
            Told.line(LogStream::Log(LogLevel::Warn, "coracle"), &dropped);
        }
        if let (Some(path), Some(bytes)) = (profile, &finished.profile) {
            write_file(path, bytes)?;
        }
        if let (Some(path), Some(bytes)) = (coredump, &finished.coredump) {
            write_file(path, bytes)?;
        }
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            output::print(format_args!("{value}\n"))?;
        }
        self.exit(&finished)
    }

    /// The exit code, with a message where the guest did not leave by itself or was refused something.
    fn exit(&self, finished: &Finished) -> Result<Exit, Failure> {
        let lacks = match finished.record.outcome {
            Outcome::Ok => Vec::new(),
            _ => lacks(&self.engine, &self.code, &self.authority, &finished.record.refusals),
        };
        if let Some(code) = finished.exit_code {
            if code == 0 || lacks.is_empty() {
                return Ok(Exit::Guest(code));
            }
            let mut failure = Failure::new(Exit::Guest(code), format!("the guest left with code {code}"));
            for lack in lacks {
                failure = failure.hint(lack);
            }
            return Err(failure.at(self.arguments.target.display()));
        }
        let exit = Exit::of(finished.record.outcome);
        let mut failure = Failure::new(exit, self.stopped(finished)).at(self.arguments.target.display());
        for line in finished.stack.iter().flat_map(CallStack::lines) {
            failure = failure.detail(line);
        }
        for lack in lacks {
            failure = failure.hint(lack);
        }
        if let Some(hint) = finished.hint(&self.engine, &self.code) {
            failure = failure.hint(hint);
        }
        Err(failure)
    }

    /// Why the guest was stopped.
    fn stopped(&self, finished: &Finished) -> String {
        let limits = &self.authority.limits;
        let time = |limit: Option<Duration>| limit.map(format_duration).unwrap_or_default();
        let reason = finished.reason.as_deref().unwrap_or("no reason is known");
        match finished.record.outcome {
            Outcome::CpuDeadline if finished.out_of_fuel => {
                let fuel = limits.fuel.unwrap_or_default();
                format!("the guest used up its fuel ({fuel})")
            }
            Outcome::CpuDeadline => {
                format!("the guest used up its CPU time ({})", time(limits.cpu_time))
            }
            Outcome::WallDeadline => {
                format!("the guest took longer than its wall time ({})", time(limits.wall_time))
            }
            Outcome::OutOfMemory => {
                let limit = crate::progress::readable(limits.memory);
                format!("the guest ran out of memory (its limit is {limit}): {reason}")
            }
            Outcome::Cancelled => "the guest was interrupted".to_owned(),
            Outcome::HostError => format!("Coracle failed: {reason}"),
            _ => format!("the guest trapped: {reason}"),
        }
    }
}

/// Completes when the user presses Ctrl-C; never, where that cannot be waited for.
async fn interrupt() {
    if let Err(error) = tokio::signal::ctrl_c().await {
        tracing::debug!(%error, "Ctrl-C cannot be waited for");
        std::future::pending::<()>().await;
    }
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    std::fs::write(path, bytes).map_err(|error| Failure::internal(format!("cannot write: {error}")).at(path.display()))
}

fn refused(errors: &[coracle_runtime::AuthorityError]) -> Failure {
    let fault = |error| Fault { what: chain(error), place: None, details: Vec::new(), hints: Vec::new() };
    Failure { exit: Exit::Usage, faults: errors.iter().map(|error| fault(error as _)).collect() }
}

fn compile_failure(error: &CompileError, target: &Path) -> Failure {
    let place = target.display();
    let failure = match error {
        CompileError::Read { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            Failure::bad_data("there is no such file").at(place)
        }
        CompileError::Read { .. } if target.join(FILE_NAME).is_file() => {
            Failure::bad_data("it is an app, not a component").at(place).hint(
                "`coracle serve` serves it; `coracle compose` makes one component of its wired ones, which can be run",
            )
        }
        CompileError::Read { .. } if target.is_dir() => {
            Failure::bad_data("it is a folder").at(place).hint("give the component's own file")
        }
        CompileError::Read { source, .. } => Failure::bad_data(format!("cannot read it: {source}")).at(place),
        CompileError::Text { message, line, column, text } => Failure::bad_data(message)
            .at(format_args!("{place}:{line}:{column}"))
            .detail(text)
            .detail(format_args!("{}^", blank(text, column.saturating_sub(1)))),
        CompileError::Load(_) | CompileError::Start(_) => Failure::internal(chain(error)).at(place),
        error => Failure::bad_data(error).at(place),
    };
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn start_failure(error: &StartError, target: &Path) -> Failure {
    let exit = match error {
        StartError::Engine(_) | StartError::Link(_) => Exit::Internal,
        _ => Exit::BadData,
    };
    let failure = Failure::new(exit, chain(error)).at(target.display());
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn invoke_failure(error: &InvokeError, call: &str, target: &Path) -> Failure {
    let place = target.display();
    match error {
        InvokeError::Start(error) => start_failure(error, target),
        InvokeError::NoFunction { functions, .. } => {
            let mut failure = Failure::usage(error).at(place);
            for function in functions {
                failure = failure.detail(function);
            }
            failure.hint(if functions.is_empty() {
                "it exports no function at all"
            } else {
                "these are the functions that it exports"
            })
        }
        InvokeError::Ambiguous { functions, .. } => {
            let mut failure = Failure::usage(error).at(place);
            for function in functions {
                failure = failure.detail(function);
            }
            failure.hint("write the interface too, as it stands above")
        }
        InvokeError::Arguments { message, column, signature } => {
            let failure = Failure::usage(message)
                .at(format_args!("--invoke, column {}", column + 1))
                .detail(call)
                .detail(format_args!("{}^", blank(call, *column)));
            match signature {
                Some(signature) => failure.hint(format_args!("the function is `{signature}`")),
                None => failure.hint("write it as `name(argument, argument)`, with the arguments in WAVE"),
            }
        }
        InvokeError::Unwritable { .. } => Failure::usage(error).at(place),
    }
}

/// What goes before a caret under byte `column` of `text`: as wide as the text there.
fn blank(text: &str, column: usize) -> String {
    let before = text.char_indices().take_while(|(at, _)| *at < column);
    before.map(|(_, character)| if character == '\t' { '\t' } else { ' ' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caret_stands_under_its_character() {
        assert_eq!(blank("f(\"ü\", x)", 8), "       ");
        assert_eq!(blank("\tab", 2), "\t ");
        assert_eq!(blank("ab", 99), "  ");
    }
}
