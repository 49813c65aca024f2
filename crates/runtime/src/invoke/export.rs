//! Which exported function a name means, and what its signature is.

use std::fmt;

use wasm_wave::wasm::DisplayType;
use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Component, Type};
use wasmtime::{Module, ValType};

use super::InvokeError;

/// A function that a component exports, by itself or inside an interface.
pub(super) struct ComponentExport {
    /// The interface with its package and version, such as `ns:pkg/interface@1.0.0`.
    pub(super) interface: Option<String>,
    pub(super) name: String,
    pub(super) parameters: Vec<Type>,
    pub(super) results: Vec<Type>,
    names: Vec<String>,
}

impl ComponentExport {
    /// The function that `wanted` names.
    ///
    /// A name may leave out its version, its package or its interface, as long as one function only fits.
    pub(super) fn find(component: &Component, wanted: &str) -> Result<Self, InvokeError> {
        let all = Self::all(component);
        let wanted = Wanted::parse(wanted);
        let mut fitting: Vec<Self> = all.into_iter().filter(|export| wanted.fits(export)).collect();
        // A function of the component itself has no longer name to tell it by.
        if wanted.interface.is_none()
            && let Some(own) = fitting.iter().position(|export| export.interface.is_none())
        {
            return Ok(fitting.swap_remove(own));
        }
        match fitting.len() {
            1 => Ok(fitting.swap_remove(0)),
            0 => Err(InvokeError::NoFunction {
                name: wanted.to_string(),
                functions: Self::all(component).iter().map(Self::signature).collect(),
            }),
            _ => Err(InvokeError::Ambiguous {
                name: wanted.to_string(),
                functions: fitting.iter().map(Self::signature).collect(),
            }),
        }
    }

    fn all(component: &Component) -> Vec<Self> {
        let mut found = Vec::new();
        let ty = component.component_type();
        for (name, item) in ty.exports(component.engine()) {
            match item.ty {
                ComponentItem::ComponentFunc(function) => found.push(Self::new(None, name, &function)),
                ComponentItem::ComponentInstance(interface) => {
                    for (function, item) in interface.exports(component.engine()) {
                        if let ComponentItem::ComponentFunc(ty) = item.ty {
                            found.push(Self::new(Some(name), function, &ty));
                        }
                    }
                }
                _ => {}
            }
        }
        found
    }

    fn new(interface: Option<&str>, name: &str, ty: &ComponentFunc) -> Self {
        Self {
            interface: interface.map(str::to_owned),
            name: name.to_owned(),
            names: ty.params().map(|(name, _)| name.to_owned()).collect(),
            parameters: ty.params().map(|(_, ty)| ty).collect(),
            results: ty.results().collect(),
        }
    }

    /// The whole name and the types, as in WIT.
    pub(super) fn signature(&self) -> String {
        let parameters: Vec<String> =
            self.names.iter().zip(&self.parameters).map(|(name, ty)| format!("{name}: {}", Shown(ty))).collect();
        let interface = self.interface.as_ref().map(|name| format!("{name}.")).unwrap_or_default();
        let results: Vec<String> = self.results.iter().map(|ty| Shown(ty).to_string()).collect();
        signature(&format!("{interface}{}", self.name), &parameters, &results)
    }
}

/// A function that a core module exports.
pub(super) struct ModuleExport {
    pub(super) name: String,
    pub(super) parameters: Vec<ValType>,
    pub(super) results: Vec<ValType>,
}

impl ModuleExport {
    pub(super) fn find(module: &Module, wanted: &str) -> Result<Self, InvokeError> {
        let mut all = Vec::new();
        for export in module.exports() {
            let Some(ty) = export.ty().func().cloned() else { continue };
            let (parameters, results) = (ty.params().collect(), ty.results().collect());
            let found = Self { name: export.name().to_owned(), parameters, results };
            if found.name == wanted {
                return Ok(found);
            }
            all.push(found.signature());
        }
        Err(InvokeError::NoFunction { name: wanted.to_owned(), functions: all })
    }

    pub(super) fn signature(&self) -> String {
        let shown = |types: &[ValType]| types.iter().map(ToString::to_string).collect::<Vec<_>>();
        signature(&self.name, &shown(&self.parameters), &shown(&self.results))
    }
}

fn signature(name: &str, parameters: &[String], results: &[String]) -> String {
    let results = match results {
        [] => String::new(),
        [result] => format!(" -> {result}"),
        results => format!(" -> ({})", results.join(", ")),
    };
    format!("{name}({}){results}", parameters.join(", "))
}

/// A type as in WIT, also where WAVE has none.
struct Shown<'a>(&'a Type);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Type::Own(_) => f.write_str("own<resource>"),
            Type::Borrow(_) => f.write_str("borrow<resource>"),
            Type::Stream(stream) => payload(f, "stream", stream.ty()),
            Type::Future(future) => payload(f, "future", future.ty()),
            Type::ErrorContext => f.write_str("error-context"),
            Type::Map(map) => write!(f, "map<{}, {}>", Shown(&map.key()), Shown(&map.value())),
            ty => DisplayType(ty).fmt(f),
        }
    }
}

fn payload(f: &mut fmt::Formatter<'_>, kind: &str, ty: Option<Type>) -> fmt::Result {
    match ty {
        Some(ty) => write!(f, "{kind}<{}>", Shown(&ty)),
        None => f.write_str(kind),
    }
}

/// A function's name as it was asked for.
struct Wanted<'a> {
    interface: Option<&'a str>,
    version: Option<&'a str>,
    function: &'a str,
}

impl<'a> Wanted<'a> {
    /// Reads `ns:pkg/interface@version.function`, and the same with the version at the end, as WAVE has it.
    fn parse(wanted: &'a str) -> Self {
        if let Some((path, version)) = wanted.rsplit_once('@')
            && let Some((interface, function)) = path.rsplit_once('.')
            && version.starts_with(|first: char| first.is_ascii_digit())
        {
            return Self { interface: Some(interface), version: Some(version), function };
        }
        match wanted.rsplit_once('.') {
            Some((path, function)) => {
                let (interface, version) = path.split_once('@').map_or((path, None), |(path, v)| (path, Some(v)));
                Self { interface: Some(interface), version, function }
            }
            None => Self { interface: None, version: None, function: wanted },
        }
    }

    fn fits(&self, export: &ComponentExport) -> bool {
        if self.function != export.name {
            return false;
        }
        let Some(wanted) = self.interface else { return true };
        let Some(interface) = &export.interface else { return false };
        let (path, version) = interface.split_once('@').map_or((interface.as_str(), None), |(p, v)| (p, Some(v)));
        let short = path.rsplit_once('/').map_or(path, |(_, short)| short);
        (wanted == path || wanted == short) && (self.version.is_none() || self.version == version)
    }
}

impl fmt::Display for Wanted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(interface) = self.interface {
            f.write_str(interface)?;
            if let Some(version) = self.version {
                write!(f, "@{version}")?;
            }
            f.write_str(".")?;
        }
        f.write_str(self.function)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_with_and_without_interface_and_version() {
        for (text, interface, version, function) in [
            ("run", None, None, "run"),
            ("math.add", Some("math"), None, "add"),
            ("ns:pkg/math.add", Some("ns:pkg/math"), None, "add"),
            ("ns:pkg/math@1.2.3.add", Some("ns:pkg/math"), Some("1.2.3"), "add"),
            ("ns:pkg/math@0.3.0-rc-2025-09-16.add", Some("ns:pkg/math"), Some("0.3.0-rc-2025-09-16"), "add"),
            ("ns:pkg/math.add@1.2.3", Some("ns:pkg/math"), Some("1.2.3"), "add"),
        ] {
            let wanted = Wanted::parse(text);
            assert_eq!((wanted.interface, wanted.version, wanted.function), (interface, version, function), "{text}");
        }
    }
}
