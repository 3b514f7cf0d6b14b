use std::collections::VecDeque;

use futures::future::join_all;
use proptest::prelude::{ProptestConfig, any, prop_assert, proptest};

use super::*;
use crate::api::testing::JumpingClock;
use crate::clock::Entropy;

const MINUTE: Duration = Duration::from_secs(60);

fn settings(limit: Limit, share: f64, searches: u32) -> QuotaSettings {
    QuotaSettings {
        limit,
        share: Share::try_from(share).unwrap(),
        searches_per_minute: NonZeroU32::new(searches).unwrap(),
    }
}

fn fixed(limit: u32) -> Limit {
    Limit::Fixed(NonZeroU32::new(limit).unwrap())
}

fn quota(settings: QuotaSettings) -> (Arc<JumpingClock>, Quota) {
    let clock = Arc::new(JumpingClock::default());
    (Arc::clone(&clock), Quota::new(settings, clock))
}

fn headers(limit: u32, remaining: u32, wait: Option<u64>) -> QuotaHeaders {
    QuotaHeaders { limit: Some(limit), remaining: Some(remaining), wait: wait.map(Duration::from_secs) }
}

/// The most arrivals in any half-open minute.
fn busiest_minute(arrivals: &mut [Duration]) -> usize {
    arrivals.sort_unstable();
    let mut minute = VecDeque::new();
    let mut most = 0;
    for arrival in arrivals.iter().copied() {
        minute.push_back(arrival);
        while minute.front().is_some_and(|first| *first + MINUTE <= arrival) {
            minute.pop_front();
        }
        most = most.max(minute.len());
    }
    most
}

/// Workers that ask without pause; each request takes up to `latency` in all and arrives somewhere on its way.
async fn demand(
    quota: &Quota,
    clock: &JumpingClock,
    budget: Budget,
    workers: usize,
    latency: Duration,
    end: Duration,
    entropy: &Entropy,
) -> Vec<Duration> {
    let workers = (0..workers).map(|_| async move {
        let mut arrivals = Vec::new();
        while clock.monotonic() < end {
            let permit = quota.permit(budget).await;
            let took = latency.mul_f64(entropy.fraction());
            arrivals.push(clock.monotonic() + took.mul_f64(entropy.fraction()));
            clock.sleep(took).await;
            drop(permit);
        }
        arrivals
    });
    join_all(workers).await.into_iter().flatten().filter(|arrival| *arrival < end).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_sliding_minute_holds_more_than_the_share(
        seed in any::<u64>(), searches in 1_u32..40, limit in 1_u32..80, workers in 1_usize..12, latency in 1_u64..90_000,
    ) {
        let (clock, quota) = quota(settings(fixed(limit), 0.5, searches));
        let entropy = Entropy::seeded(seed);
        let (end, latency) = (MINUTE * 6, Duration::from_millis(latency));
        let (mut searched, listed) = clock.run(async {
            futures::join!(
                demand(&quota, &clock, Budget::Search, workers, latency, end, &entropy),
                demand(&quota, &clock, Budget::Organisation, workers, latency, end, &entropy),
            )
        });
        let mut all = [&searched[..], &listed[..]].concat();
        prop_assert!(busiest_minute(&mut searched) <= searches as usize);
        prop_assert!(busiest_minute(&mut all) <= (limit as usize / 2).max(1));
    }
}

#[test]
fn unlimited_demand_uses_nearly_all_of_the_budget() {
    let (clock, quota) = quota(settings(fixed(1000), 0.5, 80));
    let (entropy, end, latency) = (Entropy::seeded(7), MINUTE * 30, Duration::from_millis(300));
    let (searched, listed) = clock.run(async {
        futures::join!(
            demand(&quota, &clock, Budget::Search, 4, latency, end, &entropy),
            demand(&quota, &clock, Budget::Organisation, 4, latency, end, &entropy),
        )
    });
    assert!(searched.len() >= 80 * 30 * 95 / 100, "{}", searched.len());
    let all = searched.len() + listed.len();
    assert!(all >= 500 * 30 * 95 / 100, "{all}");
}

#[test]
fn whoever_comes_first_is_served_first() {
    let (clock, quota) = quota(settings(fixed(2), 1.0, 2));
    let served = Mutex::new(Vec::new());
    clock.run(join_all((0..9).map(|number| {
        let (quota, served) = (&quota, &served);
        async move {
            let _permit = quota.permit(Budget::Organisation).await;
            served.lock().unwrap().push(number);
        }
    })));
    assert_eq!(served.into_inner().unwrap(), (0..9).collect::<Vec<_>>());
}

/// How long the next request of this budget has to wait.
fn next(clock: &Arc<JumpingClock>, quota: &Quota, budget: Budget) -> u64 {
    let began = clock.monotonic();
    clock.run(async { drop(quota.permit(budget).await) });
    (clock.monotonic() - began).as_secs()
}

#[test]
fn a_search_that_waits_keeps_nobody_else_waiting() {
    let (clock, quota) = quota(settings(fixed(100), 1.0, 1));
    clock.run(async { drop(quota.permit(Budget::Search).await) });
    let began = clock.monotonic();
    clock.run(async {
        tokio::select! {
            biased;
            _ = quota.permit(Budget::Search) => panic!("the search budget is used"),
            _ = quota.permit(Budget::Organisation) => {}
        }
    });
    assert_eq!(clock.monotonic(), began);
}

#[test]
fn the_limit_is_learned_from_the_headers_of_requests_that_are_no_searches() {
    let (clock, quota) = quota(settings(Limit::Auto, 0.5, 80));
    let burst = |most| {
        clock.run(async {
            let mut permits = Vec::new();
            while permits.len() < most {
                tokio::select! {
                    biased;
                    permit = quota.permit(Budget::Organisation) => permits.push(permit),
                    () = tokio::task::yield_now() => break,
                }
            }
            permits.len()
        })
    };
    assert_eq!(burst(1000), 30, "half of a careful guess");
    clock.run(clock.sleep(MINUTE * 2));
    quota.observe(Budget::Organisation, headers(1000, 900, None));
    quota.observe(Budget::Search, headers(100, 90, None));
    assert_eq!(burst(1000), 500);
}

#[test]
fn when_others_use_the_minute_up_we_stand_back() {
    let (clock, quota) = quota(settings(fixed(1000), 0.5, 80));
    quota.observe(Budget::Organisation, headers(1000, 19, Some(40)));
    assert_eq!(next(&clock, &quota, Budget::Search), 40);
    quota.observe(Budget::Search, headers(1000, 5, None));
    assert_eq!(next(&clock, &quota, Budget::Organisation), 10);
    quota.observe(Budget::Organisation, headers(1000, 5, Some(120)));
    assert_eq!(next(&clock, &quota, Budget::Organisation), 60, "a minute at most");
    quota.observe(Budget::Organisation, headers(1000, 999, None));
    assert_eq!(next(&clock, &quota, Budget::Organisation), 0);
}

#[test]
fn a_refused_search_pauses_searches_only_unless_the_organisation_is_at_its_limit() {
    let (clock, quota) = quota(settings(Limit::Auto, 0.5, 80));
    quota.observe(Budget::Organisation, headers(1000, 900, None));
    quota.throttle(Budget::Search, headers(1000, 800, None), Duration::from_secs(30));
    assert_eq!(next(&clock, &quota, Budget::Organisation), 0);
    assert_eq!(next(&clock, &quota, Budget::Search), 30);

    quota.throttle(Budget::Search, headers(100, 0, None), Duration::from_secs(30));
    assert_eq!(next(&clock, &quota, Budget::Organisation), 0, "these headers speak of the search budget");
    assert_eq!(next(&clock, &quota, Budget::Search), 30);

    quota.throttle(Budget::Search, headers(1000, 0, None), Duration::from_secs(30));
    assert_eq!(next(&clock, &quota, Budget::Organisation), 30);

    quota.throttle(Budget::Organisation, QuotaHeaders::default(), Duration::from_secs(50));
    assert_eq!(next(&clock, &quota, Budget::Search), 50);
}

#[test]
fn a_wait_is_visible_while_it_lasts() {
    let (clock, quota) = quota(settings(fixed(1), 1.0, 80));
    assert_eq!(quota.waiting(), None);
    clock.run(async {
        drop(quota.permit(Budget::Organisation).await);
        futures::join!(quota.permit(Budget::Search), async {
            tokio::task::yield_now().await;
            let waiting = quota.waiting().unwrap();
            assert_eq!((waiting.budget, waiting.reason), (Budget::Organisation, WaitReason::Pace));
            assert_eq!(waiting.left, Duration::from_secs(61));
        })
    });
    assert_eq!((quota.waiting(), quota.waited()), (None, Duration::from_secs(61)));
}

#[test]
fn a_request_that_is_given_up_leaves_its_place() {
    let (clock, quota) = quota(settings(fixed(1), 1.0, 80));
    clock.run(async {
        drop(quota.permit(Budget::Organisation).await);
        {
            let mut given_up = Box::pin(quota.permit(Budget::Organisation));
            assert!(futures::poll!(&mut given_up).is_pending());
        }
        drop(quota.permit(Budget::Organisation).await);
    });
    assert_eq!(clock.monotonic(), Duration::from_secs(61));
}
