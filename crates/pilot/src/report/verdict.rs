//! What to do about each port, in words and from stated rules.

use serde::{Deserialize, Serialize};

use super::format::{percent, seconds, times};
use super::judge::{Call, Comparison, Judged, Measure};
use crate::plan::Role;
use crate::record::{Calls, Measured, Measurements};
use crate::stats::{Level, Noise, median};

/// What has to be gained for a port to be worth its work, as a share.
const WORTH: f64 = 0.1;
/// How much slower, as a share, a port may be that is made for memory and start.
const BEARABLE: f64 = 0.25;
/// The share of processor time in the kernel from which on a port's time is said to go into calls of the host.
const HOST_CALLS: f64 = 0.4;
/// The resident memory from which on a guest with 32-bit addresses is near its end.
const NEAR_32_BITS: u64 = 2 << 30;
/// Languages that bring an interpreter into the guest.
const INTERPRETED: [&str; 2] = ["Python", "JavaScript"];

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// Port it.
    Port,
    /// Port it for memory and start, but not for speed.
    PortForMemoryAndStart,
    /// Do not port it.
    DoNotPort,
    /// It cannot be told from this run.
    Undecided,
}

impl Decision {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Port => "Port it",
            Self::PortForMemoryAndStart => "Port it for memory and start, but not for speed",
            Self::DoNotPort => "Do not port it",
            Self::Undecided => "This run cannot tell",
        }
    }
}

/// What to do about a port, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The port.
    pub name: String,
    /// What to do.
    pub decision: Decision,
    /// Why: the rule that decided first, then what else was seen.
    pub reasons: Vec<String>,
    /// What to try next.
    pub next: Vec<String>,
}

/// The rules, as a report states them.
pub(super) fn rules() -> Vec<String> {
    vec![
        "A candidate that answers differently, crashes or takes too long is not ported.".to_owned(),
        "A difference counts when its 99 % interval leaves out 1 and it is larger than the noise floor, the difference that \
         two equal calibration loops seem to have on this machine. Anything else is inside the noise."
            .to_owned(),
        format!(
            "Port it: a call takes at least {} less time, or as much time and at least that much less processor time.",
            percent(WORTH)
        ),
        format!(
            "Port it for memory and start, but not for speed: a call takes at most {} more time, and peak memory or the start \
             is at least {} less.",
            percent(BEARABLE),
            percent(WORTH)
        ),
        "Do not port it: everything else.".to_owned(),
        format!(
            "This run cannot tell: the machine was too noisy, there were too few pairs, or an interval is so wide that it holds \
             both no difference and one of {}.",
            percent(BEARABLE)
        ),
    ]
}

/// The verdicts on all ports.
pub(super) fn verdicts(run: &Measurements, noise: Option<&Noise>, comparisons: &[Comparison]) -> Vec<Verdict> {
    let Some(today) = run.candidates.iter().find(|measured| measured.about.role == Role::Today) else {
        return Vec::new();
    };
    let ports = run.candidates.iter().filter(|measured| measured.about.role == Role::Port);
    let of = |port: &Measured| {
        let with = |name: &str| comparisons.iter().find(|it| it.name == port.about.name && it.with == name);
        let mut verdict = decide(port, today, noise, with(&today.about.name));
        if verdict.decision == Decision::Undecided || port.about.failure.is_some() {
            return verdict;
        }
        for control in run
            .candidates
            .iter()
            .filter(|measured| measured.about.role == Role::Control && measured.about.guest.is_none())
        {
            let to_today = comparisons.iter().find(|it| it.name == control.about.name && it.with == today.about.name);
            verdict.reasons.extend(share_of_control(control, to_today, with(&control.about.name)));
        }
        verdict
    };
    ports.map(of).collect()
}

fn decide(port: &Measured, today: &Measured, noise: Option<&Noise>, comparison: Option<&Comparison>) -> Verdict {
    let verdict = |decision, reason: String| Verdict {
        name: port.about.name.clone(),
        decision,
        reasons: vec![reason],
        next: Vec::new(),
    };
    if let Some(failure) = &port.about.failure {
        let mut verdict = verdict(Decision::DoNotPort, failed(failure));
        verdict.reasons.extend(failure.details.iter().cloned());
        verdict.next.push("make it answer as the function does today, and run the pilot again".to_owned());
        return verdict;
    }
    if let Some(failure) = &today.about.failure {
        let mut verdict = verdict(Decision::Undecided, format!("`{}` failed: {}", today.about.name, failed(failure)));
        verdict.next.push("mend the function as it runs today, or take the input out".to_owned());
        return verdict;
    }
    if let Some(noise) = noise.filter(|noise| noise.level == Level::TooNoisy) {
        let what = format!(
            "the machine is too noisy: equal loops seem to differ by {}, and half of them are spread over {} of their median",
            percent(noise.floor),
            percent(noise.spread)
        );
        let mut verdict = verdict(Decision::Undecided, what);
        verdict.next.push("measure on a machine that does nothing else".to_owned());
        return verdict;
    }
    let judged = comparison.and_then(|it| Some((it, it.of(Measure::Latency)?)));
    let Some((comparison, latency)) = judged else {
        let mut verdict = verdict(Decision::Undecided, "there are too few pairs of calls to compare".to_owned());
        verdict.next.push("let the run go on for more rounds".to_owned());
        return verdict;
    };
    let mut verdict = by_speed(port, comparison, latency);
    explain(&mut verdict, port, comparison);
    verdict.reasons.extend(share_of_start(port, today));
    verdict
}

/// How much of every call is the start of the runtime, where a port starts one for each: seen where there is least to do.
fn share_of_start(port: &Measured, today: &Measured) -> Option<String> {
    if port.about.guest.is_none() || (port.about.calls, today.about.calls) != (Calls::Processes, Calls::Processes) {
        return None;
    }
    let takes = |measured: &Measured, input: usize| {
        let bursts = measured.warm.iter().filter(|burst| burst.input == input);
        median(&bursts.flat_map(|burst| burst.seconds.iter().copied()).collect::<Vec<_>>())
    };
    let inputs = today.warm.iter().map(|burst| burst.input).max()?;
    let (lightest, light) = (0..=inputs)
        .filter_map(|input| Some((input, takes(today, input)?)))
        .min_by(|(_, one), (_, other)| one.total_cmp(other))?;
    let ports = takes(port, lightest)?;
    (ports > light * (1.0 + BEARABLE)).then(|| {
        format!(
            "time goes into starts: where there is least to do a call takes {}, and today's {}",
            seconds(ports),
            seconds(light)
        )
    })
}

/// What went wrong, with where.
fn failed(failure: &crate::record::Failure) -> String {
    let on = failure.input.as_ref().map(|input| format!(" on the input {input}")).unwrap_or_default();
    let when = if failure.run == 0 { String::new() } else { format!(" in run {}", failure.run) };
    format!("{}{on}{when}", failure.what)
}

fn by_speed(port: &Measured, comparison: &Comparison, latency: &Judged) -> Verdict {
    let saves =
        |measure| comparison.of(measure).filter(|it| it.call == Call::Less && it.ratio.value <= 1.0 / (1.0 + WORTH));
    let light: Vec<&Judged> = [Measure::Memory, Measure::Start].into_iter().filter_map(saves).collect();
    let wide = latency.call == Call::Same && latency.ratio.decides_high > 1.0 + BEARABLE;
    let (decision, reason) = if let Some(faster) = saves(Measure::Latency) {
        (Decision::Port, said(faster))
    } else if let (Call::Same, Some(cpu)) = (latency.call, saves(Measure::Cpu)) {
        (Decision::Port, format!("{}, and {}", said(latency), said(cpu)))
    } else if wide {
        (Decision::Undecided, format!("{}, and the interval is too wide to say how large one could be", said(latency)))
    } else if latency.call == Call::More && latency.ratio.value > 1.0 + BEARABLE {
        (Decision::DoNotPort, said(latency))
    } else if let Some(gain) = light.first() {
        (Decision::PortForMemoryAndStart, format!("{}, and {}", said(latency), said(gain)))
    } else {
        (Decision::DoNotPort, format!("{}, and neither memory nor start gain {}", said(latency), percent(WORTH)))
    };
    Verdict { name: port.about.name.clone(), decision, reasons: vec![reason], next: Vec::new() }
}

/// A judgement in words.
pub(super) fn said(judged: &Judged) -> String {
    let (name, value) = (judged.measure.name(), judged.ratio.value);
    let interval = format!("95 % interval {} to {}", times(judged.ratio.low), times(judged.ratio.high));
    match judged.call {
        Call::Same => format!("{name}: no difference beyond the noise ({} times, {interval})", times(value)),
        Call::Less => format!("{name}: {} times less ({interval} of today's)", times(1.0 / value)),
        Call::More => format!("{name}: {} times as much ({interval})", times(value)),
    }
}

/// Adds what else was seen, where time goes, and what to try.
fn explain(verdict: &mut Verdict, port: &Measured, comparison: &Comparison) {
    let told: Vec<String> =
        comparison.judged.iter().map(said).filter(|text| !verdict.reasons[0].contains(text.as_str())).collect();
    verdict.reasons.extend(told);
    let slower = comparison.of(Measure::Latency).is_some_and(|latency| latency.call != Call::Less);
    let Some(guest) = port.about.guest.as_ref().filter(|_| slower) else { return };
    let (user, system) = port.warm.iter().fold((0.0, 0.0), |(user, system), it| (user + it.user, system + it.system));
    let interpreted = guest.language.as_deref().filter(|language| INTERPRETED.contains(language));
    if let Some(language) = interpreted {
        verdict
            .reasons
            .push(format!("time goes into the interpreter: {language} runs on one that is inside the guest"));
        verdict.next.push("port the slow part to a compiled language, and keep the rest as it is".to_owned());
        verdict
            .next
            .push("let the toolchain take a snapshot of the interpreter after its start, where it can".to_owned());
    }
    if system > HOST_CALLS * (user + system) {
        let share = percent(system / (user + system));
        verdict.reasons.push(format!("time goes into the kernel: {share} of the processor time, by calls of the host"));
        verdict.next.push("read and write in larger pieces: each call of the host copies and checks".to_owned());
    }
    if interpreted.is_none() && !guest.simd {
        verdict.reasons.push("the guest has no SIMD instructions, which native compilers use by themselves".to_owned());
        verdict.next.push("build with SIMD: -msimd128 in C and C++, -C target-feature=+simd128 in Rust".to_owned());
    }
    if !guest.wide && port.memory.iter().any(|memory| memory.peak > NEAR_32_BITS) {
        verdict.reasons.push("the guest has 32-bit addresses and comes near their end, 4 GiB".to_owned());
        verdict.next.push("work on the data in pieces".to_owned());
    }
    match port.about.calls {
        Calls::Processes => verdict.next.push(
            "serve it over HTTP: a process is started for each call here, and its start is in every figure".to_owned(),
        ),
        Calls::Requests => {
            verdict.next.push("let instances serve several calls (`reuse`), where the guest allows it".to_owned());
        }
    }
}

/// How much of a port's gain is its language's: the language without WebAssembly, measured beside.
fn share_of_control(control: &Measured, to_today: Option<&Comparison>, of_port: Option<&Comparison>) -> Option<String> {
    let language = to_today?.of(Measure::Latency)?.ratio.value;
    let wasm = of_port?.of(Measure::Latency)?;
    Some(format!(
        "of this, the language alone makes a factor of {} (`{}` takes {} times today's time), and WebAssembly itself one of {} \
         (95 % interval {} to {})",
        times(1.0 / language),
        control.about.name,
        times(language),
        times(wasm.ratio.value),
        times(wasm.ratio.low),
        times(wasm.ratio.high)
    ))
}
