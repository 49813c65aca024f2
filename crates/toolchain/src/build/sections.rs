//! What a module says of itself besides its code: names of functions, and what debuggers read.

use wasmparser::{CustomSectionReader, KnownCustom, Parser, Payload};

use super::Unfit;

/// The module without what debuggers read (DWARF), which is many times its code. Names of functions stay, for traps to be told
/// by.
pub(super) fn without_debug(module: &[u8]) -> Result<Vec<u8>, Unfit> {
    without(module, |section| section.name().starts_with(".debug_"))
}

/// The module without the names of its functions.
pub(super) fn without_names(module: &[u8]) -> Result<Vec<u8>, Unfit> {
    without(module, |section| matches!(section.as_known(), KnownCustom::Name(_)))
}

fn without(module: &[u8], goes: impl Fn(&CustomSectionReader<'_>) -> bool) -> Result<Vec<u8>, Unfit> {
    let mut kept = Vec::with_capacity(module.len());
    let mut from = 0;
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload.map_err(|error| Unfit::new(format!("what was built is no valid module: {error}")))?;
        let end = match &payload {
            Payload::Version { range, .. } => range.end,
            other => match other.as_section() {
                Some((_, range)) => range.end,
                None => continue,
            },
        };
        if !matches!(&payload, Payload::CustomSection(section) if goes(section)) {
            // The parser's ranges lie in what it reads, and follow each other.
            kept.extend(module.get(from..end).unwrap_or_default());
        }
        from = end;
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_debuggers_read_goes_and_names_only_where_they_should() {
        let section = |name: &str, rest: &[u8]| {
            let mut section =
                vec![0, u8::try_from(1 + name.len() + rest.len()).unwrap(), u8::try_from(name.len()).unwrap()];
            section.extend(name.bytes().chain(rest.iter().copied()));
            section
        };
        let module = |sections: &[Vec<u8>]| [b"\0asm\x01\0\0\0".to_vec(), sections.concat()].concat();
        // One empty table of names of functions.
        let (names, before, after) = (section("name", &[1, 1, 0]), section("before", b"1"), section("after", b"2"));
        let (info, line) = (section(".debug_info", b"4"), section(".debug_line", b"5"));
        let whole = module(&[before.clone(), info.clone(), names.clone(), line.clone(), after.clone()]);
        assert_eq!(without_names(&whole).unwrap(), module(&[before.clone(), info, line, after.clone()]));
        assert_eq!(without_debug(&whole).unwrap(), module(&[before, names, after]));
    }

    #[test]
    fn what_is_no_module_is_told() {
        assert!(
            without_debug(b"\0asm\x01\0\0\0\x01\xff").unwrap_err().message.starts_with("what was built is no valid")
        );
    }
}
