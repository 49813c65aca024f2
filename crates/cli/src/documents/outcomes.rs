//! `docs/outcomes.md`: each outcome with its status, its message and its exit code.

use coracle_runtime::Outcome;

use crate::error::Exit;

#[test]
fn the_table_of_outcomes_is_what_the_program_does() {
    let document = super::read("outcomes.md");
    let rows: Vec<Vec<&str>> = document
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let mut wrong = Vec::new();
    for outcome in Outcome::ALL {
        let name = format!("`{outcome}`");
        let Some(row) = rows.iter().find(|row| row[0] == name) else {
            wrong.push(format!("{outcome} has no row"));
            continue;
        };
        let (status, message) = match outcome {
            // The guest answered, whatever it answered.
            Outcome::Ok => ("the guest's".to_owned(), "the guest's answer".to_owned()),
            failed => {
                let status = coracle_server::response::status_of(failed).as_u16().to_string();
                (status, format!("\"{}\"", coracle_server::response::message_of(failed)))
            }
        };
        let exit = match Exit::of(outcome) {
            // By calls that have no code, such as `--invoke`, it is 1.
            Exit::Guest(code) => format!("the guest's, or {code}"),
            exit => exit.code().to_string(),
        };
        for (column, expected) in [(2, status), (3, message), (4, exit)] {
            if row[column] != expected {
                wrong.push(format!("{outcome}: {:?} where the program has {expected:?}", row[column]));
            }
        }
    }
    assert!(wrong.is_empty() && rows.len() == Outcome::ALL.len(), "docs/outcomes.md is stale:\n{}", wrong.join("\n"));
}
