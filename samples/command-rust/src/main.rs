//! Prints its arguments and the number of variables in its environment. `--stdin` copies standard input to standard
//! output, `--stderr TEXT` writes to standard error, `--read PATH` prints a file, `--exit CODE` ends with a code,
//! `--panic` ends badly.

use std::io::{self, Write};
use std::process::ExitCode;

fn main() -> io::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut out = io::stdout().lock();
    writeln!(out, "Hello from Rust!")?;
    writeln!(out, "arguments: {}", arguments.join(" "))?;
    writeln!(out, "variables: {}", std::env::vars().count())?;

    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--stdin" => drop(io::copy(&mut io::stdin().lock(), &mut out)?),
            "--stderr" => eprintln!("{}", rest.next().map_or("", String::as_str)),
            "--read" => out.write_all(&std::fs::read(rest.next().map_or("", String::as_str))?)?,
            "--exit" => return Ok(ExitCode::from(rest.next().and_then(|code| code.parse().ok()).unwrap_or(0))),
            "--panic" => panic!("asked to"),
            _ => {}
        }
    }
    Ok(ExitCode::SUCCESS)
}
