//! Files, without a C library in between: errors are the host's own.

use http_rust::{Answer, value};
use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{
    Descriptor, DescriptorFlags, ErrorCode, NewTimestamp, OpenFlags, PathFlags, filesystem_error_code,
};
use wasip2::io::streams::StreamError;

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
    } else if let Some(to) = value(query, "hardlink") {
        beside(to, |there, to| folder.link_at(PathFlags::empty(), &rest, there, to))
    } else if let Some(to) = value(query, "rename") {
        beside(to, |there, to| folder.rename_at(&rest, there, to))
    } else if value(query, "mkdir").is_some() {
        folder.create_directory_at(&rest).map(|()| "made".to_owned())
    } else if value(query, "rmdir").is_some() {
        folder.remove_directory_at(&rest).map(|()| "removed".to_owned())
    } else if value(query, "touch").is_some() {
        touch(&folder, &rest)
    } else if let Some(size) = number(query, "truncate") {
        truncate(&folder, &rest, size)
    } else if let Some(count) = number(query, "fill") {
        fill(&folder, &rest, count)
    } else if let Some(count) = number(query, "files") {
        Ok(make_files(&folder, &rest, count))
    } else {
        read(&folder, &rest)
    };
    match done {
        Ok(text) => Answer::text(200, text),
        Err(code) => Answer::text(403, code.name()),
    }
}

fn number(query: &[(String, String)], name: &str) -> Option<u64> {
    value(query, name)?.parse().ok()
}

/// Does something between a file and another path.
fn beside(to: &str, act: impl FnOnce(&Descriptor, &str) -> Result<(), ErrorCode>) -> Result<String, ErrorCode> {
    let (there, to) = folder_of(to).ok_or(ErrorCode::NotPermitted)?;
    act(&there, &to).map(|()| "done".to_owned())
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

/// Changes a file's times by its path, and if that fails through a file that is opened to be read.
fn touch(folder: &Descriptor, path: &str) -> Result<String, ErrorCode> {
    let now = NewTimestamp::Now;
    let touched = folder.set_times_at(PathFlags::SYMLINK_FOLLOW, path, now, now).or_else(|_| {
        let file = folder.open_at(PathFlags::SYMLINK_FOLLOW, path, OpenFlags::empty(), DescriptorFlags::READ)?;
        file.set_times(now, now)
    });
    touched.map(|()| "touched".to_owned())
}

/// Sets a file's size, and if it cannot be opened for that through one that is opened to be read.
fn truncate(folder: &Descriptor, path: &str, size: u64) -> Result<String, ErrorCode> {
    let open = |flags| folder.open_at(PathFlags::SYMLINK_FOLLOW, path, OpenFlags::empty(), flags);
    let file = open(DescriptorFlags::WRITE).or_else(|_| open(DescriptorFlags::READ))?;
    file.set_size(size).map(|()| "set".to_owned())
}

/// Writes to a new file by a stream, as far as that goes.
fn fill(folder: &Descriptor, path: &str, count: u64) -> Result<String, ErrorCode> {
    let flags = OpenFlags::CREATE | OpenFlags::TRUNCATE;
    let file = folder.open_at(PathFlags::SYMLINK_FOLLOW, path, flags, DescriptorFlags::WRITE)?;
    let stream = file.write_via_stream(0)?;
    let piece = [b'x'; 4096];
    let mut written = 0;
    while written < count {
        match stream.blocking_write_and_flush(&piece) {
            Ok(()) => written += piece.len() as u64,
            Err(error) => return Ok(format!("wrote {written} bytes, then {}", named(&error))),
        }
    }
    Ok(format!("wrote {written} bytes"))
}

fn named(error: &StreamError) -> String {
    match error {
        StreamError::Closed => "closed".to_owned(),
        StreamError::LastOperationFailed(error) => {
            filesystem_error_code(error).map_or_else(|| "an unknown error".to_owned(), |code| code.name().to_owned())
        }
    }
}

/// Makes empty files, as many as it can.
fn make_files(folder: &Descriptor, path: &str, count: u64) -> String {
    for number in 0..count {
        let path = format!("{path}-{number}");
        let flags = OpenFlags::CREATE | OpenFlags::EXCLUSIVE;
        if let Err(code) = folder.open_at(PathFlags::empty(), &path, flags, DescriptorFlags::WRITE) {
            return format!("{number} files, then {}", code.name());
        }
    }
    format!("{count} files")
}
