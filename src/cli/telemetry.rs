//! What the last run did, sent to a collector by OpenTelemetry (OTLP over HTTP).
//!
//! The rule: only where the usual variables of OpenTelemetry name a collector; how to reach it (headers, timeout,
//! resource attributes) is told by these variables alone.

use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider;
use opentelemetry_otlp::MetricExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;

use super::metrics::{self, Metric};
use crate::config;
use crate::cpu::off_thread;
use crate::run::Report;

/// The variables that name a collector (OpenTelemetry specification, OTLP exporter).
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];

/// Whether a collector is named.
pub(super) fn is_wanted() -> bool {
    let environment = config::environment();
    ENDPOINTS.iter().any(|name| environment.get(*name).is_some_and(|endpoint| !endpoint.is_empty()))
}

/// Sends the metrics of these runs.
///
/// # Errors
/// Why they did not arrive.
pub(super) async fn send(reports: &[&Report]) -> Result<(), String> {
    let metrics = metrics::all(reports);
    // The library sends from a thread of its own, and waits for it.
    let sent = off_thread(move || send_from_here(metrics)).await;
    sent.unwrap_or_else(|_| Err("the sending broke off".to_owned()))
}

fn send_from_here(metrics: Vec<Metric>) -> Result<(), String> {
    let exporter = MetricExporter::builder().with_http().build().map_err(|error| error.to_string())?;
    let resource = Resource::builder()
        .with_service_name("kustlake")
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    let provider = SdkMeterProvider::builder().with_periodic_exporter(exporter).with_resource(resource).build();
    let meter = provider.meter("kustlake");
    for metric in metrics {
        let gauge = meter.f64_gauge(metric.name).with_description(metric.help).build();
        for sample in metric.samples {
            let labels: Vec<_> = sample.labels.into_iter().map(|(name, value)| KeyValue::new(name, value)).collect();
            gauge.record(sample.value, &labels);
        }
    }
    provider.force_flush().map_err(|error| error.to_string())
}
