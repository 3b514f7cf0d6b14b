//! Leases that are taken, kept, lost and left behind.

use super::*;
use crate::lake::process::tests::{dead, elsewhere};
use crate::lake::testing::{Fault, FaultyStore, append, committed, create, lake_in, rows, schema, write};
use crate::lake::{Change, CommitOutcome, TableName};

/// Heartbeats of the default timing come every 50 ms on this clock.
const SPEED: u32 = 400;

fn lakes() -> (Arc<FaultyStore>, Lake, Lake) {
    let store = Arc::new(FaultyStore::default());
    let (first, second) = (lake_in(store.clone(), SPEED), lake_in(store.clone(), SPEED));
    (store, first, second)
}

async fn acquire(lake: &Lake, holder: &str) -> Result<Lease, LeaseError> {
    Lease::acquire(lake, holder, LeaseTiming::default()).await
}

async fn until_lost(lake: &Lake, lease: &Lease) -> bool {
    for _ in 0..100 {
        if lease.is_lost() {
            return true;
        }
        lake.clock().sleep(LeaseTiming::default().heartbeat).await;
    }
    false
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_is_told_who_is_active_until_the_first_releases() {
    let (store, first, second) = lakes();
    let lease = acquire(&first, "run a").await.unwrap();
    let Err(LeaseError::HeldBy { holder, .. }) = acquire(&second, "run b").await else { panic!("two leases") };
    assert_eq!(holder, "run a");
    lease.release().await;
    let lease = acquire(&second, "run b").await.unwrap();
    lease.release().await;
    let left: Vec<_> =
        futures::TryStreamExt::try_collect(object_store::ObjectStore::list(&*store, None)).await.unwrap();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_runs_one_gets_the_lease() {
    let (_store, lake, _) = lakes();
    let names: Vec<String> = (0..8).map(|n| format!("run {n}")).collect();
    let taken = futures::future::join_all(names.iter().map(|name| acquire(&lake, name))).await;
    assert_eq!(taken.iter().filter(|lease| lease.is_ok()).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_lease_is_taken_over_and_its_holder_notices() {
    let (store, first, second) = lakes();
    let lease = acquire(&first, "run a").await.unwrap();
    store.age_lease(TimeDelta::seconds(100));
    assert!(acquire(&second, "run b").await.is_err());
    store.age_lease(TimeDelta::seconds(121));
    let taken = acquire(&second, "run b").await.unwrap();
    assert!(until_lost(&first, &lease).await);
    lease.release().await;
    store.age_lease(TimeDelta::zero());
    let Err(LeaseError::HeldBy { holder, .. }) = acquire(&first, "run c").await else { panic!("released") };
    assert_eq!(holder, "run b");
    assert!(!taken.is_lost());
}

/// Leaves a lease behind, as a run that was killed does.
async fn left_behind(lake: &Lake, process: Option<Process>) {
    let now = lake.clock().now();
    let (holder, token) = ("run a".to_owned(), "t".to_owned());
    let record = Record { version: 1, holder, token, since: now, heartbeat_at: now, heartbeats: 3, process };
    lake.put("_kustlake/lease.json", String::from_utf8(record.bytes().unwrap().to_vec()).unwrap()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_that_was_killed_on_this_machine_is_not_waited_for() {
    let (_store, lake, _) = lakes();
    left_behind(&lake, Some(dead())).await;
    acquire(&lake, "run b").await.unwrap().release().await;
    for unknown in [Some(elsewhere()), None] {
        left_behind(&lake, unknown).await;
        assert!(acquire(&lake, "run b").await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_from_the_future_is_judged_by_its_heartbeat() {
    let (store, first, second) = lakes();
    let lease = acquire(&first, "run a").await.unwrap();
    store.age_lease(TimeDelta::days(-400));
    assert!(acquire(&second, "run b").await.is_err());
    drop(lease);
    // The heartbeat that is on its way may still be seen, but no other one.
    let on_its_way = acquire(&second, "run b").await;
    assert!(on_its_way.is_ok() || acquire(&second, "run b").await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn heartbeats_that_fail_for_long_count_as_lost() {
    let (store, first, _) = lakes();
    let lease = acquire(&first, "run a").await.unwrap();
    store.fail(Fault::Full, "lease.json", usize::MAX);
    assert!(until_lost(&first, &lease).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_works_where_replacing_is_unconditional() {
    let (store, first, second) = lakes();
    store.fail(Fault::NoUpdate, "lease.json", usize::MAX);
    let lease = acquire(&first, "run a").await.unwrap();
    first.clock().sleep(Duration::from_secs(100)).await;
    assert!(!lease.is_lost());
    assert!(acquire(&second, "run b").await.is_err());
}

/// Two views of one lake in a store that overwrites whatever condition it is told.
async fn without_conditions() -> (Arc<FaultyStore>, Lake, Lake) {
    let (store, first, second) = lakes();
    store.fail(Fault::IgnoredCondition, "", usize::MAX);
    let (first, second) = tokio::join!(first.probe(Commits::Lease), second.probe(Commits::Lease));
    (store, first.unwrap(), second.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_runs_one_gets_the_lease_where_every_put_succeeds() {
    let (_store, lake, _) = without_conditions().await;
    let names: Vec<String> = (0..8).map(|n| format!("run {n}")).collect();
    let taken = futures::future::join_all(names.iter().map(|name| acquire(&lake, name))).await;
    assert_eq!(taken.iter().filter(|lease| lease.is_ok()).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_lease_was_taken_over_neither_commits_nor_takes_it_back_where_every_put_succeeds() {
    let (store, first, second) = without_conditions().await;
    assert!(
        matches!(first.create_table(&name(), schema()).await, Err(LakeError::Internal(_))),
        "nobody holds the lease"
    );
    let lease = acquire(&first, "run a").await.unwrap();
    let table = create(&lease.guard(&first)).await;
    let table = committed(append(&table, &rows(0..2)).await);
    store.age_lease(TimeDelta::seconds(121));
    let taken = acquire(&second, "run b").await.unwrap();
    store.age_lease(TimeDelta::zero());
    let change = Change { add: vec![write(&table, &rows(2..4)).await], ..Change::default() };
    assert_eq!(table.commit(change).await.unwrap_err(), LakeError::Overtaken);
    assert!(until_lost(&first, &lease).await);
    let table = taken.guard(&second).table(&name()).await.unwrap().unwrap();
    assert_eq!(committed(append(&table, &rows(4..5)).await).version(), 2);
    taken.release().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_waits_for_no_heartbeat_that_does_not_come_where_every_put_succeeds() {
    let (store, lake, _) = without_conditions().await;
    let lease = acquire(&lake, "run a").await.unwrap();
    let table = create(&lease.guard(&lake)).await;
    store.fail(Fault::Full, "lease.json", usize::MAX);
    lake.clock().sleep(LeaseTiming::default().expiry).await;
    let change = Change { add: vec![write(&table, &rows(0..1)).await], ..Change::default() };
    assert_eq!(table.commit(change).await.unwrap_err(), LakeError::Overtaken);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_another_one_was_faster_with_is_a_conflict_where_every_put_succeeds() {
    let (_store, lake, _) = without_conditions().await;
    let lease = acquire(&lake, "run a").await.unwrap();
    let table = create(&lease.guard(&lake)).await;
    let first = committed(append(&table, &rows(0..1)).await);
    let CommitOutcome::Conflict(newest) = append(&table, &rows(1..2)).await else { panic!("overwritten") };
    assert_eq!((first.version(), newest.version()), (1, 1));
    lease.release().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_not_given_back_while_a_commit_that_relies_on_it_is_on_its_way() {
    let (_store, first, second) = without_conditions().await;
    let lease = acquire(&first, "run a").await.unwrap();
    let landing = lease.holder(&first).assure().await.unwrap();
    let released = tokio::spawn(lease.release());
    first.clock().sleep(LeaseTiming::default().heartbeat * 4).await;
    assert!(acquire(&second, "run b").await.is_err());
    drop(landing);
    released.await.unwrap();
    acquire(&second, "run b").await.unwrap().release().await;
}

fn name() -> TableName {
    TableName::new("tags").unwrap()
}
