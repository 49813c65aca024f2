//! The report that continuous integration reads.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::Outcome;

/// Writes one suite for each folder of cases.
pub(super) fn write(path: &Path, outcomes: &[Outcome]) -> io::Result<()> {
    let mut suites: BTreeMap<&str, TestSuite> = BTreeMap::new();
    for outcome in outcomes {
        let (suite, name) = outcome.name.rsplit_once('/').unwrap_or(("app", &outcome.name));
        let status = match &outcome.failure {
            None => TestCaseStatus::success(),
            Some(why) => {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status.set_message(why.as_str());
                status
            }
        };
        let mut case = TestCase::new(name, status);
        case.set_classname(suite).set_time(outcome.took);
        suites.entry(suite).or_insert_with(|| TestSuite::new(suite)).add_test_case(case);
    }
    let mut report = Report::new("coracle test");
    report.add_test_suites(suites.into_values());
    report.serialize(File::create(path)?).map_err(io::Error::other)
}
