//! The simulator as its clients see it: over HTTP, by a client that knows nothing of the simulator's types.

#[cfg(test)]
mod archive;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod auth;
#[cfg(test)]
mod budgets;
#[cfg(test)]
mod client;
#[cfg(test)]
mod control;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod lag;
#[cfg(test)]
mod lists;
#[cfg(test)]
mod mutation;
#[cfg(test)]
mod offspring;
#[cfg(test)]
mod paging;
#[cfg(test)]
mod program;
#[cfg(test)]
mod raw;
#[cfg(test)]
mod search;
#[cfg(test)]
mod shapes;
#[cfg(test)]
mod shelf_changes;
#[cfg(test)]
mod shelf_search;
#[cfg(test)]
mod shelves;
