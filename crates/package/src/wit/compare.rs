//! Two interfaces side by side, item by item. What a difference means depends on who compares: an old version with a new
//! one, or what is asked for with what is offered.

use std::collections::BTreeSet;

use super::{Call, Function, Interface, Shape};

/// One item in which two interfaces differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Function or type.
    pub noun: Noun,
    /// Its name.
    pub name: String,
    /// What the left one says, as WIT, if it has the item.
    pub left: Option<String>,
    /// What the right one says, as WIT, if it has the item.
    pub right: Option<String>,
    /// Where exactly they differ, if both have it.
    pub details: Vec<Detail>,
}

/// What an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noun {
    /// A function.
    Function,
    /// A type.
    Type,
}

/// One piece of an item in which the sides differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detail {
    /// The piece: "parameter `count`", "field `price`", "the result".
    pub what: String,
    /// What the left one has there; empty where a name is all there is to say.
    pub left: Option<String>,
    /// What the right one has there; empty where a name is all there is to say.
    pub right: Option<String>,
}

/// Every item in which two interfaces differ: types first, since functions follow from them.
pub fn compare(left: &Interface, right: &Interface) -> Vec<Difference> {
    let types: BTreeSet<&String> = left.types.keys().chain(right.types.keys()).collect();
    let functions: BTreeSet<&String> = left.functions.keys().chain(right.functions.keys()).collect();
    let types = types.into_iter().filter_map(|name| {
        let (left, right) = (left.types.get(name), right.types.get(name));
        let details = left.zip(right).map(|(left, right)| compare_types(left, right));
        difference(Noun::Type, name, left.map(Shape::to_string), right.map(Shape::to_string), details)
    });
    let functions = functions.into_iter().filter_map(|name| {
        let (left, right) = (left.functions.get(name), right.functions.get(name));
        let details = left.zip(right).map(|(left, right)| compare_functions(left, right));
        difference(Noun::Function, name, left.map(Function::to_string), right.map(Function::to_string), details)
    });
    types.chain(functions).collect()
}

/// `details` is there where both sides have the item, and empty where they agree on it.
fn difference(
    noun: Noun,
    name: &str,
    left: Option<String>,
    right: Option<String>,
    details: Option<Vec<Detail>>,
) -> Option<Difference> {
    match details {
        Some(details) if details.is_empty() => None,
        details => Some(Difference { noun, name: name.to_owned(), left, right, details: details.unwrap_or_default() }),
    }
}

fn compare_functions(left: &Function, right: &Function) -> Vec<Detail> {
    let mut details = Vec::new();
    if left.call != right.call {
        details.push(detail("it", Some(called(left.call).to_owned()), Some(called(right.call).to_owned())));
    }
    if left.is_async != right.is_async {
        let waits = |function: &Function| Some(if function.is_async { "async" } else { "not async" }.to_owned());
        details.push(detail("it", waits(left), waits(right)));
    }
    compare_named("parameter", &left.params, &right.params, &mut details);
    match (&left.result, &right.result) {
        (Some(left), Some(right)) if same(left, right) => {}
        (None, None) => {}
        (left, right) => {
            let shown = |shape: &Option<Shape>| Some(shape.as_ref().map_or("nothing".to_owned(), Shape::to_string));
            details.push(detail("the result", shown(left), shown(right)));
        }
    }
    details
}

fn called(call: Call) -> &'static str {
    match call {
        Call::Free => "a function",
        Call::Method => "a method",
        Call::Static => "a static function",
        Call::Constructor => "a constructor",
    }
}

fn compare_types(left: &Shape, right: &Shape) -> Vec<Detail> {
    let mut details = Vec::new();
    let bare = |names: &[String]| names.iter().map(|name| (name.clone(), None)).collect::<Vec<_>>();
    match (left, right) {
        (Shape::Record(left), Shape::Record(right)) => compare_named("field", left, right, &mut details),
        (Shape::Variant(left), Shape::Variant(right)) => compare_cases("case", left, right, &mut details),
        (Shape::Enum(left), Shape::Enum(right)) => compare_cases("case", &bare(left), &bare(right), &mut details),
        (Shape::Flags(left), Shape::Flags(right)) => compare_cases("flag", &bare(left), &bare(right), &mut details),
        (left, right) if same(left, right) => {}
        (left, right) => details.push(detail("it", Some(a(left.kind())), Some(a(right.kind())))),
    }
    details
}

fn a(kind: &str) -> String {
    match kind {
        "flags" => "flags".to_owned(),
        "enum" => "an enum".to_owned(),
        kind => format!("a {kind}"),
    }
}

fn compare_named(noun: &str, left: &[(String, Shape)], right: &[(String, Shape)], details: &mut Vec<Detail>) {
    let some =
        |list: &[(String, Shape)]| list.iter().map(|(name, shape)| (name.clone(), Some(shape.clone()))).collect();
    let (left, right): (Vec<_>, Vec<_>) = (some(left), some(right));
    compare_cases(noun, &left, &right, details);
}

/// Compares lists of named pieces: which are missing, which are another type, and whether what both have is in one order.
fn compare_cases(
    noun: &str,
    left: &[(String, Option<Shape>)],
    right: &[(String, Option<Shape>)],
    details: &mut Vec<Detail>,
) {
    let before = details.len();
    let valued = |shape: &Option<Shape>| shape.as_ref().map_or("without a value".to_owned(), Shape::to_string);
    let shown = |shape: &Option<Shape>| shape.as_ref().map(Shape::to_string).unwrap_or_default();
    // A single piece that has another name, at the same place and of the same type, was renamed.
    let renamed: Vec<_> = match left.len() == right.len() {
        true => left.iter().zip(right).filter(|(left, right)| left.0 != right.0).collect(),
        false => Vec::new(),
    };
    if let [(one, other)] = renamed.as_slice()
        && same_or_none(&one.1, &other.1)
    {
        details.push(detail(&format!("the name of a {noun}"), Some(one.0.clone()), Some(other.0.clone())));
        return;
    }
    for (name, shape) in left {
        match right.iter().find(|(other, _)| other == name) {
            None => details.push(detail(&format!("{noun} `{name}`"), Some(shown(shape)), None)),
            Some((_, other)) if same_or_none(shape, other) => {}
            Some((_, other)) => {
                details.push(detail(&format!("{noun} `{name}`"), Some(valued(shape)), Some(valued(other))));
            }
        }
    }
    for (name, shape) in right.iter().filter(|(name, _)| !left.iter().any(|(other, _)| other == name)) {
        details.push(detail(&format!("{noun} `{name}`"), None, Some(shown(shape))));
    }
    let names = |list: &[(String, Option<Shape>)]| list.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    if details.len() == before && names(left) != names(right) {
        let order = |list| Some(names(list).join(", "));
        details.push(detail(&format!("the order of the {noun}s"), order(left), order(right)));
    }
}

fn detail(what: &str, left: Option<String>, right: Option<String>) -> Detail {
    Detail { what: what.to_owned(), left, right }
}

fn same_or_none(left: &Option<Shape>, right: &Option<Shape>) -> bool {
    match (left, right) {
        (Some(left), Some(right)) => same(left, right),
        (None, None) => true,
        _ => false,
    }
}

/// Whether two types are one where they are used. Named types are compared where they are defined.
fn same(left: &Shape, right: &Shape) -> bool {
    match (left, right) {
        (Shape::Named(left), Shape::Named(right)) => {
            let interface = |name: &super::TypeName| name.interface.as_ref().map(|interface| interface.name.clone());
            left.name == right.name && interface(left) == interface(right)
        }
        (Shape::Of(left, left_parts), Shape::Of(right, right_parts)) => {
            left == right
                && left_parts.len() == right_parts.len()
                && left_parts.iter().zip(right_parts).all(|(left, right)| same_or_none(left, right))
        }
        (Shape::Array(left, length), Shape::Array(right, other)) => length == other && same(left, right),
        (left, right) => left == right,
    }
}
