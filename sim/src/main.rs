//! The simulator as a program: starts, says where it listens, and runs until it is told to stop.

use std::error::Error;
use std::io::Write as _;

use clap::Parser;
use kustlake_sim::{ClockSpec, SimServer, Switches, WorldSpec};
use tokio::signal::unix::{SignalKind, signal};

/// Simulates the Kustomer REST API on the loopback interface.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    /// Port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Determines every record
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Number of messages; everything else is in proportion unless it is given
    #[arg(long, default_value_t = 2_000)]
    messages: u32,
    /// Number of customers
    #[arg(long)]
    customers: Option<u32>,
    /// Number of companies
    #[arg(long)]
    companies: Option<u32>,
    /// Number of KObjects of each klass that has any
    #[arg(long)]
    kobjects: Option<u32>,
    /// Number of conversations
    #[arg(long)]
    conversations: Option<u32>,
    /// Number of notes
    #[arg(long)]
    notes: Option<u32>,
    /// Number of users
    #[arg(long)]
    users: Option<u32>,
    /// Number of founding entries of the audit log
    #[arg(long)]
    audit_logs: Option<u32>,
    /// Switches to change, as a JSON object
    #[arg(long, default_value = "{}")]
    switches: String,
    /// Start of the clock, in milliseconds since the epoch; default: the real present
    #[arg(long)]
    start: Option<i64>,
    /// Simulated seconds per real second
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
}

impl Cli {
    fn world(&self) -> WorldSpec {
        let scaled = WorldSpec::of_messages(self.messages);
        WorldSpec {
            seed: self.seed,
            customers: self.customers.unwrap_or(scaled.customers),
            companies: self.companies.unwrap_or(scaled.companies),
            kobjects: self.kobjects.unwrap_or(scaled.kobjects),
            conversations: self.conversations.unwrap_or(scaled.conversations),
            notes: self.notes.unwrap_or(scaled.notes),
            users: self.users.unwrap_or(scaled.users),
            audit_logs: self.audit_logs.unwrap_or(scaled.audit_logs),
            ..scaled
        }
    }

    fn clock(&self) -> ClockSpec {
        let present = ClockSpec::real_time();
        ClockSpec { start: self.start.unwrap_or(present.start), speed: self.speed, ..present }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let cli = Cli::parse();
    let switches = Switches::default().merged(serde_json::from_str(&cli.switches)?)?;
    let sim = SimServer::start_on(cli.port, cli.world(), switches, cli.clock()).await?;
    let mut terminated = signal(SignalKind::terminate())?;
    writeln!(std::io::stdout(), "listening on {}", sim.base_url())?;
    tokio::select! {
        _ = terminated.recv() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    Ok(())
}
