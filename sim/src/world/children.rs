//! Which records belong to which parent, in four bytes a record.
//!
//! Rule: every child is in the list of exactly one parent; a list is unordered.

const NONE: u32 = u32::MAX;

/// Linked lists inside two arrays: the first child of each parent, the next sibling of each child.
#[derive(Debug, Default)]
pub(crate) struct Children {
    first: Vec<u32>,
    next: Vec<u32>,
}

fn slot(list: &mut Vec<u32>, place: u32) -> Option<&mut u32> {
    let place = place as usize;
    if list.len() <= place {
        list.resize(place + 1, NONE);
    }
    list.get_mut(place)
}

impl Children {
    /// Puts a child, which has no parent yet, under a parent.
    pub(crate) fn add(&mut self, parent: u32, child: u32) {
        if parent == NONE {
            return;
        }
        if let Some(first) = slot(&mut self.first, parent) {
            let former = std::mem::replace(first, child);
            if let Some(next) = slot(&mut self.next, child) {
                *next = former;
            }
        }
    }

    /// Takes a child from its parent.
    pub(crate) fn remove(&mut self, parent: u32, child: u32) {
        let rest: Vec<u32> = self.of(parent).filter(|other| *other != child).collect();
        if let Some(first) = self.first.get_mut(parent as usize) {
            *first = NONE;
        }
        rest.into_iter().for_each(|other| self.add(parent, other));
    }

    /// The children of a parent, in no order that matters.
    pub(crate) fn of(&self, parent: u32) -> impl Iterator<Item = u32> {
        let first = self.first.get(parent as usize).copied().unwrap_or(NONE);
        let start = (first != NONE).then_some(first);
        std::iter::successors(start, |child| self.next.get(*child as usize).copied().filter(|next| *next != NONE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_move_between_parents() {
        let mut children = Children::default();
        for child in 0..5 {
            children.add(child % 2, child);
        }
        children.remove(0, 2);
        children.add(1, 2);
        let sorted = |parent| {
            let mut list: Vec<u32> = children.of(parent).collect();
            list.sort_unstable();
            list
        };
        assert_eq!(sorted(0), [0, 4]);
        assert_eq!(sorted(1), [1, 2, 3]);
        assert!(sorted(9).is_empty());
    }
}
