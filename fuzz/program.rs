//! The `coracle` program, for targets that drive it whole. `cargo xtask fuzz` builds it and says where it is.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The root of the tree.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the targets are a folder of the tree")
}

/// A command of the program, which ends with this process.
pub fn coracle() -> Command {
    let program =
        std::env::var_os("CORACLE").map(PathBuf::from).expect("CORACLE names the program: cargo xtask fuzz sets it");
    let mut command = Command::new(program);
    command.current_dir(root()).stdin(Stdio::null());
    // SAFETY: one system call, which allocates nothing, between fork and exec.
    unsafe {
        command.pre_exec(|| match libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        });
    }
    command
}

/// Serves a component until this process ends, and says where. A panic of the server ends the process.
pub fn serve(component: &str) -> SocketAddr {
    let mut command = coracle();
    command.args(["serve", "--addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0", component]);
    let mut server = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("coracle starts");
    let mut lines = BufReader::new(server.stderr.take().expect("its errors are piped")).lines().map_while(Result::ok);
    let address = lines.find_map(|line| {
        assert!(!line.starts_with("error"), "{line}");
        let serving = line.contains(r#""message":"serving""#);
        let (_, after) = line.split_once(r#""address":""#)?;
        serving.then(|| after.split('"').next().and_then(|address| address.parse().ok())).flatten()
    });
    std::thread::spawn(move || {
        for line in lines {
            if line.contains("panicked") {
                eprintln!("the server panicked: {line}");
                std::process::abort();
            }
        }
    });
    address.expect("the server says where it listens")
}
