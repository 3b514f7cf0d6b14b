//! Measures how fast the simulator serves search pages: `cargo run --release -p kustlake-sim --example pages`.
//!
//! Reads pages of 500 messages from an organisation with a million of them, over one connection, keeping nothing.

use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use kustlake_sim::{ClockSpec, SimServer, Switches, WorldSpec};

const MESSAGES: u32 = 1_000_000;
const PAGES: usize = 1_000;
const PAGE_SIZE: usize = 500;

/// Sends one search and drops its answer; returns the length of the body.
fn page(stream: &mut BufReader<TcpStream>, page: usize, from: &str) -> Result<usize, Box<dyn Error>> {
    let body = format!(
        r#"{{"queryContext":"message","and":[{{"message_updated_at":{{"gte":"{from}"}}}}],"sort":[{{"message_updated_at":"asc"}}]}}"#
    );
    let request = format!(
        "POST /v1/customers/search?page={page}&pageSize={PAGE_SIZE} HTTP/1.1\r\nhost: sim\r\n\
         authorization: Bearer sim-token\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.get_mut().write_all(request.as_bytes())?;
    let mut length = 0;
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        stream.read_line(&mut line)?;
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.trim().parse()?;
        }
    }
    let copied = std::io::copy(&mut stream.take(length), &mut std::io::sink())?;
    Ok(usize::try_from(copied)?)
}

#[expect(clippy::disallowed_methods, reason = "this program exists to measure real time")]
fn present() -> Instant {
    Instant::now()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let started = present();
    let world = WorldSpec::of_messages(MESSAGES);
    let sim = SimServer::start(world, Switches::unlimited(), ClockSpec::frozen()).await?;
    let founded = started.elapsed();
    let addr = sim.addr();
    let reader = tokio::task::spawn_blocking(move || -> Result<usize, String> {
        let mut stream = BufReader::new(TcpStream::connect(addr).map_err(|error| error.to_string())?);
        let mut bytes = 0;
        for number in 0..PAGES {
            let from = format!("2025-{:02}-01T00:00:00.000Z", number / 20 % 12 + 1);
            bytes += page(&mut stream, number % 20 + 1, &from).map_err(|error| error.to_string())?;
        }
        Ok(bytes)
    });
    let started = present();
    let bytes = reader.await??;
    let seconds = started.elapsed().as_secs_f64();
    let mut out = std::io::stdout();
    writeln!(out, "founded {MESSAGES} messages in {:.1} s", founded.as_secs_f64())?;
    writeln!(out, "{PAGES} pages, {} MB in {seconds:.2} s", bytes / 1_000_000)?;
    writeln!(out, "{:.0} pages/s, {:.0} messages/s", PAGES as f64 / seconds, (PAGES * PAGE_SIZE) as f64 / seconds)?;
    Ok(())
}
