//! Logs: text for people, JSON for machines, on the standard error stream.

use std::fmt;
use std::str::FromStr;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

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
        Format::Json => {
            let json = layer().json().flatten_event(true).with_current_span(false).with_writer(sink);
            registry.with(json).try_init()?;
        }
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

    #[test]
    fn json_events_are_one_object_with_their_fields() {
        let (sink, written) = Sink::to_memory();
        let json = layer().json().flatten_event(true).with_current_span(false).with_writer(sink.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(json), || {
            tracing::info!(request = "r\"1", status = 200, "access\nline");
        });
        sink.flush();
        let text = written.text();
        let event: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(event["message"], "access\nline");
        assert_eq!(event["request"], "r\"1");
        assert_eq!(event["status"], 200);
        assert_eq!(event["level"], "INFO");
        assert_eq!(text.lines().count(), 1);
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
