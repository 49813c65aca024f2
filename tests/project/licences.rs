//! Everything that is linked may be shipped under this project's licence: the list is `deny.toml`'s.

use std::collections::BTreeSet;

use spdx::{Expression, ParseMode};

#[test]
fn every_dependency_has_an_allowed_licence() {
    let settings = std::fs::read_to_string(support::root().join("deny.toml")).unwrap();
    let settings: toml::Table = settings.parse().unwrap();
    let allowed: BTreeSet<&str> =
        settings["licenses"]["allow"].as_array().unwrap().iter().map(|licence| licence.as_str().unwrap()).collect();

    let mut wrong = Vec::new();
    for package in &crate::metadata().packages {
        let Some(licence) = &package.license else {
            wrong.push(format!("{} {} states no licence", package.name, package.version));
            continue;
        };
        // Old crates write `MIT/Apache-2.0` for `MIT OR Apache-2.0`.
        let expression = Expression::parse_mode(licence, ParseMode::LAX).unwrap();
        // An exception (`WITH ...`) only adds to what a licence permits.
        let fits = expression.evaluate(|requirement| {
            let requirement = requirement.to_string();
            allowed.contains(requirement.split(" WITH ").next().unwrap_or_default())
        });
        if !fits {
            wrong.push(format!("{} {}: {licence}", package.name, package.version));
        }
    }
    assert!(wrong.is_empty(), "licences that deny.toml does not allow:\n{}", wrong.join("\n"));
}
