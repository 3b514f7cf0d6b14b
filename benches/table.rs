//! How fast records become rows, and rows are merged: `cargo bench --bench table`.
#![expect(clippy::expect_used, reason = "a benchmark that cannot prepare its rows has nothing to measure")]

use chrono::DateTime;
use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use kustlake::catalog::Catalog;
use kustlake::table::{
    Comparison, Converter, Deletes, MergePolicy, Merger, TableSchema, UnknownAttributes, newest_by_key,
};
use serde_json::json;

const UPDATE: MergePolicy = MergePolicy::Update(Deletes::Soft);

fn main() {
    divan::main();
}

fn messages() -> TableSchema {
    let catalog = Catalog::embedded().expect("the schema files agree with themselves");
    TableSchema::new(catalog.get("messages").expect("messages are a core entity"))
}

/// The JSON text of invented messages with ids from `first` on.
fn texts(first: u32, count: u32) -> Vec<String> {
    (first..first + count).map(|number| message(number).to_string()).collect()
}

fn message(number: u32) -> serde_json::Value {
    let minute = number % 60;
    json!({
        "type": "message",
        "id": format!("{number:024x}"),
        "attributes": {
            "externalId": format!("<{number}@mail.example.com>"), "channel": "email", "app": "postmark", "size": 64,
            "direction": "in", "directionType": "initial-in", "subject": "Where is my order?",
            "preview": "Hi, my order has not arrived yet.\nCould you check, please?",
            "meta": {"from": "jane@example.com", "to": [{"email": "help@acme.example"}], "inReplyTo": null},
            "status": "received", "error": null, "auto": false, "sentAt": format!("2026-10-22T15:{minute:02}:04.000Z"),
            "sentiment": {"polarity": 0, "confidence": 0.62}, "custom": {"topicStr": "delivery"},
            "assignedTeams": ["5cb3a1b7c9e77c0013e5f2d1"], "assignedUsers": [], "lang": "en_us", "redacted": false,
            "billingStatus": {"new": "attribute"}, "createdAt": format!("2026-10-22T15:{minute:02}:06.011Z"),
            "updatedAt": format!("2026-10-22T15:{minute:02}:07.455Z"), "rev": number % 5,
        },
        "relationships": {
            "org": {"links": {"self": "/v1/orgs/5f84"}, "data": {"type": "org", "id": "5f8481c6a22ab5b9d5f2dd8a"}},
            "customer": {"links": {"self": "/v1/customers/67c4"}, "data": {"type": "customer", "id": "67c420a8e5b1f00012ab34b9"}},
            "conversation": {"data": {"type": "conversation", "id": "6ada29a4e5b1f00012ab3500"}}, "createdBy": null,
        },
        "links": {"self": "/v1/messages/6ada29a6e5b1f00012ab3507"},
    })
}

fn rows(schema: &TableSchema, texts: &[String]) -> arrow::array::RecordBatch {
    let records: Vec<_> = texts.iter().map(String::as_bytes).collect();
    let converter = Converter::new(schema, UnknownAttributes::Extra);
    converter.convert(&records, DateTime::UNIX_EPOCH).expect("the messages are JSON").batch
}

#[divan::bench]
fn convert(bencher: Bencher<'_, '_>) {
    let texts = texts(0, 5_000);
    let records: Vec<_> = texts.iter().map(String::as_bytes).collect();
    let bytes: usize = records.iter().map(|record| record.len()).sum();
    let converter = Converter::new(&messages(), UnknownAttributes::Extra);
    bencher
        .counter(BytesCount::new(bytes))
        .bench(|| converter.convert(black_box(&records), DateTime::UNIX_EPOCH).expect("the messages are JSON"));
}

#[divan::bench]
fn sort(bencher: Bencher<'_, '_>) {
    let schema = messages();
    let batches: Vec<_> = (0..10).rev().map(|page| rows(&schema, &texts(page * 400, 500))).collect();
    bencher.counter(ItemsCount::new(5_000_u32)).bench(|| {
        newest_by_key(schema.arrow(), schema.order(), black_box(batches.clone())).expect("the batches have one schema")
    });
}

#[divan::bench]
fn compare_unchanged(bencher: Bencher<'_, '_>) {
    let schema = messages();
    let stored = rows(&schema, &texts(0, 5_000));
    bencher.counter(ItemsCount::new(stored.num_rows())).bench(|| {
        let incoming = black_box(&stored);
        let mut comparison =
            Comparison::new(schema.arrow(), schema.order(), UPDATE, incoming).expect("the rows are sorted");
        comparison.push(&stored).expect("the rows are sorted");
        comparison.finish()
    });
}

#[divan::bench]
fn merge_a_tenth(bencher: Bencher<'_, '_>) {
    let schema = messages();
    let stored = rows(&schema, &texts(0, 5_000));
    let incoming = rows(&schema, &texts(4_750, 500));
    bencher.counter(ItemsCount::new(stored.num_rows())).bench(|| {
        let mut merger =
            Merger::new(schema.arrow(), schema.order(), UPDATE, black_box(&incoming)).expect("the rows are sorted");
        let merged = merger.push(&stored).expect("the rows are sorted");
        (merged, merger.finish().expect("the rows are sorted"))
    });
}
