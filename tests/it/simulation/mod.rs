//! The whole program under everything that may happen, drawn from seeds, and replayed from them.
//!
//! `KUSTLAKE_SIM_SEEDS` sets how many seeds each of the four parts plays, `KUSTLAKE_SIM_FROM` the first one, and
//! `KUSTLAKE_SIM_SEED` plays a single one.

mod clock;
mod conduct;
mod faults;
mod late;
mod oracle;
mod pace;
mod process;
mod scenario;
mod source;
mod store;

use crate::parts::source as file;
use crate::support::size;

use self::conduct::play;
use self::scenario::Scenario;

/// Attempts to make a failing scenario smaller.
const MOST_ATTEMPTS: u32 = 150;

/// The smallest scenario found that still fails, and how.
fn shrunk(scenario: Scenario, told: String) -> (Scenario, String) {
    let (mut smallest, mut told, mut attempts) = (scenario, told, 0);
    'again: loop {
        let mut smaller = Vec::new();
        for at in (0..smallest.events.len()).rev() {
            let mut less = smallest.clone();
            less.events.remove(at);
            smaller.push(less);
            for event in smallest.events[at].smaller() {
                let mut less = smallest.clone();
                less.events[at] = event;
                smaller.push(less);
            }
        }
        for less in smaller {
            attempts += 1;
            if attempts > size("KUSTLAKE_SIM_ATTEMPTS", MOST_ATTEMPTS) {
                return (smallest, told);
            }
            if let (Err(again), _) = play(&less) {
                (smallest, told) = (less, again);
                continue 'again;
            }
        }
        return (smallest, told);
    }
}

fn seed(seed: u64) {
    let scenario = Scenario::of(seed);
    if let (Err(told), _) = play(&scenario) {
        let events = scenario.events.len();
        let (smallest, told) = shrunk(scenario, told);
        panic!("KUSTLAKE_SIM_SEED={seed}: {told}\nof {events} events are left in\n{smallest:#?}");
    }
}

fn part(number: u32) {
    let single = size("KUSTLAKE_SIM_SEED", u32::MAX);
    if single != u32::MAX {
        if number == 0 {
            seed(u64::from(single));
        }
        return;
    }
    let (from, count) = (size("KUSTLAKE_SIM_FROM", 0), size("KUSTLAKE_SIM_SEEDS", 250));
    for at in 0..count {
        seed(u64::from(from + at * 4 + number));
    }
}

#[test]
fn seeds_part_1() {
    part(0);
}

#[test]
fn seeds_part_2() {
    part(1);
}

#[test]
fn seeds_part_3() {
    part(2);
}

#[test]
fn seeds_part_4() {
    part(3);
}

#[test]
fn a_seed_replays_request_by_request() {
    for number in 0..6 {
        let scenario = Scenario::of(number);
        let ((first, trace), (second, again)) = (play(&scenario), play(&scenario));
        assert_eq!(first, second);
        let differing = trace.iter().zip(&again).position(|(a, b)| a != b);
        assert_eq!(differing.map(|at| (at, &trace[at], &again[at])), None, "seed {number}");
        assert_eq!(trace.len(), again.len(), "seed {number}");
    }
}

/// Time in a simulation passes only while no such work is waited for, so all of it must be known.
#[test]
fn work_off_the_thread_begins_in_one_place() {
    let mut folders = vec![file("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("cpu.rs") && !path.to_str().unwrap().contains("test") {
                let text = std::fs::read_to_string(&path).unwrap();
                assert!(!text.contains("spawn_blocking("), "{}", path.display());
            }
        }
    }
}

/// The mistakes by which the simulation itself is tested can still be made.
#[test]
fn planted_mistakes_still_fit_the_program() {
    let mut patches = 0;
    for entry in std::fs::read_dir(file("tests/planted")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "patch") {
            patches += 1;
            let mut git = std::process::Command::new("git");
            let checked = git.arg("-C").arg(file(".")).args(["apply", "--check"]).arg(&path).output().unwrap();
            assert!(checked.status.success(), "{}: {checked:?}", path.display());
        }
    }
    assert!(patches >= 10, "{patches}");
}
