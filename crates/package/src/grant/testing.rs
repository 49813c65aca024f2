//! What the tests of all grants share.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use crate::fault::SyntaxError;

/// Asserts that `text` reads as `value`, and that `value` is written as `text`.
pub(super) fn round_trip<T>(text: &str, value: &T)
where
    T: FromStr<Err = SyntaxError> + Display + Debug + PartialEq,
{
    assert_eq!(text.parse().as_ref(), Ok(value));
    assert_eq!(value.to_string(), text);
}

/// The message with which `text` is refused.
pub(super) fn message<T: FromStr<Err = SyntaxError> + Debug>(text: &str) -> String {
    text.parse::<T>().unwrap_err().message
}

/// The hint with which `text` is refused.
pub(super) fn hint<T: FromStr<Err = SyntaxError> + Debug>(text: &str) -> String {
    text.parse::<T>().unwrap_err().hint.unwrap()
}
