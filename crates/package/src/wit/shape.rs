//! The structure of a type.

use std::fmt;

use crate::inspect::InterfaceName;

/// The structure of a type. A type that has a name of its own is referred to by it, and defined once, in its interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A type without parts, as WIT names it: `u32`, `string`, ...
    Plain(&'static str),
    /// A record, variant, enum, set of flags or resource, by name.
    Named(TypeName),
    /// Fields in their order.
    Record(Vec<(String, Shape)>),
    /// Cases in their order, some of them with a value.
    Variant(Vec<(String, Option<Shape>)>),
    /// Cases in their order.
    Enum(Vec<String>),
    /// Flags in their order.
    Flags(Vec<String>),
    /// A resource.
    Resource,
    /// A type made of others: `list<T>`, `result<_, E>`, `borrow<R>`, ... A part that is absent is written `_`.
    Of(&'static str, Vec<Option<Shape>>),
    /// A list whose length is fixed.
    Array(Box<Shape>, u32),
}

/// The name of a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeName {
    /// The interface that defines it; a world may define types too.
    pub interface: Option<InterfaceName>,
    /// Its name there.
    pub name: String,
}

impl Shape {
    /// What kind of type it is, in a word.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Plain(name) => name,
            Self::Named(_) => "type",
            Self::Record(_) => "record",
            Self::Variant(_) => "variant",
            Self::Enum(_) => "enum",
            Self::Flags(_) => "flags",
            Self::Resource => "resource",
            Self::Of(name, _) => name,
            Self::Array(..) => "list",
        }
    }
}

/// The type as WIT writes it where it is used; the definition of a named type in one line.
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(name) => f.write_str(name),
            Self::Named(TypeName { name, .. }) => f.write_str(name),
            Self::Record(fields) => braces(f, "record", fields.iter().map(|(name, shape)| format!("{name}: {shape}"))),
            Self::Variant(cases) => braces(
                f,
                "variant",
                cases.iter().map(|(name, shape)| match shape {
                    Some(shape) => format!("{name}({shape})"),
                    None => name.clone(),
                }),
            ),
            Self::Enum(cases) => braces(f, "enum", cases.iter().cloned()),
            Self::Flags(flags) => braces(f, "flags", flags.iter().cloned()),
            Self::Resource => f.write_str("resource"),
            Self::Of(name, parts) => {
                f.write_str(name)?;
                // `result<_, _>` is written `result`, `result<T, _>` is written `result<T>`.
                let used = parts.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
                for (index, part) in parts.iter().take(used).enumerate() {
                    f.write_str(if index == 0 { "<" } else { ", " })?;
                    match part {
                        Some(part) => write!(f, "{part}")?,
                        None => f.write_str("_")?,
                    }
                }
                f.write_str(if used > 0 { ">" } else { "" })
            }
            Self::Array(of, length) => write!(f, "list<{of}, {length}>"),
        }
    }
}

fn braces(f: &mut fmt::Formatter<'_>, word: &str, items: impl Iterator<Item = String>) -> fmt::Result {
    let items: Vec<String> = items.collect();
    write!(f, "{word} {{ {} }}", items.join(", "))
}
