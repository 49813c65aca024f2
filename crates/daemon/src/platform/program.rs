//! The pages of the program's own file.

#![allow(unsafe_code, reason = "the kernel is told to let pages go")]

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::ops::Range;
use std::path::Path;

/// Takes code and constants out of the process's memory; each page comes back from the file when it is touched.
pub(crate) fn let_go() -> io::Result<()> {
    let program = fs::read_link("/proc/self/exe")?;
    for mapping in unwritten(BufReader::new(File::open("/proc/self/smaps")?), &program)? {
        // SAFETY: the mapping is of the program's file, may not be written to, and the kernel has counted no page in it that
        // differs from the file's: not by relocations of the loader, nor by a debugger. So it fills them again with what they hold
        // now for whoever reads them.
        let failed = unsafe {
            libc::madvise(mapping.start as *mut libc::c_void, mapping.end - mapping.start, libc::MADV_DONTNEED)
        };
        if failed != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// The addresses that are mapped from `program`, may not be written to and never were, as `smaps` has them (proc(5)).
fn unwritten(smaps: impl BufRead, program: &Path) -> io::Result<Vec<Range<usize>>> {
    let mut found = Vec::new();
    // The mapping that is described, if it may be one; and whether one of the program's was before.
    let (mut mapping, mut seen) = (None, false);
    for line in smaps.lines() {
        let line = line?;
        if let Some((range, permissions, file)) = head(&line) {
            let is_program = Path::new(file) == program;
            if seen && !is_program {
                // They lie beside each other, and there may be thousands of others.
                break;
            }
            seen |= is_program;
            let is_private = permissions.ends_with('p') && !permissions.contains('w');
            mapping = Some(range).filter(|_| is_program && is_private);
        } else if let Some(written) = line.strip_prefix("Anonymous:") {
            found.extend(mapping.take().filter(|_| written.trim() == "0 kB"));
        }
    }
    Ok(found)
}

/// Of a line such as `55d0-55d8 r-xp 00001000 fe:00 12 /usr/bin/coracle`: where, how, and of which file.
fn head(line: &str) -> Option<(Range<usize>, &str, &str)> {
    let mut fields = line.splitn(6, ' ');
    let (start, end) = fields.next()?.split_once('-')?;
    let address = |digits| usize::from_str_radix(digits, 16).ok();
    let permissions = fields.next()?;
    Some((address(start)?..address(end)?, permissions, fields.nth(3)?.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_never_written_goes() {
        let mapping = |head: &str, anonymous: u32| format!("{head}\nSize: 4 kB\nAnonymous:      {anonymous} kB\n");
        let smaps = [
            mapping("1000-2000 r--p 00000000 fe:00 12                        /opt/a b/coracle", 0),
            mapping("2000-5000 r-xp 00001000 fe:00 12                        /opt/a b/coracle", 0),
            // A breakpoint, or a relocation.
            mapping("5000-6000 r-xp 00004000 fe:00 12                        /opt/a b/coracle", 4),
            mapping("6000-7000 rw-p 00005000 fe:00 12                        /opt/a b/coracle", 0),
            mapping("7000-8000 r--s 00006000 fe:00 12                        /opt/a b/coracle", 0),
            mapping("8000-9000 r-xp 00007000 fe:00 12                        /opt/a b/coracle", 0),
            // Moved to memory of no file.
            mapping("9000-a000 r-xp 00000000 00:00 0 ", 0),
            mapping("a000-b000 r-xp 00000000 fe:00 12                        /opt/a b/coracle", 0),
        ]
        .concat();
        let found = unwritten(smaps.as_bytes(), Path::new("/opt/a b/coracle")).unwrap();
        assert_eq!(found, [0x1000..0x2000, 0x2000..0x5000, 0x8000..0x9000]);
        assert!(unwritten(smaps.as_bytes(), Path::new("/opt/other")).unwrap().is_empty());
    }
}
