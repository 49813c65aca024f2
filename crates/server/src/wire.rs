//! How many instances the invocations of an app may take, whose components provide for each other and stay apart.

use coracle_package::compose;
use coracle_package::manifest::Manifest;
use coracle_runtime::MAX_POOL;

use crate::config::Source;

/// The most instances that one invocation of an app may take. What cannot be read is told when the app is built.
pub(crate) fn instances(source: &Source) -> u32 {
    let manifest = match source {
        Source::File(file) => std::fs::read_to_string(file).ok().and_then(|text| Manifest::parse(&text, file).ok()),
        Source::Manifest(manifest) => Some(Manifest::clone(manifest)),
        Source::Component { .. } => None,
    };
    let Some(manifest) = manifest else { return 1 };
    let apart = |name: &String| compose::members(name, &manifest.components).len();
    let most = manifest.components.iter().filter(|(_, it)| !it.fuse).map(|(name, _)| apart(name)).max();
    most.and_then(|most| u32::try_from(most).ok()).unwrap_or(1)
}

/// How many of the invocations that were `asked` for may run at one time, where each takes so many instances: those that would
/// begin and find no instance in the pool half way are turned away at once.
pub(crate) fn whole_invocations(asked: u32, each: u32) -> u32 {
    asked.min(MAX_POOL / each.max(1)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_run_than_find_all_their_instances() {
        assert_eq!(whole_invocations(1_000, 1), 1_000);
        assert_eq!(whole_invocations(1_000, 16), 250);
        assert_eq!(whole_invocations(u32::MAX, 1), MAX_POOL);
        assert_eq!(whole_invocations(1_000, u32::MAX), 1);
    }
}
