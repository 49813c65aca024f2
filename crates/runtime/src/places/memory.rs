//! Places as the kernel has them: where they are, and which of their pages were written.
#![allow(unsafe_code, reason = "the kernel is asked to make pages the process's own")]

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// A memory in the pool, by the content that is mapped into it.
pub(super) struct Place {
    /// Where its first content begins in the file.
    pub(super) content: u64,
    /// The addresses that its guest can use.
    addresses: Range<usize>,
}

/// A line of `/proc/self/maps` (proc_pid_maps(5)).
struct Mapping<'a> {
    addresses: Range<usize>,
    /// Private, and may be read and written.
    writable: bool,
    offset: u64,
    /// Device and inode; without a file none.
    file: Option<(&'a str, &'a str)>,
}

impl<'a> Mapping<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let mut fields = line.split_ascii_whitespace();
        let (start, end) = fields.next()?.split_once('-')?;
        let addresses = usize::from_str_radix(start, 16).ok()?..usize::from_str_radix(end, 16).ok()?;
        let writable = fields.next()? == "rw-p";
        let offset = u64::from_str_radix(fields.next()?, 16).ok()?;
        let (device, inode) = (fields.next()?, fields.next()?);
        Some(Self { addresses, writable, offset, file: (inode != "0").then_some((device, inode)) })
    }
}

/// The memories whose first content is in the file from which the code at `code` is mapped.
pub(super) fn find(code: usize) -> io::Result<Vec<Place>> {
    let text = fs::read_to_string("/proc/self/maps")?;
    Ok(among(&text, code))
}

fn among(maps: &str, code: usize) -> Vec<Place> {
    let mappings: Vec<Mapping<'_>> = maps.lines().filter_map(Mapping::read).collect();
    let file = mappings.iter().find(|mapping| mapping.addresses.contains(&code)).and_then(|mapping| mapping.file);
    // Between two memories there are always addresses that nobody can use.
    mappings
        .chunk_by(|one, next| one.writable && next.writable && one.addresses.end == next.addresses.start)
        .filter_map(|memory| {
            let content =
                memory.iter().find(|mapping| mapping.writable && mapping.file.is_some() && mapping.file == file)?;
            let addresses = memory.first()?.addresses.start..memory.last()?.addresses.end;
            Some(Place { content: content.offset, addresses })
        })
        .collect()
}

impl Place {
    /// How many pages there are.
    pub(super) fn pages(&self) -> usize {
        self.addresses.len() / page()
    }

    /// The pages that were written since they were mapped, of the first `depth` bytes: the process has them for itself.
    pub(super) fn written(&self, depth: usize) -> io::Result<Vec<Range<usize>>> {
        let mut entries = vec![0; self.addresses.len().min(depth) / page() * size_of::<u64>()];
        let first = (self.addresses.start / page() * size_of::<u64>()) as u64;
        File::open("/proc/self/pagemap")?.read_exact_at(&mut entries, first)?;
        let own: Vec<bool> = entries.as_chunks().0.iter().map(|entry| is_own(u64::from_ne_bytes(*entry))).collect();
        let mut start = 0;
        Ok(own
            .chunk_by(|one, next| one == next)
            .filter_map(|run| {
                let range = start..start + run.len();
                start = range.end;
                run[0].then_some(range)
            })
            .collect())
    }

    /// Makes `pages` the process's own; they hold what they held.
    pub(super) fn make_own(&self, pages: Range<usize>) -> io::Result<()> {
        let address = self.addresses.start + pages.start * page();
        // SAFETY: the advice changes the content of no memory, whichever is at these addresses by now: the kernel makes the pages
        // as if each had been written with what it holds (madvise(2)). Addresses that nobody can use are an error.
        match unsafe { libc::madvise(address as *mut _, pages.len() * page(), libc::MADV_POPULATE_WRITE) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// Whether an entry of `/proc/self/pagemap` (proc_pid_pagemap(5)) is of a page that is there, of no file, and of this process
/// alone: the page of zeros, which all processes share, was only read.
fn is_own(entry: u64) -> bool {
    const PRESENT: u64 = 1 << 63;
    const FILE: u64 = 1 << 61;
    const EXCLUSIVE: u64 = 1 << 56;
    entry & (PRESENT | FILE | EXCLUSIVE) == PRESENT | EXCLUSIVE
}

/// The size of a page, in bytes.
///
/// Not from `rustix`: it reads what the kernel gave the program at its start in a way that ends the counter of instructions.
pub(super) fn page() -> usize {
    // SAFETY: it reads a constant of the system (sysconf(3)).
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).unwrap_or(4096)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_are_told_by_the_file_of_their_code() {
        let maps = "\
10000-20000 r-xp 00001000 fe:00 77 /cache/one.code
20000-30000 rw-p 00000000 00:00 0
50000-54000 ---p 00000000 00:00 0
54000-55000 rw-p 00000000 00:00 0
55000-57000 rw-p 00003000 fe:00 77 /cache/one.code
57000-58000 rw-p 00000000 00:00 0
58000-60000 ---p 00000000 00:00 0
60000-62000 rw-p 00003000 fe:00 78 /cache/two.code
62000-70000 ---p 00000000 00:00 0
";
        let found = among(maps, 0x1_0800);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].content, found[0].addresses.clone()), (0x3000, 0x5_4000..0x5_8000));
        // Code that is in no file.
        assert_eq!(among(maps, 0x2_0000).len(), 0);
        assert_eq!(among(maps, 0x9_0000).len(), 0);
    }

    #[test]
    fn pages_made_own_hold_what_they_held() {
        let mut memory = vec![0_u8; 4 << 20];
        let start = memory.as_ptr().addr().next_multiple_of(page());
        let place = Place { content: 0, addresses: start..start + 500 * page() };
        // Not in huge pages, of which one write makes all own; and what the allocator had touched before is given back.
        for advice in [libc::MADV_NOHUGEPAGE, libc::MADV_DONTNEED] {
            // SAFETY: these pages lie within the memory, which holds zeros before and after.
            assert_eq!(unsafe { libc::madvise(start as *mut _, 500 * page(), advice) }, 0);
        }
        let has = |pages: Range<usize>| {
            place.written(usize::MAX).unwrap().iter().any(|own| own.start <= pages.start && pages.end <= own.end)
        };
        memory[400 * page()] = 1;
        assert!(!has(100..101));
        place.make_own(100..450).unwrap();
        assert!(has(100..450) && !has(99..100) && !has(450..451));
        assert_eq!(place.written(200 * page()).unwrap().last(), Some(&(100..200)));
        assert_eq!(memory.iter().position(|byte| *byte != 0), Some(400 * page()));
        assert_eq!(place.pages(), 500);
    }

    #[test]
    fn addresses_that_nobody_can_use_are_an_error() {
        let place = Place { content: 0, addresses: 0..page() };
        place.make_own(0..1).unwrap_err();
    }
}
