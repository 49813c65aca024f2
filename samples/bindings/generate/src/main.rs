//! Writes the bindings that samples in C and Go share, from `samples/wit`: `cargo xtask guests --bindings`.

use std::error::Error;
use std::fs;
use std::path::Path;

use wit_bindgen_core::wit_parser::Resolve;
use wit_bindgen_core::{Files, WorldGenerator};

/// The module that samples in Go import the bindings from.
const GO_MODULE: &str = "coracle/samples/bindings/go";

fn main() -> Result<(), Box<dyn Error>> {
    let bindings = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("the crate is in a folder")?;
    let wit = bindings.with_file_name("wit");

    let c = wit_bindgen_c::Opts { no_object_file: true, ..Default::default() };
    write(c.build(), &wit, &bindings.join("c"))?;

    let go = wit_bindgen_go::Opts { pkg_name: Some(GO_MODULE.to_owned()), ..Default::default() };
    write(go.build(), &wit, &bindings.join("go"))?;
    Ok(())
}

fn write(mut generator: Box<dyn WorldGenerator>, wit: &Path, folder: &Path) -> Result<(), Box<dyn Error>> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(wit)?;
    let world = resolve.select_world(&[package], Some("http"))?;
    let mut files = Files::default();
    generator.generate(&mut resolve, world, &mut files)?;
    for (name, content) in files.iter() {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().ok_or("a file is in a folder")?)?;
        fs::write(path, content)?;
    }
    Ok(())
}
