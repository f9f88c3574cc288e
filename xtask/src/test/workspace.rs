//! Which tests the workspace has, and what each kind of them needs.
//!
//! All tests are built with one set of features, so that nothing is compiled twice; then each kind
//! is run by the names of its test targets. A target says what it needs by `required-features` in
//! its Cargo.toml.

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::Context;
use serde_json::Value;

use super::tools;

/// Features that only tests have.
const TEST_FEATURES: [&str; 2] = [CLUSTER, POSTGRES];
const CLUSTER: &str = "cluster-tests";
const POSTGRES: &str = "postgres-tests";
/// The package whose tests drive the whole system.
const JOURNEYS: &str = "hermez-journeys";

/// The test that looks back at what all others did on the cluster.
const RIGHTS: &str = "rights";

/// What a test needs, and when it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nothing but the code.
    Unit,
    /// PostgreSQL.
    Postgres,
    /// A cluster.
    Cluster,
    /// A cluster, for the journeys by name, whose figures are printed.
    Journey,
    /// A cluster on which all other tests have run.
    Rights,
}

/// The test features and test targets of the workspace.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tests {
    /// As `--features` takes them: `package/feature`.
    features: BTreeSet<String>,
    /// Names of the targets of each kind.
    unit: BTreeSet<String>,
    postgres: BTreeSet<String>,
    cluster: BTreeSet<String>,
    journeys: BTreeSet<String>,
    rights: BTreeSet<String>,
}

impl Tests {
    /// Asks Cargo.
    pub fn find() -> anyhow::Result<Self> {
        Self::read(&tools::metadata()?)
    }

    fn read(metadata: &Value) -> anyhow::Result<Self> {
        let mut tests = Self::default();
        for package in metadata["packages"]
            .as_array()
            .context("cargo metadata lists no packages")?
        {
            let name = package["name"].as_str().unwrap_or_default();
            let has = |feature: &&&str| package["features"].get(**feature).is_some();
            tests.features.extend(
                TEST_FEATURES
                    .iter()
                    .filter(has)
                    .map(|feature| format!("{name}/{feature}")),
            );
            for target in package["targets"].as_array().into_iter().flatten() {
                let kinds = target["kind"].as_array().into_iter().flatten();
                let Some(target_name) = target["name"]
                    .as_str()
                    .filter(|_| kinds.clone().any(|kind| kind == "test"))
                else {
                    continue;
                };
                let needs = |feature: &str| {
                    target["required-features"]
                        .as_array()
                        .into_iter()
                        .flatten()
                        .any(|needed| needed == feature)
                };
                let of_journeys = needs(CLUSTER) && name == JOURNEYS;
                let names = if of_journeys && target_name == RIGHTS {
                    &mut tests.rights
                } else if of_journeys && is_journey(target_name) {
                    &mut tests.journeys
                } else if needs(CLUSTER) {
                    &mut tests.cluster
                } else if needs(POSTGRES) {
                    &mut tests.postgres
                } else {
                    &mut tests.unit
                };
                names.insert(target_name.to_owned());
            }
        }
        tests.check_names()?;
        Ok(tests)
    }

    /// Cargo chooses test targets by name over all packages: kinds must not share a name.
    fn check_names(&self) -> anyhow::Result<()> {
        let kinds = [
            &self.unit,
            &self.postgres,
            &self.cluster,
            &self.journeys,
            &self.rights,
        ];
        let mut seen = BTreeSet::new();
        for name in kinds.into_iter().flatten() {
            anyhow::ensure!(
                seen.insert(name),
                "two test targets of different kinds are called `{name}`: give one of them another name"
            );
        }
        Ok(())
    }

    fn names(&self, kind: Kind) -> &BTreeSet<String> {
        match kind {
            Kind::Unit => &self.unit,
            Kind::Postgres => &self.postgres,
            Kind::Cluster => &self.cluster,
            Kind::Journey => &self.journeys,
            Kind::Rights => &self.rights,
        }
    }

    /// Whether there are tests of this kind in targets of their own.
    pub fn has(&self, kind: Kind) -> bool {
        !self.names(kind).is_empty()
    }

    /// Cargo with a subcommand, for the whole workspace with the one set of features.
    pub fn cargo(&self, subcommand: &str) -> Command {
        let mut cargo = tools::cargo();
        cargo.args([subcommand, "--workspace", "--features"]);
        cargo.arg(self.features.iter().cloned().collect::<Vec<_>>().join(","));
        cargo
    }

    /// `cargo test` of one kind.
    pub fn cargo_test(&self, kind: Kind) -> Command {
        let mut cargo = self.cargo("test");
        cargo.arg("--no-fail-fast");
        if kind == Kind::Unit {
            cargo.args(["--lib", "--bins"]);
        }
        for name in self.names(kind) {
            cargo.args(["--test", name]);
        }
        if kind == Kind::Journey {
            // One after the other, because they measure; with their figures.
            cargo.args(["--", "--nocapture", "--test-threads=1"]);
        }
        cargo
    }
}

/// Whether a test target of the journeys' package runs alone: it measures, or stops what others use.
fn is_journey(target: &str) -> bool {
    matches!(
        target,
        "road" | "crash" | "thousand" | "burst" | "crash_matrix"
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn metadata(store_test: &str) -> Value {
        let test = |name: &str, needs: &[&str]| json!({"name": name, "kind": ["test"], "required-features": needs});
        json!({"packages": [
            {"name": "hermez-source", "features": {"cluster-tests": []},
             "targets": [{"name": "hermez_source", "kind": ["lib"]}, test("mirrors", &[]), test("forge", &["cluster-tests"])]},
            {"name": "hermez-store", "features": {"postgres-tests": []}, "targets": [test(store_test, &["postgres-tests"])]},
            {"name": "hermez-journeys", "features": {"cluster-tests": []},
             "targets": [test("road", &["cluster-tests"]), test("outages", &["cluster-tests"]), test("rights", &["cluster-tests"])]},
        ]})
    }

    fn words(command: &Command) -> String {
        command
            .get_args()
            .map(|word| word.to_string_lossy())
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn tests_are_sorted_by_what_they_need() {
        let tests = Tests::read(&metadata("postgres")).unwrap();
        let all = "--features hermez-journeys/cluster-tests,hermez-source/cluster-tests,hermez-store/postgres-tests";
        let expect = [
            (Kind::Unit, "--lib --bins --test mirrors"),
            (Kind::Postgres, "--test postgres"),
            (Kind::Cluster, "--test forge --test outages"),
            (Kind::Journey, "--test road -- --nocapture --test-threads=1"),
            (Kind::Rights, "--test rights"),
        ];
        for (kind, chosen) in expect {
            let expect = format!("test --workspace {all} --no-fail-fast {chosen}");
            assert_eq!(words(&tests.cargo_test(kind)), expect);
        }
    }

    #[test]
    fn kinds_must_not_share_a_name() {
        let error = Tests::read(&metadata("forge")).unwrap_err().to_string();
        assert!(error.contains("`forge`"), "{error}");
    }
}
