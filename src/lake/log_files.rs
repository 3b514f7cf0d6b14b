//! The files of a table's folder by what they are, as their names and the store's clock tell.
//!
//! The rule: what a name does not tell for certain is nobody's business here, and stays.

use chrono::{DateTime, Utc};
use object_store::ObjectMeta;
use object_store::path::Path;

use super::names::LOG_FOLDER;

/// What a file of the log is, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LogFile {
    /// A version.
    Commit(u64),
    /// The checksum of a version.
    Checksum(u64),
    /// All that a version holds, so that older entries need not be read: one file, or a part of one.
    Checkpoint(u64, Parts),
}

/// Whether a checkpoint is one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parts {
    One,
    Many,
}

impl LogFile {
    pub(super) const fn version(self) -> u64 {
        match self {
            Self::Commit(version) | Self::Checksum(version) | Self::Checkpoint(version, _) => version,
        }
    }

    fn named(name: &str) -> Option<Self> {
        let (version, kind) = name.split_at_checked(20)?;
        let version = digits(version)?;
        match kind {
            ".json" => Some(Self::Commit(version)),
            ".crc" => Some(Self::Checksum(version)),
            ".checkpoint.parquet" => Some(Self::Checkpoint(version, Parts::One)),
            _ => {
                let (part, of) = kind.strip_prefix(".checkpoint.")?.strip_suffix(".parquet")?.split_once('.')?;
                let is_part = part.len() == 10 && of.len() == 10 && digits(part).is_some() && digits(of).is_some();
                is_part.then_some(Self::Checkpoint(version, Parts::Many))
            }
        }
    }
}

fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// The files of a table's folder.
#[derive(Debug, Default)]
pub(super) struct Folder {
    pub(super) log: Vec<(LogFile, ObjectMeta)>,
    pub(super) data: Vec<ObjectMeta>,
}

impl Folder {
    /// Sorts the objects below `folder`. Names that begin with `_` or `.` are what Delta writers hide from each other, so
    /// they are no data files.
    pub(super) fn of(folder: &Path, objects: impl IntoIterator<Item = ObjectMeta>) -> Self {
        let mut sorted = Self::default();
        for object in objects {
            let Some(parts) = object.location.prefix_match(folder) else { continue };
            let parts: Vec<_> = parts.collect();
            let parts: Vec<&str> = parts.iter().map(AsRef::as_ref).collect();
            match parts.as_slice() {
                [LOG_FOLDER, name] => sorted.log.extend(LogFile::named(name).map(|file| (file, object))),
                [.., name] if name.ends_with(".parquet") && !parts.iter().any(|part| part.starts_with(['_', '.'])) => {
                    sorted.data.push(object);
                }
                _ => {}
            }
        }
        sorted.log.sort_by_key(|(file, _)| file.version());
        sorted
    }

    fn commits(&self) -> impl Iterator<Item = (u64, DateTime<Utc>)> + Clone {
        self.log.iter().filter_map(|(file, object)| match file {
            LogFile::Commit(version) => Some((*version, object.last_modified)),
            LogFile::Checksum(_) | LogFile::Checkpoint(..) => None,
        })
    }

    fn checkpoints(&self) -> impl Iterator<Item = (u64, DateTime<Utc>)> + Clone {
        self.log.iter().filter_map(|(file, object)| match file {
            LogFile::Checkpoint(version, Parts::One) => Some((*version, object.last_modified)),
            LogFile::Checkpoint(_, Parts::Many) | LogFile::Commit(_) | LogFile::Checksum(_) => None,
        })
    }

    /// The last checkpoint.
    pub(super) fn checkpoint(&self) -> Option<u64> {
        self.checkpoints().map(|(version, _)| version).max()
    }

    /// The version that was the newest one at `cutoff`; readers that began since then may need it and what came after it.
    /// Nothing where the log does not reach back so far.
    ///
    /// By the store's clock. Where that was set back, an earlier version: the one before the first that is later.
    pub(super) fn newest_at(&self, cutoff: DateTime<Utc>) -> Option<u64> {
        let older = self.commits().take_while(|(_, at)| *at <= cutoff).map(|(version, _)| version);
        let newest = older.last()?;
        let base = self.checkpoints().map(|(version, _)| version).filter(|version| *version <= newest).max();
        // Whatever an interrupted clean-up has left below a checkpoint tells no version any more.
        let first = base.or_else(|| self.commits().next().map(|(version, _)| version).filter(|first| *first == 0));
        let is_whole = first.is_some_and(|first| {
            let versions = self.commits().map(|(version, _)| version);
            versions.filter(|version| (first..=newest).contains(version)).eq(first..=newest)
        });
        if is_whole { Some(newest) } else { self.checkpoints().map(|(version, _)| version).find(|next| *next > newest) }
    }

    /// The checkpoint below which nothing is needed: whoever opened the table since `cutoff` began with it or a later one.
    pub(super) fn begins_at(&self, cutoff: DateTime<Utc>) -> Option<u64> {
        self.checkpoints().filter(|(_, at)| *at <= cutoff).map(|(version, _)| version).max()
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minute)
    }

    fn folder(files: &[(&str, i64)]) -> Folder {
        let object = |(name, minute): &(&str, i64)| ObjectMeta {
            location: Path::from(format!("lake/tags/{name}")),
            last_modified: at(*minute),
            size: 1,
            e_tag: None,
            version: None,
        };
        Folder::of(&Path::from("lake/tags"), files.iter().map(object))
    }

    fn commit(version: u64) -> String {
        format!("_delta_log/{version:020}.json")
    }

    fn checkpoint(version: u64) -> String {
        format!("_delta_log/{version:020}.checkpoint.parquet")
    }

    #[test]
    fn only_what_is_known_by_its_name_is_touched() {
        let part = format!("_delta_log/{:020}.checkpoint.0000000001.0000000002.parquet", 7);
        let files = [
            ("a.parquet", 0),
            ("part=1/b.parquet", 0),
            ("notes.txt", 0),
            ("_change_data/c.parquet", 0),
            (".hidden/d.parquet", 0),
            ("deletion_vector_1.bin", 0),
            (part.as_str(), 0),
            ("_delta_log/_last_checkpoint", 0),
            ("_delta_log/_sidecars/e.parquet", 0),
            ("_delta_log/00000000000000000001.00000000000000000004.compacted.json", 0),
            ("_delta_log/0000000000000000000x.json", 0),
            ("_delta_log/00000000000000000003.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.parquet", 0),
        ];
        let folder = folder(&files);
        let data: Vec<_> = folder.data.iter().map(|object| object.location.as_ref()).collect();
        assert_eq!(data, ["lake/tags/a.parquet", "lake/tags/part=1/b.parquet"]);
        let log: Vec<_> = folder.log.iter().map(|(file, _)| *file).collect();
        assert_eq!(log, [LogFile::Checkpoint(7, Parts::Many)]);
    }

    #[test]
    fn the_newest_version_at_an_instant_is_told_by_the_commits_times() {
        let names: Vec<String> = (0..4).map(commit).collect();
        let times = |times: [i64; 4]| folder(&names.iter().map(String::as_str).zip(times).collect::<Vec<_>>());
        let steady = times([0, 10, 20, 30]);
        assert_eq!(steady.newest_at(at(-1)), None);
        assert_eq!(steady.newest_at(at(10)), Some(1));
        assert_eq!(steady.newest_at(at(29)), Some(2));
        assert_eq!(steady.newest_at(at(99)), Some(3));
        let set_back = times([0, 30, 10, 40]);
        assert_eq!(set_back.newest_at(at(20)), Some(0));
    }

    #[test]
    fn a_log_that_was_half_removed_begins_with_its_checkpoint() {
        let names = [commit(2), commit(3), commit(5), checkpoint(5), commit(6)];
        let files: Vec<_> = names.iter().map(String::as_str).zip([0, 10, 20, 20, 30]).collect();
        let folder = folder(&files);
        assert_eq!(folder.newest_at(at(12)), Some(5));
        assert_eq!(folder.newest_at(at(31)), Some(6));
        assert_eq!((folder.begins_at(at(19)), folder.begins_at(at(20))), (None, Some(5)));
    }
}
