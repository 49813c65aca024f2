//! Fake candidates with known distributions: what comes out has to be what went in.

use coracle_pilot::plan::{CALL, HUNDRED, Length, ROUNDS, Role, Rule, TIME};
use coracle_pilot::record::{
    About, Burst, Calls, Ended, Environment, FORMAT, Footprint, Given, Measured, Measurements, MemoryRun, Size, Window,
};
use coracle_pilot::report::{Call, Decision, Measure, Report};
use coracle_pilot::stats::{Calibration, Level};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

/// How single calls vary on a machine that does other things too: the coefficient of variation.
const SPREAD: f64 = 0.1;
/// How a whole round is slowed, both sides of a pair alike.
const WEATHER: f64 = 0.3;

/// A fake candidate: its time of a call in seconds, and its peak memory in bytes.
#[derive(Clone, Copy)]
struct Fake {
    seconds: f64,
    peak: u64,
}

/// A normal number, by Box and Muller.
fn normal(random: &mut SmallRng) -> f64 {
    let (u, v): (f64, f64) = (random.random_range(1e-12..1.0), random.random_range(0.0..1.0));
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

fn measured(name: &str, role: Role) -> Measured {
    Measured::new(About {
        name: name.to_owned(),
        role,
        description: None,
        calls: Calls::Processes,
        shown: name.to_owned(),
        guest: None,
        size: Size::default(),
        failure: None,
        warm_up: Vec::new(),
    })
}

/// A run of the default length, with all that a real one measures of commands.
fn run(seed: u64, today: Fake, port: Fake, spread: f64) -> Measurements {
    let mut random = SmallRng::seed_from_u64(seed);
    let mut all = [(today, measured("today", Role::Today)), (port, measured("port", Role::Port))];
    let mut calibrations = Vec::new();
    for round in 0..ROUNDS {
        let weather = 1.0 + WEATHER * random.random_range(0.0..1.0);
        let mut vary = || (spread * normal(&mut random)).exp() * weather;
        calibrations.push(Calibration { first: 0.005 * vary(), second: 0.005 * vary() });
        for (fake, measured) in &mut all {
            let seconds = fake.seconds * vary();
            let user = fake.seconds * 0.9 * vary();
            measured.warm.push(Burst { round, input: 0, seconds: vec![seconds], user, system: 0.0 });
            if round < 6 {
                let window =
                    Window { round, input: 0, concurrency: 2, calls: 100, seconds: 100.0 * fake.seconds * vary() };
                measured.throughput.push(window);
            }
        }
    }
    for (fake, measured) in &mut all {
        for _ in 0..5 {
            let peak = fake.peak + random.random_range(0..8_192);
            let steady = Footprint { rss: peak, pss: peak, private: peak };
            measured.memory.push(MemoryRun { input: 0, peak, steady, processes: 1 });
        }
    }
    Measurements {
        format: FORMAT,
        name: "fakes".to_owned(),
        description: None,
        price: None,
        rule: Rule::Bytes,
        length: Length { rounds: ROUNDS, time: TIME, call: CALL, storm: HUNDRED, copies: HUNDRED },
        environment: Environment::default(),
        seed,
        ended: Ended::Complete,
        inputs: vec![Given { name: "one".to_owned(), bytes: 0 }],
        calibrations,
        candidates: all.into_iter().map(|(_, measured)| measured).collect(),
        notes: Vec::new(),
    }
}

const TODAY: Fake = Fake { seconds: 0.02, peak: 40 << 20 };

#[test]
fn equal_candidates_are_called_different_in_at_most_ten_of_a_hundred_runs() {
    let different = (0..100).filter(|seed| {
        let report = Report::of(&run(*seed, TODAY, TODAY, SPREAD));
        report.comparisons[0].judged.iter().any(|judged| judged.call != Call::Same)
    });
    let different = different.count();
    assert!(different <= 10, "{different} of 100");
}

#[test]
fn a_difference_of_ten_per_cent_is_found_in_at_least_eighty_of_a_hundred_runs() {
    for (factor, call) in [(1.1, Call::More), (1.0 / 1.1, Call::Less)] {
        let port = Fake { seconds: TODAY.seconds * factor, ..TODAY };
        let found = (0..100).filter(|seed| {
            let report = Report::of(&run(*seed, TODAY, port, SPREAD / 2.0));
            report.comparisons[0].of(Measure::Latency).is_some_and(|judged| judged.call == call)
        });
        let found = found.count();
        assert!(found >= 80, "{found} of 100 for {factor}");
    }
}

#[test]
fn medians_intervals_and_ratios_are_those_that_went_in() {
    let port = Fake { seconds: 0.005, peak: 10 << 20 };
    let (mut medians, mut ratios) = (0, 0);
    for seed in 0..100 {
        let report = Report::of(&run(seed, TODAY, port, SPREAD));
        // The weather is even from 0 to 30 %: its median is 15 %.
        let p50 = report.candidates[0].figures.inputs[0].p50.unwrap();
        medians += u32::from(p50.low <= 0.023 && 0.023 <= p50.high);
        assert!((p50.value / 0.023 - 1.0).abs() < 0.15, "{p50:?}");
        let ratio = report.comparisons[0].of(Measure::Latency).unwrap().ratio;
        ratios += u32::from(ratio.low <= 0.25 && 0.25 <= ratio.high);
        let memory = report.comparisons[0].of(Measure::Memory).unwrap();
        assert!((memory.ratio.value - 0.25).abs() < 0.001 && memory.call == Call::Less, "{memory:?}");
    }
    // 95 of 100; three standard deviations are 6.5.
    assert!(medians >= 88 && ratios >= 88, "{medians} and {ratios} of 100");
}

fn decision(port: Fake, spread: f64) -> Decision {
    Report::of(&run(1, TODAY, port, spread)).verdicts[0].decision
}

#[test]
fn verdicts_follow_from_the_rules() {
    let fake = |factor: f64, peak| Fake { seconds: TODAY.seconds * factor, peak };
    assert_eq!(decision(fake(0.5, 80 << 20), 0.05), Decision::Port);
    assert_eq!(decision(fake(1.0, 10 << 20), 0.05), Decision::PortForMemoryAndStart);
    assert_eq!(decision(fake(1.15, 10 << 20), 0.05), Decision::PortForMemoryAndStart);
    assert_eq!(decision(fake(2.0, 10 << 20), 0.05), Decision::DoNotPort);
    assert_eq!(decision(fake(1.0, 40 << 20), 0.05), Decision::DoNotPort);
    assert_eq!(decision(fake(1.15, 40 << 20), 0.05), Decision::DoNotPort);
}

#[test]
fn a_machine_that_is_too_noisy_says_nothing() {
    let run = run(1, TODAY, Fake { seconds: 0.01, ..TODAY }, 2.0);
    let report = Report::of(&run);
    assert_eq!(report.noise.unwrap().level, Level::TooNoisy);
    assert_eq!(report.verdicts[0].decision, Decision::Undecided);
    assert!(report.verdicts[0].reasons[0].starts_with("the machine is too noisy"), "{:?}", report.verdicts[0]);
}

#[test]
fn the_languages_gain_is_not_booked_as_that_of_webassembly() {
    let mut run = run(1, TODAY, Fake { seconds: 0.005, ..TODAY }, 0.05);
    let mut control = run.candidates[1].clone();
    control.about.name = "native".to_owned();
    control.about.role = Role::Control;
    for burst in &mut control.warm {
        burst.seconds[0] /= 2.0;
    }
    run.candidates.push(control);
    let shared = |run: &Measurements| {
        let report = Report::of(run);
        report.verdicts[0].reasons.iter().find(|reason| reason.contains("language alone")).cloned()
    };
    let told = shared(&run).unwrap();
    assert!(told.contains("WebAssembly itself one of 2.00"), "{told}");
    // What a noisy machine cannot tell has no shares either.
    run.calibrations.truncate(3);
    run.candidates[1].warm.truncate(3);
    assert_eq!(shared(&run), None);
}

#[test]
fn few_rounds_say_nothing() {
    let mut run = run(1, TODAY, Fake { seconds: 0.01, ..TODAY }, 0.05);
    run.calibrations.truncate(3);
    for candidate in &mut run.candidates {
        candidate.warm.truncate(3);
    }
    let report = Report::of(&run);
    assert_eq!(report.verdicts[0].decision, Decision::Undecided);
    assert!(report.notes.iter().any(|note| note.contains("too few")), "{:?}", report.notes);
}

#[test]
fn a_report_that_got_slower_is_worse_and_the_same_is_not() {
    use coracle_pilot::compare::{Outcome, compare};
    let of = |seed, factor| Report::of(&run(seed, TODAY, Fake { seconds: 0.02 * factor, ..TODAY }, 0.05));
    let before = of(1, 1.0);
    assert_eq!(compare(&before, &of(2, 1.0), 0.1).outcome, Outcome::NoWorse);
    let worse = compare(&before, &of(3, 1.5), 0.1);
    assert_eq!(worse.outcome, Outcome::Worse);
    assert!(worse.lines[0].starts_with("port on one: time of a call got worse by"), "{worse:?}");
    assert_eq!(compare(&before, &of(3, 1.5), 0.9).outcome, Outcome::NoWorse);
    assert_eq!(compare(&before, &of(4, 0.5), 0.1).outcome, Outcome::NoWorse);
}
