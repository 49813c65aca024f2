//! Logs: text for people, JSON for machines, on the standard error stream.

use std::fmt;
use std::str::FromStr;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

mod json;
mod sink;

pub use sink::{MAX_QUEUED_BYTES, Sink};

/// How events are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One readable line each.
    Text {
        /// Whether with colours.
        colour: bool,
    },
    /// One JSON object on a line each, the event's fields beside `timestamp`, `level` and `target`.
    Json,
}

impl Format {
    /// Text on a `terminal`, else JSON; colours unless `NO_COLOR` is in the environment and not empty, whose value, if
    /// any, the program's entry point passes.
    pub fn auto(terminal: bool, no_color: Option<&str>) -> Format {
        if terminal { Format::Text { colour: no_color.is_none_or(str::is_empty) } } else { Format::Json }
    }
}

/// Which events are written: a level (`info`), or levels by target (`info,coracle_server=debug`), as `RUST_LOG` has it.
pub struct Filter(EnvFilter);

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Filter, FilterError> {
        EnvFilter::builder()
            .parse(text)
            .map(Filter)
            .map_err(|error| FilterError { filter: text.to_owned(), message: error.to_string() })
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Filter({})", self.0)
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A filter that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the log filter {filter:?} is not valid: {message}")]
pub struct FilterError {
    filter: String,
    message: String,
}

/// Logs are set up already.
#[derive(Debug, thiserror::Error)]
#[error("logs are set up already")]
pub struct InitError(#[from] TryInitError);

/// Writes this process's events to `sink` from now on.
///
/// # Errors
/// [`InitError`] if this was done before.
pub fn init(format: Format, filter: Filter, sink: Sink) -> Result<(), InitError> {
    let registry = tracing_subscriber::registry().with(filter.0);
    match format {
        Format::Text { colour } => registry.with(layer().with_ansi(colour).with_writer(sink)).try_init()?,
        Format::Json => registry.with(json::Lines(sink)).try_init()?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_follows_the_terminal_and_no_color() {
        assert_eq!(Format::auto(true, None), Format::Text { colour: true });
        assert_eq!(Format::auto(true, Some("")), Format::Text { colour: true });
        assert_eq!(Format::auto(true, Some("1")), Format::Text { colour: false });
        assert_eq!(Format::auto(false, None), Format::Json);
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_named() {
        assert_eq!("info,coracle_server=debug".parse::<Filter>().unwrap().to_string(), "coracle_server=debug,info");
        let error = "info,x=loud".parse::<Filter>().unwrap_err().to_string();
        assert!(error.starts_with("the log filter \"info,x=loud\" is not valid: "), "{error}");
    }

    /// What is written of the events that `say` gives.
    fn json(say: impl FnOnce()) -> String {
        let (sink, written) = Sink::to_memory();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(json::Lines(sink.clone())), say);
        sink.flush();
        written.text()
    }

    #[test]
    fn json_events_are_one_object_with_their_fields() {
        let text = json(|| {
            let client = std::net::Ipv4Addr::LOCALHOST;
            let none = None::<u64>;
            tracing::info!(request = "r\"1", status = 200, ratio = 0.5, less = -1, whole = true, %client, none, r#type = ?"x\n", "access\nline");
        });
        let event: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(event["message"], "access\nline");
        assert_eq!(event["request"], "r\"1");
        assert_eq!(event["status"], 200);
        assert_eq!(event["ratio"], 0.5);
        assert_eq!(event["less"], -1);
        assert_eq!(event["whole"], true);
        assert_eq!(event["client"], "127.0.0.1");
        assert_eq!(event["type"], "\"x\\n\"");
        assert_eq!(event["level"], "INFO");
        assert_eq!(event["target"], module_path!());
        assert!(event.get("none").is_none());
        let time = event["timestamp"].as_str().unwrap();
        assert!(time.len() == "2026-01-02T03:04:05.123456Z".len() && time.ends_with('Z'), "{time}");
        assert_eq!(text.lines().count(), 1);
    }

    #[test]
    fn a_field_that_cannot_be_written_is_left_out_alone() {
        struct Faulty;
        impl fmt::Debug for Faulty {
            fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
                Err(fmt::Error)
            }
        }
        let text = json(|| tracing::info!(before = 1, faulty = ?Faulty, after = 2, "line"));
        let event: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&event["before"], &event["after"]), (&1.into(), &2.into()), "{text}");
        assert!(event.get("faulty").is_none());
    }

    #[test]
    fn text_events_keep_to_one_line() {
        let (sink, written) = Sink::to_memory();
        let text = layer().with_ansi(false).with_writer(sink.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(text), || {
            tracing::info!(guest = "a\nb\u{1b}[31m", "line");
        });
        sink.flush();
        let text = written.text();
        assert_eq!(text.lines().count(), 1, "{text:?}");
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }
}
