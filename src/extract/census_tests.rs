use proptest::prelude::*;

use super::*;

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(second, 0).unwrap()
}

fn span(from: i64, until: i64) -> Span {
    Span { shelf: Shelf::Live, window: Window::new(at(from), at(until)).unwrap() }
}

fn access(history: History) -> Access {
    Access::search("note".to_owned(), history)
}

#[test]
fn spans_stand_where_their_records_are() {
    let now: DateTime<Utc> = "2026-11-21T00:00:00Z".parse().unwrap();
    let window = Window::new("2020-01-01T00:00:00.500Z".parse().unwrap(), now).unwrap();
    let all = spans(&access(History::Archive), window, now.into());
    let shelves: Vec<_> = all.iter().map(|span| span.shelf).collect();
    assert_eq!(shelves, [Shelf::Archive, Shelf::Boundary, Shelf::Live]);
    assert!(all.windows(2).all(|pair| pair[0].window.until() == pair[1].window.from()));
    assert_eq!(all[0].window.from().timestamp_subsec_millis(), 0);
    assert!(all[0].window.from() > window.from(), "half a second is not compared");
    let list = History::List { path: "/v1/notes".to_owned(), page_size: 100 };
    let recent = spans(&access(list), window, now.into());
    assert_eq!(recent, all[2..], "what only a list has cannot be counted");
}

#[test]
fn a_span_is_cut_only_where_listing_it_would_cost_more() {
    let wide = span(0, 1_000_000);
    assert_eq!(findings(&wide, 7, Some(7)), Findings::Same);
    assert_eq!(findings(&wide, 1_000_000, Some(999_999)), Findings::Cut(2));
    assert_eq!(findings(&wide, 1_000_000, Some(999_900)), Findings::Cut(MOST_PARTS));
    assert_eq!(findings(&wide, 1_000_000, Some(1_400)), Findings::List);
    assert_eq!(findings(&wide, 1_000_000, Some(0)), Findings::List);
    assert_eq!(findings(&wide, 0, None), Findings::List);
    assert_eq!(findings(&span(5, 6), 90_000, Some(80_000)), Findings::List, "one second cannot be cut");
}

proptest! {
    #[test]
    fn parts_cover_their_span_and_hold_its_rows(
        from in -1_000i64..1_000, length in 1i64..5_000_000, parts in 1u64..70,
        rows in prop::collection::vec((0u32..1_000_000, 1usize..40), 0..60),
    ) {
        let whole = span(from, from + length);
        let instants: Vec<_> = rows.iter()
            .flat_map(|(place, times)| std::iter::repeat_n(at(from + i64::from(*place) % length), *times)).collect();
        let mut histogram = Histogram::new(whole);
        instants.iter().for_each(|instant| histogram.add(*instant));
        prop_assert_eq!(histogram.total(), instants.len() as u64);
        let cut = histogram.cut(parts);
        prop_assert_eq!(cut[0].0.window.from(), whole.window.from());
        prop_assert_eq!(cut[cut.len() - 1].0.window.until(), whole.window.until());
        for pair in cut.windows(2) {
            prop_assert_eq!(pair[0].0.window.until(), pair[1].0.window.from());
        }
        for (part, rows) in &cut {
            let inside = instants.iter().filter(|instant| part.window.contains(**instant)).count();
            prop_assert_eq!(*rows, inside as u64);
        }
        prop_assert!(cut.len() as u64 <= 2 * parts + 2, "{} parts instead of {}", cut.len(), parts);
    }
}
