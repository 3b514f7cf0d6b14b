//! Brings a Kustomer organisation into Delta tables: incrementally, completely, within a share of the rate limit.
pub mod api;
pub mod catalog;
pub mod cli;
pub mod clock;
pub mod config;
pub mod cpu;
pub mod extract;
pub mod lake;
pub mod resource;
pub mod run;
pub mod table;
pub mod window;
