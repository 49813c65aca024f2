//! Components as real toolchains make them: every version of WASI that they were ever built for, linked and run.

mod versions;
