//! The load: by wrk, or by a program of ours where it has to come whether or not it is answered.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::report::count;
use crate::project::Project;
use crate::server::Server;
use crate::{Result, shell};

/// By how much the size of answers under load may differ from that of a single one: `date` and the like differ by a byte.
const SAME_SIZE: f64 = 0.02;

/// What wrk reports by `bench/load.lua`.
#[derive(Deserialize)]
struct Report {
    requests: u64,
    microseconds: u64,
    bytes: u64,
    not_ok: u64,
    broken: u64,
    p50: u64,
    p99: u64,
}

/// One measurement.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Sample {
    /// Answers in a second of wall time.
    pub(super) per_second: f64,
    /// Processor time of the server's process, user and kernel, for each answer.
    pub(super) cpu_microseconds: f64,
    pub(super) p50_microseconds: u64,
    pub(super) p99_microseconds: u64,
    /// Of the server, after the load.
    pub(super) resident_kib: u64,
}

/// Puts load on a server whose answers at `path` have `bytes` bytes. An answer that is not 200, or not of that size, is an error.
pub(super) fn measure(
    project: &Project,
    server: &Server,
    path: &str,
    connections: usize,
    time: Duration,
    bytes: usize,
) -> Result<Sample> {
    let before = server.cpu()?;
    let report = wrk(project, server.address, path, connections, time)?;
    let cpu = server.cpu()?.saturating_sub(before);
    if report.not_ok + report.broken > 0 || report.requests == 0 {
        return Err(format!(
            "{} answers, {} of them not 200, and {} broken connections: no result",
            report.requests, report.not_ok, report.broken
        )
        .into());
    }
    if !is_of_size(&report, bytes, connections) {
        let size = ratio(report.bytes, report.requests);
        return Err(format!("answers of {size:.1} bytes under load, and of {bytes} alone: no result").into());
    }
    let cpu_microseconds = cpu.as_secs_f64() * 1e6 / count(report.requests);
    Ok(Sample {
        per_second: ratio(report.requests * 1_000_000, report.microseconds),
        cpu_microseconds,
        p50_microseconds: report.p50,
        p99_microseconds: report.p99,
        resident_kib: server.resident_kib()?,
    })
}

/// Whether all that came is as many answers of `bytes` bytes, and of what had begun to arrive at the end no more than one for each
/// connection.
fn is_of_size(report: &Report, bytes: usize, connections: usize) -> bool {
    let (bytes, connections) = (count(bytes as u64), count(connections as u64));
    let expected = count(report.requests) * bytes;
    (count(report.bytes) - expected).abs() <= SAME_SIZE * expected + connections * bytes
}

/// How many clients there are at the most: those that would be more are not sent, and counted.
const CLIENTS: usize = 4_000;

/// What `bench/open-load` reports.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Flood {
    pub(super) sent: u64,
    /// Due while [`CLIENTS`] waited already.
    pub(super) unsent: u64,
    /// 200, with a whole body.
    pub(super) good: u64,
    /// Of these, what came while the load went on.
    pub(super) good_per_second: f64,
    /// 503 with a time to come back.
    pub(super) shed: u64,
    /// Any other answer.
    pub(super) wrong: u64,
    /// No answer, or half of one.
    pub(super) broken: u64,
    /// Of good answers, from when they were due, in microseconds.
    pub(super) p50: u64,
    pub(super) p99: u64,
}

/// Good answers a second to clients who ask again as soon as they are answered.
pub(super) fn capacity(
    project: &Project,
    server: &Server,
    path: &str,
    connections: usize,
    time: Duration,
) -> Result<f64> {
    let report = wrk(project, server.address, path, connections, time)?;
    if report.not_ok + report.broken > 0 || report.requests == 0 {
        return Err(format!("{} of {} answers were not good", report.not_ok + report.broken, report.requests).into());
    }
    Ok(ratio(report.requests * 1_000_000, report.microseconds))
}

/// Sends `rate` requests a second, whatever comes of them.
pub(super) fn flood(program: &Path, server: &Server, path: &str, rate: f64, time: Duration) -> Result<Flood> {
    let mut command = Command::new(program);
    command.args([&server.address.to_string(), path, &rate.to_string(), &time.as_secs().to_string()]);
    Ok(serde_json::from_str(&shell::output(command.arg(CLIENTS.to_string()))?)?)
}

/// One thread makes the load: the other core is the server's.
fn wrk(project: &Project, address: SocketAddr, path: &str, connections: usize, time: Duration) -> Result<Report> {
    let mut wrk = project.command("wrk");
    wrk.args(["--threads", "1", "--script", "bench/load.lua"]);
    wrk.args(["--connections", &connections.to_string(), "--duration", &format!("{}s", time.as_secs().max(1))]);
    let output = shell::output(wrk.arg(format!("http://{address}{path}")))?;
    let line = output.lines().find(|line| line.starts_with('{')).ok_or("wrk reported nothing")?;
    Ok(serde_json::from_str(line)?)
}

fn ratio(over: u64, under: u64) -> f64 {
    count(over) / count(under)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_another_size_are_found() {
        let report =
            |requests, bytes| Report { requests, microseconds: 1, bytes, not_ok: 0, broken: 0, p50: 1, p99: 1 };
        assert!(is_of_size(&report(1000, 100_000), 100, 16));
        // Some were cut off by the end of the load.
        assert!(is_of_size(&report(40, 4_900), 100, 16));
        assert!(!is_of_size(&report(1000, 90_000), 100, 16));
        assert!(!is_of_size(&report(1000, 120_000), 100, 16));
    }
}
