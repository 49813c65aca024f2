//! One case: what is attacked, how, and what must come of it.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use support::App;

use crate::command::Run;
use crate::guest::Guest;
use crate::neighbour::{self, Visits};
use crate::report::{Row, milliseconds};
use crate::stage::{Asked, Stage};

/// How long the neighbour is asked before the attack.
const QUIET: Duration = Duration::from_secs(2);

/// How long an attack goes on at the least: one that is over sooner is done again.
const ATTACK: Duration = Duration::from_secs(3);

/// The neighbour's p99 under attack is at most this many times its quiet one,
const FACTOR: u32 = 3;

/// or this, whichever is more.
const SLOW: Duration = Duration::from_millis(20);

/// The neighbour is measured so often before it is believed that it suffers: other programs run on this machine too.
const MEASUREMENTS: usize = 5;

/// By how much the server's memory may grow unless the case says otherwise, in MiB: some instances, buffers, what the
/// allocator keeps.
const GROWTH: u64 = 64;

/// What one attack came to.
pub struct Seen {
    /// How it ended, in a word or two for the table.
    pub outcome: String,
    /// How long it took.
    pub time: Duration,
}

type Attack = Box<dyn Fn(Arc<Stage>) -> Pin<Box<dyn Future<Output = Seen> + Send>> + Send + Sync>;

/// A case.
pub struct Case {
    /// Its name in the table and for the command line.
    pub name: &'static str,
    guest: Guest,
    manifest: &'static str,
    beside: &'static str,
    flags: &'static [&'static str],
    growth: u64,
    prepare: fn(&App),
    attack: Attack,
    run: Option<Run>,
}

/// Requests that are sent at once, and what must come of each.
#[derive(Clone, Copy)]
pub struct Ask {
    /// How many.
    pub count: usize,
    /// Where to.
    pub path: &'static str,
    /// The status of each answer.
    pub status: u16,
    /// The outcome in each access line.
    pub outcome: &'static str,
    /// How long each may take, generously: the machine may be busy.
    pub within: Duration,
    /// Whether each answer comes to its end.
    pub whole: bool,
    /// The CPU time after which the guest must be ended: within a tenth of it, or 20 ms.
    pub cpu: Option<Duration>,
}

impl Default for Ask {
    fn default() -> Self {
        Self {
            count: 4,
            path: "/",
            status: 200,
            outcome: "ok",
            within: Duration::from_secs(10),
            whole: true,
            cpu: None,
        }
    }
}

impl Case {
    /// `guest`, asked in a way that must end as `ask` says.
    pub fn asking(name: &'static str, guest: Guest, ask: Ask) -> Self {
        Self::new(name, guest, move |stage| async move { ask.of(&stage).await })
    }

    /// `guest`, attacked by a client. The attack is done over and over for some seconds, so one round should be short.
    pub fn new<F>(name: &'static str, guest: Guest, attack: impl Fn(Arc<Stage>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Seen> + Send + 'static,
    {
        let attack: Attack = Box::new(move |stage| Box::pin(attack(stage)));
        let (manifest, beside, flags, growth) = ("", "", &[][..], GROWTH);
        Self { name, guest, manifest, beside, flags, growth, prepare: |_| {}, attack, run: None }
    }

    /// More lines of the attacked component in the manifest: `limits = {...}`, `grants = {...}`.
    pub fn manifest(self, manifest: &'static str) -> Self {
        Self { manifest, ..self }
    }

    /// More tables of the manifest: other components, routes.
    pub fn beside(self, beside: &'static str) -> Self {
        Self { beside, ..self }
    }

    /// Flags of `coracle serve`.
    pub fn flags(self, flags: &'static [&'static str]) -> Self {
        Self { flags, ..self }
    }

    /// By how much the server's memory may grow, in MiB.
    pub fn growth(self, growth: u64) -> Self {
        Self { growth, ..self }
    }

    /// What is put into the app's folder before it is served.
    pub fn prepare(self, prepare: fn(&App)) -> Self {
        Self { prepare, ..self }
    }

    /// The guest attacks `coracle run` too.
    pub fn run_as(self, run: Run) -> Self {
        Self { run: Some(run), ..self }
    }

    /// Plays the case; panics where something does not hold.
    pub fn run(&self) -> Row {
        let app = self.app();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let stage = Arc::new(Stage::set(app, self.flags));
        // Whatever happens only once, of instances and buffers, has happened.
        Visits::begin(stage.address).end();
        let mut row = self.measure(&runtime, &stage);
        for _ in 1..MEASUREMENTS {
            if row.attacked <= bound(row.quiet) {
                break;
            }
            row = self.measure(&runtime, &stage);
        }
        assert!(
            row.attacked <= bound(row.quiet),
            "the neighbour's p99 is {} under attack, and {} without",
            milliseconds(row.attacked),
            milliseconds(row.quiet)
        );
        row.command = self.run.map_or_else(|| "-".to_owned(), |run| run.of(self.guest));
        row
    }

    fn app(&self) -> App {
        let Self { manifest, beside, .. } = self;
        let path = neighbour::PATH;
        let app = App::new(&format!(
            r#"
            [app]
            name = "hostile"
            [component.attacked]
            source = "attacked.wasm"
            {manifest}
            [[route]]
            path = "/*"
            component = "attacked"
            [component.neighbour]
            source = "@hello-rust"
            [[route]]
            path = "{path}"
            component = "neighbour"
            {beside}
            "#
        ));
        app.write("attacked.wasm", self.guest.bytes());
        (self.prepare)(&app);
        app
    }

    fn measure(&self, runtime: &tokio::runtime::Runtime, stage: &Arc<Stage>) -> Row {
        let visits = Visits::begin(stage.address);
        std::thread::sleep(QUIET);
        let quiet = visits.end();
        let before = stage.server.resident();
        stage.server.forget_peak();

        let visits = Visits::begin(stage.address);
        let began = Instant::now();
        let (mut outcome, mut time) = (String::new(), Duration::ZERO);
        while began.elapsed() < ATTACK {
            let seen = runtime.block_on((self.attack)(Arc::clone(stage)));
            outcome = seen.outcome;
            time = time.max(seen.time);
        }
        let attacked = visits.end();
        let memory = stage.server.peak();
        let growth = memory.saturating_sub(before);
        assert!(growth >> 20 <= self.growth, "the server grew by {} MiB, and may by {}", growth >> 20, self.growth);
        Row { name: self.name, outcome, time, memory, growth, quiet, attacked, command: String::new() }
    }
}

impl Ask {
    /// Asks, and checks what came of it.
    pub async fn of(self, stage: &Stage) -> Seen {
        let asked = join_all((0..self.count).map(|_| stage.ask(self.path))).await;
        for asked in &asked {
            self.check(asked);
        }
        let time = asked.iter().map(|asked| asked.time).max().unwrap_or_default();
        Seen { outcome: self.outcome.to_owned(), time }
    }

    fn check(self, asked: &Asked) {
        let Asked { status, outcome, time, line, body, whole, .. } = asked;
        assert_eq!((*status, outcome.as_str()), (self.status, self.outcome), "{body}\n{line}");
        assert_eq!(*whole, self.whole, "whether the answer is whole: {line}");
        assert!(*time <= self.within, "it took {time:?}, and may take {:?}: {line}", self.within);
        if let Some(limit) = self.cpu {
            let used = Duration::from_micros(line["cpu_us"].as_u64().expect("CPU time in the access line"));
            let over = (limit / 10).max(Duration::from_millis(20));
            assert!(used >= limit && used <= limit + over, "{used:?} of CPU time, where {limit:?} is the limit");
        }
    }
}

/// The neighbour's p99 may be this much under attack.
fn bound(quiet: Duration) -> Duration {
    (quiet * FACTOR).max(SLOW)
}
