//! The `coracle` program, which runs the guests: cases are answered by what users run.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::TestError;

/// How long an app may take until it listens: its components may have to be compiled first, large ones on a slow machine.
const START_TIME: Duration = Duration::from_secs(180);

/// How long one case may take. A guest's own limits end it sooner, unless its manifest has none.
const CASE_TIME: Duration = Duration::from_secs(60);

/// Lines of its log that are kept to explain why an app did not start.
const KEPT_LINES: usize = 50;

/// A server of the app. It ends when it is dropped.
pub(super) struct Server {
    _child: Child,
    pub(super) address: SocketAddr,
}

impl Server {
    /// Starts the app on a port that the system chooses, and waits until it listens.
    pub(super) async fn start(program: &Path, app: &Path) -> Result<Self, TestError> {
        let mut command = Command::new(program);
        command.arg("serve").args(["--addr", "127.0.0.1:0", "--log-format", "json"]).arg(app);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().map_err(TestError::Program)?;
        let stderr = child.stderr.take().ok_or(TestError::NoOutput)?;
        let mut lines = BufReader::new(stderr).lines();
        let mut said = Vec::new();
        let listening = timeout(START_TIME, async {
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some(address) = address(&line) {
                    return Some(address);
                }
                if said.len() < KEPT_LINES {
                    said.push(line);
                }
            }
            None
        });
        let Some(address) = listening.await.unwrap_or_default() else { return Err(TestError::Start { said }) };
        // What is logged from here on has to be read, or the server waits for room.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self { _child: child, address })
    }
}

/// Where a server listens, told by the line that says so.
fn address(line: &str) -> Option<SocketAddr> {
    let event: serde_json::Value = serde_json::from_str(line).ok()?;
    (event.get("message")? == "serving").then_some(())?;
    event.get("address")?.as_str()?.parse().ok()
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finished {
    /// The exit code; none where a signal ended it.
    pub(super) code: Option<i32>,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
}

/// Runs `coracle run` with these arguments.
pub(super) async fn run(
    program: &Path,
    arguments: impl IntoIterator<Item = OsString>,
    stdin: Option<&str>,
) -> Result<Finished, String> {
    let mut command = Command::new(program);
    command.arg("run").args(arguments);
    command.stdin(if stdin.is_some() { Stdio::piped() } else { Stdio::null() });
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| format!("{} does not start: {error}", program.display()))?;
    let input = child.stdin.take().zip(stdin.map(str::to_owned));
    let write = async {
        if let Some((mut pipe, text)) = input {
            // A guest that does not read all of its input closes the pipe: that is its right.
            let _ = pipe.write_all(text.as_bytes()).await;
        }
    };
    let both = async { tokio::join!(write, child.wait_with_output()).1 };
    // The guest may have to be compiled first.
    let output = timeout(START_TIME + CASE_TIME, both)
        .await
        .map_err(|_| format!("it did not end within {} s", (START_TIME + CASE_TIME).as_secs()))?
        .map_err(|error| format!("it cannot be waited for: {error}"))?;
    Ok(Finished { code: output.status.code(), stdout: output.stdout, stderr: output.stderr })
}

/// `future`, for as long as a case may take.
pub(super) async fn within<T>(future: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    match timeout(CASE_TIME, future).await {
        Ok(result) => result,
        Err(_) => Err(format!("there was no whole answer within {} s", CASE_TIME.as_secs())),
    }
}
