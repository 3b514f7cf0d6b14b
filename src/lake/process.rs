//! Which process on which machine, told so exactly that its death can be seen.
//!
//! The rule: a process counts as gone only when that is certain: same boot, same pid namespace, same user, and the
//! pid is free or was given to a younger process. Whatever cannot be read leaves the question open.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;

use serde::{Deserialize, Serialize};

/// A process of a Linux machine, by proc(5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Process {
    /// A random id, new at each boot.
    boot: String,
    /// The namespace in which the pid is counted, such as `pid:[4026531836]`.
    pid_namespace: String,
    /// A mount option of /proc hides the processes of other users, which are no less alive for it.
    user: u32,
    pid: u32,
    /// In clock ticks since the boot, so that a pid that is given again is told apart.
    started: u64,
}

impl Process {
    /// This process; none where /proc does not tell.
    pub(super) fn this() -> Option<Self> {
        // A /proc of another namespace counts pids differently.
        let own = fs::read_link("/proc/self").ok()?;
        let pid = std::process::id();
        if own.to_str()?.parse() != Ok(pid) {
            return None;
        }
        Self::alive(pid)
    }

    fn alive(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        Some(Self {
            boot: fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().to_owned(),
            pid_namespace: fs::read_link("/proc/self/ns/pid").ok()?.to_str()?.to_owned(),
            user: fs::metadata("/proc/self").ok()?.uid(),
            pid,
            started: Stat::parse(&stat)?.started,
        })
    }

    /// Whether the process has certainly ended.
    pub(super) fn is_gone(&self) -> bool {
        let Some(own) = Self::this() else { return false };
        let comparable = own.boot == self.boot && own.pid_namespace == self.pid_namespace && own.user == self.user;
        comparable
            && match fs::read_to_string(format!("/proc/{}/stat", self.pid)) {
                Ok(stat) => Stat::parse(&stat).is_some_and(|stat| stat.is_dead() || stat.started != self.started),
                Err(error) => error.kind() == ErrorKind::NotFound,
            }
    }
}

/// What /proc/pid/stat tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    state: char,
    started: u64,
}

impl Stat {
    /// The name of the program stands in parentheses and may hold anything, parentheses and blanks too.
    fn parse(stat: &str) -> Option<Self> {
        let (_, fields) = stat.rsplit_once(") ")?;
        let mut fields = fields.split(' ');
        let state = fields.next()?.chars().next()?;
        // Fields 3 and 22 of proc_pid_stat(5).
        Some(Self { state, started: fields.nth(18)?.parse().ok()? })
    }

    /// It does nothing any more; only its parent has not asked how it ended.
    const fn is_dead(self) -> bool {
        matches!(self.state, 'Z' | 'X' | 'x')
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::process::{Child, Command, Stdio};

    use super::*;

    /// A process that lives until it is killed.
    fn sleeper() -> Child {
        Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
    }

    /// A process that has ended.
    pub(in crate::lake) fn dead() -> Process {
        let mut child = sleeper();
        let process = Process::alive(child.id()).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        process
    }

    /// A process of which nothing can be known here.
    pub(in crate::lake) fn elsewhere() -> Process {
        Process { boot: "another".to_owned(), ..dead() }
    }

    #[test]
    fn a_process_is_gone_once_it_has_been_killed_even_before_its_parent_asks() {
        let mut child = sleeper();
        let process = Process::alive(child.id()).unwrap();
        assert!(!process.is_gone());
        child.kill().unwrap();
        while !process.is_gone() {
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert!(process.is_gone());
    }

    #[test]
    fn a_younger_process_with_the_same_pid_is_another_one() {
        let own = Process::this().unwrap();
        assert!(!own.is_gone());
        assert!(Process { started: own.started - 1, ..own }.is_gone());
    }

    #[test]
    fn what_cannot_be_known_is_not_gone() {
        let dead = dead();
        assert!(dead.is_gone());
        assert!(!elsewhere().is_gone());
        assert!(!Process { pid_namespace: "pid:[1]".to_owned(), ..dead.clone() }.is_gone());
        assert!(!Process { user: dead.user + 1, ..dead }.is_gone());
    }

    #[test]
    fn a_program_may_have_any_name() {
        let rest = "0 ".repeat(18);
        let stat = format!("7 (a) R b) S {rest}4242 0 0");
        assert_eq!(Stat::parse(&stat), Some(Stat { state: 'S', started: 4242 }));
        assert_eq!(Stat::parse("7 (a) S 0"), None);
    }
}
