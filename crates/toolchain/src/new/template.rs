//! The files of new projects.

use coracle_package::manifest::Language;

use super::{Kind, Wasi};

/// What a project does not keep: what builds leave behind.
pub(super) const IGNORED: &str = "/.coracle/\n/node_modules/\n/target/\n__pycache__/\n*.wasm\n";

/// A file of a project, with its path; `{{name}}` stands for the app's name.
type File = (&'static str, &'static str);

/// A template's own file.
macro_rules! own {
    ($path:literal, $file:literal) => {
        ($path, include_str!(concat!("../../templates/", $file)))
    };
}

/// A file that projects share with the samples.
macro_rules! shared {
    ($path:literal, $file:literal) => {
        ($path, include_str!(concat!("../../../../samples/", $file)))
    };
}

const TEST_HTTP: File = (
    "tests/hello.toml",
    "[request]\npath = \"/\"\n\n[expect]\nstatus = 200\nheaders = { content-type = \"text/plain\" }\nbody = \"Hello from {{name}}!\\n\"\n",
);
const TEST_COMMAND: File =
    ("tests/hello.toml", "[run]\narguments = [\"Ada\"]\n\n[expect]\nstdout = \"Hello, Ada!\\n\"\n");
const TEST_LIBRARY: File = (
    "tests/greet.toml",
    "[call]\nfunction = \"greet\"\narguments = '\"Ada\"'\n\n[expect]\nresult = '\"Hello, Ada!\"'\n",
);
const TESTS_PLUGIN: [File; 2] =
    [own!("tests/taken.toml", "plugin/taken.toml"), own!("tests/refused.toml", "plugin/refused.toml")];

/// WASI as the worlds of projects name it.
const WASI: [File; 4] = [
    shared!("wit/deps/http.wit", "wit/deps/http.wit"),
    shared!("wit/deps/io.wit", "wit/deps/io.wit"),
    shared!("wit/deps/clocks.wit", "wit/deps/clocks.wit"),
    shared!("wit/deps/cli.wit", "wit/deps/cli.wit"),
];
const WORLD_HTTP: File = own!("wit/world.wit", "http.wit");
/// The same for WASI 0.3, whose interfaces for HTTP need less.
const WORLD_HTTP_P3: [File; 3] = [
    own!("wit/world.wit", "http-p3/world.wit"),
    own!("wit/deps/http.wit", "http-p3/http.wit"),
    own!("wit/deps/clocks.wit", "http-p3/clocks.wit"),
];
const WORLD_COMMAND: File = own!("wit/world.wit", "command.wit");
/// A command's world where nothing but the program itself brings the standard streams.
const WORLD_STREAMS: [File; 3] = [
    own!("wit/world.wit", "javascript-command/command.wit"),
    own!("wit/deps/cli.wit", "javascript-command/cli.wit"),
    shared!("wit/deps/io.wit", "wit/deps/io.wit"),
];
const WORLD_LIBRARY: File = own!("wit/world.wit", "library.wit");
const WORLD_PLUGIN: [File; 3] = [
    own!("wit/world.wit", "plugin/plugin.wit"),
    shared!("wit/deps/config.wit", "store-rust/wit/deps/config.wit"),
    shared!("wit/deps/logging.wit", "store-rust/wit/deps/logging.wit"),
];

/// The module of the samples in Go below which their bindings are: files that they share name the project's own instead.
pub(super) const SAMPLES_IN_GO: &str = "coracle/samples/bindings/go";

/// The files of a project beside its manifest.
pub(super) fn files(language: Language, kind: Kind, wasi: Wasi) -> Vec<File> {
    let tests = match kind {
        Kind::Http => [TEST_HTTP].as_slice(),
        Kind::Command => &[TEST_COMMAND],
        Kind::Library => &[TEST_LIBRARY],
        Kind::Plugin => &TESTS_PLUGIN,
    };
    match wasi {
        Wasi::P2 => [source(language, kind).as_slice(), &wit(language, kind), tests].concat(),
        Wasi::P3 => [source_p3(language).as_slice(), tests].concat(),
    }
}

/// What its author goes on writing, and what the language's tool asks for.
fn source(language: Language, kind: Kind) -> Vec<File> {
    let mut files = match (language, kind) {
        (Language::Rust, Kind::Http) => {
            vec![own!("Cargo.toml", "rust-http/Cargo.toml"), own!("src/lib.rs", "rust-http/src/lib.rs")]
        }
        (Language::Rust, Kind::Command) => {
            vec![own!("Cargo.toml", "rust-command/Cargo.toml"), own!("src/main.rs", "rust-command/src/main.rs")]
        }
        (Language::Rust, Kind::Library) => {
            vec![own!("Cargo.toml", "rust-library/Cargo.toml"), own!("src/lib.rs", "rust-library/src/lib.rs")]
        }
        (Language::Rust, Kind::Plugin) => {
            vec![own!("Cargo.toml", "rust-library/Cargo.toml"), own!("src/lib.rs", "rust-plugin/lib.rs")]
        }
        (Language::Go, Kind::Http) => vec![
            own!("main.go", "go-http/main.go"),
            shared!("web/web.go", "bindings/go/web/web.go"),
            shared!(
                "exports/export_wasi_http_incoming_handler/handler.go",
                "bindings/go/exports/export_wasi_http_incoming_handler/handler.go"
            ),
        ],
        (Language::Go, Kind::Command) => {
            vec![own!("go.mod", "go-command/go.mod"), own!("main.go", "go-command/main.go")]
        }
        (Language::Go, Kind::Library) => {
            vec![GO_MAIN, own!("exports/export_wit_world/greet.go", "go-library/greet.go")]
        }
        (Language::Go, Kind::Plugin) => {
            vec![GO_MAIN, own!("exports/export_example_plugin_rules/rules.go", "go-plugin/rules.go")]
        }
        (Language::Python, Kind::Http) => vec![own!("app.py", "python-http/app.py")],
        (Language::Python, Kind::Command) => vec![own!("app.py", "python-command/app.py")],
        (Language::Python, Kind::Library) => vec![own!("app.py", "python-library/app.py")],
        (Language::Python, Kind::Plugin) => vec![own!("app.py", "python-plugin/app.py")],
        (Language::JavaScript, Kind::Http) => vec![own!("app.js", "javascript-http/app.js")],
        (Language::JavaScript, Kind::Command) => vec![own!("app.js", "javascript-command/app.js")],
        (Language::JavaScript, Kind::Library) => vec![own!("app.js", "javascript-library/app.js")],
        (Language::JavaScript, Kind::Plugin) => vec![own!("app.js", "javascript-plugin/app.js")],
        (Language::TypeScript, Kind::Http) => vec![own!("app.ts", "typescript-http/app.ts")],
        (Language::TypeScript, Kind::Command) => {
            vec![own!("app.ts", "typescript-command/app.ts"), own!("wasi.d.ts", "typescript-command/wasi.d.ts")]
        }
        (Language::TypeScript, Kind::Library) => vec![own!("app.ts", "typescript-library/app.ts")],
        (Language::TypeScript, Kind::Plugin) => {
            vec![own!("app.ts", "typescript-plugin/app.ts"), own!("wasi.d.ts", "typescript-plugin/wasi.d.ts")]
        }
        (Language::C, Kind::Http) => vec![
            own!("app.c", "c-http/app.c"),
            shared!("web.c", "bindings/c/web.c"),
            shared!("web.h", "bindings/c/web.h"),
        ],
        (Language::C, Kind::Command) => vec![own!("app.c", "c-command/app.c")],
        (Language::C, Kind::Library) => vec![own!("app.c", "c-library/app.c")],
        (Language::C, Kind::Plugin) => vec![own!("app.c", "c-plugin/app.c")],
    };
    match (language, kind) {
        (Language::Rust, _) => files.push(own!(".cargo/config.toml", "rust-http/cargo-config.toml")),
        (Language::Go, Kind::Http | Kind::Library | Kind::Plugin) => {
            files.push(own!("go.mod", "go-library/go.mod"));
        }
        (Language::JavaScript | Language::TypeScript, Kind::Http) => {
            files.push(own!("package.json", "javascript-http/package.json"));
        }
        (Language::JavaScript | Language::TypeScript, _) => {
            files.push(own!("package.json", "javascript-library/package.json"));
        }
        _ => {}
    }
    files
}

/// What answers requests by WASI 0.3, in a language that has it.
fn source_p3(language: Language) -> Vec<File> {
    let own = match language {
        Language::Rust => vec![
            own!("Cargo.toml", "rust-http-p3/Cargo.toml"),
            own!("src/lib.rs", "rust-http-p3/src/lib.rs"),
            own!(".cargo/config.toml", "rust-http/cargo-config.toml"),
        ],
        Language::Python => vec![own!("app.py", "python-http-p3/app.py")],
        Language::JavaScript => {
            vec![own!("app.js", "javascript-http-p3/app.js"), own!("package.json", "javascript-library/package.json")]
        }
        Language::TypeScript => vec![
            own!("app.ts", "typescript-http-p3/app.ts"),
            own!("wasi.d.ts", "typescript-http-p3/wasi.d.ts"),
            own!("package.json", "javascript-library/package.json"),
        ],
        Language::Go | Language::C => Vec::new(),
    };
    let wit: &[File] = if has_world(language, Kind::Http) { &WORLD_HTTP_P3 } else { &[] };
    [own.as_slice(), wit].concat()
}

/// What a Go module that is a component needs of a program.
const GO_MAIN: File = own!("main.go", "go-library/main.go");

/// The WIT package of a project; none where the language's tool has it.
fn wit(language: Language, kind: Kind) -> Vec<File> {
    match kind {
        _ if !has_world(language, kind) => Vec::new(),
        Kind::Http => [[WORLD_HTTP].as_slice(), &WASI].concat(),
        Kind::Command if matches!(language, Language::JavaScript | Language::TypeScript) => WORLD_STREAMS.to_vec(),
        Kind::Command => [[WORLD_COMMAND].as_slice(), &WASI].concat(),
        Kind::Library => vec![WORLD_LIBRARY],
        Kind::Plugin => WORLD_PLUGIN.to_vec(),
    }
}

/// Whether a component is built for a world of the project's own. Cargo's target knows those of functions and commands; a
/// program of Go or C is adapted to one.
fn has_world(language: Language, kind: Kind) -> bool {
    !matches!(
        (language, kind),
        (Language::Rust, Kind::Http | Kind::Command) | (Language::Go | Language::C, Kind::Command)
    )
}

/// The manifest of a project.
pub(super) fn manifest(name: &str, language: Language, kind: Kind) -> String {
    let world = match has_world(language, kind) {
        true => format!(", world = \"{kind}\""),
        false => String::new(),
    };
    let bindings = match language {
        // Below the module's own folder: code that Go imports lies in packages of the module.
        Language::Go if has_world(language, kind) => ", bindings = \".\"",
        Language::C if has_world(language, kind) => ", bindings = \"bindings\"",
        _ => "",
    };
    let rest = match kind {
        Kind::Http => format!("\n[[route]]\npath = \"/*\"\ncomponent = \"{name}\"\n"),
        Kind::Command | Kind::Library => String::new(),
        Kind::Plugin => format!("\n[component.{name}.grants]\nvariables = {{ unsold = \"durian\" }}\n"),
    };
    let language = language.key();
    format!(
        "[app]\nname = \"{name}\"\n\n[component.{name}]\nsource = \"{name}.wasm\"\nbuild = {{ language = \"{language}\"{world}{bindings} }}\n{rest}"
    )
}
