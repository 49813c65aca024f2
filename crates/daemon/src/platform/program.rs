//! The pages of the program's own file.

#![allow(unsafe_code, reason = "the loader's list of segments is read, and the kernel is told to let pages go")]

use std::ffi::{c_int, c_void};
use std::io;
use std::ops::Range;

/// Takes code and constants out of the process's memory; each page comes back from the file when it is touched.
pub(crate) fn let_go() -> io::Result<()> {
    let page = rustix::param::page_size();
    for segment in unwritten() {
        let start = segment.start / page * page;
        // SAFETY: nothing was ever written to these pages, not by the loader either, which relocates only what may be written
        // to. So they hold what the file holds, from which the kernel fills them again for whoever reads them.
        let failed = unsafe {
            libc::madvise(start as *mut c_void, segment.end.next_multiple_of(page) - start, libc::MADV_DONTNEED)
        };
        if failed != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// The addresses of the program's segments that are mapped from its file and never written to.
fn unwritten() -> Vec<Range<usize>> {
    unsafe extern "C" fn first(info: *mut libc::dl_phdr_info, _: usize, found: *mut c_void) -> c_int {
        // SAFETY: the loader hands over a description that lives through this call, and `found` is the list below.
        let (info, found) = unsafe { (&*info, &mut *found.cast::<Vec<Range<usize>>>()) };
        // SAFETY: the description says where the headers are and how many, and they are mapped as long as the program is.
        let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
        let address = |value| usize::try_from(value).unwrap_or_default();
        found.extend(headers.iter().filter(|it| it.p_type == libc::PT_LOAD && it.p_flags & libc::PF_W == 0).map(
            |it| {
                let start = address(info.dlpi_addr).wrapping_add(address(it.p_vaddr));
                start..start + address(it.p_memsz)
            },
        ));
        // The program is the first; libraries are not asked for.
        1
    }
    let mut found = Vec::new();
    // SAFETY: the function is called before this returns, with the list that is given here, and does not unwind.
    unsafe { libc::dl_iterate_phdr(Some(first), (&raw mut found).cast()) };
    found
}
