//! From the bytes of an answer to the bytes of a data file, on one core, beside what arrow-json and the Parquet writer
//! take for the same records alone: `cargo bench --bench record_path`.
//!
//! The floor neither looks at the envelope nor keeps what its schema does not know; nor does it sort.
#![expect(clippy::expect_used, reason = "a benchmark that cannot prepare its records has nothing to measure")]

use std::collections::BTreeSet;
use std::io::Cursor;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use arrow_json::ReaderBuilder;
use arrow_json::reader::infer_json_schema_from_iterator;
use bytes::Bytes;
use chrono::DateTime;
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use http::Request;
use kustlake::api::{Content, Page};
use kustlake::catalog::Catalog;
use kustlake::lake::file_properties;
use kustlake::resource::RawResource;
use kustlake::table::{Converter, TableSchema, UnknownAttributes, newest_by_key};
use kustlake_sim::{ClockSpec, SimServer, Switches, WorldSpec};
use parquet::arrow::ArrowWriter;
use serde_json::{Value, json};

const PAGES: usize = 20;
const PAGE_ROWS: usize = 500;
/// What lies in the archive by then is not needed here.
const NOW_MS: i64 = 1_790_000_000_000;

fn main() {
    divan::main();
}

/// Answers of the simulator, each full of messages.
fn answers() -> Vec<Bytes> {
    let messages = u32::try_from(PAGES * PAGE_ROWS * 2).expect("few pages");
    let clock = ClockSpec { start: NOW_MS, ..ClockSpec::real_time() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let sim = SimServer::silent(&WorldSpec::of_messages(messages), Switches::default(), clock);
    let page = |number: usize| {
        let query = json!({"queryContext": "message", "and": [], "sort": [{"message_updated_at": "desc"}]});
        let request = Request::post(format!("/v1/customers/search?page={number}&pageSize={PAGE_ROWS}"))
            .header("authorization", "Bearer sim-token")
            .header("content-type", "application/json")
            .body(query.to_string())
            .expect("a request");
        let answer = runtime.block_on(sim.answer(request)).expect("an answer");
        assert!(answer.status().is_success(), "{:?}", answer.body());
        answer.into_body()
    };
    (1..=PAGES).map(page).collect()
}

fn schema() -> TableSchema {
    let catalog = Catalog::embedded().expect("the schema files agree with themselves");
    TableSchema::new(catalog.get("messages").expect("messages are a core entity"))
}

fn size(answers: &[Bytes]) -> BytesCount {
    BytesCount::new(answers.iter().map(Bytes::len).sum::<usize>())
}

fn parsed(answers: &[Bytes]) -> Vec<Page> {
    answers.iter().map(|body| Page::parse(body, Content::Full, None).expect("a page")).collect()
}

fn converted(converter: &Converter, pages: &[Page]) -> Vec<RecordBatch> {
    let batch = |page: &Page| {
        let records: Vec<RawResource<'_>> = page.records.iter().map(|record| record.resource.raw()).collect();
        converter.convert(&records, DateTime::UNIX_EPOCH).expect("the records are JSON").batch
    };
    pages.iter().map(batch).collect()
}

fn encoded(schema: &SchemaRef, sort_key: &[&str], batches: &[RecordBatch]) -> Vec<u8> {
    let properties = file_properties(schema, sort_key).expect("the key is a column");
    let mut writer = ArrowWriter::try_new(Vec::new(), Arc::clone(schema), Some(properties)).expect("a schema");
    batches.iter().for_each(|batch| writer.write(batch).expect("the batch fits"));
    writer.into_inner().expect("memory does not fail")
}

#[divan::bench]
fn page(bencher: Bencher<'_, '_>) {
    let answers = answers();
    bencher.counter(size(&answers)).bench(|| parsed(black_box(&answers)));
}

#[divan::bench]
fn page_and_convert(bencher: Bencher<'_, '_>) {
    let answers = answers();
    let converter = Converter::new(&schema(), UnknownAttributes::Extra);
    bencher.counter(size(&answers)).bench(|| converted(&converter, &parsed(black_box(&answers))));
}

#[divan::bench]
fn page_to_file(bencher: Bencher<'_, '_>) {
    let (answers, schema) = (answers(), schema());
    let converter = Converter::new(&schema, UnknownAttributes::Extra);
    bencher.counter(size(&answers)).bench(|| {
        let batches = converted(&converter, &parsed(black_box(&answers)));
        let sorted = newest_by_key(schema.wide(), schema.order(), batches).expect("the batches have one schema");
        let rows = schema.visible(&sorted).expect("the batch has all columns");
        encoded(&rows.schema(), &["id"], &[rows])
    });
}

/// The records of the answers, a line each, and their schema: without the links, which no table has, and without
/// attributes of several types, which arrow-json cannot read.
fn lines(answers: &[Bytes]) -> (Vec<u8>, SchemaRef) {
    let records: Vec<Value> = parsed(answers)
        .iter()
        .flat_map(|page| &page.records)
        .map(|record| serde_json::from_slice(&record.resource).expect("a record"))
        .collect();
    let of = |part: &str| -> Fields {
        let names: BTreeSet<&String> =
            records.iter().filter_map(|one| one.get(part)?.as_object()).flatten().map(|(name, _)| name).collect();
        let field = |name: &String| -> Option<Fields> {
            let value = |record: &Value| record.get(part).and_then(|object| object.get(name)).cloned();
            let values = records.iter().map(|record| Ok(json!({name: value(record)})));
            Some(infer_json_schema_from_iterator(values).ok()?.fields)
        };
        names.into_iter().filter_map(field).flat_map(|fields| fields.iter().cloned().collect::<Vec<_>>()).collect()
    };
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let object = |name: &str| Field::new(name, DataType::Struct(without_links(&of(name))), true);
    let schema = Schema::new(vec![text("type"), text("id"), object("attributes"), object("relationships")]);
    (records.iter().flat_map(|record| format!("{record}\n").into_bytes()).collect(), Arc::new(schema))
}

fn without_links(fields: &Fields) -> Fields {
    let keep = |field: &&Arc<Field>| field.name() != "links" && field.data_type() != &DataType::Null;
    let prune = |field: &Arc<Field>| match field.data_type() {
        DataType::Struct(inner) => field.as_ref().clone().with_data_type(DataType::Struct(without_links(inner))).into(),
        _ => Arc::clone(field),
    };
    fields.iter().filter(keep).map(prune).filter(|field: &Arc<Field>| !is_hollow(field)).collect()
}

/// Parquet has no groups without columns.
fn is_hollow(field: &Field) -> bool {
    matches!(field.data_type(), DataType::Struct(inner) if inner.is_empty())
}

#[divan::bench]
fn floor_decode(bencher: Bencher<'_, '_>) {
    let answers = answers();
    let (lines, schema) = lines(&answers);
    bencher.counter(size(&answers)).bench(|| decoded(&schema, black_box(&lines)));
}

#[divan::bench]
fn floor_to_file(bencher: Bencher<'_, '_>) {
    let answers = answers();
    let (lines, schema) = lines(&answers);
    bencher.counter(size(&answers)).bench(|| encoded(&schema, &[], &decoded(&schema, black_box(&lines))));
}

fn decoded(schema: &SchemaRef, lines: &[u8]) -> Vec<RecordBatch> {
    let reader = ReaderBuilder::new(Arc::clone(schema))
        .with_batch_size(PAGE_ROWS)
        .with_coerce_primitive(true)
        .build(Cursor::new(lines));
    reader.expect("a reader").map(|batch| batch.expect("the records fit their schema")).collect()
}
