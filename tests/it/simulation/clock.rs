//! Time that passes only when nothing else can happen.
//!
//! The rule: while any task is ready, or any work off the thread is waited for, no time passes. So a sleep ends when all
//! that could be done before it is done, and a seed replays in every detail that matters.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::BoxFuture;
use kustlake::clock::Clock;
use kustlake::cpu;

#[derive(Debug, Default)]
struct Timers {
    now: Duration,
    next: u64,
    waiting: BTreeMap<(Duration, u64), Waker>,
}

/// The time of a whole simulation.
#[derive(Debug, Clone, Default)]
pub(super) struct Time(Arc<Mutex<Timers>>);

impl Time {
    pub(super) fn now(&self) -> Duration {
        self.0.lock().unwrap().now
    }

    /// Lets time pass between runs.
    pub(super) fn pass(&self, time: Duration) {
        self.0.lock().unwrap().now += time;
    }

    /// Called when no task is ready: goes on to the next instant that somebody waits for.
    pub(super) fn idle(&self) {
        if cpu::under_way() > 0 {
            return;
        }
        let next = {
            let mut timers = self.0.lock().unwrap();
            let next = timers.waiting.pop_first();
            if let Some(((at, _), _)) = &next {
                timers.now = timers.now.max(*at);
            }
            next
        };
        if let Some((_, waker)) = next {
            waker.wake();
        }
    }

    pub(super) fn sleep(&self, time: Duration) -> Sleep {
        let mut timers = self.0.lock().unwrap();
        timers.next += 1;
        Sleep { time: self.clone(), key: (timers.now + time, timers.next) }
    }
}

/// A wait; it is forgotten when it is dropped.
#[derive(Debug)]
pub(super) struct Sleep {
    time: Time,
    key: (Duration, u64),
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut timers = self.time.0.lock().unwrap();
        if timers.now >= self.key.0 {
            timers.waiting.remove(&self.key);
            return Poll::Ready(());
        }
        timers.waiting.insert(self.key, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.time.0.lock().unwrap().waiting.remove(&self.key);
    }
}

/// The clock of one process, which may be wrong.
#[derive(Debug)]
pub(super) struct ProcessClock {
    pub(super) time: Time,
    /// What it says when the simulation begins.
    pub(super) start: DateTime<Utc>,
}

impl Clock for ProcessClock {
    fn now(&self) -> DateTime<Utc> {
        self.start + TimeDelta::from_std(self.time.now()).unwrap()
    }

    fn monotonic(&self) -> Duration {
        self.time.now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(self.time.sleep(duration))
    }
}
