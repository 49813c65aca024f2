//! Calls one exported function, with arguments and result in WAVE, the text form of WIT's values.

mod export;

use std::sync::Arc;

use coracle_package::limit::Limits;
use wasm_wave::parser::ParserError;
use wasm_wave::untyped::UntypedFuncCall;
use wasm_wave::wasm::{DisplayFuncResults, WasmType, WasmTypeKind, WasmValue};
use wasmtime::component::{self, InstancePre};
use wasmtime::{Module, Val};

use crate::app::Guest;
use crate::authority::Authority;
use crate::command::{StartError, link_component, profiler};
use crate::compile::Code;
use crate::current::Current;
use crate::engine::Engine;
use crate::host::{Host, Stdio};
use crate::invocation::Invocation;
use crate::module::{self, INITIALIZE, Preview1};
use crate::session::{Finished, Observation, Session};
use export::{ComponentExport, ModuleExport};

/// Why a function could not be called.
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    /// No exported function has this name.
    #[error("it exports no function `{name}`")]
    NoFunction {
        /// The name that was asked for.
        name: String,
        /// Every function that there is, with its signature.
        functions: Vec<String>,
    },
    /// Several have it.
    #[error("it exports several functions `{name}`")]
    Ambiguous {
        /// The name that was asked for.
        name: String,
        /// Their full names and signatures.
        functions: Vec<String>,
    },
    /// The call is not WAVE, or its arguments are not those of the function.
    #[error("{message}")]
    Arguments {
        /// What is wrong.
        message: String,
        /// Where in the call it is, in characters from its start.
        column: usize,
        /// The function's signature, if the function is known.
        signature: Option<String>,
    },
    /// WAVE has no form for a parameter or the result.
    #[error("`{signature}` takes or gives a resource, a stream or a future, which cannot be written as text")]
    Unwritable {
        /// The function's signature.
        signature: String,
    },
    /// The guest could not be started.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// Calls the function that `call` names, such as `render("# Title")` or `ns:pkg/interface.function(1, 2)`.
///
/// The result is in WAVE; it is empty when the function gives none, and `None` when the call did not come to its end.
///
/// # Errors
/// When there is no such function, its arguments do not fit, or the guest cannot be started.
pub async fn invoke(
    engine: &Engine,
    guest: &Guest,
    call: &str,
    arguments: &[String],
    observation: Observation,
) -> Result<(Finished, Option<String>), InvokeError> {
    let call = Call::parse(call)?;
    let Guest { code, authority, .. } = guest;
    let current = Current::of(&Arc::new(Invocation::new(&authority.limits, observation.logs.clone(), None)));
    let profiler = profiler(engine, code, &observation)?;
    match code {
        Code::Module(module) => {
            let export = ModuleExport::find(module, call.name)?;
            let parameters = call.arguments::<Val>(&export.parameters, &export.signature())?;
            let store = Preview1::store(engine, authority, &current, arguments).map_err(StartError::Engine)?;
            let session = Session::new(engine, store, current, profiler, observation);
            invoke_module(engine, module, authority, session, &export, &parameters).await
        }
        Code::Component(component) => {
            let export = ComponentExport::find(component, call.name)?;
            let parameters = call.arguments::<component::Val>(&export.parameters, &export.signature())?;
            let store = Host::new(engine, authority, &current, Stdio::Inherit, arguments)
                .and_then(|host| host.into_store(engine, component.engine()))
                .map_err(StartError::Engine)?;
            writable(&export.results, &export.signature())?;
            let linked = link_component(engine, component, &observation.name, &guest.imports)?;
            let _clock = guest.clock(engine);
            let session = Session::new(engine, store, current, profiler, observation);
            Ok(invoke_component(linked, &authority.limits, session, &export, &parameters).await)
        }
    }
}

async fn invoke_module(
    engine: &Engine,
    module: &Module,
    authority: &Authority,
    session: Session<Preview1>,
    export: &ModuleExport,
    parameters: &[Val],
) -> Result<(Finished, Option<String>), InvokeError> {
    writable(&export.results, &export.signature())?;
    let linker = module::link(engine, module, authority)?;
    Ok(session
        .run(&authority.limits, async |store| {
            let instance = linker.instantiate_async(&mut *store, module).await?;
            if instance.get_func(&mut *store, INITIALIZE).is_some() {
                instance.get_typed_func::<(), ()>(&mut *store, INITIALIZE)?.call_async(&mut *store, ()).await?;
            }
            let function = instance.get_func(&mut *store, &export.name).ok_or_else(gone)?;
            let mut results = vec![Val::I32(0); export.results.len()];
            function.call_async(store, parameters, &mut results).await?;
            Ok(write(&results))
        })
        .await)
}

async fn invoke_component(
    linked: InstancePre<Host>,
    limits: &Limits,
    session: Session<Host>,
    export: &ComponentExport,
    parameters: &[component::Val],
) -> (Finished, Option<String>) {
    session
        .run(limits, async |store| {
            let instance = linked.instantiate_async(&mut *store).await?;
            let interface = match &export.interface {
                Some(name) => Some(instance.get_export_index(&mut *store, None, name).ok_or_else(gone)?),
                None => None,
            };
            let index = instance.get_export_index(&mut *store, interface.as_ref(), &export.name).ok_or_else(gone)?;
            let function = instance.get_func(&mut *store, index).ok_or_else(gone)?;
            let mut results = vec![component::Val::Bool(false); export.results.len()];
            function.call_async(store, parameters, &mut results).await?;
            Ok(write(&results))
        })
        .await
}

/// An instance has the exports of its type.
fn gone() -> wasmtime::Error {
    wasmtime::format_err!("an export of the component's type is missing in its instance")
}

fn write<V: WasmValue>(results: &[V]) -> String {
    if results.is_empty() { String::new() } else { DisplayFuncResults(results).to_string() }
}

/// Finds out before the call whether its result can be shown.
fn writable<T: WasmType>(types: &[T], signature: &str) -> Result<(), InvokeError> {
    if types.iter().all(is_writable) {
        return Ok(());
    }
    Err(InvokeError::Unwritable { signature: signature.to_owned() })
}

fn is_writable<T: WasmType>(ty: &T) -> bool {
    let all = |mut types: Box<dyn Iterator<Item = T> + '_>| types.all(|ty| is_writable(&ty));
    match ty.kind() {
        WasmTypeKind::Unsupported => false,
        WasmTypeKind::List | WasmTypeKind::FixedLengthList => all(Box::new(ty.list_element_type().into_iter())),
        WasmTypeKind::Record => all(Box::new(ty.record_fields().map(|(_, ty)| ty))),
        WasmTypeKind::Tuple => all(ty.tuple_element_types()),
        WasmTypeKind::Variant => all(Box::new(ty.variant_cases().filter_map(|(_, ty)| ty))),
        WasmTypeKind::Option => all(Box::new(ty.option_some_type().into_iter())),
        WasmTypeKind::Result => {
            let (ok, error) = ty.result_types().unwrap_or_default();
            all(Box::new(ok.into_iter().chain(error)))
        }
        _ => true,
    }
}

/// What was asked for: a function's name and its arguments, still without types.
struct Call<'a> {
    name: &'a str,
    /// Where the arguments begin in what was asked for.
    start: usize,
    arguments: UntypedFuncCall<'static>,
}

/// Stands for the function while its arguments are read: names of WIT interfaces are looked up by our own rules.
const PLACEHOLDER: &str = "f";

impl<'a> Call<'a> {
    /// Reads `name(arguments)`, or a bare `name` for no arguments.
    fn parse(call: &'a str) -> Result<Self, InvokeError> {
        let start = call.find('(').unwrap_or(call.len());
        let (name, rest) = call.split_at(start);
        let name = name.trim();
        if name.is_empty() {
            let message = "the call begins with no function's name".to_owned();
            return Err(InvokeError::Arguments { message, column: 0, signature: None });
        }
        let rest = if rest.is_empty() { "()" } else { rest };
        let text = format!("{PLACEHOLDER}{rest}");
        match UntypedFuncCall::parse(&text) {
            Ok(arguments) => Ok(Self { name, start, arguments: arguments.into_owned() }),
            Err(error) => Err(fault(&error, start, None)),
        }
    }

    /// The arguments as values of the function's parameters.
    fn arguments<V: WasmValue + 'static>(&self, types: &[V::Type], signature: &str) -> Result<Vec<V>, InvokeError> {
        writable(types, signature)?;
        self.arguments.to_wasm_params(types.iter()).map_err(|error| fault(&error, self.start, Some(signature)))
    }
}

fn fault(error: &ParserError, start: usize, signature: Option<&str>) -> InvokeError {
    let mut message = format!("the arguments cannot be read: {}", error.kind());
    if let Some(detail) = error.detail() {
        message = format!("{message}: {detail}");
    } else if let Some(source) = std::error::Error::source(error) {
        message = format!("{message}: {source}");
    }
    let column = (start + error.span().start).saturating_sub(PLACEHOLDER.len());
    InvokeError::Arguments { message, column, signature: signature.map(str::to_owned) }
}
