//! Bindings of a world: code that makes the component model's calls those of a language. They are written here for Go and C,
//! whose compilers know nothing of worlds; the tools of other languages make theirs while they build.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Component, Path};

use coracle_package::manifest::Language;
use wit_bindgen_core::wit_parser::Resolve;
use wit_bindgen_core::{Files, WorldGenerator};

use super::{BuildError, Job, Unfit, component};

/// A file of the samples, which build the same bindings.
macro_rules! runtime {
    ($path:literal) => {
        (concat!("runtime/", $path), include_str!(concat!("../../../../samples/bindings/go/runtime/", $path)))
    };
}

/// What bindings in Go need at run time: those parts of the module `go.bytecodealliance.org/pkg` (v0.4.0, as the generator
/// ships it) that stock Go can use. A project that has them needs nothing from the network.
const GO_RUNTIME: [(&str, &str); 9] = [
    runtime!("go.mod"),
    runtime!("LICENSE"),
    runtime!("README.md"),
    runtime!("wit/runtime/empty.s"),
    runtime!("wit/runtime/runtime.go"),
    runtime!("wit/types/option.go"),
    runtime!("wit/types/result.go"),
    runtime!("wit/types/tuple.go"),
    runtime!("wit/types/unit.go"),
];

/// Writes the bindings that a job asks for. Files that are the same already stay untouched, so that nothing is built again
/// because of them.
pub(super) fn write(job: &Job) -> Result<(), BuildError> {
    let (Some(bindings), Some(world)) = (&job.build.bindings, &job.build.world) else { return Ok(()) };
    let generator = match job.build.language {
        Language::Go => {
            wit_bindgen_go::Opts { pkg_name: Some(package(job, bindings)?), quiet: true, ..Default::default() }.build()
        }
        _ => wit_bindgen_c::Opts { no_object_file: true, ..Default::default() }.build(),
    };
    let mut files = generate(job, world, generator)?;
    match job.build.language {
        Language::Go => GO_RUNTIME.iter().for_each(|(path, text)| files.push(path, text.as_bytes())),
        _ => files.push(&format!("{}_type.c", c_name(world)), type_object(world).as_bytes()),
    }
    let folder = job.folder.join(bindings);
    for (path, content) in files.iter() {
        keep(&folder.join(path), content)?;
    }
    Ok(())
}

fn generate(job: &Job, world: &str, mut generator: Box<dyn WorldGenerator>) -> Result<Files, Unfit> {
    // What is wrong with WIT is said in one way, wherever it is found.
    component::declared(job, world)?;
    let language = job.build.language;
    let wrong = |error: String| {
        Unfit::new(format!("the bindings of the world `{world}` cannot be written: {}", error.replace('\n', " ")))
    };
    let mut resolve = Resolve::default();
    let pushed = resolve.push_path(component::wit_folder(job));
    let (package, _) = pushed.map_err(|error| wrong(format!("{error:#}")))?;
    let id = resolve.select_world(&[package], Some(world)).map_err(|error| wrong(format!("{error:#}")))?;
    let mut files = Files::default();
    // The generators end in a panic where WIT has something that they do not know yet.
    let generated = catch_unwind(AssertUnwindSafe(|| generator.generate(&mut resolve, id, &mut files)));
    match generated {
        Ok(Ok(())) => Ok(files),
        Ok(Err(error)) => Err(wrong(format!("{error:#}"))),
        Err(_) => Err(Unfit {
            hint: Some("leave `bindings` out, and write them by hand".to_owned()),
            ..wrong(format!("wit-bindgen has no words in {language} for something in it"))
        }),
    }
}

/// The Go package below which bindings are: that of the folder's module.
fn package(job: &Job, bindings: &Path) -> Result<String, BuildError> {
    let file = job.folder.join("go.mod");
    let text = std::fs::read_to_string(&file).map_err(|error| BuildError::Nothing {
        what: format!("{} cannot be read: {error}", file.display()),
        hint: "bindings in Go belong to a module: go mod init NAME",
    })?;
    let module = text.lines().find_map(|line| line.trim().strip_prefix("module ")).map(str::trim);
    let module = module.ok_or_else(|| BuildError::Nothing {
        what: format!("{} names no module", file.display()),
        hint: "its first line does: module NAME",
    })?;
    let mut package = module.trim_matches('"').to_owned();
    for part in bindings.components() {
        match part {
            Component::CurDir => {}
            Component::Normal(name) => package.push_str(&format!("/{}", name.to_string_lossy())),
            _ => {
                return Err(BuildError::Nothing {
                    what: format!("the bindings' folder `{}` is outside of the module {module}", bindings.display()),
                    hint: "name a folder below that of go.mod",
                });
            }
        }
    }
    Ok(package)
}

/// What the generated code asks for to have its type linked: the type is put in after linking. A definition that the project
/// has of its own comes first.
fn type_object(world: &str) -> String {
    let name = c_name(world);
    format!(
        "// The type of the world is put into the component after linking.\n\
         void __component_type_object_force_link_{name}(void) __attribute__((weak));\n\
         void __component_type_object_force_link_{name}(void) {{}}\n"
    )
}

/// A world's name as C has it.
fn c_name(world: &str) -> String {
    world.replace('-', "_")
}

/// Writes a file that is not there, or not the same.
fn keep(path: &Path, content: &[u8]) -> Result<(), BuildError> {
    if std::fs::read(path).is_ok_and(|found| found == content) {
        return Ok(());
    }
    let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    made.and_then(|()| std::fs::write(path, content)).map_err(BuildError::io(path))
}

#[cfg(test)]
mod tests {
    use coracle_package::manifest::Build;

    use super::*;

    const WORLD: &str = "package local:app;\n\
        world app { import know: func(name: TYPE) -> bool; export greet: func(name: TYPE) -> string; }\n";

    fn job(folder: &Path, language: Language, parameter: &str) -> Job {
        std::fs::create_dir_all(folder.join("wit")).unwrap();
        std::fs::write(folder.join("wit/world.wit"), WORLD.replace("TYPE", parameter)).unwrap();
        std::fs::write(folder.join("go.mod"), "module shop\n\ngo 1.25\n").unwrap();
        let (world, bindings) = (Some("app".to_owned()), Some("bindings".into()));
        let build = Build { language, folder: folder.into(), wit: None, world, snapshot: false, bindings };
        Job { name: "app".to_owned(), build, folder: folder.into(), output: folder.into(), work: folder.into() }
    }

    #[test]
    fn bindings_follow_the_wit_and_stay_untouched_while_it_does() {
        let folder = tempfile::tempdir().unwrap();
        for (language, file, string, number) in [
            (Language::C, "bindings/app.h", "app_string_t *name", "uint32_t name"),
            (Language::Go, "bindings/exports/wit_exports/wit_exports.go", "unsafe.String", "uint32(arg0)"),
        ] {
            write(&job(folder.path(), language, "string")).unwrap();
            let file = folder.path().join(file);
            assert!(std::fs::read_to_string(&file).unwrap().contains(string), "{language}");
            let written = file.metadata().unwrap().modified().unwrap();
            write(&job(folder.path(), language, "string")).unwrap();
            assert_eq!(file.metadata().unwrap().modified().unwrap(), written, "{language}");
            write(&job(folder.path(), language, "u32")).unwrap();
            assert!(std::fs::read_to_string(&file).unwrap().contains(number), "{language}");
        }
    }

    #[test]
    fn what_the_generator_does_not_know_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let tuple = format!("tuple<{}>", ["u8"; 17].join(", "));
        let error = write(&job(folder.path(), Language::Go, &tuple)).unwrap_err().to_string();
        assert!(error.contains("wit-bindgen has no words in Go"), "{error}");
    }
}
