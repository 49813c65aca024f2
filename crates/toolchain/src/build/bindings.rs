//! Bindings of a world: code that makes the component model's calls those of a language. They are written here for Go and C,
//! whose compilers know nothing of worlds; the tools of other languages make theirs while they build.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Component, Path, PathBuf};

use coracle_package::manifest::Language;
use heck::ToSnakeCase;
use wit_bindgen_core::wit_parser::Resolve;
use wit_bindgen_core::{Files, WorldGenerator};

use super::{BuildError, Job, Unfit, component};
use crate::whole;

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

/// The file among what a build leaves behind that lists the bindings it wrote, a path from the folder of the source in each line.
const WRITTEN: &str = "bindings";

thread_local! {
    static GENERATING: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic on this thread is the generator's own: it is caught, and told as what is wrong with the WIT.
pub fn is_generating() -> bool {
    GENERATING.get()
}

/// Writes the bindings that each of the jobs which are `wanted` asks for, and answers with their files, from the folder of the
/// source. Files that are the same already stay untouched, so that nothing is built again because of them; those of a world
/// that was replaced go, but for those that another of `all` jobs has too.
pub(super) fn write(wanted: &[&Job], all: &[Job]) -> Vec<Result<Vec<PathBuf>, BuildError>> {
    // What was written for one that asks for none any more is its author's now.
    let before: Vec<_> =
        wanted.iter().map(|job| if job.build.bindings.is_some() { noted(job) } else { Vec::new() }).collect();
    let written: Vec<_> = wanted.iter().map(|job| write_one(job)).collect();
    let of_others = all.iter().filter(|job| job.build.bindings.is_some()).flat_map(noted);
    let kept: BTreeSet<PathBuf> = of_others.filter_map(|file| std::fs::canonicalize(file).ok()).collect();
    let written = before.iter().zip(written);
    written.map(|(before, written)| written.and_then(|written| forget(before, &kept).map(|()| written))).collect()
}

fn write_one(job: &Job) -> Result<Vec<PathBuf>, BuildError> {
    let (Some(bindings), Some(world)) = (&job.build.bindings, &job.build.world) else {
        let list = job.work.join(WRITTEN);
        return match std::fs::remove_file(&list) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(BuildError::io(&list)(error)),
            _ => Ok(Vec::new()),
        };
    };
    let generator = match job.build.language {
        Language::Go => {
            let pkg_name = Some(package(job, bindings)?);
            // What a `gofmt` on this machine would do to it is not asked for.
            wit_bindgen_go::Opts { pkg_name, quiet: true, format: wit_bindgen_go::Format::False, ..Default::default() }
                .build()
        }
        _ => wit_bindgen_c::Opts { no_object_file: true, ..Default::default() }.build(),
    };
    let mut files = generate(job, world, generator)?;
    match job.build.language {
        Language::Go => GO_RUNTIME.iter().for_each(|(path, text)| files.push(path, text.as_bytes())),
        _ => files.push(&format!("{}_type.c", world.to_snake_case()), type_object(world).as_bytes()),
    }
    let mut written = Vec::new();
    for (path, content) in files.iter() {
        let path = plain(&bindings.join(path));
        keep(&job.folder.join(&path), content)?;
        written.push(path);
    }
    let text: String = written.iter().map(|path| format!("{}\n", path.display())).collect();
    keep(&job.work.join(WRITTEN), text.as_bytes())?;
    Ok(written)
}

/// The bindings that the last build of a job wrote.
fn noted(job: &Job) -> Vec<PathBuf> {
    // Without its list nothing is known to be the build's own, and nothing goes.
    let list = std::fs::read_to_string(job.work.join(WRITTEN)).unwrap_or_default();
    list.lines().map(|path| job.folder.join(path)).collect()
}

/// Removes what an earlier build wrote and nobody has any more.
fn forget(before: &[PathBuf], kept: &BTreeSet<PathBuf>) -> Result<(), BuildError> {
    for file in before {
        // What is gone already has no whole path.
        if std::fs::canonicalize(file).is_ok_and(|whole| !kept.contains(&whole)) {
            std::fs::remove_file(file).map_err(BuildError::io(file))?;
        }
    }
    Ok(())
}

/// A path without what stands for no folder.
fn plain(path: &Path) -> PathBuf {
    path.components().filter(|part| *part != Component::CurDir).collect()
}

/// Two components whose bindings would be written into one folder, for two worlds: each build would undo the other's.
pub(super) fn clash(jobs: &[Job]) -> Option<(&Job, &Job)> {
    let place = |job: &Job| job.build.bindings.as_ref().map(|bindings| plain(&job.folder.join(bindings)));
    jobs.iter().enumerate().find_map(|(at, job)| {
        let folder = place(job)?;
        let what = |job: &Job| (plain(&component::wit_folder(job)), job.build.world.clone(), job.build.language);
        let other = jobs[..at].iter().find(|other| place(other).as_ref() == Some(&folder) && what(other) != what(job));
        Some((other?, job))
    })
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
    GENERATING.set(true);
    let generated = catch_unwind(AssertUnwindSafe(|| generator.generate(&mut resolve, id, &mut files)));
    GENERATING.set(false);
    match generated {
        Ok(Ok(())) => Ok(files),
        Ok(Err(error)) => Err(wrong(format!("{error:#}"))),
        Err(_) => Err(Unfit {
            hint: Some("leave `bindings` out, and write them by hand".to_owned()),
            ..wrong(format!("wit-bindgen has no words in {language} for something in it"))
        }),
    }
}

/// The module that the bindings in Go need at run time.
const GO_MODULE: &str = "go.bytecodealliance.org/pkg";

/// The Go package below which bindings are: that of the folder, in the module that it is part of.
fn package(job: &Job, bindings: &Path) -> Result<String, BuildError> {
    let folder = std::fs::canonicalize(&job.folder).map_err(BuildError::io(&job.folder))?;
    let found = folder.ancestors().find_map(|folder| {
        let file = folder.join("go.mod");
        Some((folder, std::fs::read_to_string(&file).ok()?, file))
    });
    let (root, text, file) = found.ok_or_else(|| BuildError::Nothing {
        what: format!("{} is in no Go module: there is no go.mod in it or above", job.folder.display()),
        hint: "bindings in Go belong to a module: go mod init NAME".into(),
    })?;
    let lines = || text.lines().map(|line| line.split_once("//").map_or(line, |(before, _)| before).trim());
    let module = lines().find_map(|line| line.strip_prefix("module ")).map(|name| name.trim().trim_matches('"'));
    let module = module.ok_or_else(|| BuildError::Nothing {
        what: format!("{} names no module", file.display()),
        hint: "its first line does: module NAME".into(),
    })?;
    let inside = folder.strip_prefix(root).unwrap_or(Path::new("")).join(bindings);
    let mut package = module.to_owned();
    for part in inside.components() {
        match part {
            Component::CurDir => {}
            Component::Normal(name) => package.push_str(&format!("/{}", name.to_string_lossy())),
            _ => {
                return Err(BuildError::Nothing {
                    what: format!("the bindings' folder `{}` is outside of the module {module}", bindings.display()),
                    hint: "name a folder below that of go.mod".into(),
                });
            }
        }
    }
    if !lines().any(|line| line.contains(GO_MODULE)) {
        let runtime = plain(&inside.join("runtime"));
        return Err(BuildError::Nothing {
            what: format!("{} does not name what the bindings need at run time", file.display()),
            hint: format!("add to it: require {GO_MODULE} v0.4.0, and: replace {GO_MODULE} => ./{}", runtime.display())
                .into(),
        });
    }
    Ok(package)
}

/// What the generated code asks for to have its type linked: the type is put in after linking. A definition that the project
/// has of its own comes first.
fn type_object(world: &str) -> String {
    let name = world.to_snake_case();
    format!(
        "// The type of the world is put into the component after linking.\n\
         void __component_type_object_force_link_{name}(void) __attribute__((weak));\n\
         void __component_type_object_force_link_{name}(void) {{}}\n"
    )
}

/// Writes a file that is not there, or not the same.
fn keep(path: &Path, content: &[u8]) -> Result<(), BuildError> {
    if std::fs::read(path).is_ok_and(|found| found == content) {
        return Ok(());
    }
    let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    made.and_then(|()| whole::write(path, content)).map_err(BuildError::io(path))
}

#[cfg(test)]
mod tests {
    use coracle_package::manifest::Build;

    use super::*;

    const WORLD: &str = "package local:app;\n\
        world app { import know: func(name: TYPE) -> bool; export greet: func(name: TYPE) -> string; }\n";

    const GO_MOD: &str = "module shop // of fruit\n\ngo 1.25\n\nrequire go.bytecodealliance.org/pkg v0.4.0\n";

    fn job(folder: &Path, language: Language, parameter: &str) -> Job {
        std::fs::create_dir_all(folder.join("wit")).unwrap();
        std::fs::write(folder.join("wit/world.wit"), WORLD.replace("TYPE", parameter)).unwrap();
        std::fs::write(folder.join("go.mod"), GO_MOD).unwrap();
        let (world, bindings) = (Some("app".to_owned()), Some("bindings".into()));
        let build = Build { language, folder: folder.into(), wit: None, world, snapshot: false, bindings };
        Job { name: "app".to_owned(), build, folder: folder.into(), output: folder.into(), work: folder.join("work") }
    }

    fn write_alone(job: &Job) -> Result<Vec<PathBuf>, BuildError> {
        write(&[job], std::slice::from_ref(job)).remove(0)
    }

    #[test]
    fn bindings_follow_the_wit_and_stay_untouched_while_it_does() {
        let folder = tempfile::tempdir().unwrap();
        for (language, file, string, number) in [
            (Language::C, "bindings/app.h", "app_string_t *name", "uint32_t name"),
            (Language::Go, "bindings/exports/wit_exports/wit_exports.go", "unsafe.String", "uint32(arg0)"),
        ] {
            write_alone(&job(folder.path(), language, "string")).unwrap();
            let file = folder.path().join(file);
            assert!(std::fs::read_to_string(&file).unwrap().contains(string), "{language}");
            let written = file.metadata().unwrap().modified().unwrap();
            write_alone(&job(folder.path(), language, "string")).unwrap();
            assert_eq!(file.metadata().unwrap().modified().unwrap(), written, "{language}");
            write_alone(&job(folder.path(), language, "u32")).unwrap();
            assert!(std::fs::read_to_string(&file).unwrap().contains(number), "{language}");
        }
    }

    #[test]
    fn what_a_renamed_world_left_goes() {
        let folder = tempfile::tempdir().unwrap();
        let mut job = job(folder.path(), Language::C, "string");
        let own = folder.path().join("bindings/own.c");
        write_alone(&job).unwrap();
        std::fs::write(&own, "").unwrap();
        let file = folder.path().join("wit/world.wit");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replace("world app", "world app2-new")).unwrap();
        job.build.world = Some("app2-new".to_owned());
        let written = write_alone(&job).unwrap();
        assert!(written.contains(&PathBuf::from("bindings/app2_new_type.c")), "{written:?}");
        for (path, there) in [("app.c", false), ("app_type.c", false), ("app2_new.c", true), ("own.c", true)] {
            assert_eq!(folder.path().join("bindings").join(path).exists(), there, "{path}");
        }
    }

    #[test]
    fn bindings_that_are_asked_for_no_more_are_their_authors() {
        let folder = tempfile::tempdir().unwrap();
        let mut job = job(folder.path(), Language::C, "string");
        let file = folder.path().join("bindings/app.c");
        write_alone(&job).unwrap();
        let bindings = job.build.bindings.take();
        std::fs::write(&file, "edited").unwrap();
        assert_eq!(write_alone(&job).unwrap(), Vec::<PathBuf>::new());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "edited");
        // Nor do they go when others are asked for elsewhere.
        job.build.bindings = bindings.map(|_| "own".into());
        write_alone(&job).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "edited");
    }

    #[test]
    fn what_another_component_has_too_stays() {
        let folder = tempfile::tempdir().unwrap();
        let of = |name: &str, bindings: &str| {
            let mut job = job(folder.path(), Language::C, "string");
            job.build.bindings = Some(bindings.into());
            Job { work: folder.path().join(name), ..job }
        };
        let there = || folder.path().join("bindings/app.c").exists();
        let write = |jobs: [Job; 2], wanted: usize| {
            let wanted: Vec<&Job> = jobs.iter().take(wanted).collect();
            super::write(&wanted, &jobs).into_iter().for_each(|written| assert!(!written.unwrap().is_empty()));
        };
        write([of("one", "bindings"), of("two", "./bindings")], 2);
        write([of("one", "own"), of("two", "./bindings")], 1);
        assert!(there());
        write([of("one", "own"), of("two", "other")], 2);
        assert!(!there());
        write([of("one", "bindings"), of("two", "bindings")], 2);
        write([of("one", "own"), of("two", "own")], 2);
        assert!(!there());
    }

    #[test]
    fn two_worlds_in_one_folder_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let of = |world: &str, bindings: &str| {
            let mut job = job(folder.path(), Language::C, "string");
            job.build.world = Some(world.to_owned());
            job.build.bindings = Some(bindings.into());
            job
        };
        assert!(clash(&[of("app", "bindings"), of("app", "./bindings"), of("other", "others")]).is_none());
        assert!(clash(&[of("app", "bindings"), of("other", "./bindings")]).is_some());
    }

    #[test]
    fn a_module_is_looked_for_above_and_has_to_name_the_runtime() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("services/greet");
        let job = job(&inner, Language::Go, "string");
        std::fs::rename(inner.join("go.mod"), folder.path().join("go.mod")).unwrap();
        assert_eq!(package(&job, Path::new("./gen")).unwrap(), "shop/services/greet/gen");
        std::fs::write(folder.path().join("go.mod"), "module shop\n").unwrap();
        let BuildError::Nothing { hint, .. } = package(&job, Path::new("gen")).unwrap_err() else { panic!() };
        assert!(hint.contains("replace go.bytecodealliance.org/pkg => ./services/greet/gen/runtime"), "{hint}");
    }

    #[test]
    fn what_the_generator_does_not_know_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let tuple = format!("tuple<{}>", ["u8"; 17].join(", "));
        let error = write_alone(&job(folder.path(), Language::Go, &tuple)).unwrap_err().to_string();
        assert!(error.contains("wit-bindgen has no words in Go"), "{error}");
    }
}
