//! Events as JSON, one object on a line each.
//!
//! A server writes one for every request, so that this is a part of what a request costs: an event goes into one buffer,
//! field by field, and from there to its sink.

use std::fmt::{self, Debug, Write as _};
use std::io::Write as _;

use serde::Serializer;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::layer::Context;

use super::Sink;

/// Room for most lines, in bytes.
const LINE: usize = 768;

/// Writes every event to a sink: `timestamp`, `level`, the event's own fields, `target`.
pub(super) struct Lines(pub(super) Sink);

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Line { bytes: Vec::with_capacity(LINE), text: String::new(), target: None };
        line.begin(event);
        event.record(&mut line);
        let bytes = line.end(event);
        // The sink counts what it cannot take.
        let _ = (&self.0).write_all(&bytes);
    }
}

/// An object in the making.
struct Line {
    bytes: Vec<u8>,
    /// A value's text, before it is quoted.
    text: String,
    /// Where an event came from that was handed on from the `log` crate.
    target: Option<String>,
}

impl Line {
    fn begin(&mut self, event: &Event<'_>) {
        self.bytes.extend_from_slice(b"{\"timestamp\":\"");
        let mut time = Time(&mut self.bytes);
        // A clock that cannot be read leaves the text empty.
        let _ = SystemTime.format_time(&mut Writer::new(&mut time));
        self.bytes.extend_from_slice(b"\",\"level\":\"");
        self.bytes.extend_from_slice(event.metadata().level().as_str().as_bytes());
        self.bytes.push(b'"');
    }

    fn end(mut self, event: &Event<'_>) -> Vec<u8> {
        let target = self.target.take();
        let target = target.as_deref().unwrap_or_else(|| event.metadata().target());
        self.add("target", |json| json.serialize_str(target));
        self.bytes.extend_from_slice(b"}\n");
        self.bytes
    }

    /// Adds a member. One that cannot be written is left out: the others are worth having.
    fn add(
        &mut self,
        name: &str,
        value: impl FnOnce(&mut serde_json::Serializer<&mut Vec<u8>>) -> serde_json::Result<()>,
    ) {
        let before = self.bytes.len();
        self.bytes.push(b',');
        let mut json = serde_json::Serializer::new(&mut self.bytes);
        let key = json.serialize_str(name);
        json.into_inner().push(b':');
        let mut json = serde_json::Serializer::new(&mut self.bytes);
        if key.and_then(|()| value(&mut json)).is_err() {
            self.bytes.truncate(before);
        }
    }

    fn field(
        &mut self,
        field: &Field,
        value: impl FnOnce(&mut serde_json::Serializer<&mut Vec<u8>>) -> serde_json::Result<()>,
    ) {
        let name = field.name();
        // Fields by which events of the `log` crate are handed on.
        if !name.starts_with("log.") {
            self.add(name.strip_prefix("r#").unwrap_or(name), value);
        }
    }
}

impl Visit for Line {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.field(field, |json| json.serialize_f64(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.field(field, |json| json.serialize_i64(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.field(field, |json| json.serialize_u64(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.field(field, |json| json.serialize_bool(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "log.target" {
            self.target = Some(value.to_owned());
        }
        self.field(field, |json| json.serialize_str(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        let formatted = write!(text, "{value:?}").map_err(serde::ser::Error::custom);
        self.field(field, |json| formatted.and_then(|()| json.serialize_str(&text)));
        self.text = text;
    }
}

/// Text that needs no escape: digits and separators.
struct Time<'a>(&'a mut Vec<u8>);

impl fmt::Write for Time<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}
