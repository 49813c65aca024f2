//! What a manifest without faults says, and what holds for every manifest.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use coracle_package::grant::{Access, KeyValueBackend, Transport, VariableValue};
use coracle_package::limit::Limits;
use coracle_package::manifest::{
    FILE_NAME, MANIFEST_BYTES, MAX_COMPONENTS, MOST_FAULTS, Manifest, PathPattern, RouteTarget, SecretSource,
};
use coracle_package::reference;
use proptest::prelude::*;

/// Uses every key there is.
const FULL: &str = include_str!("full.toml");

fn parse(text: &str) -> Result<Manifest, coracle_package::fault::Faults> {
    Manifest::parse(text, Path::new("shop/coracle.toml"))
}

#[test]
fn every_part_of_a_manifest_is_read() {
    let manifest = parse(FULL).unwrap();
    assert_eq!(manifest.app.name, "shop");
    assert_eq!(manifest.app.version.as_deref(), Some("1.2.3"));
    assert_eq!(manifest.resolve(Path::new("a.wasm")), Path::new("shop/a.wasm"));
    assert_eq!(manifest.variables["currency"].default.as_deref(), Some("EUR"));
    assert_eq!(manifest.variables["region"].default, None);
    assert_eq!(manifest.secrets["stripe"], SecretSource::Env("STRIPE_KEY".into()));
    assert_eq!(manifest.secrets["cache"], SecretSource::File("/run/secrets/cache".into()));

    let component = &manifest.components["thumbnail"];
    assert_eq!(component.source, PathBuf::from("thumbnail.wasm"));
    let reuse = component.reuse.unwrap();
    assert_eq!((reuse.invocations.get(), reuse.concurrent.get(), reuse.idle), (100, 2, Duration::from_secs(30)));

    let grants = &component.grants;
    assert_eq!((grants.dirs[0].guest.as_str(), grants.dirs[0].access), ("/data", Access::ReadOnly));
    assert_eq!(grants.env["LANG"], "C");
    assert_eq!(grants.env_from_host, ["TZ"]);
    assert_eq!(grants.net.iter().map(|net| net.transport).collect::<Vec<_>>(), [Transport::Http, Transport::Tcp]);
    assert_eq!(grants.listen[0].port(), 8080);
    assert_eq!(grants.variables["greeting"], VariableValue::Literal("hello".into()));
    assert_eq!(grants.variables["currency"], VariableValue::Variable("currency".into()));
    assert_eq!(grants.variables["key"], VariableValue::Secret("stripe".into()));
    assert_eq!(grants.keyvalue["default"], KeyValueBackend::Redb("./data/kv.redb".into()));
    assert_eq!(grants.keyvalue["cache"], KeyValueBackend::Secret("cache".into()));

    let limits = &component.limits;
    assert_eq!((limits.memory, limits.fuel, limits.wall_time), (64 << 20, Some(1_000_000), None));
    assert_eq!(manifest.components["hello"].limits, Limits::http());
    assert_eq!(manifest.components["hello"].grants, Default::default());
    assert_eq!(manifest.components["hello"].reuse, None);

    let routes = &manifest.routes;
    assert_eq!(routes[0].host.as_deref(), Some("shop.example.com"));
    assert_eq!(routes[0].path, PathPattern::Exact("/thumbnail".into()));
    assert_eq!(routes[0].methods, ["POST"]);
    assert_eq!(routes[1].path, PathPattern::Prefix("/assets".into()));
    assert_eq!(routes[1].methods, ["GET", "HEAD"]);
    assert_eq!(routes[1].target, RouteTarget::Static("./public".into()));
    assert!(routes[2].methods.is_empty());
}

/// No key takes a date, so every key that is read has a fault when it is one.
#[test]
fn every_documented_key_is_read() {
    let heads = [
        ("[app]", "[app]"),
        ("[variables] NAME", "[variables.a]"),
        ("[secrets] NAME", "[secrets.a]"),
        ("[wit] PACKAGE", "[wit.\"a:b\"]"),
        ("[component.NAME]", "[component.a]"),
        ("[component.NAME.build]", "[component.a.build]"),
        ("[component.NAME.grants]", "[component.a.grants]"),
        ("[component.NAME.grants] variables.KEY", "[component.a.grants.variables.a]"),
        ("[component.NAME.grants] keyvalue.NAME", "[component.a.grants.keyvalue.a]"),
        ("[component.NAME] reuse", "[component.a.reuse]"),
        ("[component.NAME.limits]", "[component.a.limits]"),
        ("[[route]]", "[[route]]"),
        ("top level", ""),
    ];
    let tables = reference::tables();
    assert_eq!(tables.len(), heads.len());
    for table in tables {
        let (_, head) = heads.iter().find(|(title, _)| *title == table.title).expect(table.title);
        for doc in &table.keys {
            let faults = parse(&format!("{head}\n{} = 2000-01-01", doc.key)).unwrap_err().faults;
            let told = faults.iter().any(|fault| fault.message.ends_with("and this is a date or time"));
            assert!(told, "{} {}: {faults:?}", table.title, doc.key);
        }
    }
}

#[test]
fn every_documented_key_is_in_the_full_manifest() {
    for doc in reference::tables().iter().flat_map(|table| &table.keys) {
        assert!(FULL.contains(doc.key), "{}", doc.key);
        assert!(!doc.kind.is_empty() && !doc.default.is_empty() && doc.reason.ends_with('.'), "{}", doc.key);
    }
}

#[test]
fn a_prefix_matches_its_path_and_what_is_below() {
    let prefix = PathPattern::Prefix("/a".into());
    assert_eq!(prefix.rest("/a"), Some(""));
    assert_eq!(prefix.rest("/a/b"), Some("/b"));
    assert!(!prefix.matches("/ab") && !prefix.matches("/"));
    let all = PathPattern::Prefix(String::new());
    assert!(all.matches("/") && all.matches("/a/b"));
    let exact = PathPattern::Exact("/a".into());
    assert!(exact.matches("/a") && !exact.matches("/a/"));
    assert_eq!((prefix.to_string(), all.to_string(), exact.to_string()), ("/a/*".into(), "/*".into(), "/a".into()));
}

#[test]
fn a_folder_is_loaded_and_its_files_are_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[app]\nname = \"a\"\n[component.a]\nsource = \"a.wasm\"\ngrants = { dirs = [\"data\"] }\n\
                [[route]]\npath = \"/*\"\nstatic = \"public\"\n";
    fs::write(folder.path().join(FILE_NAME), text).unwrap();
    let faults = Manifest::load(folder.path()).unwrap_err().faults;
    let places: Vec<_> = faults.iter().map(|fault| (fault.line, fault.column)).collect();
    assert_eq!(places, [(4, 10), (5, 20), (8, 10)], "{faults:?}");

    fs::write(folder.path().join("a.wasm"), "").unwrap();
    fs::create_dir(folder.path().join("data")).unwrap();
    fs::create_dir(folder.path().join("public")).unwrap();
    let manifest = Manifest::load(folder.path()).unwrap();
    assert_eq!(manifest.directory, folder.path());
    assert_eq!(Manifest::load(&folder.path().join(FILE_NAME)).unwrap(), manifest);
}

#[test]
fn a_file_that_cannot_be_read_is_one_fault() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(FILE_NAME);
    let faults = Manifest::load(folder.path()).unwrap_err();
    assert!(faults.to_string().starts_with(&format!("{}: cannot read the manifest: ", file.display())), "{faults}");
    fs::write(&file, b"[app]\nname = \"\xff\"").unwrap();
    let faults = Manifest::load(folder.path()).unwrap_err();
    let expected =
        format!("{}:2:9: the manifest is not UTF-8 text from here on\n  hint: save it as UTF-8", file.display());
    assert_eq!(faults.to_string(), expected);
    fs::write(&file, vec![b'#'; MANIFEST_BYTES + 10]).unwrap();
    let faults = Manifest::load(folder.path()).unwrap_err();
    assert_eq!(faults.to_string(), format!("{}: the manifest is larger than 1 MiB", file.display()));
}

#[test]
fn a_manifest_in_the_current_folder_resolves_there() {
    let manifest = Manifest::parse("app.name = \"a\"", Path::new(FILE_NAME)).unwrap();
    assert_eq!(manifest.directory, Path::new("."));
}

#[test]
fn a_flood_of_faults_is_cut_and_quickly_told() {
    let text = "[[route]]\npath = \"/\"\n".repeat(MANIFEST_BYTES / 21);
    let started = std::time::Instant::now();
    let faults = parse(&text).unwrap_err().faults;
    assert_eq!(faults.len(), MOST_FAULTS + 1);
    assert!(faults.last().unwrap().message.ends_with("more faults"));
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn an_app_has_as_many_components_as_a_host_has_functions_and_no_more() {
    let app = |count| {
        let components = (0..count).map(|index| format!("[component.c{index}]\nsource = \"c.wasm\"\n"));
        format!("app.name = \"a\"\n{}", components.collect::<String>())
    };
    assert_eq!(parse(&app(MAX_COMPONENTS)).unwrap().components.len(), MAX_COMPONENTS);
    let faults = parse(&app(MAX_COMPONENTS + 1)).unwrap_err().faults;
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].message, "an app has at most 1000 components, and this manifest has 1001");
}

#[test]
fn a_dense_wiring_of_many_components_is_quickly_told() {
    // Half of them are wired to the first of the others, each of which is wired to all behind it.
    let half = 250;
    let component = |index: usize| {
        let providers = if index < half { half..half + 1 } else { index + 1..2 * half };
        let wires = providers.map(|to| format!("\"a:b/i{to}\" = \"c{to}\"")).collect::<Vec<_>>().join(", ");
        format!("[component.c{index}]\nsource = \"c.wasm\"\nfuse = true\nimports = {{ {wires} }}\n")
    };
    let text = format!("app.name = \"a\"\n{}", (0..2 * half).map(component).collect::<String>());
    assert!(text.len() < MANIFEST_BYTES, "{}", text.len());
    let started = std::time::Instant::now();
    let faults = parse(&text).unwrap_err().faults;
    assert!(faults.iter().any(|fault| fault.message.contains("one invocation takes at most 100")), "{faults:?}");
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

proptest! {
    /// A manifest with one slip still reads without a panic, and every fault has a place inside the text.
    #[test]
    fn a_slip_anywhere_is_told_in_its_place(at in 0..FULL.len(), slip in "[]\\[{}\"'=.,# a0\n\0é]{0,3}", cut in 0..4_usize) {
        let end = (at + cut).min(FULL.len());
        let text = format!("{}{slip}{}", &FULL[..at], &FULL[end..]);
        if let Err(faults) = parse(&text) {
            prop_assert!(!faults.faults.is_empty());
            let lines: Vec<&str> = text.split('\n').collect();
            for fault in faults.faults {
                let line = lines[usize::try_from(fault.line).unwrap() - 1];
                prop_assert!((1..=line.chars().count() + 1).contains(&usize::try_from(fault.column).unwrap()));
            }
        }
    }
}
