//! Which files of a table should become others.
//!
//! The rule: afterwards no key can stand in two files, and no file but the last one is small, so that new records, whose
//! keys follow all others, are taken up by that one. A layout that is so already is left as it is.

use super::output::FILE_SIZE;
use crate::lake::DataFile;

/// A file below this size is merged with its neighbour.
const SMALL_FILE: u64 = 16 * 1024 * 1024;
/// Streams that are read at once: each holds a row group.
const MOST_STREAMS: usize = 8;
/// Bytes that one commit merges, as far as two files do not exceed them: what a conflict may cost.
const MOST_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// Bytes of a bound that are compared: the log cuts longer ones.
const BOUND: usize = 31;

/// What the layout of a table is measured by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    /// Files below this size are small, in bytes.
    pub(super) small_file: u64,
    /// Files grow to about this size.
    pub(super) file_size: u64,
    /// Streams that are read at once.
    pub(super) streams: usize,
}

impl Default for Layout {
    fn default() -> Self {
        Self { small_file: SMALL_FILE, file_size: FILE_SIZE, streams: MOST_STREAMS }
    }
}

/// Files that become others together: streams of files that follow each other in the order of keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) streams: Vec<Vec<DataFile>>,
}

impl Group {
    pub(super) fn files(&self) -> impl Iterator<Item = &DataFile> {
        self.streams.iter().flatten()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.files().map(|file| file.size).sum()
    }

    /// Adds a file whose smallest key is not below those of the others.
    fn add(&mut self, file: DataFile) {
        let follows = |stream: &&mut Vec<DataFile>| stream.last().is_some_and(|last| is_before(last, &file));
        match self.streams.iter_mut().find(follows) {
            Some(stream) => stream.push(file),
            None => self.streams.push(vec![file]),
        }
    }
}

impl Layout {
    /// The files that should be merged; those of one group with each other. What is too much for one group comes in a
    /// later version.
    pub(super) fn groups(&self, mut files: Vec<DataFile>) -> Vec<Group> {
        files.sort_by(|a, b| (&a.min_key, &a.max_key, &a.path).cmp(&(&b.min_key, &b.max_key, &b.path)));
        let last = files.iter().map(|file| file.path.clone()).next_back();
        let mut groups = Vec::new();
        let mut apart: Vec<DataFile> = Vec::new();
        for mut tangle in tangles(files) {
            match tangle.pop() {
                Some(single) if tangle.is_empty() => apart.push(single),
                Some(other) => {
                    tangle.push(other);
                    self.join_small(std::mem::take(&mut apart), None, &mut groups);
                    groups.push(self.untangled(tangle));
                }
                None => {}
            }
        }
        self.join_small(apart, last.as_deref(), &mut groups);
        groups
    }

    /// How large the files may be that a group becomes: equal ones, so that no small one is left over.
    ///
    /// What fits one file is never cut. Rows look larger before they are encoded, so that a small rest would be left, be
    /// merged with its neighbour, and be left again, for ever.
    pub(super) fn size_of_files(&self, group: &Group) -> u64 {
        let bytes = group.bytes().max(1);
        match bytes.div_ceil(self.file_size.max(1)) {
            1 => u64::MAX,
            files => bytes.div_ceil(files),
        }
    }

    /// The smallest streams of files that lie over each other.
    fn untangled(&self, files: Vec<DataFile>) -> Group {
        let mut all = Group::default();
        files.into_iter().for_each(|file| all.add(file));
        let bytes = |stream: &Vec<DataFile>| stream.iter().map(|file| file.size).sum::<u64>();
        all.streams.sort_by_key(bytes);
        let mut chosen = Group::default();
        for stream in all.streams.into_iter().take(self.streams.max(2)) {
            if chosen.streams.len() >= 2 && chosen.bytes() + bytes(&stream) > MOST_BYTES {
                break;
            }
            chosen.streams.push(stream);
        }
        chosen
    }

    /// Small files among those that follow each other join their neighbours; the table's last one may stay small.
    fn join_small(&self, files: Vec<DataFile>, last: Option<&str>, groups: &mut Vec<Group>) {
        let mut group = Group::default();
        for file in files {
            let (before, is_last) = (group.bytes(), last == Some(file.path.as_str()));
            let wanted = before < self.small_file || (file.size < self.small_file && !is_last);
            let mut joined = group.clone();
            joined.add(file.clone());
            if wanted && joined.streams.len() <= self.streams && joined.bytes() <= MOST_BYTES {
                group = joined;
            } else {
                groups.extend(several(std::mem::take(&mut group)));
                group.add(file);
            }
        }
        groups.extend(several(group));
    }
}

fn several(group: Group) -> Option<Group> {
    (group.files().count() > 1).then_some(group)
}

/// Parts the sorted files where no key can be on both sides.
fn tangles(files: Vec<DataFile>) -> Vec<Vec<DataFile>> {
    let mut tangles: Vec<Vec<DataFile>> = Vec::new();
    // The greatest key so far; every key may be in a file without bounds.
    let mut greatest: Option<String> = None;
    for file in files {
        let is_over = match (&greatest, &file.min_key) {
            (Some(greatest), Some(min)) => cut(min) < cut(greatest),
            _ => true,
        };
        match tangles.last_mut().filter(|_| is_over) {
            Some(tangle) => {
                greatest = greatest.zip(file.max_key.clone()).map(|(a, b)| a.max(b));
                tangle.push(file);
            }
            None => {
                greatest.clone_from(&file.max_key);
                tangles.push(vec![file]);
            }
        }
    }
    tangles
}

/// Whether every key of one file is certainly smaller than those of the other.
fn is_before(one: &DataFile, other: &DataFile) -> bool {
    one.max_key.as_deref().zip(other.min_key.as_deref()).is_some_and(|(max, min)| cut(max) < cut(min))
}

fn cut(bound: &str) -> &str {
    bound.split_at_checked(BOUND).map_or(bound, |(start, _)| start)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LAYOUT: Layout = Layout { small_file: 10, file_size: 100, streams: 3 };

    fn file(path: &str, size: u64, min: &str, max: &str) -> DataFile {
        DataFile {
            path: path.into(),
            size,
            rows: Some(1),
            min_key: (!min.is_empty()).then(|| min.into()),
            max_key: (!max.is_empty()).then(|| max.into()),
        }
    }

    fn groups(files: &[(u64, &str, &str)]) -> Vec<Vec<Vec<String>>> {
        let name = |at: usize| char::from(b'a' + u8::try_from(at).unwrap()).to_string();
        let files = files.iter().enumerate().map(|(at, (size, min, max))| file(&name(at), *size, min, max)).collect();
        let paths = |stream: Vec<DataFile>| stream.into_iter().map(|file| file.path).collect();
        LAYOUT.groups(files).into_iter().map(|group| group.streams.into_iter().map(paths).collect()).collect()
    }

    #[test]
    fn files_apart_are_left_and_the_last_may_be_small() {
        assert!(groups(&[]).is_empty());
        assert!(groups(&[(50, "a", "c"), (60, "d", "f"), (1, "g", "h")]).is_empty());
    }

    #[test]
    fn small_files_join_their_neighbours() {
        assert_eq!(groups(&[(1, "a", "b"), (1, "c", "d"), (2, "e", "f")]), [[["a", "b", "c"]]]);
        assert_eq!(groups(&[(50, "a", "b"), (1, "c", "d"), (50, "e", "f"), (1, "g", "h")]), [[["a", "b"]]]);
        assert_eq!(groups(&[(1, "a", "b"), (50, "c", "d"), (50, "e", "f")]), [[["a", "b"]]]);
    }

    #[test]
    fn files_that_lie_over_each_other_are_merged_a_few_streams_at_once() {
        assert_eq!(groups(&[(50, "a", "f"), (60, "c", "h"), (50, "i", "k")]), [[["a"], ["b"]]]);
        // Two streams: the second one follows itself.
        assert_eq!(groups(&[(50, "a", "z"), (20, "b", "c"), (20, "d", "e")]), [vec![vec!["b", "c"], vec!["a"]]]);
        let five = [(50, "a", "z"), (40, "b", "z"), (30, "c", "z"), (20, "d", "z"), (11, "e", "z")];
        assert_eq!(groups(&five), [[["e"], ["d"], ["c"]]]);
        assert_eq!(groups(&[(50, "a", "b"), (50, "", "")]), [[["b"], ["a"]]]);
    }

    #[test]
    fn files_that_touch_are_no_tangle_but_never_one_stream() {
        assert!(groups(&[(50, "a", "c"), (50, "c", "f")]).is_empty());
        assert_eq!(groups(&[(1, "a", "a"), (1, "a", "a")]), [[["a"], ["b"]]]);
        let (long, longer) = ("x".repeat(31) + "a", "x".repeat(31) + "b");
        assert!(groups(&[(50, "a", &longer), (50, &long, "y")]).is_empty());
    }

    #[test]
    fn a_group_becomes_files_of_equal_size() {
        let group = |bytes| Group { streams: vec![vec![file("a", bytes, "a", "b")]] };
        assert_eq!([1, 100, 101, 250].map(|bytes| LAYOUT.size_of_files(&group(bytes))), [u64::MAX, u64::MAX, 51, 84]);
    }

    proptest! {
        /// Files are merged as intervals of numbers, each row a byte, until nothing is left to do.
        #[test]
        fn every_layout_comes_to_rest_apart(
            ranges in prop::collection::vec((0u32..200, 0u32..60, 1u64..60), 0..40),
        ) {
            let key = |at: u32| format!("{at:04}");
            let mut files: Vec<_> = ranges.iter().enumerate()
                .map(|(n, (from, length, size))| file(&format!("{n}"), *size, &key(*from), &key(from + length))).collect();
            let mut named = files.len();
            for round in 0.. {
                prop_assert!(round < 200, "it never ends");
                let Some(group) = LAYOUT.groups(files.clone()).into_iter().next() else { break };
                prop_assert!(group.files().count() > 1 && group.streams.len() <= LAYOUT.streams);
                files.retain(|file| group.files().all(|merged| merged.path != file.path));
                let size = LAYOUT.size_of_files(&group);
                let bounds = |pick: fn(&DataFile) -> &Option<String>| group.files().filter_map(move |file| pick(file).clone());
                let from: u32 = bounds(|file| &file.min_key).min().unwrap().parse().unwrap();
                let until: u32 = bounds(|file| &file.max_key).max().unwrap().parse().unwrap();
                let parts = u32::try_from(group.bytes().div_ceil(size)).unwrap();
                let mut left = group.bytes();
                for part in 0..parts {
                    let at = |part: u32| from + (until - from) * part / parts;
                    named += 1;
                    files.push(file(&format!("{named}"), left.min(size), &key(at(part)), &key(at(part + 1))));
                    left -= left.min(size);
                }
            }
            files.sort_by(|a, b| a.min_key.cmp(&b.min_key).then(a.max_key.cmp(&b.max_key)));
            for pair in files.windows(2) {
                prop_assert!(pair[0].max_key <= pair[1].min_key);
            }
        }
    }
}
