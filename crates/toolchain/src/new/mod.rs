//! `coracle new`: a small project that builds, with a test and a manifest.

mod template;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use coracle_package::fault::Faults;
use coracle_package::manifest::{FILE_NAME, Language, Manifest};

/// What is made.
#[derive(Clone, Debug)]
pub struct Config {
    /// The folder to make. Its last part names the app.
    pub folder: PathBuf,
    /// The language.
    pub language: Language,
    /// The kind of component.
    pub kind: Kind,
    /// Which WASI it is for.
    pub wasi: Wasi,
}

/// The versions of WASI.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wasi {
    /// 0.2: every kind in every language.
    #[default]
    P2,
    /// 0.3: functions behind HTTP that wait without keeping others from working, in languages whose tools have it.
    P3,
}

/// The kinds of components.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Answers HTTP requests.
    Http,
    /// Runs on a command line.
    Command,
    /// Has functions for others to call.
    Library,
    /// Answers what a product asks it, with the settings that it is given.
    Plugin,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Http, Self::Command, Self::Library, Self::Plugin];

    /// Its name on a command line.
    pub fn key(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Command => "command",
            Self::Library => "library",
            Self::Plugin => "plugin",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.key())
    }
}

/// Why nothing was made.
#[derive(Debug, thiserror::Error)]
pub enum NewError {
    /// The folder's name cannot be that of an app.
    #[error("{}", .0.faults.first().map(|fault| fault.message.as_str()).unwrap_or_default())]
    Name(Faults),
    /// Its language's tool, or this program, has no WASI 0.3 for it.
    #[error("there is no new {kind} project in {language} for WASI 0.3: {why}")]
    NoP3 {
        /// The language.
        language: Language,
        /// The kind.
        kind: Kind,
        /// What is missing.
        why: &'static str,
    },
    /// There is something already.
    #[error("{} is there already", .0.display())]
    Exists(PathBuf),
    /// A file cannot be written.
    #[error("{} cannot be written: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Writes the project, and answers with its files.
///
/// # Errors
/// The folder is there already, or cannot be made; its name is none for an app.
pub fn run(config: &Config) -> Result<Vec<PathBuf>, NewError> {
    let Config { folder, language, kind, wasi } = config;
    if let (Wasi::P3, Some(why)) = (wasi, lacks_p3(*language, *kind)) {
        return Err(NewError::NoP3 { language: *language, kind: *kind, why });
    }
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let manifest = template::manifest(&name, *language, *kind);
    Manifest::parse(&manifest, Path::new(FILE_NAME)).map_err(NewError::Name)?;
    if folder.exists() {
        return Err(NewError::Exists(folder.clone()));
    }
    let mut written = Vec::new();
    let own = [(FILE_NAME, manifest.as_str()), (".gitignore", template::IGNORED)];
    // By a first part that Go keeps for such: an app may be called what one of its own packages is.
    let module = format!("example/{name}");
    for (path, content) in own.into_iter().chain(template::files(*language, *kind, *wasi)) {
        let content = content.replace("{{name}}", &name).replace(template::SAMPLES_IN_GO, &module);
        let file = folder.join(path);
        let made = file.parent().map_or(Ok(()), std::fs::create_dir_all);
        made.and_then(|()| std::fs::write(&file, content))
            .map_err(|source| NewError::Write { path: file.clone(), source })?;
        written.push(PathBuf::from(path));
    }
    Ok(written)
}

/// Why a project cannot be made for WASI 0.3, if it cannot.
fn lacks_p3(language: Language, kind: Kind) -> Option<&'static str> {
    match (language, kind) {
        (Language::Go, _) => {
            Some("Go's runtime cannot hand its turn back while it waits (`runtime.wasiOnIdle`, which Go 1.27 has not)")
        }
        (Language::C, _) => Some("what waits would be a state machine over callbacks, written by hand"),
        (_, Kind::Http) => None,
        (_, _) => Some("only functions behind HTTP gain by it: they wait for several requests at once"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_project_has_a_manifest_without_faults_and_a_test() {
        let folder = tempfile::tempdir().unwrap();
        for language in Language::ALL {
            for kind in Kind::ALL {
                let folder = folder.path().join(format!("{}-{kind}", language.key()));
                let files = run(&Config { folder: folder.clone(), language, kind, wasi: Wasi::P2 }).unwrap();
                assert!(files.iter().any(|file| file.starts_with("tests")), "{language} {kind}");
                let text = std::fs::read_to_string(folder.join(FILE_NAME)).unwrap();
                let manifest = Manifest::parse(&text, Path::new(FILE_NAME)).unwrap();
                assert_eq!(manifest.components.values().next().unwrap().build.as_ref().unwrap().language, language);
            }
        }
    }

    #[test]
    fn what_has_wasi_0_3_is_made_for_it_and_the_others_say_why_not() {
        let folder = tempfile::tempdir().unwrap();
        for language in Language::ALL {
            for kind in Kind::ALL {
                let folder = folder.path().join(format!("{}-{kind}", language.key()));
                let made = run(&Config { folder: folder.clone(), language, kind, wasi: Wasi::P3 });
                match (language, kind) {
                    (Language::Go | Language::C, _) | (_, Kind::Command | Kind::Library | Kind::Plugin) => {
                        assert!(matches!(made, Err(NewError::NoP3 { .. })), "{language} {kind}");
                        assert!(!folder.exists());
                    }
                    _ => assert!(made.unwrap().iter().any(|file| file.starts_with("tests")), "{language} {kind}"),
                }
            }
        }
    }

    #[test]
    fn nothing_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let config =
            |name: &str, language, kind| Config { folder: folder.path().join(name), language, kind, wasi: Wasi::P2 };
        run(&config("app", Language::Rust, Kind::Http)).unwrap();
        assert!(matches!(run(&config("app", Language::C, Kind::Command)), Err(NewError::Exists(_))));
        assert!(matches!(run(&config("My App", Language::C, Kind::Command)), Err(NewError::Name(_))));
    }
}
