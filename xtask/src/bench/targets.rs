//! What is aimed at, as ratios of one run, and whether it is met: read off the results that are kept.

use std::fmt::Write as _;

use super::contender::Contender::{
    self, Coracle, CoracleReuse, Native, WasmCloud, Wasmtime, WasmtimePagemap, WasmtimePooled,
};
use super::load::Sample;
use super::report::{Kept, count};
use super::{first, http, kernels, start};

/// A row of the table.
struct Target {
    what: &'static str,
    aim: Aim,
    /// `None` where its bench was not run.
    measured: fn(&Kept) -> Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Aim {
    /// A ratio.
    AtMost(f64),
    AtLeast(f64),
    /// A figure with its unit.
    UpTo(f64, &'static str),
}

const TARGETS: [Target; 25] = [
    at_most("C hello, processor time a request, of `wasmtime serve`", 0.20, |kept| {
        defaults(kept, "hello-c", "hello-c")
    }),
    at_most("the same, of `wasmtime serve` with its best flags", 0.6, |kept| best(kept, "hello-c")),
    at_most("the same, of native hyper", 2.0, |kept| {
        let http = kept.http.as_ref()?;
        ratio(cpu(http, "hello-c", Coracle), cpu(http, "hello-c", Native))
    }),
    at_most("Rust hello, processor time, of defaults", 0.25, |kept| defaults(kept, "hello-rust", "hello-rust")),
    at_most("the same, of best flags", 0.6, |kept| best(kept, "hello-rust")),
    at_most("Go hello with `snapshot = true`, processor time, of defaults without", 0.15, |kept| {
        defaults(kept, http::STARTED, "hello-go")
    }),
    at_most("JavaScript hello, processor time, of defaults", 0.15, |kept| {
        defaults(kept, "hello-javascript", "hello-javascript")
    }),
    at_most("Python hello, processor time, of defaults", 0.15, |kept| defaults(kept, "hello-python", "hello-python")),
    at_most("WASI 0.3 with reuse, processor time, of `wasmtime serve` with its reuse", 0.7, |kept| {
        let http = kept.http.as_ref()?;
        ratio(cpu(http, "hello-rust-p3", CoracleReuse), cpu(http, "hello-rust-p3", Wasmtime))
    }),
    at_least("C hello, requests a second, 16 clients, of native hyper", 0.6, |kept| rate(kept, 16, Native)),
    at_least("the same, 64 clients", 0.6, |kept| rate(kept, 64, Native)),
    at_least("C hello, requests a second, 16 clients, of wasmCloud", 3.0, |kept| rate(kept, 16, WasmCloud)),
    at_least("the same, 64 clients", 3.0, |kept| rate(kept, 64, WasmCloud)),
    at_most("C hello, 99th percentile, 64 clients, of `wasmtime serve`", 0.4, |kept| {
        let p99 = |server| median(kept, "hello-c", server, 64, |sample| count(sample.p99_microseconds));
        ratio(p99(Coracle)?, p99(Wasmtime)?)
    }),
    up_to("resident memory of `coracle serve`, one small function, idle", 12.0, "MB", |kept| {
        let idle = kept.memory.as_ref()?.idle(Coracle)?;
        Some(count(idle.memory.resident_kib) * 1024.0 / 1e6)
    }),
    at_most("private memory of a waiting request, 1,000 in flight, of `wasmtime serve`", 0.7, |kept| {
        let memory = kept.memory.as_ref()?;
        ratio(memory.waiting(Coracle)?.each_kib(), memory.waiting(Wasmtime)?.each_kib())
    }),
    at_most("`coracle run` hello, cached, wall time, of `wasmtime run hello.cwasm`", 0.35, |kept| {
        let start = kept.start.as_ref()?;
        ratio(start.median(start::OURS)?, start.median(start::PEER)?)
    }),
    at_most("`coracle serve`, start to first answer, C hello, of `wasmtime serve`", 0.5, |kept| {
        let servers = &kept.start.as_ref()?.servers;
        ratio(first::median(servers, "hello-c", Coracle)?, first::median(servers, "hello-c", Wasmtime)?)
    }),
    up_to("the same, JavaScript hello", 40.0, "ms", |kept| {
        first::median(&kept.start.as_ref()?.servers, "hello-javascript", Coracle)
    }),
    up_to("the same, Python hello", 40.0, "ms", |kept| {
        first::median(&kept.start.as_ref()?.servers, "hello-python", Coracle)
    }),
    up_to("private memory of each of many functions in one process, idle", 64.0, "KiB", |kept| {
        Some(kept.density.as_ref()?.each_kib())
    }),
    up_to("first request to any of them, the longest", 2.0, "ms", |kept| {
        Some(count(kept.density.as_ref()?.longest) / 1000.0)
    }),
    at_most("computing, of native, geometric mean", 1.10, |kept| {
        Some(kernels::geometric_mean(&kept.compute.as_ref()?.ratios()))
    }),
    at_most("computing, of native, worst kernel", 1.35, |kept| Some(kernels::worst(&kept.compute.as_ref()?.ratios()))),
    at_most("what limits cost, geometric mean", 1.08, |kept| {
        Some(kernels::geometric_mean(&kept.limits.as_ref()?.ratios()))
    }),
];

const fn at_most(what: &'static str, aim: f64, measured: fn(&Kept) -> Option<f64>) -> Target {
    Target { what, aim: Aim::AtMost(aim), measured }
}

const fn at_least(what: &'static str, aim: f64, measured: fn(&Kept) -> Option<f64>) -> Target {
    Target { what, aim: Aim::AtLeast(aim), measured }
}

const fn up_to(what: &'static str, aim: f64, unit: &'static str, measured: fn(&Kept) -> Option<f64>) -> Target {
    Target { what, aim: Aim::UpTo(aim, unit), measured }
}

/// The median of a value, if it was measured.
fn median(kept: &Kept, guest: &str, server: Contender, clients: usize, value: fn(&Sample) -> f64) -> Option<f64> {
    Some(kept.http.as_ref()?.of(guest, server, clients, value).median)
}

/// Processor time of a request with 16 clients.
fn cpu(http: &http::Results, guest: &str, server: Contender) -> f64 {
    http.of(guest, server, 16, |sample| sample.cpu_microseconds).median
}

/// Of `wasmtime serve` as it comes, which may be given another component of the same source.
fn defaults(kept: &Kept, guest: &str, theirs: &str) -> Option<f64> {
    let http = kept.http.as_ref()?;
    ratio(cpu(http, guest, Coracle), cpu(http, theirs, Wasmtime))
}

/// Of `wasmtime serve` with those flags that are best for the guest.
fn best(kept: &Kept, guest: &str) -> Option<f64> {
    let http = kept.http.as_ref()?;
    ratio(cpu(http, guest, Coracle), cpu(http, guest, WasmtimePooled).min(cpu(http, guest, WasmtimePagemap)))
}

/// Requests a second of the C hello.
fn rate(kept: &Kept, clients: usize, peer: Contender) -> Option<f64> {
    let of = |server| median(kept, "hello-c", server, clients, |sample| sample.per_second);
    ratio(of(Coracle)?, of(peer)?)
}

/// `None` where one of the two was not measured.
fn ratio(ours: f64, theirs: f64) -> Option<f64> {
    Some(ours / theirs).filter(|ratio| ratio.is_finite())
}

impl Aim {
    fn is_met(self, measured: f64) -> bool {
        match self {
            Self::AtMost(most) | Self::UpTo(most, _) => measured <= most,
            Self::AtLeast(least) => measured >= least,
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtMost(most) => format!("at most {most:.2}"),
            Self::AtLeast(least) => format!("at least {least:.1}"),
            Self::UpTo(most, unit) => format!("at most {most:.0} {unit}"),
        }
    }

    fn show(self, measured: f64) -> String {
        match self {
            Self::AtMost(_) | Self::AtLeast(_) => format!("{measured:.2}"),
            Self::UpTo(_, unit) => format!("{measured:.1} {unit}"),
        }
    }
}

/// The table of all targets.
pub(super) fn table(kept: &Kept) -> String {
    let mut text = "| what | target | measured | |\n|---|---:|---:|---|\n".to_owned();
    let (mut met, mut judged) = (0, 0);
    for Target { what, aim, measured } in TARGETS {
        let (shown, verdict) = match measured(kept) {
            None => ("not measured".to_owned(), ""),
            Some(value) => {
                judged += 1;
                met += usize::from(aim.is_met(value));
                (aim.show(value), if aim.is_met(value) { "met" } else { "not met" })
            }
        };
        // Writing to a string does not fail, here and below.
        let _ = writeln!(text, "| {what} | {} | {shown} | {verdict} |", aim.text());
    }
    let _ = write!(text, "\n{met} of {judged} that were measured are met; there are {}.\n", TARGETS.len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_aim_is_met_at_its_edge_and_not_beyond() {
        assert!(Aim::AtMost(0.2).is_met(0.2) && !Aim::AtMost(0.2).is_met(0.201));
        assert!(Aim::AtLeast(3.0).is_met(3.0) && !Aim::AtLeast(3.0).is_met(2.99));
        assert!(Aim::UpTo(12.0, "MB").is_met(11.9) && !Aim::UpTo(12.0, "MB").is_met(12.1));
        // What is no number is met by nothing.
        assert!(!Aim::AtMost(0.2).is_met(f64::NAN) && !Aim::AtLeast(0.2).is_met(f64::NAN));
    }

    #[test]
    fn what_was_not_measured_is_not_judged() {
        let text = table(&Kept::default());
        assert!(text.contains("not measured") && !text.contains("met |"), "{text}");
        assert_eq!(ratio(1.0, f64::NAN), None);
        assert_eq!(ratio(f64::NAN, 1.0), None);
    }

    #[test]
    fn rows_say_what_they_judge() {
        let machine = serde_json::json!({
            "processor": "p", "cores": 2, "memory_gib": 1, "kernel": "k", "load_before": 0.1, "day": "d",
            "coracle": "c", "wasmtime": "w", "rust": "r",
        });
        let sample = |cpu: f64, rate: f64| {
            serde_json::json!({ "per_second": rate, "cpu_microseconds": cpu, "p50_microseconds": 1, "p99_microseconds": 10,
                "resident_kib": 1 })
        };
        let row = |guest: &str, server: &str, clients: u64, sample: serde_json::Value| serde_json::json!({ "guest": guest, "server": server, "connections": clients, "idle_kib": 1, "samples": [sample] });
        let http = serde_json::json!({ "machine": machine, "seconds": 1, "rounds": 1, "rows": [
            row("hello-c", "coracle", 16, sample(12.0, 60.0)),
            row("hello-c", "wasmtime", 16, sample(100.0, 10.0)),
            row("hello-c", "wasmtime-pooled", 16, sample(30.0, 10.0)),
            row("hello-c", "wasmtime-pagemap", 16, sample(15.0, 10.0)),
            row("hello-c", "native", 16, sample(8.0, 100.0)),
            row("hello-c", "wasm-cloud", 16, sample(8.0, 30.0)),
        ]});
        let kept = Kept { http: Some(serde_json::from_value(http).unwrap()), ..Kept::default() };
        let text = table(&kept);
        for row in [
            "| C hello, processor time a request, of `wasmtime serve` | at most 0.20 | 0.12 | met |",
            "| the same, of `wasmtime serve` with its best flags | at most 0.60 | 0.80 | not met |",
            "| the same, of native hyper | at most 2.00 | 1.50 | met |",
            "| C hello, requests a second, 16 clients, of native hyper | at least 0.6 | 0.60 | met |",
            "| C hello, requests a second, 16 clients, of wasmCloud | at least 3.0 | 2.00 | not met |",
            "| Rust hello, processor time, of defaults | at most 0.25 | not measured |  |",
        ] {
            assert!(text.contains(row), "no {row:?} in\n{text}");
        }
        assert!(text.contains("3 of 5 that were measured are met"), "{text}");
    }
}
