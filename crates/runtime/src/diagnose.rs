//! What a guest that failed may have lacked: what the host saw refused, and what it imports and was granted none of.

use std::fmt;

use wasmtime::Module;
use wasmtime::component::Component;

use crate::authority::Authority;
use crate::compile::Code;
use crate::invocation::Refusal;

/// Something that a guest did not have, and the grant that would give it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    /// What it wanted, as a sentence: "connecting to `tcp://10.0.0.1:80` was refused".
    pub what: String,
    /// The flag of `coracle run` that grants it.
    pub flag: String,
    /// The line in the manifest, under the component's grants, that does.
    pub key: String,
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; `{}` grants it, in a manifest `{}`", self.what, self.flag, self.key)
    }
}

/// What the guest lacked, if anything was refused to it. Nothing was if this is empty: its failure is its own.
#[must_use]
pub fn lacks(code: &Code, authority: &Authority, refusals: &[Refusal]) -> Vec<Lack> {
    if refusals.is_empty() {
        return Vec::new();
    }
    let mut lacks: Vec<Lack> = refusals.iter().map(refused).collect();
    // Most languages look for their folders at every start. That alone says nothing of what else a guest may have missed.
    if refusals == [Refusal::Folders] {
        return lacks;
    }
    let seen = |kind: &Kind| refusals.iter().any(|refusal| kind.covers(refusal));
    let imports = imports(code);
    let imported =
        |kind: &Kind| imports.iter().any(|import| kind.imports.iter().any(|prefix| import.starts_with(prefix)));
    let missing = KINDS.iter().filter(|kind| (kind.none_granted)(authority) && !seen(kind) && imported(kind));
    lacks.extend(missing.map(|kind| Lack {
        what: format!("it can use {} and was granted none", kind.name),
        flag: kind.flag.to_owned(),
        key: kind.key.to_owned(),
    }));
    lacks
}

fn refused(refusal: &Refusal) -> Lack {
    match refusal {
        Refusal::Socket(refused) => network(&format!("using `{}` was refused", refused.grant()), &refused.grant()),
        Refusal::Name(refused) => network(&format!("looking up `{}` was refused", refused.host), &refused.grant()),
        Refusal::Request(refused) => {
            network(&format!("a request to `{}` was refused", refused.grant()), &refused.grant())
        }
        Refusal::Listen(address) => Lack {
            what: format!("listening on `{address}` was refused"),
            flag: format!("--listen {address}"),
            key: format!("listen = [\"{address}\"]"),
        },
        Refusal::Folders => Lack {
            what: "it looked for its folders and was granted none".to_owned(),
            flag: FOLDER_FLAG.to_owned(),
            key: FOLDER_KEY.to_owned(),
        },
        Refusal::Path(path) => Lack {
            what: format!("the path `{path}` was refused: it leaves the granted folders or changes a read-only one"),
            flag: FOLDER_FLAG.to_owned(),
            key: FOLDER_KEY.to_owned(),
        },
        Refusal::Variable(name) => Lack {
            what: format!("the configuration variable `{name}` is not set"),
            flag: format!("--var {name}=VALUE"),
            key: format!("variables = {{ {name} = \"VALUE\" }}"),
        },
        Refusal::Store(name) => Lack {
            what: format!("opening the key-value store `{name}` was refused"),
            flag: format!("--keyvalue {name}=redb:PATH"),
            key: format!("keyvalue = {{ {name} = \"redb:PATH\" }}"),
        },
    }
}

fn network(what: &str, grant: &str) -> Lack {
    Lack { what: what.to_owned(), flag: format!("--net {grant}"), key: format!("net = [\"{grant}\"]") }
}

const FOLDER_FLAG: &str = "--dir HOST::GUEST";
const FOLDER_KEY: &str = "dirs = [\"HOST::GUEST\"]";

/// A kind of access that can be imported and granted.
struct Kind {
    name: &'static str,
    /// How the imports begin that are for it: interfaces of components, and functions of preview 1.
    imports: &'static [&'static str],
    none_granted: fn(&Authority) -> bool,
    flag: &'static str,
    key: &'static str,
}

const KINDS: &[Kind] = &[
    Kind {
        name: "files",
        imports: &["wasi:filesystem/", "wasi_snapshot_preview1.path_", "wasi_snapshot_preview1.fd_prestat_"],
        none_granted: |authority| authority.directories.is_empty(),
        flag: FOLDER_FLAG,
        key: FOLDER_KEY,
    },
    Kind {
        name: "the network",
        imports: &["wasi:sockets/", "wasi:http/outgoing-handler@", "wasi:http/client@"],
        none_granted: |authority| authority.network.is_empty(),
        flag: "--net HOST:PORT",
        key: "net = [\"HOST:PORT\"]",
    },
    Kind {
        name: "environment variables",
        imports: &["wasi:cli/environment@", "wasi_snapshot_preview1.environ_"],
        none_granted: |authority| authority.environment.is_empty(),
        flag: "--env NAME=VALUE",
        key: "env = { NAME = \"VALUE\" }",
    },
    Kind {
        name: "configuration variables",
        imports: &["wasi:config/"],
        none_granted: |authority| authority.variables.is_empty(),
        flag: "--var NAME=VALUE",
        key: "variables = { NAME = \"VALUE\" }",
    },
    Kind {
        name: "key-value stores",
        imports: &["wasi:keyvalue/"],
        none_granted: |authority| authority.stores.is_empty(),
        flag: "--keyvalue NAME=redb:PATH",
        key: "keyvalue = { NAME = \"redb:PATH\" }",
    },
];

impl Kind {
    /// Whether a refusal already says what this kind would.
    fn covers(&self, refusal: &Refusal) -> bool {
        let name = match refusal {
            Refusal::Socket(_) | Refusal::Name(_) | Refusal::Request(_) | Refusal::Listen(_) => "the network",
            Refusal::Folders | Refusal::Path(_) => "files",
            Refusal::Variable(_) => "configuration variables",
            Refusal::Store(_) => "key-value stores",
        };
        self.name == name
    }
}

fn imports(code: &Code) -> Vec<String> {
    let of_module =
        |module: &Module| module.imports().map(|import| format!("{}.{}", import.module(), import.name())).collect();
    let of_component = |component: &Component| {
        component.component_type().imports(component.engine()).map(|(name, _)| name.to_owned()).collect()
    };
    match code {
        Code::Module(module) => of_module(module),
        Code::Component(component) => of_component(component),
    }
}
