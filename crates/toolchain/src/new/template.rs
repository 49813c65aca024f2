//! The files of new projects.

use coracle_package::manifest::Language;

use super::Kind;

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

/// WASI as the worlds of projects name it.
const WASI: [File; 4] = [
    shared!("wit/deps/http.wit", "wit/deps/http.wit"),
    shared!("wit/deps/io.wit", "wit/deps/io.wit"),
    shared!("wit/deps/clocks.wit", "wit/deps/clocks.wit"),
    shared!("wit/deps/cli.wit", "wit/deps/cli.wit"),
];
const WORLD_HTTP: File = own!("wit/world.wit", "http.wit");
const WORLD_COMMAND: File = own!("wit/world.wit", "command.wit");
const WORLD_LIBRARY: File = own!("wit/world.wit", "library.wit");
const CARGO_CONFIG: File = own!(".cargo/config.toml", "rust-http/cargo-config.toml");

/// The files of a project beside its manifest; none where the language has no such kind.
pub(super) fn files(language: Language, kind: Kind) -> Option<Vec<File>> {
    let (test, own): (File, Vec<File>) = match (language, kind) {
        (Language::Rust, Kind::Http) => {
            (TEST_HTTP, vec![own!("Cargo.toml", "rust-http/Cargo.toml"), own!("src/lib.rs", "rust-http/src/lib.rs")])
        }
        (Language::Rust, Kind::Command) => (
            TEST_COMMAND,
            vec![own!("Cargo.toml", "rust-command/Cargo.toml"), own!("src/main.rs", "rust-command/src/main.rs")],
        ),
        (Language::Rust, Kind::Library) => (
            TEST_LIBRARY,
            vec![
                own!("Cargo.toml", "rust-library/Cargo.toml"),
                own!("src/lib.rs", "rust-library/src/lib.rs"),
                WORLD_LIBRARY,
            ],
        ),
        (Language::Go, Kind::Command) => {
            (TEST_COMMAND, vec![own!("go.mod", "go-command/go.mod"), own!("main.go", "go-command/main.go")])
        }
        (Language::Go, _) => return None,
        (Language::Python, Kind::Http) => (TEST_HTTP, vec![own!("app.py", "python-http/app.py"), WORLD_HTTP]),
        (Language::Python, Kind::Command) => {
            (TEST_COMMAND, vec![own!("app.py", "python-command/app.py"), WORLD_COMMAND])
        }
        (Language::Python, Kind::Library) => {
            (TEST_LIBRARY, vec![own!("app.py", "python-library/app.py"), WORLD_LIBRARY])
        }
        (Language::JavaScript, Kind::Http) => {
            (TEST_HTTP, vec![own!("app.js", "javascript-http/app.js"), NPM_HTTP, WORLD_HTTP])
        }
        (Language::JavaScript, Kind::Library) => {
            (TEST_LIBRARY, vec![own!("app.js", "javascript-library/app.js"), NPM_LIBRARY, WORLD_LIBRARY])
        }
        (Language::TypeScript, Kind::Http) => {
            (TEST_HTTP, vec![own!("app.ts", "typescript-http/app.ts"), NPM_HTTP, WORLD_HTTP])
        }
        (Language::TypeScript, Kind::Library) => {
            (TEST_LIBRARY, vec![own!("app.ts", "typescript-library/app.ts"), NPM_LIBRARY, WORLD_LIBRARY])
        }
        (Language::JavaScript | Language::TypeScript, Kind::Command) => return None,
        (Language::C, Kind::Http) => (
            TEST_HTTP,
            vec![
                own!("app.c", "c-http/app.c"),
                shared!("web.c", "bindings/c/web.c"),
                shared!("web.h", "bindings/c/web.h"),
                shared!("http.c", "bindings/c/http.c"),
                shared!("http.h", "bindings/c/http.h"),
                WORLD_HTTP,
            ],
        ),
        (Language::C, Kind::Command) => (TEST_COMMAND, vec![own!("app.c", "c-command/app.c")]),
        (Language::C, Kind::Library) => return None,
    };
    let wasi = match own.contains(&WORLD_HTTP) || own.contains(&WORLD_COMMAND) {
        true => WASI.as_slice(),
        false => &[],
    };
    let settings = if language == Language::Rust { [CARGO_CONFIG].as_slice() } else { &[] };
    Some([own.as_slice(), wasi, settings, &[test]].concat())
}

const NPM_HTTP: File = own!("package.json", "javascript-http/package.json");
const NPM_LIBRARY: File = own!("package.json", "javascript-library/package.json");

/// The manifest of a project.
pub(super) fn manifest(name: &str, language: Language, kind: Kind) -> String {
    let world = match (language, kind) {
        // Cargo's target knows these worlds; a program of Go or C is adapted to one.
        (Language::Rust, Kind::Http | Kind::Command) | (Language::Go | Language::C, Kind::Command) => String::new(),
        _ => format!(", world = \"{kind}\""),
    };
    let route = match kind {
        Kind::Http => format!("\n[[route]]\npath = \"/*\"\ncomponent = \"{name}\"\n"),
        Kind::Command | Kind::Library => String::new(),
    };
    let language = language.key();
    format!(
        "[app]\nname = \"{name}\"\n\n[component.{name}]\nsource = \"{name}.wasm\"\nbuild = {{ language = \"{language}\"{world} }}\n{route}"
    )
}
