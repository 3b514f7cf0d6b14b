//! Each thing that may go wrong at the source, on its own, over a few runs: nothing lost, nothing twice.

use kustlake::run::{Command, Exit};
use kustlake_sim::{Context, Mutation, Op, Switches, WorldSpec};
use serde_json::{Value, json};

use crate::support::{Org, eager, entity};
use crate::tables::assert_complete;

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

/// Small, but of several pages, and with a tie of more than one page.
async fn org(switches: Value) -> Org {
    let switches = Switches::unlimited().merged(switches).unwrap();
    let world = WorldSpec { customers: 60, conversations: 100, messages: 1_500, notes: 700, ..WorldSpec::default() };
    let org = Org::new(world, switches).await;
    let instant = org.sim.clock().now() - DAY;
    assert_eq!(org.sim.tie(Context::Message, 600, instant).len(), 600);
    org.sim.clock().advance(10 * MINUTE);
    org
}

fn change(org: &Org, seed: u64) {
    for (context, _) in crate::tables::TABLES {
        for (op, count) in [(Op::Create, 4), (Op::Update, 9), (Op::DeleteSoft, 2)] {
            org.sim.mutate(Mutation { context, op, count, seed: seed * 17 + op as u64 }).unwrap();
        }
    }
    org.sim.clock().advance(7 * MINUTE);
}

/// Three runs with changes in between, and the truth at the end.
async fn survives(switches: Value) {
    let org = org(switches.clone()).await;
    for run in 0..3 {
        let report = org.inside(Command::Run, &eager()).await.unwrap();
        assert_eq!(report.exit_code, Exit::Ok, "{switches}: {report:#?}");
        change(&org, run);
    }
    org.sim.merge_switches(json!({"mover": "still"})).unwrap();
    org.load().await;
    assert_complete(&org.sim, &org.lake(), &switches.to_string()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_past_the_ceiling_and_past_the_end_may_be_anything() {
    for answer in ["bad_request", "not_found", "empty_page", "last_page"] {
        survives(json!({"past_ceiling": answer, "past_end": answer})).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_fail_or_are_cut_are_asked_for_again() {
    let often = json!({"n": 5, "run": 2});
    for fault in ["timed_out", "server_error", "html_error", "drop_before", "drop_midway", "truncated", "garbage"] {
        survives(json!({fault: often})).await;
    }
    for status in [500, 502, 504, 520] {
        survives(json!({"server_error": {"n": 4, "run": 3}, "server_error_status": status})).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_index_may_count_and_sort_as_it_likes() {
    survives(json!({"precision": "second"})).await;
    survives(json!({"precision": "second", "ties": "random", "mover": "every_request"})).await;
    for total in [json!("omitted"), json!({"off": 7}), json!({"off": -7})] {
        survives(json!({"total": total})).await;
    }
    survives(json!({"second_sort_key": "honoured"})).await;
    survives(json!({"archive_covers": "everything"})).await;
    survives(json!({"deleted_in_lists": "shown"})).await;
    survives(json!({"index_lag_ms": 4 * MINUTE})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values_may_be_masked_null_or_absent() {
    survives(json!({"mask_every": 3})).await;
    for unset in ["null", "absent"] {
        survives(json!({"unset": unset})).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delete_that_leaves_the_date_as_it_was_is_seen_within_the_look_back() {
    let org = org(json!({"delete_stamp": "keeps"})).await;
    org.load().await;
    let created = Mutation { context: Context::Note, op: Op::Create, count: 40, seed: 1 };
    let ids = org.sim.mutate(created).unwrap();
    org.sim.clock().advance(6 * MINUTE);
    org.load().await;
    // Everything else is older than any look back.
    org.sim.mutate(Mutation { op: Op::DeleteSoft, count: 700, ..created }).unwrap();
    org.sim.clock().advance(6 * MINUTE);
    org.load().await;
    let rows = crate::tables::rows(&org.lake(), "notes").await;
    assert!(ids.iter().any(|id| rows[id] == [(2, rows[id][0].1, true)]), "no delete was seen");
    let truth = crate::tables::truth(&org.sim, Context::Note);
    assert!(ids.iter().all(|id| rows[id] == truth[id]), "a delete within the look back was not seen");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_of_the_source_that_is_wrong_for_a_while_loses_nothing() {
    let hour = 60 * MINUTE;
    for skew in [hour, -hour, 365 * DAY, -365 * DAY] {
        let org = org(json!({"clock_skew_ms": skew})).await;
        for run in 0..2 {
            org.load().await;
            change(&org, run);
        }
        org.sim.merge_switches(json!({"clock_skew_ms": 0})).unwrap();
        for run in 2..4 {
            org.load().await;
            change(&org, run);
        }
        org.load().await;
        assert_complete(&org.sim, &org.lake(), &format!("skew of {skew} ms")).await;
        // And one that goes wrong later.
        org.sim.merge_switches(json!({"clock_skew_ms": skew})).unwrap();
        org.load().await;
        change(&org, 5);
        org.sim.merge_switches(json!({"clock_skew_ms": 0})).unwrap();
        org.load().await;
        change(&org, 6);
        org.load().await;
        assert_complete(&org.sim, &org.lake(), &format!("later skew of {skew} ms")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_fails_its_entity_and_nothing_is_lost_afterwards() {
    let org = org(json!({"redirect": {"n": 7}})).await;
    let ended = org.run(&["run"]).await;
    assert_eq!(ended.code, 6, "{ended:#?}");
    assert!(ended.stdout.contains("redirected (302) to another host, which is not followed"), "{ended:#?}");
    org.sim.merge_switches(json!({"redirect": {"n": 0}})).unwrap();
    org.load().await;
    assert_complete(&org.sim, &org.lake(), "after the redirects").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn links_that_lead_nowhere_fail_their_entity_and_name_the_window() {
    for (links, told) in [("endless", "without an end"), ("other_origin", "another host")] {
        let org = org(json!({"next_links": links})).await;
        let report = org.inside(Command::Run, &eager()).await.unwrap();
        assert_eq!(report.exit_code, Exit::Partial, "{links}");
        let report = serde_json::to_value(&report).unwrap();
        let error = entity(&report, "notes")["error"].as_str().unwrap();
        assert!(error.contains(told), "{links}: {error}");
        if links == "endless" {
            assert!(error.starts_with("note [20") && error.contains("Z): "), "{error}");
        }
        org.sim.merge_switches(json!({"next_links": "honest"})).unwrap();
        org.load().await;
        assert_complete(&org.sim, &org.lake(), links).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_another_pod_is_told_as_such() {
    let org = org(json!({"pod": "wrong"})).await;
    let ended = org.run(&["run"]).await;
    assert_eq!(ended.code, 3, "{ended:#?}");
    assert!(ended.stdout.contains("the API key belongs to another pod than this host"), "{ended:#?}");
    org.sim.merge_switches(json!({"pod": "right"})).unwrap();
    org.load().await;
    assert_complete(&org.sim, &org.lake(), "with the right host").await;
}
