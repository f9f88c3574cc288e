//! The tests themselves, the same for both databases. A test binary brings a `Database` and calls
//! [`tests!`].

pub mod access;
pub mod builds;
pub mod delivery;
pub mod deploys;
pub mod gates;
pub mod previews;
pub mod receipts;
pub mod rollbacks;
pub mod rules;
pub mod scales;
pub mod workloads;

use hermez_api::Category;
use hermez_store::{NewRepository, NewWorkload, Store, WorkloadRecord};
use jiff::Timestamp;

/// Makes a `#[tokio::test]` of every body.
macro_rules! tests {
    () => {
        $crate::bodies::tests!(@ access: migrations_run_once_even_at_once, a_newer_schema_is_refused,
            a_principal_is_made_once, principals_have_names_of_their_own, tokens_live_until_revoked, a_login_link_opens_once,
            expired_things_go, the_record_is_append_only, the_record_is_paged_and_filtered,
            an_idempotent_request_is_begun_once, what_a_request_asks_for_is_kept_with_its_answer,
            a_change_is_kept_with_its_line);
        $crate::bodies::tests!(@ workloads: a_repository_is_one_row, a_name_is_unique_among_the_living,
            an_old_version_changes_nothing, lists_are_paged_by_name_with_their_deploys,
            lists_are_filtered, deleting_stops_what_runs, a_deleted_workload_gets_no_new_work,
            a_push_is_kept_until_it_is_followed, a_repository_that_lost_its_last_workload_is_found);
        $crate::bodies::tests!(@ builds: a_commit_has_one_build, a_failed_build_is_tried_again_on_request,
            a_build_is_leased_to_one, a_lost_lease_writes_nothing, a_build_that_waits_is_due_later,
            success_publishes_the_artifact_once, logs_continue_over_tries, cancel_is_heard,
            what_a_dead_server_held_is_free);
        $crate::bodies::tests!(@ deploys: a_timeline_is_kept, one_deploy_changes_an_instance,
            an_ended_deploy_stays, lanes_tell_what_else_goes_on, a_deploy_is_leased_to_one,
            deploys_are_paged, changes_are_announced, a_timeline_is_bounded, a_push_is_deployed_once, what_was_written_last_runs_whatever_its_number,
            pods_are_told_of_once_and_bounded);
        $crate::bodies::tests!(@ receipts: a_receipt_is_written_once_with_the_state,
            a_receipt_knows_when_something_newer_came, a_receipt_leads_to_its_rollback_and_revert,
            what_failed_is_kept_until_the_deploy_ends);
        $crate::bodies::tests!(@ scales: one_change_stands_at_a_time, what_is_due_is_found, what_stood_stands_again_when_the_cluster_refuses,
            a_deleted_workload_is_not_scaled, bounds_are_kept);
        $crate::bodies::tests!(@ delivery: what_delivery_is_measured_by_is_read_at_once);
        $crate::bodies::tests!(@ rollbacks: a_rollback_pins_marks_and_stops_in_one, a_rejected_rollback_takes_its_marks_back,
            a_canceled_rollback_takes_its_marks_back_until_it_begins,
            no_push_follows_a_rollback, a_mark_finds_every_workload,
            a_revert_is_kept_once, a_pause_is_idempotent, what_ran_is_listed, deploys_are_filtered, automatic_deploys_are_set);
        $crate::bodies::tests!(@ gates: gates_are_set_and_taken_away, a_strategy_is_set_and_a_canary_promoted, a_failure_asks_for_its_rollback_once);
        $crate::bodies::tests!(@ rules: windows_and_approvals_are_set_apart, freezes_hold_until_they_are_over,
            a_lock_is_one_persons, approvals_are_kept_once, what_is_held_says_so_until_it_begins);
        $crate::bodies::tests!(@ previews: a_pull_request_has_one_preview,
            a_preview_is_not_what_runs_of_its_workload, a_preview_sleeps_and_wakes_once,
            a_preview_is_leased_to_one, what_a_dead_server_looked_at_is_free, a_removed_preview_makes_room, a_fork_s_commit_is_allowed_alone,
            a_ticket_and_a_link_open_one_preview, preview_settings_are_set);
    };
    (@ $module:ident: $($name:ident),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() {
                let database = Database::create().await;
                $crate::bodies::$module::$name(database.url()).await;
            }
        )*
    };
}
pub(crate) use tests;

/// A fixed time, `seconds` after the first.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

pub async fn open(url: &str) -> Store {
    Store::open(url).await.unwrap()
}

pub fn mk_commit(n: u8) -> String {
    format!("{n:02x}").repeat(20)
}

pub async fn mk_workload(store: &Store, name: &str) -> WorkloadRecord {
    let new = NewRepository {
        identity: "http://forge/team/app".to_owned(),
        url: "http://forge/team/app.git".to_owned(),
        sealed_credential: None,
        default_branch: Some("main".to_owned()),
    };
    let repository = store.upsert_repository(&new, at(0)).await.unwrap();
    let new = NewWorkload {
        name: name.to_owned(),
        kind: "PinterestService".to_owned(),
        category: Category::Production,
        project: "demo".to_owned(),
        namespace: "default".to_owned(),
        repository_id: repository.id,
        config_path: "app/service.yaml".to_owned(),
        created_by: "ada".to_owned(),
    };
    store.create_workload(&new, at(0)).await.unwrap()
}
