//! Many deploys at once, and what Hermez adds to an apply.

use hermez_journeys::burst::{Size, run_of};
use hermez_journeys::sandbox::Sandbox;

/// Most that Hermez may add to an apply, of a hundred deploys ninety-nine, in milliseconds. The goal is
/// 50 with a server built for release; tests run one that is not, on a machine that does more.
const ADDED_P99_MS: f64 = 1_000.0;

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_deploys_all_finish_and_none_twice() {
    let sandbox = Sandbox::find().expect("a local cluster");
    let size = Size {
        deploys: 60,
        timed: 40,
    };
    let figures = run_of(&sandbox, size).await.expect("the burst");
    println!("{figures}");
    let added = figures["added_p99_ms"].as_f64().expect("a figure");
    assert!(added <= ADDED_P99_MS, "{figures}");
}
