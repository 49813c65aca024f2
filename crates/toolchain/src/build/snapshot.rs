//! Components in Go that start with the start-up work of their runtime done.
//!
//! What does the work takes the snapshot ([`Snapshot`]); this makes a program that can live with it. Go's runtime reads its
//! random seed, its arguments, its variables and its folders when it starts, and never again. The build gives it sources of
//! its own with a few lines more (`go build -overlay`), by which it reads them in every instance.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::sections::without_names;
use super::{BuildError, Unfit};

/// Takes the snapshot of a core module. The second is what the module exports to go on from it.
pub type Snapshot = Arc<dyn Fn(&[u8], &str) -> Result<Vec<u8>, Unfit> + Send + Sync>;

/// What goes on from a snapshot: the name by which [`OS`] exports it.
const RESUME: &str = "coracle_resume";

/// One place in Go's own sources, and what stands there in a program that is snapshotted.
struct Change {
    file: &'static str,
    from: &'static str,
    to: &'static str,
}

/// The runtime draws a new seed, for its generator and for that of its only thread, and reads arguments and variables. What
/// packages draw for themselves before that, they ask the host for, which refuses while it takes a snapshot.
const RUNTIME: Change = Change {
    file: "runtime/os_wasip1.go",
    from: "func goenvs() {\n",
    to: r"var coracleResumed bool

//go:linkname syscall_coracleResume syscall.coracleResume
func syscall_coracleResume() {
	coracleResumed = true
	goenvs()
	lock(&globalRand.lock)
	globalRand.init = false
	unlock(&globalRand.lock)
	randinit()
	mrandinit(getg().m)
}

//go:linkname coracleRand
func coracleRand() uint64 {
	if !coracleResumed {
		var drawn [8]byte
		readRandom(drawn[:])
	}
	return rand()
}

//go:linkname os_coracleReserve os.coracleReserve
func os_coracleReserve(size uint32) uint32 {
	var start uintptr
	systemstack(func() {
		lock(&memlock)
		start = uintptr(sbrk(uintptr(size)))
		unlock(&memlock)
	})
	if start == 0 {
		// Nothing can be said without that memory, and the adapter would take 0 for a place.
		abort()
	}
	return uint32(start)
}

func goenvs() {
",
};

/// Folders are looked for again, and variables are set that the program has not set by itself.
const FOLDERS: Change = Change {
    file: "syscall/fs_wasip1.go",
    from: "func init() {\n\tdirNameBuf := make([]byte, 256)\n",
    to: r"func coracleResume() // in package runtime

func CoracleResume() {
	coracleResume()
	for _, variable := range runtime_envs() {
		for i := 0; i < len(variable); i++ {
			if variable[i] == '=' {
				if _, found := Getenv(variable[:i]); !found {
					Setenv(variable[:i], variable[i+1:])
				}
				break
			}
		}
	}
	preopens = nil
	coracleFolders()
}

func init() {
	coracleFolders()
}

func coracleFolders() {
	dirNameBuf := make([]byte, 256)
",
};

/// The functions that the host calls. The adapter of WASI keeps its state in memory that it asks the module for, when it is
/// first called: the heap would free it.
const OS: Change = Change {
    file: "os/proc.go",
    from: "func runtime_args() []string // in package runtime\n",
    to: r"func runtime_args() []string // in package runtime

func coracleReserve(size uint32) uint32 // in package runtime

//go:wasmexport coracle_resume
func coracleResume() {
	syscall.CoracleResume()
	Args = runtime_args()
}

//go:wasmexport cabi_realloc_adapter
func coracleAdapterMemory(old, oldSize, align, size uint32) uint32 {
	return coracleReserve(size)
}
",
};

/// Packages that draw random numbers for the program itself. Others do so for their tables of hashes alone.
const DRAWING: [&str; 3] = ["math/rand", "math/rand/v2", "hash/maphash"];

/// How these packages name the runtime's generator, and how they have to.
const DRAW: (&str, &str) =
    ("//go:linkname runtime_rand runtime.rand\n", "//go:linkname runtime_rand runtime.coracleRand\n");

/// Writes Go's sources with the changes into `folder`, and the list of them by which `go build -overlay` takes them.
pub(super) fn overlay(root: &Path, folder: &Path) -> Result<PathBuf, BuildError> {
    let sources = root.join("src");
    std::fs::create_dir_all(folder).map_err(BuildError::io(folder))?;
    let mut replaced = serde_json::Map::new();
    let mut keep = |file: &Path, text: &str| {
        let written = folder.join(format!("{}.go", replaced.len()));
        std::fs::write(&written, text).map_err(BuildError::io(&written))?;
        replaced.insert(file.display().to_string(), written.display().to_string().into());
        Ok::<_, BuildError>(())
    };
    for Change { file, from, to } in [RUNTIME, FOLDERS, OS] {
        let path = sources.join(file);
        let text = read(&path)?;
        if text.matches(from).count() != 1 {
            return Err(unknown(&path));
        }
        keep(&path, &text.replace(from, to))?;
    }
    for package in DRAWING {
        let path = drawing(&sources.join(package))?;
        keep(&path, &read(&path)?.replace(DRAW.0, DRAW.1))?;
    }
    let list = folder.join("overlay.json");
    let text = serde_json::json!({ "Replace": replaced }).to_string();
    std::fs::write(&list, text).map_err(BuildError::io(&list))?;
    Ok(list)
}

/// The file of a package that names the runtime's generator.
fn drawing(package: &Path) -> Result<PathBuf, BuildError> {
    let entries = std::fs::read_dir(package).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    for path in entries.map_err(BuildError::io(package))?.into_iter().map(|entry| entry.path()) {
        if path.extension().is_some_and(|extension| extension == "go") && read(&path)?.contains(DRAW.0) {
            return Ok(path);
        }
    }
    Err(unknown(package))
}

fn read(path: &Path) -> Result<String, BuildError> {
    std::fs::read_to_string(path).map_err(BuildError::io(path))
}

fn unknown(path: &Path) -> BuildError {
    BuildError::Unfit(Unfit {
        hint: Some("build it with Go 1.27, or leave `snapshot` out".to_owned()),
        ..Unfit::new(format!("no snapshot can be taken with this Go: {} is not as it is known", path.display()))
    })
}

/// The module that is started already, without the names of its functions.
pub(super) fn start(module: &[u8], snapshot: &Snapshot) -> Result<Vec<u8>, Unfit> {
    without_names(&snapshot(module, RESUME)?)
}

/// Takes none: where nothing is built.
#[cfg(test)]
pub(super) fn none() -> Snapshot {
    Arc::new(|_, _| Err(Unfit::new("nothing takes snapshots here")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_go_whose_sources_are_others_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("overlay");
        let source = place.path().join("src/runtime/os_wasip1.go");
        std::fs::create_dir_all(source.parent().unwrap()).unwrap();
        std::fs::write(&source, "package runtime\n\nfunc goenvironment() {\n").unwrap();
        let error = overlay(place.path(), &folder).unwrap_err();
        let said = error.to_string();
        assert!(said.contains("os_wasip1.go is not as it is known"), "{said}");
        assert!(matches!(error, BuildError::Unfit(Unfit { hint: Some(_), .. })));
    }
}
