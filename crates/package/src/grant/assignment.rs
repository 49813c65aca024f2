//! Names with a value: `NAME=VALUE`, for environment variables and for wasi:config.

use std::fmt;
use std::str::FromStr;

use crate::fault::SyntaxError;

/// A name and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// What stands before the first `=`.
    pub name: String,
    /// What stands after it; it may be empty and may hold more of them.
    pub value: String,
}

impl Assignment {
    /// Reads `text`, which is written as `form`, and says so by `example` when it is not.
    pub(super) fn read(text: &str, form: &str, example: &str) -> Result<Self, SyntaxError> {
        let wrong = |message: String| SyntaxError::new(message).hint(format!("write {form}, like `{example}`"));
        let Some((name, value)) = text.split_once('=') else {
            return Err(wrong(format!("{text:?} has no `=`")));
        };
        if name.is_empty() {
            return Err(wrong(format!("{text:?} has no name before `=`")));
        }
        check_name(name)?;
        if value.contains('\0') {
            return Err(SyntaxError::new(format!("the value of `{name}` holds a NUL character")));
        }
        Ok(Self { name: name.to_owned(), value: value.to_owned() })
    }
}

/// Checks the name of an environment variable or of a key.
pub(crate) fn check_name(name: &str) -> Result<(), SyntaxError> {
    if name.is_empty() {
        return Err(SyntaxError::new("a name cannot be empty"));
    }
    if name.chars().any(|c| c == '=' || c.is_control()) {
        return Err(SyntaxError::new(format!("the name {name:?} holds `=` or a control character")));
    }
    if name.trim() != name {
        return Err(SyntaxError::new(format!("the name {name:?} starts or ends with a space"))
            .hint(format!("write `{}`", name.trim())));
    }
    Ok(())
}

impl FromStr for Assignment {
    type Err = SyntaxError;

    fn from_str(text: &str) -> Result<Self, SyntaxError> {
        Self::read(text, "NAME=VALUE", "LANG=C")
    }
}

impl fmt::Display for Assignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grant::testing::{hint, message, round_trip};

    #[test]
    fn the_first_equals_sign_parts_name_and_value() {
        let assignment = |name: &str, value: &str| Assignment { name: name.into(), value: value.into() };
        round_trip("A=b", &assignment("A", "b"));
        round_trip("A=", &assignment("A", ""));
        round_trip("A=b=c", &assignment("A", "b=c"));
        round_trip("PATH= /bin ", &assignment("PATH", " /bin "));
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert_eq!(message::<Assignment>("A"), r#""A" has no `=`"#);
        assert_eq!(hint::<Assignment>("A"), "write NAME=VALUE, like `LANG=C`");
        assert_eq!(message::<Assignment>("=b"), r#""=b" has no name before `=`"#);
        assert_eq!(message::<Assignment>("A =b"), r#"the name "A " starts or ends with a space"#);
        assert_eq!(message::<Assignment>("A=\0"), "the value of `A` holds a NUL character");
    }
}
