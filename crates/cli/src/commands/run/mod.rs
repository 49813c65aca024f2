//! `coracle run`: one guest in a process of its own.

mod failure;
mod load;

use std::io::{IsTerminal, Write};
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use coracle_daemon::log::{self, Filter, Format, Sink};
use coracle_package::unit::format_duration;
use coracle_runtime::app::Guest;
use coracle_runtime::diagnose::{Lack, lacks};
use coracle_runtime::{
    CallStack, Engine, Finished, GuestLog, LogLevel, LogStream, Observation, Outcome, command, invoke,
};

use self::failure::{invoke_failure, start_failure};
use crate::environment::Environment;
use crate::error::{Exit, Failure};
use crate::grants::{GrantFlags, LimitFlags};
use crate::output;
use crate::target;

/// Runs a component or module as a command, or calls one of its functions
///
/// TARGET is a component for wasi:cli/command (0.2 or 0.3), a core module for WASI preview 1, or the text form of either.
/// Arguments, standard streams and the exit code pass through. The guest is granted what the flags below say and nothing
/// else.
///
/// TARGET may be an app too (a folder with a `coracle.toml`, or such a file), and COMPONENT one of its components. It has the
/// grants and limits of the manifest, and so has each component that provides for it and stays apart; --var then sets a
/// variable of the manifest.
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
  coracle run --cpu-time 5s --memory 64MiB untrusted.wasm < input.json
  coracle run --invoke 'quote([])' shop/ pricing")]
pub(crate) struct Arguments {
    /// The component, core module or text form to run, or an app's folder or `coracle.toml`
    target: PathBuf,
    /// Which component of the app [default: the only one that provides for none of the others]
    component: Option<String>,
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
    let wanted = load::Wanted::read(arguments)?;
    if let Some(filter) = &arguments.log {
        start_log(filter, environment)?;
    }
    let (engine, guest) = wanted.load(arguments, environment)?;
    // One thread serves one guest: others would only have to be started and woken.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::internal(format!("cannot start the event loop: {error}")))?;
    let name = wanted.name();
    // Nothing of this is torn down: the process ends next, which frees it at once, and a thread that still waits for
    // standard input must not keep it.
    let run = ManuallyDrop::new(Run { arguments, name, engine, guest });
    ManuallyDrop::new(runtime).block_on(run.to_end())
}

fn start_log(filter: &str, environment: &Environment) -> Result<(), Failure> {
    let filter: Filter = filter.parse().map_err(|error| Failure::usage(error).at("--log"))?;
    let colour = std::io::stderr().is_terminal() && environment.get("NO_COLOR").is_none();
    log::init(Format::Text { colour }, filter, Sink::direct()).map_err(Failure::internal)
}

/// A guest that is ready to run.
struct Run<'a> {
    arguments: &'a Arguments,
    /// What it is called: its file, or its name in its app.
    name: String,
    engine: Engine,
    guest: Guest,
}

/// What a guest logs stands beside what it writes to standard error.
struct Told;

impl GuestLog for Told {
    fn line(&self, stream: LogStream<'_>, text: &str) {
        // Its standard streams are the process's own.
        if let LogStream::Log(level, context) = stream {
            tell(&format!("[{}] {}: ", format!("{level:?}").to_lowercase(), output::visible(context)), text);
        }
    }

    fn of_part(&self, name: &str) -> Option<Arc<dyn GuestLog>> {
        Some(Arc::new(ToldByPart { name: name.to_owned() }))
    }
}

/// The same of a component that provides for the guest: standard output and input are not its own, so that its lines are told
/// with its name.
struct ToldByPart {
    name: String,
}

impl GuestLog for ToldByPart {
    fn line(&self, stream: LogStream<'_>, text: &str) {
        let Self { name } = self;
        match stream {
            LogStream::Stdout | LogStream::Stderr => tell(&format!("[{name}] "), text),
            LogStream::Log(level, context) => {
                let level = format!("{level:?}").to_lowercase();
                tell(&format!("[{name}] [{level}] {}: ", output::visible(context)), text);
            }
        }
    }
}

fn tell(before: &str, text: &str) {
    // Where standard error is closed, nobody is there to be told.
    let _ = std::io::stderr().lock().write_all(format!("{before}{}\n", output::visible(text)).as_bytes());
}

impl Run<'_> {
    async fn to_end(&self) -> Result<Exit, Failure> {
        let Arguments { target, profile, coredump, .. } = self.arguments;
        let mut argv = vec![self.name.clone()];
        argv.extend(self.arguments.arguments.iter().cloned());
        let observation = Observation {
            name: self.name.clone(),
            profile: profile.is_some(),
            // Otherwise the system ends the process, which is faster and always works.
            cancel: profile.is_some().then(|| Box::pin(interrupt()) as _),
            logs: Some(Arc::new(Told)),
        };
        let (finished, value) = match &self.arguments.invoke {
            None => {
                let finished = command::run(&self.engine, &self.guest, &argv, observation).await;
                (finished.map_err(|error| start_failure(&error, target))?, None)
            }
            Some(call) => invoke::invoke(&self.engine, &self.guest, call, &argv, observation)
                .await
                .map_err(|error| invoke_failure(&error, call, target))?,
        };
        let finished = ManuallyDrop::new(finished);
        dropped(&Told, finished.record.dropped_log_lines);
        for provider in &finished.record.providers {
            dropped(&ToldByPart { name: provider.name.to_string() }, provider.dropped_log_lines);
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
            _ => lacks(&self.guest.code, &self.guest.authority, &finished.record.refusals),
        };
        let lacks: Vec<String> = lacks.iter().map(|lack| self.granting(lack)).collect();
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
        let stopped = self.stopped(finished);
        let mut said = stopped.lines();
        let mut failure = Failure::new(exit, said.next().unwrap_or_default()).at(self.arguments.target.display());
        for line in said {
            failure = failure.detail(line);
        }
        for line in finished.stack.iter().flat_map(CallStack::lines) {
            failure = failure.detail(line);
        }
        for lack in lacks {
            failure = failure.hint(lack);
        }
        if let Some(hint) = finished.hint(&self.guest.code) {
            failure = failure.hint(hint);
        }
        Err(failure)
    }

    /// What it lacked, and what grants it: the components of an app have their grants in its manifest.
    fn granting(&self, lack: &Lack) -> String {
        match target::is_app(&self.arguments.target) {
            true => format!("{}; in the manifest `{}` grants it", lack.what, lack.key),
            false => lack.to_string(),
        }
    }

    /// Why the guest was stopped.
    fn stopped(&self, finished: &Finished) -> String {
        // The limits that were reached are the other one's.
        if let Some(edge) = &finished.provider {
            return edge.clone();
        }
        let limits = &self.guest.authority.limits;
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

fn dropped(told: &dyn GuestLog, lines: u64) {
    if lines > 0 {
        let lines = if lines == 1 { "1 more line was".to_owned() } else { format!("{lines} more lines were") };
        let what = format!("{lines} logged than `log-lines` allows");
        told.line(LogStream::Log(LogLevel::Warn, "coracle"), &what);
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
