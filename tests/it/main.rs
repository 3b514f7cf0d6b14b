//! The program as its users run it: the real binary, the simulator over loopback, real storage and real readers.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what a test does not expect ends it"
)]

mod analysts;
mod audit_log;
mod bad_input;
mod bucket;
mod catalogue;
mod catalogue_pages;
mod catalogue_records;
mod columns;
mod columns_hidden;
mod costs;
mod custom;
mod dependencies;
mod drill;
mod elements;
mod engine;
mod everything;
mod expected;
mod fallback;
mod first_run;
mod forgetful;
mod golden;
mod hostile;
mod killed;
mod killed_bucket;
mod klasses;
mod lists;
mod local_lake;
mod logs;
mod maintain;
mod nothing_lost;
mod operators;
mod organisations;
mod packaging;
mod parents;
mod parts;
mod public_client;
mod readme;
mod reconcile;
mod relay;
mod requests;
mod rows;
mod schema;
mod secrets;
mod shards;
mod simulation;
mod small_disk;
mod starts;
mod state;
mod stopped;
mod storage_faults;
mod stores;
mod support;
mod switches;
mod tables;
mod telemetry;
mod ties;
mod tour;
mod values;
mod verify;
mod witness;
