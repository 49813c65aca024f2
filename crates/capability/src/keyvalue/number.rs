//! Numbers as stores keep them: decimal text, as in Redis.

use bytes::Bytes;

use super::StoreError;

/// The number in `value`, zero if there is none, plus `delta`. Only what this writes is read: no sign but `-`, no
/// leading zeros, no spaces.
pub(super) fn add(value: Option<&[u8]>, delta: i64) -> Result<i64, StoreError> {
    let number = match value {
        None => 0,
        Some(bytes) => std::str::from_utf8(bytes)
            .ok()
            .and_then(|text| text.parse::<i64>().ok().filter(|number| number.to_string() == text))
            .ok_or(StoreError::NotANumber)?,
    };
    number.checked_add(delta).ok_or(StoreError::OutOfRange)
}

/// `number` as it is kept.
pub(super) fn text(number: i64) -> Bytes {
    Bytes::from(number.to_string())
}
