//! The documents hold together: what they point to exists.

use std::path::Path;

#[test]
fn links_between_documents_lead_somewhere() {
    let mut broken = Vec::new();
    // What a sample is fed, broken links and all, is no document.
    let is_document = |path: &std::path::PathBuf| !path.components().any(|part| part.as_os_str() == "tests");
    for document in support::files(support::root(), "md").into_iter().filter(is_document) {
        let text = std::fs::read_to_string(&document).unwrap_or_else(|error| panic!("{}: {error}", document.display()));
        for link in links(&text) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { document.clone() } else { document.parent().unwrap().join(file) };
            if !target.exists() {
                broken.push(format!("{}: {link}", document.display()));
            } else if !anchor.is_empty() && !anchors(&target).iter().any(|it| it == anchor) {
                broken.push(format!("{}: {link}: no such heading", document.display()));
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
}

/// The targets of `[text](target)` that are files of the tree, outside of code blocks.
fn links(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (index, block) in text.split("\n```").enumerate() {
        if index % 2 == 1 {
            continue;
        }
        for rest in block.split("](").skip(1) {
            let target = rest.split(')').next().unwrap_or_default();
            if !target.contains("://") && !target.starts_with("mailto:") && !target.is_empty() {
                found.push(target);
            }
        }
    }
    found
}

/// The names that the headings of a document can be linked by.
fn anchors(document: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(document).unwrap_or_default();
    text.lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            let heading = line.trim_start_matches('#').trim().to_lowercase();
            let keep = |letter: &char| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_');
            heading.chars().filter(keep).map(|letter| if letter == ' ' { '-' } else { letter }).collect()
        })
        .collect()
}
