//! Many deploys at once. What Hermez adds to an apply is a figure of the journey `burst`: it says
//! something only on a machine that does nothing else.

use hermez_journeys::burst::{Size, run_of};
use hermez_journeys::sandbox::Sandbox;

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_deploys_all_finish_and_none_twice() {
    let sandbox = Sandbox::find().expect("a local cluster");
    let size = Size {
        deploys: 30,
        timed: 20,
    };
    let figures = run_of(&sandbox, size).await.expect("the burst");
    println!("{figures}");
}
