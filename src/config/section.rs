//! Reading one mapping of the configuration: typed values out, problems collected, unknown keys refused.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use secrecy::SecretString;

use super::Keys;
use super::problem::Problem;
use super::tree::{Entry, Node, Value};

/// What all sections of one file share.
pub(super) struct Reader<'e> {
    pub(super) environment: &'e BTreeMap<String, String>,
    keys: Keys,
    /// The variables that were asked for a secret.
    secrets: RefCell<BTreeSet<String>>,
    problems: RefCell<Vec<Problem>>,
}

impl<'e> Reader<'e> {
    pub(super) const fn new(environment: &'e BTreeMap<String, String>, keys: Keys) -> Self {
        Self { environment, keys, secrets: RefCell::new(BTreeSet::new()), problems: RefCell::new(Vec::new()) }
    }

    /// The secret in a variable, if there is one, or if none is needed.
    pub(super) fn secret(&self, variable: &str) -> Option<SecretString> {
        self.secrets.borrow_mut().insert(variable.to_owned());
        match (self.environment.get(variable).map(|secret| secret.trim()), self.keys) {
            (Some(secret), _) if !secret.is_empty() => Some(SecretString::from(secret)),
            (_, Keys::Needed) => None,
            (_, Keys::NotNeeded) => Some(SecretString::from("no key is needed for this")),
        }
    }

    pub(super) fn problem(&self, line: u64, key: impl Into<String>, told: impl Into<String>) {
        self.problems.borrow_mut().push(Problem { line, key: key.into(), told: told.into() });
    }

    pub(super) fn secret_variables(&self) -> BTreeSet<String> {
        self.secrets.borrow().clone()
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems.into_inner()
    }

    /// Replaces each `${NAME}` by the environment's value.
    fn expand(&self, line: u64, key: &str, text: &str) -> Option<String> {
        let mut expanded = String::new();
        let mut rest = text;
        while let Some((before, reference)) = rest.split_once("${") {
            expanded.push_str(before);
            let Some((name, after)) = reference.split_once('}') else {
                self.problem(line, key, "`${` has no closing `}`");
                return None;
            };
            match self.environment.get(name) {
                Some(value) if !value.is_empty() => expanded.push_str(value),
                _ => {
                    self.problem(line, key, format!("the environment variable {name} is not set; export it first"));
                    return None;
                }
            }
            rest = after;
        }
        expanded.push_str(rest);
        Some(expanded)
    }
}

/// One mapping, its path, and which of its keys were read.
pub(super) struct Section<'r, 'n, 'e> {
    pub(super) reader: &'r Reader<'e>,
    pub(super) path: String,
    pub(super) line: u64,
    entries: Vec<(&'n Entry, Cell<Seen>)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    Not,
    Read,
}

/// A value found, with the place to blame.
pub(super) struct Found<'n> {
    pub(super) line: u64,
    pub(super) key: String,
    pub(super) value: &'n Value,
}

/// A name in a list, with the line to blame.
#[derive(Debug, Clone)]
pub(super) struct Name {
    pub(super) line: u64,
    pub(super) text: String,
}

impl<'r, 'n, 'e> Section<'r, 'n, 'e> {
    /// The mapping in `node`; anything else is a problem and reads as an empty one.
    pub(super) fn new(reader: &'r Reader<'e>, path: &str, node: &'n Node) -> Self {
        let mut section = Self { reader, path: path.to_owned(), line: node.line, entries: Vec::new() };
        let entries = match &node.value {
            Value::Map(entries) => entries.as_slice(),
            Value::Null => &[],
            other => {
                reader.problem(node.line, path, format!("expected a mapping of keys, found {}", other.kind()));
                &[]
            }
        };
        let mut keys = BTreeSet::new();
        for entry in entries {
            if keys.insert(&entry.key) {
                section.entries.push((entry, Cell::new(Seen::Not)));
            } else {
                reader.problem(entry.line, section.key(&entry.key), "this key stands here twice; remove one");
            }
        }
        section
    }

    pub(super) fn key(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    pub(super) fn find(&self, name: &str) -> Option<Found<'n>> {
        let (entry, seen) = self.entries.iter().find(|(entry, _)| entry.key == name)?;
        seen.set(Seen::Read);
        Some(Found { line: entry.line, key: self.key(name), value: &entry.node.value })
    }

    fn blame(&self, found: &Found<'_>, expected: &str) {
        let told = format!("expected {expected}, found {}", found.value.kind());
        self.reader.problem(found.line, found.key.clone(), told);
    }

    pub(super) fn section(&self, name: &str) -> Option<Self> {
        let (entry, seen) = self.entries.iter().find(|(entry, _)| entry.key == name)?;
        seen.set(Seen::Read);
        Some(Self::new(self.reader, &self.key(name), &entry.node))
    }

    /// Every key as a section of its own, with the key's line: for mappings whose keys are names.
    pub(super) fn children(&self) -> Vec<(&'n str, Self)> {
        self.entries
            .iter()
            .map(|(entry, seen)| {
                seen.set(Seen::Read);
                let mut child = Self::new(self.reader, &self.key(&entry.key), &entry.node);
                child.line = entry.line;
                (entry.key.as_str(), child)
            })
            .collect()
    }

    /// Text with the environment filled in.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let found = self.find(name)?;
        match found.value {
            Value::Text(text) => self.reader.expand(found.line, &found.key, text),
            Value::Integer(number) => Some(number.to_string()),
            _ => {
                self.blame(&found, "text");
                None
            }
        }
    }

    /// Text read by `parse`, whose error is the hint.
    pub(super) fn parsed<T>(&self, name: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let text = self.text(name)?;
        match parse(&text) {
            Ok(value) => Some(value),
            Err(told) => {
                let line = self.find(name).map_or(self.line, |found| found.line);
                self.reader.problem(line, self.key(name), told);
                None
            }
        }
    }

    pub(super) fn boolean(&self, name: &str) -> Option<bool> {
        let found = self.find(name)?;
        if let Value::Boolean(value) = found.value {
            return Some(*value);
        }
        self.blame(&found, "true or false");
        None
    }

    /// A whole number between `least` and `most`.
    pub(super) fn integer(&self, name: &str, least: u32, most: u32) -> Option<u32> {
        let found = self.find(name)?;
        if let Value::Integer(value) = found.value
            && let Ok(value) = u32::try_from(*value)
            && (least..=most).contains(&value)
        {
            return Some(value);
        }
        let told = format!("expected a whole number from {least} to {most}");
        self.reader.problem(found.line, found.key, told);
        None
    }

    /// A share as `0.5` or `50%`, above 0 and at most 1.
    pub(super) fn share(&self, name: &str) -> Option<f64> {
        let found = self.find(name)?;
        let share = match found.value {
            Value::Number(value) => Some(*value),
            Value::Integer(1) => Some(1.0),
            Value::Text(text) => text
                .strip_suffix('%')
                .and_then(|percent| percent.trim().parse::<f64>().ok())
                .map(|percent| percent / 100.0),
            _ => None,
        };
        if let Some(share) = share.filter(|share| *share > 0.0 && *share <= 1.0) {
            return Some(share);
        }
        self.reader.problem(found.line, found.key, "expected a share above 0 and at most 1, like 0.5 or 50%");
        None
    }

    pub(super) fn duration(&self, name: &str) -> Option<Duration> {
        self.parsed(name, duration)
    }

    pub(super) fn instant(&self, name: &str) -> Option<DateTime<Utc>> {
        self.parsed(name, instant)
    }

    /// One of a closed choice of words.
    pub(super) fn choice<T: Copy>(&self, name: &str, choices: &[(&str, T)]) -> Option<T> {
        self.parsed(name, |text| {
            let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
            choices
                .iter()
                .find(|(word, _)| *word == text)
                .map(|(_, value)| *value)
                .ok_or_else(|| format!("expected one of {}", words.join(", ")))
        })
    }

    /// A list of names, each once.
    pub(super) fn names(&self, name: &str) -> Option<Vec<Name>> {
        let found = self.find(name)?;
        let Value::List(items) = found.value else {
            self.blame(&found, "a list of names like [one, two]");
            return None;
        };
        let (mut names, mut texts) = (Vec::new(), BTreeSet::new());
        for item in items {
            let text = match &item.value {
                Value::Text(text) => text.clone(),
                Value::Integer(number) => number.to_string(),
                other => {
                    let told = format!("expected names, found {}", other.kind());
                    self.reader.problem(item.line, self.key(name), told);
                    continue;
                }
            };
            if texts.insert(text.clone()) {
                names.push(Name { line: item.line, text });
            } else {
                self.reader.problem(item.line, self.key(name), format!("{text} stands here twice; remove one"));
            }
        }
        Some(names)
    }

    /// A secret, which stands in the environment: the file may only name the variable.
    pub(super) fn secret(&self, name: &str, variable: &str) -> Option<SecretString> {
        let found = self.find(name)?;
        let reference = match found.value {
            Value::Text(text) => text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')),
            _ => None,
        };
        let Some(reference) = reference.filter(|name| !name.contains(['$', '{', '}'])) else {
            let told = format!("a secret must not stand in the file; write ${{{variable}}} and export it");
            self.reader.problem(found.line, found.key, told);
            return None;
        };
        let secret = self.reader.secret(reference);
        if secret.is_none() {
            let told = format!("the environment variable {reference} is not set; export it first");
            self.reader.problem(found.line, found.key, told);
        }
        secret
    }

    /// Takes these keys for read: whoever reads them finds them elsewhere.
    pub(super) fn read_all(&self, names: &[&str]) {
        for name in names {
            let _ = self.find(name);
        }
    }

    /// Refuses every key that was not read, with the nearest known one as a hint.
    pub(super) fn finish(self, known: &[&str]) {
        for (entry, seen) in &self.entries {
            if seen.get() == Seen::Not {
                let told = format!("unknown key; {}", nearest(&entry.key, known));
                self.reader.problem(entry.line, self.key(&entry.key), told);
            }
        }
    }
}

/// An instant as configuration and command line write it: a date (midnight UTC) or RFC 3339.
///
/// # Errors
/// The sentence that tells the user what is expected.
pub fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(date) = text.parse::<NaiveDate>() {
        return Ok(date.and_time(NaiveTime::MIN).and_utc());
    }
    DateTime::parse_from_rfc3339(text).map(|instant| instant.to_utc()).map_err(|_| {
        "expected a date like 2024-01-31 (midnight UTC) or an instant like 2024-01-31T08:30:00.000Z".to_owned()
    })
}

/// `30s`, `5m`, `2h`, `1d` and the like.
///
/// # Errors
/// What was expected.
pub fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "expected a duration like 30s, 5m, 2h or 1d".to_owned())
}

/// `did you mean X?`, or the list of what is known.
pub(super) fn nearest(name: &str, known: &[&str]) -> String {
    /// What is longer than any name is not compared: that takes long.
    const LONGEST: usize = 100;
    let comparable = if name.len() <= LONGEST { known } else { &[] };
    comparable
        .iter()
        .map(|candidate| (strsim::jaro_winkler(name, candidate), *candidate))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map_or_else(|| format!("known here: {}", known.join(", ")), |(_, best)| format!("did you mean {best}?"))
}
