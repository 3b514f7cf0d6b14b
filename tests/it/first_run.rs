//! The first run of a new user, and the second one.

use kustlake_sim::{Switches, WorldSpec};

use crate::support::{Org, entity};

#[tokio::test(flavor = "multi_thread")]
async fn a_first_run_loads_everything_and_a_second_one_finds_nothing_to_do() {
    let org = Org::new(WorldSpec::default(), Switches::unlimited()).await;
    org.sim.clock().advance(10 * 60 * 1000);
    let first = org.report(&["run"]).await;
    assert_eq!(entity(&first, "messages")["inserted"], 2_000);
    assert_eq!(entity(&first, "users")["inserted"], 20);
    let second = org.report(&["run"]).await;
    for name in ["conversations", "customers", "messages", "notes"] {
        let entity = entity(&second, name);
        assert_eq!(entity["commits"], 0, "{name}");
        // One search, and one for what its custom attributes are.
        assert_eq!(entity["requests"], 2, "{name}");
    }
    assert_eq!(org.sim.stats().violations, 0);
}
