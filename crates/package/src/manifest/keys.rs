//! Every key that a manifest can hold. The parser reads no key that is not here and refuses every other, and the
//! reference is made from these tables.

use crate::check::Section;
use crate::limit;
use crate::reference::{Table, key};

/// The default of a key that has to be there.
const REQUIRED: &str = "required";
/// The default of a key whose absence stands for nothing.
const ABSENT: &str = "none";
/// The syntax of names that the author gives.
const NAME: &str = "lower-case letters, digits and hyphens, starting with a letter, at most 63 characters";
/// The syntax of paths.
const PATH: &str = "a path, from the manifest's folder when it is relative";

pub(crate) const ROOT: Section = Section {
    title: "top level",
    noun: "the manifest",
    about: "The tables of a manifest.",
    keys: &[
        key("app", "table", REQUIRED, "", "What the app is called."),
        key("variables", "table", ABSENT, "one table for each name", "What can be set when the app is started."),
        key(
            "secrets",
            "table",
            ABSENT,
            "one table for each name",
            "Where the values of secrets are found on the host.",
        ),
        key("component", "table", ABSENT, "one table for each name", "The components."),
        key("route", "list of tables", ABSENT, "[[route]]", "What leads requests to components and files."),
        key(
            "wit",
            "table",
            ABSENT,
            "\"NAMESPACE:NAME[@VERSION]\" = { ... }",
            "WIT packages from elsewhere that components are built against.",
        ),
    ],
    elsewhere,
};

pub(crate) const APP: Section = Section {
    title: "[app]",
    noun: "[app]",
    about: "What the app is called.",
    keys: &[
        key(
            "name",
            "text",
            REQUIRED,
            NAME,
            "Names the app in logs, metrics and references, so it has to fit into a host name.",
        ),
        key("version", "text", ABSENT, "a semantic version, like 1.2.3", "The version of this revision."),
        key("description", "text", ABSENT, "", "One line for people."),
    ],
    elsewhere,
};

pub(crate) const VARIABLE: Section = Section {
    title: "[variables] NAME",
    noun: "a variable",
    about: "A value that can be set when the app is started, by flag or environment.",
    keys: &[
        key("default", "text", "none: has to be set", "", "The value when none is set."),
        key("description", "text", ABSENT, "", "One line for people."),
    ],
    elsewhere,
};

pub(crate) const SECRET: Section = Section {
    title: "[secrets] NAME",
    noun: "a secret",
    about: "Where the value of a secret is found on the host: exactly one of the two. The manifest never holds the value.",
    keys: &[
        key(
            "env",
            "text",
            ABSENT,
            "the name of an environment variable",
            "For secrets that the supervisor hands over.",
        ),
        key("file", "text", ABSENT, PATH, "For secrets that are mounted; one line end after the value is cut."),
    ],
    elsewhere,
};

pub(crate) const WIT: Section = Section {
    title: "[wit] PACKAGE",
    noun: "a WIT package",
    about: "Where a WIT package comes from: exactly one of the two. `coracle build` and `coracle wit` lock what they find.",
    keys: &[
        key("path", "text", ABSENT, PATH, "A folder of .wit files, or one such file."),
        key(
            "reference",
            "text",
            ABSENT,
            "REGISTRY/REPOSITORY:TAG, REGISTRY/REPOSITORY@sha256:DIGEST, or both",
            "An artifact in an OCI registry, as `wkg` publishes WIT packages.",
        ),
    ],
    elsewhere,
};

pub(crate) const COMPONENT: Section = Section {
    title: "[component.NAME]",
    noun: "a component",
    about: "One component.",
    keys: &[
        key("source", "text", REQUIRED, PATH, "The component's file."),
        key("description", "text", ABSENT, "", "One line for people."),
        key("build", "table", ABSENT, "", "How `coracle build` makes the component's file from its source."),
        key(
            "imports",
            "table",
            ABSENT,
            "\"PACKAGE/INTERFACE[@VERSION]\" = \"COMPONENT\"",
            "Which other component provides an interface that this one imports. All others are the host's.",
        ),
        key(
            "fuse",
            "true or false",
            "false",
            "",
            "Whether it and all that provides for it become one component, with the grants of all and the limits of this one.",
        ),
        key("grants", "table", "nothing", "", "What the component may touch."),
        key("limits", "table", "as below", "", "What the component may use."),
        key(
            "reuse",
            "table",
            "a fresh instance for every invocation",
            "",
            "Whether instances serve more than one invocation. Some guests break under it.",
        ),
    ],
    elsewhere,
};

pub(crate) const BUILD: Section = Section {
    title: "[component.NAME.build]",
    noun: "build",
    about: "How `coracle build` makes the component's file from its source, by the tools of its language.",
    keys: &[
        key(
            "language",
            "text",
            REQUIRED,
            "rust, go, python, javascript, typescript or c",
            "The language, which says what builds it.",
        ),
        key("folder", "text", "the manifest's folder", PATH, "Where its source is."),
        key("wit", "text", ABSENT, "a path, from `folder` when it is relative", "The folder of its WIT package."),
        key(
            "world",
            "text",
            ABSENT,
            "a world of the WIT package",
            "What it is built for, and held against: a component that offers less is refused.",
        ),
        key(
            "snapshot",
            "true or false",
            "false",
            "only with Go and a `world`",
            "Whether the start-up work of the language's runtime is done by the build, so that instances start with it done.",
        ),
        key(
            "bindings",
            "text",
            ABSENT,
            "a path, from `folder` when it is relative; Go and C",
            "The folder that bindings of the world are written into before it is built.",
        ),
    ],
    elsewhere,
};

pub(crate) const GRANTS: Section = Section {
    title: "[component.NAME.grants]",
    noun: "grants",
    about: "What the component may touch. What is not granted here it cannot reach.",
    keys: &[
        key(
            "dirs",
            "list of text",
            "nothing",
            "HOST[::GUEST][:ro|:quota=SIZE[,FILES]]",
            "Folders of the host. A relative HOST starts from the manifest's folder. With a quota a folder holds SIZE and FILES at the most.",
        ),
        key("env", "table", "nothing", "NAME = \"VALUE\"", "Environment variables with their values."),
        key(
            "env-from-host",
            "list of text",
            "nothing",
            "NAME",
            "Environment variables whose values are the host's own.",
        ),
        key(
            "net",
            "list of text",
            "nothing",
            "[tcp://|udp://|http://|https://]HOST:PORT",
            "Where the component may connect to. HOST is a name, `*.suffix`, an address or a network; PORT a number, a range or `*`.",
        ),
        key("listen", "list of text", "nothing", "ADDR:PORT", "Addresses on which the component may listen."),
        key(
            "variables",
            "table",
            "nothing",
            "KEY = \"TEXT\", KEY = { variable = \"NAME\" } or KEY = { secret = \"NAME\" }",
            "What the component finds in wasi:config.",
        ),
        key(
            "keyvalue",
            "table",
            "nothing",
            "NAME = \"memory\", \"redb:PATH\", \"redis://HOST:PORT\" or { secret = \"NAME\" }",
            "Key-value stores by the name the component opens them with. A URL with a password comes from a secret.",
        ),
    ],
    elsewhere,
};

pub(crate) const VARIABLE_VALUE: Section = Section {
    title: "[component.NAME.grants] variables.KEY",
    noun: "a value in `variables`",
    about: "Where the value of a wasi:config key comes from, when it is not text: exactly one of the two.",
    keys: &[
        key("variable", "text", ABSENT, "a name of [variables]", "The value of a variable."),
        key("secret", "text", ABSENT, "a name of [secrets]", "The value of a secret."),
    ],
    elsewhere,
};

pub(crate) const KEYVALUE_VALUE: Section = Section {
    title: "[component.NAME.grants] keyvalue.NAME",
    noun: "a key-value store",
    about: "Where a key-value backend's text comes from, when it is not written here.",
    keys: &[key(
        "secret",
        "text",
        REQUIRED,
        "a name of [secrets]",
        "A secret whose value is the text, as `redis://USER:PASSWORD@HOST:PORT`.",
    )],
    elsewhere,
};

/// Invocations of one instance at one time where reuse says nothing else: what every guest can do.
pub const REUSE_CONCURRENT: u32 = 1;
/// How long an idle instance is kept where reuse says nothing else: across a pause between clicks, not for a lunch break.
pub const REUSE_IDLE: std::time::Duration = std::time::Duration::from_secs(10);

pub(crate) const REUSE: Section = Section {
    title: "[component.NAME] reuse",
    noun: "reuse",
    about: "How far an instance is used again.",
    keys: &[
        key(
            "invocations",
            "count",
            REQUIRED,
            "whole number from 1",
            "How many invocations one instance serves in its life: bounds what a leak or a grudge can gather.",
        ),
        key(
            "concurrent",
            "count",
            "1",
            "whole number from 1",
            "How many of them at one time; only guests for WASI 0.3 can take more than 1.",
        ),
        key(
            "idle",
            "duration",
            "10s",
            "number with us, ms, s, m or h",
            "How long an instance is kept that serves none: across a pause between clicks.",
        ),
    ],
    elsewhere,
};

pub(crate) const ROUTE: Section = Section {
    title: "[[route]]",
    noun: "a route",
    about: "What leads a request to a component or to files: exactly one of the two. The longest path wins, an exact one before a prefix, a named host before none.",
    keys: &[
        key(
            "host",
            "text",
            "every host without a route of its own",
            "a host name without a port",
            "The host that the request names.",
        ),
        key(
            "path",
            "text",
            REQUIRED,
            "`/a` for exactly that path, `/a/*` for it and everything below",
            "The path of the request.",
        ),
        key(
            "methods",
            "list of text",
            "all; of files GET and HEAD",
            "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
            "The methods of the request.",
        ),
        key("component", "text", ABSENT, "a name of [component]", "The component that answers."),
        key("static", "text", ABSENT, PATH, "The folder whose files answer; the path has to end in `/*`."),
    ],
    elsewhere,
};

/// The limits' keys live beside the limits.
pub(crate) const LIMITS: Section = Section {
    title: "[component.NAME.limits]",
    noun: "limits",
    about: "What the component may use.",
    keys: &[],
    elsewhere,
};

/// The table beside or below `section` that has the key: where it was probably meant to stand.
fn elsewhere(section: &Section, key: &str) -> Option<&'static str> {
    const ROOTS: &[Section] = &[ROOT, APP];
    const COMPONENTS: &[Section] = &[COMPONENT, BUILD, GRANTS, LIMITS, REUSE];
    let has = |other: &Section| {
        other.keys.iter().any(|doc| doc.key == key) || (other.title == LIMITS.title && limit::Key::find(key).is_some())
    };
    let family =
        [ROOTS, COMPONENTS].into_iter().find(|family| family.iter().any(|other| other.title == section.title))?;
    family.iter().find(|other| other.title != section.title && has(other)).map(|other| other.title)
}

pub(super) const SECTIONS: &[Section] =
    &[ROOT, APP, VARIABLE, SECRET, WIT, COMPONENT, BUILD, GRANTS, VARIABLE_VALUE, KEYVALUE_VALUE, REUSE, LIMITS, ROUTE];

pub(crate) fn tables() -> Vec<Table> {
    let table = |section: &Section| {
        let keys = match section.title == LIMITS.title {
            true => limit::KEYS.iter().map(limit::Key::doc).collect(),
            false => section.keys.to_vec(),
        };
        Table { title: section.title, about: section.about, keys }
    };
    SECTIONS.iter().map(table).collect()
}
