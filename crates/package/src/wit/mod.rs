//! The types of what a component asks for and offers, read from components, core modules and WIT text into one shape that
//! can be compared: names and structure, and nothing of where it was found.

mod compare;
mod load;
mod lower;
mod shape;

use std::collections::BTreeMap;
use std::fmt;

use crate::inspect::InterfaceName;
pub use compare::{Detail, Difference, Noun, compare};
pub use load::{WitError, World, interfaces_of, of_binary, of_path, text_of};
pub use shape::{Shape, TypeName};

/// What a component asks for and what it offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surface {
    /// What it asks for.
    pub imports: Side,
    /// What it offers.
    pub exports: Side,
}

/// One side of a surface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Side {
    /// Functions and types that belong to no interface.
    pub own: Interface,
    /// The interfaces by name and version.
    pub interfaces: BTreeMap<InterfaceName, Interface>,
}

/// What an interface has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// Its functions. Those of resources are named `cart.add`, constructors `cart.constructor`.
    pub functions: BTreeMap<String, Function>,
    /// The types that it defines. An alias is none of them: it stands for what it names, wherever it is used.
    pub types: BTreeMap<String, Shape>,
}

impl Interface {
    /// Whether it has neither a function nor a type.
    pub fn is_empty(&self) -> bool {
        self.functions.is_empty() && self.types.is_empty()
    }
}

/// What a function takes and gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// How it is called.
    pub call: Call,
    /// Whether it may wait before it returns.
    pub is_async: bool,
    /// Its parameters by name, without the resource that a method is called on.
    pub params: Vec<(String, Shape)>,
    /// What it returns.
    pub result: Option<Shape>,
}

/// How a function is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// By its name.
    Free,
    /// On a resource.
    Method,
    /// On the type of a resource.
    Static,
    /// To make a resource.
    Constructor,
}

/// The function as WIT writes it, without its name.
impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.call == Call::Static {
            f.write_str("static ")?;
        }
        if self.is_async {
            f.write_str("async ")?;
        }
        f.write_str("func(")?;
        for (index, (name, shape)) in self.params.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{name}: {shape}")?;
        }
        f.write_str(")")?;
        self.result.iter().try_for_each(|result| write!(f, " -> {result}"))
    }
}
