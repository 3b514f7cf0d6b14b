//! Progress bars: one line an entity, and what the run waits for.

use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::table::thousands;
use super::terminal::{Style, Terminal};
use crate::api::{Budget, Usage, WaitReason};
use crate::clock::Clock;
use crate::run::{Moment, Phase, Watch};

const REDRAW: Duration = Duration::from_millis(150);
/// Steps of a bar: the share of the window that was read.
const STEPS: u64 = 1000;

/// Draws what a run does until it is dropped; for a program, does nothing.
pub(super) async fn draw(terminal: &Terminal, watch: &Arc<Watch>, clock: &dyn Clock) {
    if terminal.style() == Style::Machine {
        std::future::pending::<()>().await;
    }
    let line = |template: &str| {
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        terminal.bars().add(ProgressBar::new(STEPS)).with_style(style)
    };
    let bars = Bars {
        entities: watch.entities.iter().map(|_| line("{prefix:16} {bar:24} {msg}")).collect(),
        budget: line("{msg}"),
    };
    loop {
        for (bar, entity) in bars.entities.iter().zip(&watch.entities) {
            let moment = entity.moment();
            bar.set_prefix(entity.entity.to_string());
            bar.set_position(position(&moment));
            bar.set_message(message(&moment));
        }
        bars.budget.set_message(budget(&watch.usage()));
        clock.sleep(REDRAW).await;
    }
}

/// Bars that vanish with the drawing.
struct Bars {
    entities: Vec<ProgressBar>,
    budget: ProgressBar,
}

impl Drop for Bars {
    fn drop(&mut self) {
        for bar in self.entities.iter().chain([&self.budget]) {
            bar.finish_and_clear();
        }
    }
}

fn position(moment: &Moment) -> u64 {
    match (moment.phase, moment.window, moment.reached) {
        (Phase::Waiting, ..) => 0,
        (Phase::Done, ..) => STEPS,
        (_, Some(window), Some(reached)) => {
            let part = (reached - window.from()).num_seconds().max(0);
            let whole = (window.until() - window.from()).num_seconds().max(1);
            u64::try_from(part.saturating_mul(1000) / whole).unwrap_or(0)
        }
        _ => 0,
    }
}

fn message(moment: &Moment) -> String {
    let counts = format!("{} records, {} requests", thousands(moment.records), thousands(moment.requests));
    match moment.phase {
        Phase::Waiting => "waiting for its turn".to_owned(),
        Phase::Loading => match moment.reached {
            Some(reached) => format!("{counts}, read up to {}", reached.format("%Y-%m-%d %H:%M")),
            None => counts,
        },
        Phase::Done => format!("{counts}, complete"),
        Phase::Failed => format!("{counts}, failed"),
    }
}

fn budget(usage: &Usage) -> String {
    let sent = format!("{} requests, {} of them searches", thousands(usage.requests), thousands(usage.searches));
    let Some(waiting) = &usage.waiting else { return sent };
    let whose = match waiting.budget {
        Budget::Organisation => "the organisation's minute",
        Budget::Search => "the search minute",
    };
    let why = match waiting.reason {
        WaitReason::Pace => "is used up",
        WaitReason::Reserve => "is left to other clients",
        WaitReason::Throttled => "is over, says the source",
    };
    format!("{sent}; {whose} {why}, going on in {} s", waiting.left.as_secs() + 1)
}
