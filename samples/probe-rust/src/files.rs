//! Files, without a C library in between: errors are the host's own.

use http_rust::{Answer, value};
use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{Descriptor, DescriptorFlags, ErrorCode, OpenFlags, PathFlags};

/// Read in one piece, in bytes.
const PIECE: u64 = 64 * 1024;

/// The granted folders by the names the guest sees.
pub fn folders() -> String {
    get_directories().into_iter().map(|(_, name)| name).collect::<Vec<_>>().join("\n")
}

/// Does what a query asks; an error answers 403 with the host's code for it.
pub fn answer(query: &[(String, String)]) -> Answer {
    let path = value(query, "path").unwrap_or_default();
    let Some((folder, rest)) = folder_of(path) else {
        return Answer::text(403, format!("no granted folder holds {path}"));
    };
    let done = if value(query, "list").is_some() {
        list(&folder, &rest)
    } else if let Some(text) = value(query, "write") {
        write(&folder, &rest, text)
    } else if value(query, "remove").is_some() {
        folder.unlink_file_at(&rest).map(|()| "removed".to_owned())
    } else if let Some(to) = value(query, "link") {
        folder.symlink_at(to, &rest).map(|()| "linked".to_owned())
    } else {
        read(&folder, &rest)
    };
    match done {
        Ok(text) => Answer::text(200, text),
        Err(code) => Answer::text(403, code.name()),
    }
}

/// The granted folder with the longest name that a path begins with, and the rest of the path.
fn folder_of(path: &str) -> Option<(Descriptor, String)> {
    let rest_in = |name: &str| {
        let rest = path.strip_prefix(name.trim_end_matches('/'))?;
        let rest = if rest.is_empty() { "." } else { rest.strip_prefix('/')? };
        Some(rest.to_owned())
    };
    let found = get_directories().into_iter().filter_map(|(folder, name)| Some((name.len(), folder, rest_in(&name)?)));
    found.max_by_key(|(length, _, _)| *length).map(|(_, folder, rest)| (folder, rest))
}

fn read(folder: &Descriptor, path: &str) -> Result<String, ErrorCode> {
    let file = folder.open_at(PathFlags::SYMLINK_FOLLOW, path, OpenFlags::empty(), DescriptorFlags::READ)?;
    let mut content = Vec::new();
    loop {
        let (piece, end) = file.read(PIECE, content.len() as u64)?;
        content.extend(piece);
        if end {
            return Ok(String::from_utf8_lossy(&content).into_owned());
        }
    }
}

fn list(folder: &Descriptor, path: &str) -> Result<String, ErrorCode> {
    let folder = folder.open_at(PathFlags::SYMLINK_FOLLOW, path, OpenFlags::DIRECTORY, DescriptorFlags::READ)?;
    let entries = folder.read_directory()?;
    let mut names = Vec::new();
    while let Some(entry) = entries.read_directory_entry()? {
        names.push(entry.name);
    }
    names.sort();
    Ok(names.join("\n"))
}

fn write(folder: &Descriptor, path: &str, text: &str) -> Result<String, ErrorCode> {
    let flags = OpenFlags::CREATE | OpenFlags::TRUNCATE;
    let file = folder.open_at(PathFlags::SYMLINK_FOLLOW, path, flags, DescriptorFlags::WRITE)?;
    let mut at = 0;
    while at < text.len() {
        at += file.write(&text.as_bytes()[at..], at as u64)? as usize;
    }
    Ok(format!("wrote {at} bytes"))
}
