//! What happens in one simulation, drawn from a seed: a value that can be printed, replayed and made smaller.

use kustlake::clock::Entropy;
use kustlake_sim::{
    ArchiveCovers, Context, DeleteStamp, Every, Lagging, Limiting, Mover, Op, PastAnswer, Precision, ResetHeader,
    RetryAfter, Switches, TieOrder, Total, Visibility, WorldSpec,
};

use super::process::{CLASSES, Fate, RequestFault};
use super::source::Change;
use super::store::StoreFault;

/// Something that happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    Run(Fate),
    FullRefresh(Fate),
    /// Days before the beginning, from and until.
    Backfill(u32, u32, Fate),
    /// Two runs at once that do not see each other's lease.
    Overlap(Fate, Fate),
    /// Files are merged, and removed that nothing needed for so many hours.
    Maintain(u32, Fate),
    /// The same beside a run.
    MaintainBeside(Fate, Fate),
    Change(Change),
    /// Records change one after the other, seconds apart, and just long enough ago to have settled. An index may be late for
    /// some of them.
    Trickle(Context, u64),
    /// Minutes.
    Wait(u32),
    /// The local clock is set to the right time and so many minutes.
    SetClock(i32),
    LoseState,
    DamageState,
}

/// One simulation.
#[derive(Debug, Clone)]
pub(super) struct Scenario {
    pub(super) seed: u64,
    pub(super) world: WorldSpec,
    pub(super) switches: Switches,
    /// The lines of `pipelines`.
    pub(super) pipelines: String,
    /// More lines of `source`.
    pub(super) source: String,
    pub(super) latency_ms: u32,
    pub(super) events: Vec<Event>,
}

struct Dice(Entropy);

impl Dice {
    fn below(&self, bound: u32) -> u32 {
        u32::try_from(self.0.below(u64::from(bound))).unwrap()
    }

    fn one_in(&self, chances: u32) -> bool {
        self.below(chances) == 0
    }

    fn pick<T: Copy>(&self, of: &[T]) -> T {
        of[self.below(u32::try_from(of.len()).unwrap()) as usize]
    }
}

impl Scenario {
    /// Rows that are committed at once, at most. They follow from the seed by themselves, so that all else stays as it was.
    pub(super) const fn part_rows(&self) -> usize {
        match self.seed % 5 {
            0 | 1 => 100_000,
            2 => 1,
            3 => 7,
            _ => 40,
        }
    }

    pub(super) fn of(seed: u64) -> Self {
        let dice = Dice(Entropy::seeded(seed));
        let days = dice.pick(&[20, 20, 200, 1_000]);
        let world = WorldSpec {
            seed: u64::from(dice.below(1_000)),
            customers: 2 + dice.below(8),
            conversations: 3 + dice.below(15),
            messages: 5 + dice.below(60),
            notes: dice.below(12),
            users: 3,
            companies: 0,
            kobjects: 0,
            audit_logs: dice.below(6),
            start: Some(super::source::START - i64::from(days) * 86_400_000),
            end: Some(super::source::START),
        };
        let events = (0..2 + dice.below(9)).flat_map(|_| {
            let trickle = Event::Trickle(dice.pick(&CONTEXTS), u64::from(dice.below(10_000)));
            if dice.one_in(12) { vec![trickle, Event::Run(fate(&dice))] } else { vec![event(&dice)] }
        });
        let events = events.collect();
        Self {
            seed,
            world,
            switches: switches(&dice),
            pipelines: pipelines(&dice),
            latency_ms: dice.pick(&[1, 20, 300]),
            source: source(&dice),
            events,
        }
    }
}

/// The daily look back reaches no further than any run does, so that it mends nothing that went wrong.
pub(super) const NO_LOOK_BACK: &str = "  rescan: {every: 1d, reach: 1s}\n";

fn switches(dice: &Dice) -> Switches {
    let mut switches = Switches::unlimited();
    switches.largest_page = dice.pick(&[500, 20, 7, 3]);
    switches.index_lag_ms = i64::from(dice.pick(&[0, 0, 30_000, 120_000, 480_000]));
    switches.lagging = dice.pick(&[Lagging::AllRecords, Lagging::EveryOtherRecord, Lagging::EveryOtherRecord]);
    switches.ties = dice.pick(&[TieOrder::Stable, TieOrder::Random]);
    switches.precision = dice.pick(&[Precision::default(), Precision::default(), Precision::Second]);
    // Where search does not count, nothing but a page that holds all of them proves a tie to be complete.
    if switches.largest_page == 500 {
        switches.total = dice.pick(&[Total::Exact, Total::Omitted]);
    }
    switches.past_end = dice.pick(&[PastAnswer::BadRequest, PastAnswer::EmptyPage, PastAnswer::LastPage]);
    switches.archive_covers = dice.pick(&[ArchiveCovers::Older, ArchiveCovers::Everything]);
    switches.delete_stamp = dice.pick(&[DeleteStamp::Moves, DeleteStamp::Keeps]);
    switches.deleted_in_search = dice.pick(&[Visibility::Shown, Visibility::Shown, Visibility::Hidden]);
    switches.clock_skew_ms = i64::from(dice.pick(&[0, 0, 60_000])) - i64::from(dice.pick(&[0, 0, 50_000]));
    if dice.one_in(8) {
        switches.mover = Mover::EveryRequest;
    }
    if dice.one_in(4) {
        (switches.org_limit, switches.search_limit) = (200, 30);
        switches.limiting = dice.pick(&[Limiting::FixedWindow, Limiting::SlidingWindow]);
        switches.reset_header = dice.pick(&[ResetHeader::OnExcess, ResetHeader::Always, ResetHeader::Never]);
        switches.retry_after = dice.pick(&[RetryAfter::Absent, RetryAfter::Exact, RetryAfter::Excessive]);
    }
    let every = |dice: &Dice| Every::nth(u64::from(4 + dice.below(9)));
    match dice.below(8) {
        0 => switches.timed_out = every(dice),
        1 => switches.server_error = every(dice),
        2 => switches.drop_midway = every(dice),
        3 => switches.truncated = every(dice),
        _ => {}
    }
    switches
}

fn pipelines(dice: &Dice) -> String {
    let mut lines = vec!["conversations: {}", "messages: {}"];
    for line in ["customers: {}", "notes: {}", "users: {}", "audit_logs: {}", "tags: {}"] {
        if dice.one_in(2) {
            lines.push(line);
        }
    }
    if lines.contains(&"customers: {}") && dice.one_in(2) {
        lines.push("customer_emails: {}");
    }
    lines.join(", ")
}

fn source(dice: &Dice) -> String {
    let (concurrency, overlap) = (dice.pick(&[1, 1, 2, 4]), dice.pick(&[10, 30]));
    let rescan = if dice.one_in(2) { NO_LOOK_BACK } else { "" };
    // Share and searches as a user would set them, so that limits matter where there are any.
    format!("  concurrency: {concurrency}\n  settle: 5m\n  overlap: {overlap}m\n{rescan}")
}

const CONTEXTS: [Context; 4] = [Context::Customer, Context::Conversation, Context::Message, Context::Note];

fn change(dice: &Dice) -> Change {
    let context = dice.pick(&CONTEXTS);
    let deletes = [Op::DeleteSoft, Op::Restore, Op::DeleteHard, Op::Purge];
    let op = if dice.one_in(3) { dice.pick(&deletes) } else { dice.pick(&[Op::Create, Op::Update, Op::DeleteSoft]) };
    if dice.one_in(5) {
        return Change::Tie(context, 2 + dice.below(25));
    }
    let (context, op) = if dice.one_in(12) { (Context::Customer, Op::Merge) } else { (context, op) };
    Change::Mutate(context, op, 1 + dice.below(5), u64::from(dice.below(10_000)))
}

fn fate(dice: &Dice) -> Fate {
    let mut fate = Fate::default();
    let some = |dice: &Dice, most: u32| if dice.one_in(2) { 0 } else { dice.below(most) };
    for _ in 0..some(dice, 4) {
        fate.changes.insert(u64::from(dice.below(30)), change(dice));
    }
    for _ in 0..some(dice, 3) {
        let fault = dice.pick(&[
            RequestFault::Cut,
            RequestFault::Fails,
            RequestFault::Throttled,
            RequestFault::Truncated,
            RequestFault::Hangs,
            RequestFault::Outage,
            RequestFault::Dies,
        ]);
        fate.requests.insert(u64::from(dice.below(40)), fault);
    }
    for _ in 0..some(dice, 3) {
        let fault = dice.pick(&[StoreFault::Fails, StoreFault::LosesReply, StoreFault::Dies, StoreFault::DiesAfter]);
        fate.store.insert(u64::from(dice.below(60)), fault);
    }
    if dice.one_in(4) {
        fate.reads.insert(u64::from(dice.below(u32::try_from(CLASSES).unwrap())), dice.below(3));
    }
    fate
}

fn event(dice: &Dice) -> Event {
    match dice.below(18) {
        0..=4 => Event::Run(fate(dice)),
        5 => Event::FullRefresh(fate(dice)),
        6 => {
            let from = 1 + dice.below(900);
            Event::Backfill(from, dice.below(from), fate(dice))
        }
        7 => Event::Overlap(fate(dice), fate(dice)),
        8..=10 => Event::Change(change(dice)),
        11 | 12 => Event::Wait(dice.pick(&[1, 7, 7, 7, 60, 1_500])),
        13 => Event::SetClock(i32::try_from(dice.below(4_000)).unwrap() - 2_000),
        14 => Event::LoseState,
        15 => Event::DamageState,
        16 => Event::Maintain(dice.pick(&[1, 24, 168]), fate(dice)),
        _ => Event::MaintainBeside(fate(dice), fate(dice)),
    }
}

impl Event {
    /// The same with less in it, one thing at a time.
    pub(super) fn smaller(&self) -> Vec<Self> {
        let fates = |fate: &Fate, whole: &dyn Fn(Fate) -> Self| {
            let mut smaller = Vec::new();
            for key in fate.changes.keys() {
                let mut less = fate.clone();
                less.changes.remove(key);
                smaller.push(whole(less));
            }
            for key in fate.requests.keys() {
                let mut less = fate.clone();
                less.requests.remove(key);
                smaller.push(whole(less));
            }
            for key in fate.store.keys() {
                let mut less = fate.clone();
                less.store.remove(key);
                smaller.push(whole(less));
            }
            for key in fate.reads.keys() {
                let mut less = fate.clone();
                less.reads.remove(key);
                smaller.push(whole(less));
            }
            smaller
        };
        match self {
            Self::Run(fate) => fates(fate, &Self::Run),
            Self::FullRefresh(fate) => fates(fate, &Self::FullRefresh),
            Self::Backfill(from, until, fate) => fates(fate, &|fate| Self::Backfill(*from, *until, fate)),
            Self::Maintain(hours, fate) => fates(fate, &|fate| Self::Maintain(*hours, fate)),
            Self::MaintainBeside(one, _) => vec![Self::Run(one.clone()), Self::Maintain(24, quiet())],
            Self::Overlap(one, other) => vec![Self::Run(one.clone()), Self::Run(other.clone())],
            Self::Change(_)
            | Self::Trickle(..)
            | Self::Wait(_)
            | Self::SetClock(_)
            | Self::LoseState
            | Self::DamageState => Vec::new(),
        }
    }
}

/// The last word of a scenario: nothing goes wrong any more.
pub(super) fn quiet() -> Fate {
    Fate::default()
}
