//! Every key that `pilot.toml` can hold. The parser reads no key that is not here and refuses every other.

use coracle_package::check::Section;
use coracle_package::reference::{Table, key};

/// The default of a key that has to be there.
const REQUIRED: &str = "required";
/// The default of a key whose absence stands for nothing.
const ABSENT: &str = "none";
/// The syntax of paths.
const PATH: &str = "a path, from the plan's folder when it is relative";

macro_rules! section {
    ($title:literal, $noun:literal, $about:literal, $keys:expr $(,)?) => {
        Section { title: $title, noun: $noun, about: $about, keys: $keys, elsewhere: Section::nowhere }
    };
}

pub(super) const ROOT: Section = section!(
    "top level",
    "the plan",
    "The tables of `pilot.toml`.",
    &[
        key("pilot", "table", REQUIRED, "", "What the pilot is called."),
        key("price", "table", ABSENT, "", "What a machine and its memory cost, for the cost of a million calls."),
        key("answer", "table", "the same bytes", "", "What counts as the same answer."),
        key("length", "table", "as below", "", "How long is measured."),
        key("candidate", "table", REQUIRED, "one table for each name", "What is measured: two at least."),
        key("input", "table", REQUIRED, "one table for each name", "What the candidates are given: one at least."),
    ]
);

pub(super) const PILOT: Section = section!(
    "[pilot]",
    "[pilot]",
    "What the pilot is called.",
    &[
        key("name", "text", REQUIRED, "", "The title of the report."),
        key("description", "text", ABSENT, "", "What the function does, for the report's reader."),
    ]
);

pub(super) const PRICE: Section = section!(
    "[price]",
    "[price]",
    "What is paid. Without this table the report says nothing of cost.",
    &[
        key("currency", "text", "USD", "", "What the prices are in."),
        key(
            "machine-hour",
            "number",
            REQUIRED,
            "of the whole machine that is measured on",
            "Takes part in the cost of a million calls by throughput at saturation."
        ),
        key(
            "gb-hour",
            "number",
            "0",
            "10^9 bytes for one hour",
            "Takes part in the cost by the memory held; 0 where a machine's price covers it."
        ),
    ],
);

pub(super) const ANSWER: Section = section!(
    "[answer]",
    "[answer]",
    "What counts as the same answer as that of the function as it runs today.",
    &[
        key(
            "compare",
            "text",
            "bytes",
            "bytes, json, image or exit",
            "`bytes` are equal; `json` has equal values; `image` has equal size and a small distance; `exit` has the same exit code, whatever is written."
        ),
        key(
            "tolerance",
            "number",
            "0; for `image` 1",
            "for `json` relative, for `image` from 0 to 255",
            "How far numbers of JSON may be apart, or the root mean square distance of two images over all samples."
        ),
    ]
);

pub(super) const LENGTH: Section = section!(
    "[length]",
    "[length]",
    "How long is measured.",
    &[
        key(
            "rounds",
            "count",
            "40",
            "",
            "Each round measures every candidate on every input once, in random order. With 40 a difference of 10 % is found where single calls vary by 5 %."
        ),
        key(
            "time",
            "duration",
            "4m",
            "",
            "When this is used up, rounds end early, and the report says how many there were."
        ),
        key("call", "duration", "60s", "", "The longest call; a candidate that takes longer has failed."),
        key("storm", "count", "100", "", "How many are started at once. 0 leaves this out."),
        key("copies", "count", "100", "", "How many idle copies are held. 0 leaves this out."),
    ]
);

pub(super) const CANDIDATE: Section = section!(
    "[candidate.NAME]",
    "a candidate",
    "One way to run the function: exactly one of `command`, `server` and `component`.",
    &[
        key(
            "role",
            "text",
            "port",
            "today, port or control",
            "`today` is what the others are compared with: one of them. `control` is measured and compared, and gets no verdict: the port's language without WebAssembly, for one."
        ),
        key("description", "text", ABSENT, "", "One line for the report."),
        key(
            "command",
            "list of text",
            ABSENT,
            "a program and its arguments",
            "Started for each call, with the input on standard input; the answer is standard output and the exit code."
        ),
        key(
            "server",
            "list of text",
            ABSENT,
            "a program and its arguments; `{port}` stands for the port to listen on",
            "An HTTP server on 127.0.0.1; the answer is status and body."
        ),
        key(
            "component",
            "text",
            ABSENT,
            PATH,
            "Run by this `coracle`: one that answers HTTP is served, another is run for each call."
        ),
        key(
            "arguments",
            "list of text",
            ABSENT,
            "",
            "Further arguments of a component that is run for each call, before those of the input."
        ),
        key(
            "flags",
            "list of text",
            ABSENT,
            "",
            "Flags of `coracle run` for a component that is run for each call: grants and limits."
        ),
        key(
            "reuse",
            "count",
            "a fresh instance for each call",
            "",
            "How many calls one instance of a served component answers."
        ),
        key(
            "files",
            "list of text",
            "the program's and the arguments' files; the component",
            PATH,
            "What is deployed: these files and folders are the candidate's size."
        ),
        key(
            "environment",
            "table",
            ABSENT,
            "NAME = \"text\"",
            "Variables that are set for a command or server beside those that `coracle` was started with."
        ),
    ]
);

pub(super) const INPUT: Section = section!(
    "[input.NAME]",
    "an input",
    "What each candidate is given: one of `file`, `text` and `generate`, or none for an empty body.",
    &[
        key("file", "text", ABSENT, PATH, "The body is this file's content."),
        key("text", "text", ABSENT, "", "The body is this text."),
        key("generate", "size", ABSENT, "", "The body is made up, of this size, and the same in every run."),
        key(
            "kind",
            "text",
            "bytes",
            "bytes, text or picture",
            "What is made up: any bytes, lines of words, or a PPM picture (P6)."
        ),
        key("arguments", "list of text", ABSENT, "", "For commands: the last arguments."),
        key("method", "text", "POST; GET without a body", "", "For servers: the request's method."),
        key("path", "text", "/", "", "For servers: the request's path and query."),
        key("headers", "table", ABSENT, "NAME = \"text\"", "For servers: the request's header fields."),
        key("expect", "text", "the answer of today's candidate", PATH, "The answer that is right, in a file."),
    ]
);

/// Every table of `pilot.toml` with every key the parser knows.
pub(super) fn tables() -> Vec<Table> {
    [ROOT, PILOT, PRICE, ANSWER, LENGTH, CANDIDATE, INPUT]
        .iter()
        .map(|section| Table { title: section.title, about: section.about, keys: section.keys.to_vec() })
        .collect()
}
