//! W3C trace context: which trace a request belongs to.
//!
//! The header `traceparent` names the trace and the caller's span; `tracestate` carries what tracing systems add. This
//! follows the recommendation of 23 November 2021 (level 1) and reads later versions by its rules for them.

use std::fmt;
use std::str::FromStr;

/// Longest `tracestate` that is passed on, in bytes: what the recommendation asks to pass at least (section 3.3.1.5).
pub const MAX_STATE: usize = 512;

/// Members of a `tracestate` (section 3.3.1.1).
pub const MAX_STATE_MEMBERS: usize = 32;

/// A trace and a span in it.
///
/// ```
/// use coracle_daemon::trace::Context;
///
/// let header = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/// let here = Context::parent([header.as_slice()]).unwrap().child();
/// assert_eq!(here.trace_id(), "0af7651916cd43dd8448eb211c80319c");
/// assert_ne!(here.span_id(), "b7ad6b7169203331", "a span of its own");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Context {
    trace: [u8; 16],
    span: [u8; 8],
    flags: u8,
}

/// The flag that says that the caller may have recorded the trace.
const SAMPLED: u8 = 1;

/// Length of a `traceparent` of version 00, and of its start in later ones.
const LENGTH: usize = 55;

impl Context {
    /// A new trace with its first span, both random.
    pub fn root(sampled: bool) -> Context {
        Context { trace: random(), span: random(), flags: u8::from(sampled) * SAMPLED }
    }

    /// What a request's `traceparent` headers name, where there is exactly one and it is valid.
    pub fn parent<'a>(headers: impl IntoIterator<Item = &'a [u8]>) -> Option<Context> {
        let mut headers = headers.into_iter();
        match (headers.next(), headers.next()) {
            (Some(header), None) => std::str::from_utf8(header).ok()?.parse().ok(),
            _ => None,
        }
    }

    /// Another span in the same trace.
    #[must_use]
    pub fn child(&self) -> Context {
        Context { span: random(), ..*self }
    }

    /// The trace's identity as 32 hexadecimal digits.
    pub fn trace_id(&self) -> String {
        format!("{:032x}", u128::from_be_bytes(self.trace))
    }

    /// The span's identity as 16 hexadecimal digits.
    pub fn span_id(&self) -> String {
        format!("{:016x}", u64::from_be_bytes(self.span))
    }

    /// Whether the trace may be recorded.
    pub fn sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }
}

/// The header's text, in version 00.
impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        write_hex(&self.trace, &mut text[3..35]);
        write_hex(&self.span, &mut text[36..52]);
        write_hex(&[self.flags], &mut text[53..]);
        // Digits and dashes are text.
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

/// A `traceparent` that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the traceparent is not valid")]
pub struct ParseError;

impl FromStr for Context {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Context, ParseError> {
        let bytes = text.as_bytes();
        let (head, rest) = bytes.split_at_checked(LENGTH).ok_or(ParseError)?;
        let [version] = hex::<1>(&head[..2])?;
        let dashes = head[2] == b'-' && head[35] == b'-' && head[52] == b'-';
        // Version ff is none; later ones may go on after a dash, version 00 may not.
        let length = match version {
            0 => rest.is_empty(),
            0xff => false,
            _ => rest.is_empty() || rest[0] == b'-',
        };
        let (trace, span) = (hex::<16>(&head[3..35])?, hex::<8>(&head[36..52])?);
        let [flags] = hex::<1>(&head[53..])?;
        if !dashes || !length || trace == [0; 16] || span == [0; 8] {
            return Err(ParseError);
        }
        // Only the flags that version 00 defines are passed on.
        Ok(Context { trace, span, flags: flags & SAMPLED })
    }
}

/// Writes lower-case hexadecimal digits, two for each byte, for as long as there is room.
///
/// Every request has some: the formatting of the standard library takes ten times as long.
pub fn write_hex(bytes: &[u8], digits: &mut [u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
}

/// Reads lower-case hexadecimal digits; there are two for each byte.
fn hex<const N: usize>(digits: &[u8]) -> Result<[u8; N], ParseError> {
    let digit = |digit: u8| match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(ParseError),
    };
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = (digit(pair[0])? << 4) | digit(pair[1])?;
    }
    Ok(bytes)
}

/// Random bytes that are not all zero, which means "none".
fn random<const N: usize>() -> [u8; N]
where
    rand::distr::StandardUniform: rand::distr::Distribution<[u8; N]>,
{
    loop {
        let bytes = rand::random::<[u8; N]>();
        if bytes != [0; N] {
            return bytes;
        }
    }
}

/// Brings a request's `tracestate` headers to the one that is passed on: joined, at most [`MAX_STATE_MEMBERS`] members
/// and [`MAX_STATE`] bytes, whole members left out at the end. `None` if there is nothing, or anything not valid: the
/// state is then dropped whole.
pub fn state<'a>(headers: impl IntoIterator<Item = &'a [u8]>) -> Option<String> {
    let mut state = String::new();
    let mut keys: Vec<&str> = Vec::new();
    for header in headers {
        for member in std::str::from_utf8(header).ok()?.split(',') {
            let member = member.trim_matches([' ', '\t']);
            if member.is_empty() {
                continue;
            }
            let (key, value) = member.split_once('=')?;
            if !is_state_key(key) || !is_state_value(value) || keys.contains(&key) || keys.len() == MAX_STATE_MEMBERS {
                return None;
            }
            keys.push(key);
            if state.len() + 1 + member.len() <= MAX_STATE {
                if !state.is_empty() {
                    state.push(',');
                }
                state.push_str(member);
            }
        }
    }
    (!state.is_empty()).then_some(state)
}

/// Section 3.3.1.3.1: a simple key, or a tenant's at a system.
fn is_state_key(key: &str) -> bool {
    let part = |part: &str, longest: usize, digit_first: bool| {
        let mut bytes = part.bytes();
        let first = bytes.next().is_some_and(|b| b.is_ascii_lowercase() || (digit_first && b.is_ascii_digit()));
        let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-*/".contains(&byte);
        first && part.len() <= longest && bytes.all(legal)
    };
    match key.split_once('@') {
        None => part(key, 256, false),
        Some((tenant, system)) => part(tenant, 241, true) && part(system, 14, false),
    }
}

/// Section 3.3.1.3.2: printable ASCII without comma and equals sign, not ending in a space.
fn is_state_value(value: &str) -> bool {
    let legal = |byte: u8| matches!(byte, b' '..=b'~') && byte != b',' && byte != b'=';
    (1..=256).contains(&value.len()) && value.bytes().all(legal) && !value.ends_with(' ')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_header_is_read_and_written() {
        let context: Context = PARENT.parse().unwrap();
        assert_eq!(context.to_string(), PARENT);
        assert_eq!(context.trace_id(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(context.span_id(), "b7ad6b7169203331");
        assert!(context.sampled());
    }

    #[test]
    fn what_the_recommendation_forbids_is_refused() {
        for text in [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "0g-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0x",
            "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01what",
            " 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(text.parse::<Context>(), Err(ParseError), "{text}");
        }
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        for text in [
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff-what-comes-then",
        ] {
            assert_eq!(text.parse::<Context>().unwrap().to_string(), PARENT);
        }
    }

    #[test]
    fn a_child_is_another_span_of_the_trace() {
        let parent: Context = PARENT.parse().unwrap();
        let child = parent.child();
        assert_eq!(child.trace_id(), parent.trace_id());
        assert_ne!(child.span_id(), parent.span_id());
        assert!(child.sampled());
    }

    #[test]
    fn two_headers_or_a_bad_one_name_no_parent() {
        let trace = "0af7651916cd43dd8448eb211c80319c";
        assert_eq!(Context::parent([PARENT.as_bytes()]).unwrap().trace_id(), trace);
        assert_eq!(Context::parent([PARENT.as_bytes(), PARENT.as_bytes()]), None);
        assert_eq!(Context::parent([b"nonsense".as_slice()]), None);
        assert_eq!(Context::parent([]), None);
    }

    #[test]
    fn state_is_joined_checked_and_bounded() {
        let join = |headers: &[&str]| state(headers.iter().map(|header| header.as_bytes()));
        assert_eq!(join(&["a=1, b=2", "", "\tt@sys=3 "]).as_deref(), Some("a=1,b=2,t@sys=3"));
        assert_eq!(join(&[]), None);
        assert_eq!(join(&["a=1,a=2"]), None);
        assert_eq!(join(&["A=1"]), None);
        assert_eq!(join(&["a=1=2"]), None);
        assert_eq!(join(&["a=", "b=1"]), None);
        assert_eq!(join(&["a=\u{7f}"]), None);
        let many: Vec<String> = (0..33).map(|n| format!("k{n}=v")).collect();
        assert_eq!(join(&[&many.join(",")]), None);
        let long = format!("a={},b={},c=1", "x".repeat(256), "y".repeat(256));
        assert_eq!(join(&[&long]), Some(format!("a={},c=1", "x".repeat(256))));
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in ".{0,80}", bytes: Vec<u8>) {
            let _ = text.parse::<Context>();
            let _ = state([bytes.as_slice(), text.as_bytes()]);
        }

        #[test]
        fn what_is_written_is_read(sampled: bool) {
            let context = Context::root(sampled);
            prop_assert_eq!(context.to_string().parse(), Ok(context));
        }
    }
}
