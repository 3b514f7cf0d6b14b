//! Progress bars: one line an entity, and what the run waits for.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use indicatif::{ProgressBar, ProgressStyle};

use super::table::{counted, duration, thousands};
use super::terminal::{Style, Terminal};
use crate::api::{Budget, Room, Usage, WaitReason, Waiting};
use crate::clock::Clock;
use crate::run::{EntityProgress, Moment, Phase, Watch};

const REDRAW: Duration = Duration::from_millis(150);
/// Steps of a bar: the share of the window that was read.
const STEPS: u64 = 1000;

/// With more entities than this, only those show that are under way: a terminal has not so many lines.
const MOST_LINES: usize = 10;

/// Draws what a run does until it is dropped; for a program, does nothing.
pub(super) async fn draw(terminal: &Terminal, watch: &Arc<Watch>, clock: &dyn Clock) {
    if terminal.style() == Style::Machine {
        std::future::pending::<()>().await;
    }
    let mut bars = Bars::new(terminal, watch.entities.len());
    loop {
        let now = clock.monotonic();
        for (at, entity) in watch.entities.iter().enumerate() {
            let moment = entity.moment();
            let shows = watch.entities.len() <= MOST_LINES || (moment.phase == Phase::Loading && moment.requests > 0);
            bars.show(at, entity, &moment, (shows, now));
        }
        let usage = watch.usage();
        bars.waiting.set_message(usage.waiting.as_ref().map_or_else(String::new, waiting));
        bars.budget.set_message(format!("{}{}", ended(watch), budget(&usage)));
        clock.sleep(REDRAW).await;
    }
}

/// Bars that vanish with the drawing.
struct Bars<'a> {
    terminal: &'a Terminal,
    entities: Vec<Line>,
    waiting: ProgressBar,
    /// Last, and always short: what the terminal itself echoes after it, such as ^C, must not begin another line.
    budget: ProgressBar,
}

/// The line of an entity.
#[derive(Default)]
struct Line {
    bar: Option<ProgressBar>,
    began: Option<Duration>,
    /// How far it was when that was told first: where it has no start date, what lies before is empty.
    first: Option<DateTime<Utc>>,
}

impl<'a> Bars<'a> {
    fn new(terminal: &'a Terminal, entities: usize) -> Self {
        let line = || terminal.bars().add(bar("{msg}"));
        let entities = std::iter::repeat_with(Line::default).take(entities).collect();
        Self { terminal, entities, waiting: line(), budget: line() }
    }

    fn show(&mut self, at: usize, entity: &EntityProgress, moment: &Moment, (shows, now): (bool, Duration)) {
        let Some(line) = self.entities.get_mut(at) else { return };
        if moment.phase == Phase::Loading {
            line.began.get_or_insert(now);
        }
        if !shows {
            if let Some(bar) = line.bar.take() {
                bar.finish_and_clear();
                self.terminal.bars().remove(&bar);
            }
            return;
        }
        line.first = line.first.or(moment.reached);
        let position = position(moment, line.first);
        let (terminal, above) = (self.terminal, &self.waiting);
        let bar = line.bar.get_or_insert_with(|| {
            let bar = terminal.bars().insert_before(above, bar("{prefix:21} {bar:20} {msg}"));
            bar.set_prefix(match terminal.organisation() {
                Some(organisation) => format!("{organisation} {}", entity.entity),
                None => entity.entity.to_string(),
            });
            bar
        });
        let passed = line.began.map(|began| now.saturating_sub(began));
        bar.set_position(position);
        bar.set_message(message(moment, passed.and_then(|passed| to_go(passed, position))));
    }
}

fn bar(template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(STEPS).with_style(style)
}

impl Drop for Bars<'_> {
    fn drop(&mut self) {
        let entities = self.entities.iter().filter_map(|line| line.bar.as_ref());
        for bar in entities.chain([&self.waiting, &self.budget]) {
            bar.finish_and_clear();
        }
    }
}

/// How many entities are done, where not each has a line.
fn ended(watch: &Watch) -> String {
    let count = |phase| watch.entities.iter().filter(|entity| entity.moment().phase == phase).count();
    let (all, failed) = (watch.entities.len(), count(Phase::Failed));
    let failed = if failed == 0 { String::new() } else { format!(", {failed} failed") };
    if all <= MOST_LINES { String::new() } else { format!("{} of {all} complete{failed}; ", count(Phase::Done)) }
}

fn position(moment: &Moment, first: Option<DateTime<Utc>>) -> u64 {
    match (moment.phase, moment.window, moment.reached) {
        (Phase::Waiting, ..) => 0,
        (Phase::Done, ..) => STEPS,
        (_, Some(window), Some(reached)) => {
            let from = first.filter(|_| window.from() == DateTime::UNIX_EPOCH).unwrap_or_else(|| window.from());
            let part = (reached - from).num_seconds().max(0);
            let whole = (window.until() - from).num_seconds().max(1);
            u64::try_from(part.saturating_mul(1000) / whole).unwrap_or(0)
        }
        _ => 0,
    }
}

/// How long the rest takes if it goes on as so far. Not told at once: the first requests say little.
#[expect(clippy::cast_precision_loss, reason = "at most a thousand")]
fn to_go(passed: Duration, position: u64) -> Option<Duration> {
    const SOON: Duration = Duration::from_secs(5);
    let rest = STEPS.checked_sub(position).filter(|rest| *rest > 0)?;
    let told = passed >= SOON && position >= STEPS / 100;
    told.then(|| passed.mul_f64(rest as f64 / position as f64))
}

fn message(moment: &Moment, to_go: Option<Duration>) -> String {
    let counts = format!("{}, {}", counted(moment.records, "record"), counted(moment.requests, "request"));
    match moment.phase {
        Phase::Waiting => "waiting for its turn".to_owned(),
        Phase::Loading => match moment.reached {
            Some(reached) => {
                let to_go = to_go.map_or_else(String::new, |left| format!(", {} to go", told(left)));
                format!("{counts}, at {}{to_go}", reached.format("%Y-%m-%d %H:%M"))
            }
            None => counts,
        },
        Phase::Done => format!("{counts}, complete"),
        Phase::Failed => format!("{counts}, failed"),
    }
}

fn told(left: Duration) -> String {
    match left.as_secs() {
        seconds @ 0..60 => format!("{} s", seconds + 1),
        seconds => duration(seconds.div_ceil(60)),
    }
}

fn budget(usage: &Usage) -> String {
    let Room { free, capacity } = usage.searches_left;
    let left = format!("; {} of {} left this minute", thousands(u64::from(free)), thousands(u64::from(capacity)));
    // Before the first request nothing is known of it.
    let left = if capacity == 0 { String::new() } else { left };
    format!("{}, {} searches{left}", counted(usage.requests, "request"), thousands(usage.searches))
}

fn waiting(waiting: &Waiting) -> String {
    let why = match (waiting.reason, waiting.budget) {
        (WaitReason::Pace, Budget::Organisation) => "our share of the organisation's limit is used up",
        (WaitReason::Pace, Budget::Search) => "the searches of this minute are used up",
        (WaitReason::Reserve, _) => "others have nearly used up the organisation's limit",
        (WaitReason::Throttled, Budget::Organisation) => "the source says that there were too many requests (429)",
        (WaitReason::Throttled, Budget::Search) => "the source says that there were too many searches (429)",
    };
    format!("{why}: going on in {} s", waiting.left.as_secs() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_to_go_is_that_of_the_rest_at_the_same_pace() {
        let seconds = Duration::from_secs;
        assert_eq!(to_go(seconds(60), 250).map(told), Some("3 min".to_owned()));
        assert_eq!(to_go(seconds(10), 500).map(told), Some("11 s".to_owned()));
        assert_eq!(to_go(seconds(3), 500), None, "too early to tell");
        assert_eq!(to_go(seconds(60), 5), None, "too little to tell");
        assert_eq!(to_go(seconds(60), STEPS), None, "nothing is left");
    }
}
