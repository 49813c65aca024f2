//! WIT packages from elsewhere, as languages' own tools find them: new projects are built against one.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::{Result, shell};

/// A package, and one that it needs.
const PACKAGES: [(&str, &str); 2] = [
    ("money", "package shop:money@1.0.0;\ninterface types { record amount { cents: u64 } }\n"),
    (
        "pricing",
        "package shop:pricing@1.0.0;\n\
         interface rules { use shop:money/types@1.0.0.{amount}; price: func(item: string) -> amount; }\n",
    ),
];

/// Each has a tool of its own that reads WIT: wit-bindgen's macro, the generators in `coracle`, componentize-py.
const LANGUAGES: [&str; 4] = ["rust", "go", "python", "c"];

/// What the manifest says of them.
const WIT: &str =
    "\n[wit]\n\"shop:money\" = { path = \"../shared/money\" }\n\"shop:pricing\" = { path = \"../shared/pricing\" }\n";

/// Has the libraries in `folder` import from a package beside them, and builds them.
pub(super) fn check(folder: &Path, command: impl Fn(&[&str]) -> Command) -> Result {
    for (name, text) in PACKAGES {
        let package = folder.join("shared").join(name);
        fs::create_dir_all(&package)?;
        fs::write(package.join("package.wit"), text)?;
    }
    for language in LANGUAGES {
        let name = format!("{language}-library");
        let app = folder.join(&name);
        let manifest = app.join("coracle.toml");
        fs::write(&manifest, fs::read_to_string(&manifest)? + WIT)?;
        let world = app.join("wit").join("world.wit");
        let text = fs::read_to_string(&world)?;
        let imports = text.replacen("world library {", "world library {\n  import shop:pricing/rules@1.0.0;", 1);
        if imports == text {
            return Err(format!("{} has no world `library`", world.display()).into());
        }
        fs::write(&world, imports)?;
        shell::run(&mut command(&["build", &name]))?;
        shell::run(&mut command(&["build", &name, "--locked", "--offline"]))?;
        if !app.join("wit/deps/shop.money-1.0.0/package.wit").is_file() {
            return Err(format!("{name}: what a package needs did not come along").into());
        }
    }
    Ok(())
}
