//! Packages that agree with each other: those that the manifest names, and what they bring along.
//!
//! A package from a registry carries the interfaces of others that it uses, and of those only what it uses. So the views
//! that packages have of a third one are united, after they have been compared item by item.

use std::collections::{BTreeMap, BTreeSet};

use coracle_package::manifest::WitName;
use coracle_package::wit::{WitError, compare, interfaces_of};
use wit_component::{OutputToString, WitPrinter};
use wit_parser::decoding::{DecodedWasm, decode};
use wit_parser::{PackageId, PackageName, Resolve, UnresolvedPackageGroup};

use super::error::Refused;
use super::folder::{self, Folder};
use super::{Content, Entry};

/// The most packages that all of those which a manifest names bring along together.
///
/// Reason: all of WASI are a dozen, in a few versions each; they are compared with each other and written beside every
/// component that needs them.
const MAX_PACKAGES: usize = 500;

/// Packages that agree with each other.
pub(super) struct Packages {
    resolve: Resolve,
    /// Who brought each of them first.
    from: BTreeMap<PackageName, String>,
    /// The package that each name of the manifest stands for.
    named: BTreeMap<WitName, PackageName>,
}

impl Packages {
    /// Reads the packages of all entries, in the order in which they need each other.
    pub(super) fn of(entries: &[Entry]) -> Result<Self, Box<Refused>> {
        let resolve = Resolve { all_features: true, ..Resolve::default() };
        let mut packages = Self { resolve, from: BTreeMap::new(), named: BTreeMap::new() };
        let mut texts = Vec::new();
        for entry in entries {
            match &entry.content {
                Content::Binary(bytes) => {
                    let (resolve, main) = of_binary(bytes).map_err(|error| Refused::wit(error, &entry.place))?;
                    packages.add(entry, resolve, main)?;
                }
                Content::Text(folder) => texts.push((entry, Groups::of(folder, entry)?)),
            }
        }
        // What packages of text name and do not have beside them is that of other entries: those come first.
        while !texts.is_empty() {
            let names: BTreeSet<&PackageName> = texts.iter().map(|(_, groups)| &groups.name).collect();
            let ready = texts.iter().position(|(_, groups)| !groups.missing.iter().any(|name| names.contains(name)));
            let Some(ready) = ready else {
                let names = names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                let refused = Refused::data(format!("WIT packages need each other: {names}"));
                return Err(refused.at(&texts[0].0.place).hint("move what they share to a package of its own"));
            };
            let (entry, groups) = texts.swap_remove(ready);
            let (resolve, main) = packages.resolve_text(groups, entry)?;
            packages.add(entry, resolve, main)?;
        }
        Ok(packages)
    }

    /// The package that a name of the manifest stands for.
    pub(super) fn named(&self, name: &WitName) -> Option<&PackageName> {
        self.named.get(name)
    }

    /// The packages that the manifest names.
    pub(super) fn direct(&self) -> impl Iterator<Item = &PackageName> {
        self.named.values()
    }

    /// Who brought a package.
    pub(super) fn source(&self, name: &PackageName) -> &str {
        self.from.get(name).map_or("", String::as_str)
    }

    /// Those of the packages that are there, with all that they need.
    pub(super) fn closure(&self, names: impl Iterator<Item = PackageName>) -> BTreeSet<PackageName> {
        let mut found = BTreeSet::new();
        let mut next: Vec<PackageId> =
            names.filter_map(|name| self.resolve.package_names.get(&name).copied()).collect();
        while let Some(id) = next.pop() {
            if found.insert(self.resolve.packages[id].name.clone()) {
                next.extend(self.resolve.package_direct_deps(id));
            }
        }
        found
    }

    /// The text of a package.
    pub(super) fn text(&self, name: &PackageName) -> Result<String, Box<Refused>> {
        let cannot = |why: &str| Refused::data(format!("the package {name} cannot be written as text: {why}"));
        let id = self.resolve.package_names.get(name).ok_or_else(|| cannot("it is not there"))?;
        let mut printer = WitPrinter::new(OutputToString::default());
        printer.print(&self.resolve, *id, &[]).map_err(|error| cannot(&one_line(&format!("{error:#}"))))?;
        Ok(printer.output.to_string())
    }

    /// Adds a package with what it brings along.
    fn add(&mut self, entry: &Entry, resolve: Resolve, main: PackageId) -> Result<(), Box<Refused>> {
        let name = resolve.packages[main].name.clone();
        check_name(entry, &name)?;
        for (id, package) in &resolve.packages {
            let Some(known) = self.resolve.package_names.get(&package.name) else { continue };
            let (one, other) = (interfaces_of(&self.resolve, *known), interfaces_of(&resolve, id));
            let both = one.iter().filter_map(|(name, interface)| Some((name, interface, other.get(name)?)));
            let differences: Vec<String> = both
                .flat_map(|(name, one, other)| {
                    compare(one, other).into_iter().map(move |difference| (name, difference))
                })
                .filter_map(|(interface, it)| {
                    let (first, second) = it.left.zip(it.right)?;
                    Some(format!("{interface}: `{}` is {first} in the first, {second} in the second", it.name))
                })
                .collect();
            if !differences.is_empty() {
                return Err(self.conflict(entry, &package.name, differences));
            }
        }
        for package in resolve.packages.iter().map(|(_, package)| &package.name) {
            self.from.entry(package.clone()).or_insert_with(|| entry.source.to_string());
        }
        if self.from.len() > MAX_PACKAGES {
            let refused = Refused::data(format!("the packages of [wit] bring along more than {MAX_PACKAGES} others"));
            return Err(refused.at(&entry.place));
        }
        let merged = self.resolve.merge(resolve);
        merged.map_err(|error| self.conflict(entry, &name, vec![one_line(&format!("{error:#}"))]))?;
        self.named.insert(entry.name.clone(), name);
        Ok(())
    }

    fn conflict(&self, entry: &Entry, package: &PackageName, differences: Vec<String>) -> Box<Refused> {
        let refused = Refused::data(format!("{package} is there twice, with different contents")).at(&entry.place);
        let refused = refused
            .detail(format!("first from  {}", self.source(package)))
            .detail(format!("second from {}", entry.source));
        let refused = differences.into_iter().fold(refused, Refused::detail);
        refused.hint("one of the two was changed without a new version: use one that was not")
    }

    /// Resolves a package of text, by itself where it has all that it names beside it.
    fn resolve_text(&self, groups: Groups, entry: &Entry) -> Result<(Resolve, PackageId), Box<Refused>> {
        let Groups { name, missing, main, mut deps } = groups;
        let absent = missing.iter().find(|name| !self.resolve.package_names.contains_key(*name));
        let mut resolve = match missing.is_empty() {
            true => Resolve { all_features: true, ..Resolve::default() },
            false => self.resolve.clone(),
        };
        deps.retain(|group| !resolve.package_names.contains_key(&group.main.name));
        let error = match resolve.push_groups(main, deps) {
            Ok(id) => return Ok((resolve, id)),
            Err(error) => WitError::of_text(&resolve.render_error(&error.into())),
        };
        Err(match absent {
            Some(absent) => {
                let message = format!("{name} needs the package {absent}, and that is not there");
                let hint = format!("name it in [wit], or put it into `deps` of {}", entry.source);
                Refused::wit(WitError { message, ..error }, &entry.place).hint(hint)
            }
            None => Refused::wit(error, &entry.place),
        })
    }
}

/// What the folder of a package holds, parsed.
struct Groups {
    name: PackageName,
    main: UnresolvedPackageGroup,
    deps: Vec<UnresolvedPackageGroup>,
    /// What is named and not there.
    missing: BTreeSet<PackageName>,
}

impl Groups {
    fn of(folder: &Folder, entry: &Entry) -> Result<Self, Box<Refused>> {
        let parse = |files: &Vec<folder::Text>| folder::parse(files).map_err(|error| Refused::wit(error, &entry.place));
        let main = parse(&folder.main)?;
        let deps = folder.deps.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
        let (has, wants) = names(std::iter::once(&main).chain(&deps));
        let missing = wants.difference(&has).cloned().collect();
        Ok(Self { name: main.main.name.clone(), main, deps, missing })
    }
}

/// The packages that are in groups, and those that they name.
pub(super) fn names<'a>(
    groups: impl Iterator<Item = &'a UnresolvedPackageGroup>,
) -> (BTreeSet<PackageName>, BTreeSet<PackageName>) {
    let (mut has, mut wants) = (BTreeSet::new(), BTreeSet::new());
    for package in groups.flat_map(|group| std::iter::once(&group.main).chain(&group.nested)) {
        has.insert(package.name.clone());
        wants.extend(package.foreign_deps.keys().cloned());
    }
    (has, wants)
}

fn of_binary(bytes: &[u8]) -> Result<(Resolve, PackageId), WitError> {
    match decode(bytes) {
        Ok(DecodedWasm::WitPackage(resolve, package)) => Ok((resolve, package)),
        Ok(DecodedWasm::Component(..)) => Err(WitError::new("it is a component, and no WIT package")),
        Err(error) => {
            Err(WitError::new(format!("it is no WIT package in binary form: {}", one_line(&format!("{error:#}")))))
        }
    }
}

/// Refuses a package that is another one than the manifest says.
fn check_name(entry: &Entry, found: &PackageName) -> Result<(), Box<Refused>> {
    let name = format!("{}:{}", found.namespace, found.name);
    if entry.name.name == name && entry.name.version.as_ref().is_none_or(|meant| Some(meant) == found.version.as_ref())
    {
        return Ok(());
    }
    let refused = Refused::data(format!("what [wit] calls {} is the package {found}", entry.name)).at(&entry.place);
    let refused = refused.detail(format!("from {}", entry.source));
    Err(if entry.name.name == name {
        refused.hint(format!("write {name:?} to take whichever version is there, or name that of another"))
    } else {
        refused.hint(format!("write {name:?}, or name where {} is", entry.name))
    })
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
