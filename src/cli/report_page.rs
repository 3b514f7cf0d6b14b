//! The page of `report --html`: freshness, rows, budget and problems, as one file that needs nothing else.
//!
//! The rule: whatever comes from outside is escaped, and the page asks no network for anything.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat, Utc};

use super::report::{ended, failures};
use super::table::{duration, thousands};
use crate::run::{PastRun, Standing};

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1b1f24;--paper:#fff;--line:#d5dae0;--soft:#667;--good:#2a7d4f;--bad:#b3261e;--a:#2f6db5;--b:#8fb4dd}\
@media(prefers-color-scheme:dark){:root{--ink:#e6e8eb;--paper:#16181c;--line:#3a3f46;--soft:#9aa3ad;--good:#63c08c;--bad:#f2857c;--a:#78aee8;--b:#3f6a99}}\
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:64rem;padding:0 1rem;color:var(--ink);background:var(--paper)}\
h1{font-size:1.4rem}h2{font-size:1.05rem;margin:2rem 0 .5rem}p,td,th,text{color:var(--ink);fill:var(--ink)}\
.soft,.soft text{color:var(--soft);fill:var(--soft)}.good{color:var(--good)}.bad{color:var(--bad)}\
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.9rem}\
td,th{padding:.25rem .6rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}\
.n{text-align:right;font-variant-numeric:tabular-nums}svg{width:100%;height:auto}.a{fill:var(--a)}.b{fill:var(--b)}.x{fill:var(--bad)}";

/// What the page tells.
pub(super) struct Page<'a> {
    pub(super) destination: &'a str,
    pub(super) now: DateTime<Utc>,
    pub(super) standings: &'a [Standing],
    /// The oldest first.
    pub(super) runs: &'a [PastRun],
}

/// One column of a picture: what it is, and its parts from below.
struct Bar {
    title: String,
    parts: [(&'static str, f64); 2],
}

impl Page<'_> {
    pub(super) fn html(&self) -> String {
        let mut html = format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
             content=\"width=device-width\"><title>kustlake: {0}</title><style>{STYLE}</style></head><body>\
             <h1>kustlake</h1><p class=\"soft\">{0} · {1}</p>",
            escaped(self.destination),
            instant(self.now)
        );
        html.push_str(&self.last());
        html.push_str(&self.freshness());
        html.push_str(&self.pictures());
        html.push_str(&self.problems());
        html.push_str(&self.history());
        html.push_str("</body></html>\n");
        html
    }

    fn last(&self) -> String {
        let Some(run) = self.runs.last() else { return "<p>No run is kept here yet.</p>".to_owned() };
        let class = if run.exit_code == 0 { "good" } else { "bad" };
        let mut html = format!(
            "<h2>The last run</h2><p><b class=\"{class}\">{}</b> (exit code {}), began {}, took {:.1} s, changed {} rows with {} \
             requests, waited {:.0} s for the budget.</p>",
            ended(run.exit_code),
            run.exit_code,
            instant(run.started_at),
            run.seconds,
            thousands(run.rows()),
            thousands(run.requests.total),
            run.requests.waited_seconds
        );
        for (what, error) in failures(self.runs) {
            let _ = write!(html, "<p class=\"bad\"><b>{}</b>: {}</p>", escaped(what), escaped(error));
        }
        html
    }

    /// How far behind each table is; the length of a bar grows with the digits of its minutes, so that an hour beside a
    /// year can still be seen.
    fn freshness(&self) -> String {
        let mut html =
            "<h2>Freshness</h2><div class=\"wide\"><table><tr><th>table<th>everything before<th class=\"n\">lag\
                        <th style=\"width:30%\"><th class=\"n\">rows<th class=\"n\">version</tr>"
                .to_owned();
        for standing in self.standings {
            let minutes = standing.cursor.map(|cursor| u64::try_from((self.now - cursor).num_minutes()).unwrap_or(0));
            let lag = minutes.map_or_else(|| "never loaded".to_owned(), duration);
            #[expect(clippy::cast_precision_loss, reason = "the length of a bar")]
            let share = minutes.map_or(0.0, |minutes| ((minutes as f64 + 1.0).log10() / 6.0).clamp(0.01, 1.0) * 100.0);
            let _ = write!(
                html,
                "<tr><td>{}<td>{}<td class=\"n\">{lag}<td><svg viewBox=\"0 0 100 6\" preserveAspectRatio=\"none\" \
                 style=\"height:.6rem\"><rect class=\"{}\" width=\"{share:.1}\" height=\"6\"/></svg><td class=\"n\">{}<td class=\"n\">{}</tr>",
                escaped(standing.entity.as_str()),
                standing.cursor.map_or_else(String::new, instant),
                if minutes.is_some_and(|minutes| minutes > 24 * 60) { "x" } else { "a" },
                standing.rows.map_or_else(String::new, thousands),
                standing.version.map_or_else(String::new, |version| version.to_string()),
            );
        }
        html.push_str("</table></div><p class=\"soft\">Bars grow with the digits of the lag; red from a day on.</p>");
        html
    }

    #[expect(clippy::cast_precision_loss, reason = "heights of columns")]
    fn pictures(&self) -> String {
        let bars = |parts: &dyn Fn(&PastRun) -> [(&'static str, f64); 2]| -> Vec<Bar> {
            self.runs.iter().map(|run| Bar { title: instant(run.started_at), parts: parts(run) }).collect()
        };
        let sum = |run: &PastRun, of: &dyn Fn(&crate::run::PastEntity) -> u64| {
            run.entities.iter().map(of).sum::<u64>() as f64
        };
        [
            (
                "Rows changed, by run",
                bars(&|run| {
                    [
                        ("inserted", sum(run, &|entity| entity.inserted)),
                        ("updated or deleted", sum(run, &|entity| entity.updated + entity.deleted)),
                    ]
                }),
            ),
            ("Megabytes of JSON, by run", bars(&|run| [("MB", run.requests.bytes as f64 / 1e6), ("", 0.0)])),
            (
                "Requests, by run",
                bars(&|run| {
                    let searches = run.requests.search as f64;
                    [("searches", searches), ("others", run.requests.total as f64 - searches)]
                }),
            ),
            (
                "Seconds, by run",
                bars(&|run| {
                    let waited = run.requests.waited_seconds.min(run.seconds);
                    [("working", run.seconds - waited), ("waiting for the budget", waited)]
                }),
            ),
        ]
        .iter()
        .map(|(title, bars)| columns(title, bars))
        .collect()
    }

    fn problems(&self) -> String {
        let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        for run in self.runs {
            for entity in &run.entities {
                for (problem, count) in &entity.problems {
                    *counts.entry((entity.entity.as_str(), problem.as_str())).or_default() += count;
                }
            }
        }
        if counts.is_empty() {
            return "<h2>Problems</h2><p class=\"good\">Every value of these runs fitted its column.</p>".to_owned();
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let mut html =
            "<h2>Values that fitted no column</h2><p class=\"soft\">They are kept in <code>_extra</code>.</p>\
                        <table><tr><th>table<th>column: what is odd (found)<th class=\"n\">values</tr>"
                .to_owned();
        for ((entity, problem), count) in counts.into_iter().take(50) {
            let (entity, problem) = (escaped(entity), escaped(problem));
            let _ = write!(html, "<tr><td>{entity}<td>{problem}<td class=\"n\">{}</tr>", thousands(count));
        }
        html.push_str("</table>");
        html
    }

    fn history(&self) -> String {
        let mut html = "<h2>Runs</h2><div class=\"wide\"><table><tr><th>began<th>command<th>ended<th class=\"n\">seconds\
                        <th class=\"n\">rows<th class=\"n\">requests<th class=\"n\">repeated<th class=\"n\">refused</tr>"
            .to_owned();
        for run in self.runs.iter().rev() {
            let _ = write!(
                html,
                "<tr><td>{}<td>{}<td class=\"{}\">{}<td class=\"n\">{:.1}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}</tr>",
                instant(run.started_at),
                escaped(&run.command),
                if run.exit_code == 0 { "good" } else { "bad" },
                ended(run.exit_code),
                run.seconds,
                thousands(run.rows()),
                thousands(run.requests.total),
                thousands(run.requests.retried),
                thousands(run.requests.throttled)
            );
        }
        html.push_str("</table></div>");
        html
    }
}

/// A picture of columns, one a run, which tell their figures when pointed at.
fn columns(title: &str, bars: &[Bar]) -> String {
    const HEIGHT: f64 = 120.0;
    const WIDTH: f64 = 900.0;
    let total = |bar: &Bar| bar.parts.iter().map(|(_, value)| value).sum::<f64>();
    let most = bars.iter().map(total).fold(0.0, f64::max);
    let mut svg = format!(
        "<h2>{title}</h2><svg viewBox=\"0 0 {WIDTH} {:.0}\" role=\"img\" aria-label=\"{title}, at most {most:.0}\">\
         <text class=\"soft\" x=\"0\" y=\"11\" font-size=\"11\">at most {}</text>",
        HEIGHT + 18.0,
        figure(most)
    );
    #[expect(clippy::cast_precision_loss, reason = "places of columns")]
    for (at, bar) in bars.iter().enumerate() {
        let step = WIDTH / bars.len().max(1) as f64;
        let (width, x) = ((step * 0.8).min(40.0), step * at as f64);
        let told: Vec<_> = bar.parts.iter().filter(|(name, _)| !name.is_empty()).collect();
        let told: Vec<_> = told.iter().map(|(name, value)| format!("{} {name}", figure(*value))).collect();
        let _ = write!(svg, "<g><title>{}: {}</title>", bar.title, told.join(", "));
        let mut top = HEIGHT + 18.0;
        for ((_, value), class) in bar.parts.iter().zip(["a", "b"]) {
            let height = if most > 0.0 { value / most * HEIGHT } else { 0.0 };
            top -= height;
            let _ = write!(
                svg,
                "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>"
            );
        }
        svg.push_str("</g>");
    }
    let names: Vec<_> = bars.first().map(|bar| bar.parts.map(|(name, _)| name)).into_iter().flatten().collect();
    let names = names.iter().filter(|name| !name.is_empty()).zip(["a", "b"]);
    svg.push_str("</svg><p class=\"soft\">");
    for (name, class) in names {
        let _ = write!(
            svg,
            "<svg viewBox=\"0 0 10 10\" style=\"width:.7rem;display:inline-block\"><rect class=\"{class}\" width=\"10\" height=\"10\"/></svg> {name} "
        );
    }
    svg.push_str("</p>");
    svg
}

fn figure(value: f64) -> String {
    if value < 10.0 && value.fract() > 0.0 {
        return format!("{value:.1}");
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count, rounded for people")]
    let whole = value.round() as u64;
    thousands(whole)
}

fn instant(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_escapes_what_comes_from_outside_and_asks_for_nothing() {
        let mut run: PastRun = serde_json::from_str(include_str!("../../tests/golden/run-report-1.json")).unwrap();
        run.entities[0].problems.insert("<script>alert(1)</script>".to_owned(), 7);
        run.error = Some("\"odd\" & <b>".to_owned());
        let page = Page { destination: "s3://lake/<x>", now: run.started_at, standings: &[], runs: &[run] };
        let html = page.html();
        assert!(!html.contains("<script") && html.contains("&lt;script&gt;"), "{html}");
        assert!(html.contains("&quot;odd&quot; &amp; &lt;b&gt;") && html.contains("s3://lake/&lt;x&gt;"));
        assert!(!html.contains("http://") && !html.contains("https://") && !html.contains("src="));
        assert!(html.contains("1,210 rows"), "{html}");
    }
}
