//! Views that analysts expect, over the views of the tables: `analytics/marts.sql`.
//!
//! The rule: a mart is made where all that it needs is there, so that no missing table makes the others unusable.

use std::collections::BTreeSet;

const MARTS: &str = include_str!("../../analytics/marts.sql");
const HEAD: &str = "-- mart: ";
const NEEDS: &str = " needs: ";

/// The statements, in DuckDB's SQL, of all marts that can be made of these views.
#[must_use]
pub fn marts(views: &BTreeSet<String>) -> String {
    let mut there = views.clone();
    let mut sql = String::new();
    for (name, needs, statement) in parts() {
        if needs.iter().all(|needed| there.contains(*needed)) {
            there.insert(name.to_owned());
            sql.push_str(statement);
        }
    }
    sql
}

/// Name, needs and text of each mart, in order.
fn parts() -> impl Iterator<Item = (&'static str, Vec<&'static str>, &'static str)> {
    let starts = MARTS.match_indices(HEAD).map(|(at, _)| at);
    let ends = MARTS.match_indices(HEAD).skip(1).map(|(at, _)| at).chain([MARTS.len()]);
    starts.zip(ends).filter_map(|(from, until)| {
        let statement = MARTS.get(from..until)?;
        let (name, needs) = statement.lines().next()?.strip_prefix(HEAD)?.split_once(NEEDS)?;
        Some((name, needs.split(", ").collect(), statement))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mart_is_named_as_its_head_says_and_needs_what_it_reads() {
        let names: BTreeSet<_> = parts().map(|(name, ..)| name).collect();
        assert!(parts().count() >= 10 && parts().count() == MARTS.matches("CREATE OR REPLACE VIEW ").count());
        for (name, needs, statement) in parts() {
            assert!(name.starts_with("mart_") && statement.contains(&format!("VIEW {name} AS")), "{name}");
            assert!(needs.iter().all(|needed| statement.matches(needed).count() > 1), "{name}: {needs:?}");
            let read = names.iter().filter(|other| **other != name && statement.contains(&format!("{other} "))).count();
            assert!(read <= needs.len(), "{name}");
        }
    }

    #[test]
    fn a_mart_is_made_where_all_that_it_needs_is_there() {
        let of = |views: &[&str]| marts(&views.iter().map(|view| (*view).to_owned()).collect());
        assert_eq!(of(&[]), "");
        let customers = of(&["customers", "customers_live"]);
        assert!(customers.contains("VIEW mart_customers_current AS") && !customers.contains("mart_messages"));
    }
}
