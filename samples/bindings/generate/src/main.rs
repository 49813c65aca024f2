//! Writes the bindings of samples in C and Go: those for HTTP that they share, and those of the parts of `samples/quote`.
//! `cargo xtask guests --bindings` runs it.

use std::error::Error;
use std::fs;
use std::path::Path;

use wit_bindgen_core::wit_parser::Resolve;
use wit_bindgen_core::{Files, WorldGenerator};

/// The module of the samples in Go.
const GO_MODULE: &str = "coracle/samples";

fn main() -> Result<(), Box<dyn Error>> {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).ok_or("the crate is in a folder")?;
    let (shared, quote) = (samples.join("wit"), samples.join("quote/wit"));
    write(c(), &shared, "http", &samples.join("bindings/c"))?;
    write(go("bindings/go"), &shared, "http", &samples.join("bindings/go"))?;
    write(c(), &quote, "pricer", &samples.join("quote/pricing-c/bindings"))?;
    write(go("quote/validation/bindings"), &quote, "validator", &samples.join("quote/validation/bindings"))?;
    Ok(())
}

fn c() -> Box<dyn WorldGenerator> {
    wit_bindgen_c::Opts { no_object_file: true, ..Default::default() }.build()
}

fn go(folder: &str) -> Box<dyn WorldGenerator> {
    wit_bindgen_go::Opts { pkg_name: Some(format!("{GO_MODULE}/{folder}")), ..Default::default() }.build()
}

fn write(mut generator: Box<dyn WorldGenerator>, wit: &Path, world: &str, folder: &Path) -> Result<(), Box<dyn Error>> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(wit)?;
    let world = resolve.select_world(&[package], Some(world))?;
    let mut files = Files::default();
    generator.generate(&mut resolve, world, &mut files)?;
    for (name, content) in files.iter() {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().ok_or("a file is in a folder")?)?;
        fs::write(path, content)?;
    }
    Ok(())
}
