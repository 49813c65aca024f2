//! A Rust compiler with a standard library for WebAssembly, made from packages, for machines where `rustup` has no such
//! target and cannot fetch it.
//!
//! Debian ships the compiler that builds its browsers, and the sources of the standard library, but for WebAssembly no
//! built one. It is unpacked beside (never into) what the user has, and the library is built once with the sources'
//! own compiler, which is the only one that accepts them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::rust::{self, TARGET, remap_flags};
use super::step::Step;
use super::{apt, pinned};
use crate::project::Project;
use crate::{Result, shell};

/// What the packages hold beyond the compiler and the library: documents, and sources of the compiler itself.
const WITHOUT: [&str; 4] = ["./usr/share", "./usr/src/*/compiler", "./usr/src/*/src", "./usr/src/*/tests"];

/// Link-time optimisation needs the library as bitcode too.
const LIBRARY_FLAGS: &str = "-Cembed-bitcode=yes";

/// Debian's C library of 2022 leaves constructors to the linker, which has them run on the first allocation of an
/// argument: too early in a component that was granted a folder, which then traps. This start runs them itself.
const START: &str = r#"
#![no_std]
unsafe extern "C" {
    fn __wasm_call_ctors();
    fn __main_void() -> i32;
    fn __wasm_call_dtors();
    fn __wasi_proc_exit(code: i32) -> !;
}
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _start() {
    unsafe {
        __wasm_call_ctors();
        let code = __main_void();
        __wasm_call_dtors();
        if code != 0 {
            __wasi_proc_exit(code)
        }
    }
}
"#;

/// The compiler with its library for this machine and the library's sources, in `.tools/rust`. Returns the program.
pub(crate) fn compiler(project: &Project) -> Result<PathBuf> {
    let tools = project.tools();
    let prefix = tools.join("rust");
    let program = prefix.join("bin").join("rustc");
    let packages = [&pinned::RUSTC[..], &["wasi-libc"]].concat();
    Step::new(tools.join("stamps/rust-compiler"), "rust: fetch a compiler from Debian")
        .input(packages.join(" "))
        .input(WITHOUT.join(" "))
        .output(&program)
        .run(|| {
            if prefix.exists() {
                fs::remove_dir_all(&prefix)?;
            }
            apt::unpack(&tools, &packages, &prefix, &WITHOUT)?;
            write_launcher(&program)?;
            link_linkers(&prefix)
        })?;
    Ok(program)
}

/// The compiler, able to build for WebAssembly.
pub(crate) fn compiler_for_wasm(project: &Project) -> Result<PathBuf> {
    let program = compiler(project)?;
    let tools = project.tools();
    let prefix = tools.join("rust");
    let library = rustlib(&prefix).join(TARGET).join("lib");
    Step::new(tools.join("stamps/rust-library"), format!("rust: build the standard library for {TARGET}"))
        .input(shell::output(Command::new(&program).arg("-vV"))?)
        .input(START)
        .input(LIBRARY_FLAGS)
        .output(&library)
        .run(|| build_library(project, &prefix, &program, &library))?;
    Ok(program)
}

/// The library itself is found by the place the program lies at, its shared objects by this launcher. It names no place but
/// its own, so that the folder can be moved.
fn write_launcher(program: &Path) -> Result {
    let libraries = format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH);
    fs::create_dir_all(program.parent().ok_or("a program has no folder")?)?;
    fs::write(
        program,
        format!(
            "#!/bin/sh\nprefix=$(dirname \"$0\")/..\n\
             LD_LIBRARY_PATH=$prefix/{libraries} exec \"$prefix/usr/bin/rustc\" \"$@\"\n"
        ),
    )?;
    shell::run(Command::new("chmod").arg("+x").arg(program))
}

/// The linkers for WebAssembly come with every toolchain of `rustup`. They are linked, since a copy would not find its
/// shared objects.
fn link_linkers(prefix: &Path) -> Result {
    let host = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let sysroot = shell::output(Command::new("rustc").args(["--print", "sysroot"]))?;
    let theirs = Path::new(sysroot.trim()).join("lib").join("rustlib").join(&host).join("bin");
    let ours = rustlib(prefix).join(&host).join("bin");
    fs::create_dir_all(&ours)?;
    for name in ["rust-lld", "gcc-ld", "wasm-component-ld"] {
        if !theirs.join(name).exists() {
            return Err(format!("{} has no {name}: install Rust by https://rustup.rs", theirs.display()).into());
        }
        shell::run(Command::new("ln").arg("-sfn").arg(theirs.join(name)).arg(ours.join(name)))?;
    }
    Ok(())
}

fn build_library(project: &Project, prefix: &Path, program: &Path, library: &Path) -> Result {
    let start_files = library.join("self-contained");
    fs::create_dir_all(&start_files)?;
    for file in ["crt1-reactor.o", "libc.a"] {
        fs::copy(prefix.join("usr/lib/wasm32-wasi").join(file), start_files.join(file))?;
    }
    let build = prefix.join("build");
    fs::create_dir_all(build.join("src"))?;
    fs::write(build.join("src").join("lib.rs"), "")?;
    fs::write(
        build.join("Cargo.toml"),
        "[package]\nname = \"seed\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n",
    )?;
    let mut cargo = project.cargo();
    cargo.current_dir(&build).env("RUSTC", program).env("RUSTC_BOOTSTRAP", "1").env("CARGO_TARGET_DIR", "target");
    let mut flags = remap_flags(&[(prefix, "rust")])?;
    flags.push(LIBRARY_FLAGS.to_owned());
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
    cargo.args(["build", "--quiet", "--release", "-Zbuild-std=std,panic_abort", "--target", TARGET]);
    shell::run(&mut cargo)?;
    for entry in fs::read_dir(build.join("target").join(TARGET).join("release").join("deps"))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.ends_with(".rlib") && !name.starts_with("libseed") {
            fs::copy(&path, library.join(name))?;
        }
    }
    fs::write(build.join("start.rs"), START)?;
    let mut start = Command::new(program);
    start.args(["--target", TARGET, "--edition", "2024", "--crate-type", "lib", "--emit", "obj"]);
    start.args(["-Copt-level=2", "-Cpanic=abort", "-o"]).arg(start_files.join("crt1-command.o"));
    shell::run(start.arg(build.join("start.rs")))?;
    fs::remove_dir_all(build)?;
    // Cargo does not see that a library of the compiler changed: what was built with the one before is useless.
    let built_before = rust::build_folder(project);
    if built_before.exists() {
        fs::remove_dir_all(built_before)?;
    }
    Ok(())
}

fn rustlib(prefix: &Path) -> PathBuf {
    prefix.join("usr").join("lib").join("rustlib")
}
