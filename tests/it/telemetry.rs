//! What a collector of OpenTelemetry receives, read by the package that OpenTelemetry publishes for its own format.

use kustlake_sim::{Switches, WorldSpec};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::parts::{installed, source, succeed};
use crate::support::Org;

/// Takes one request, and answers with this status.
async fn collect(listener: &TcpListener, status: &str) -> (String, Vec<u8>) {
    let (mut client, _) = listener.accept().await.unwrap();
    let mut received = Vec::new();
    let head = loop {
        client.read_buf(&mut received).await.unwrap();
        if let Some(end) = received.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let told = String::from_utf8(received[..head].to_vec()).unwrap().to_lowercase();
    let (_, rest) = told.split_once("content-length:").unwrap();
    let length: usize = rest.lines().next().unwrap().trim().parse().unwrap();
    while received.len() < head + length {
        assert!(client.read_buf(&mut received).await.unwrap() > 0, "the request ended early");
    }
    answer(&mut client, status).await;
    (told, received[head..].to_vec())
}

async fn answer(client: &mut TcpStream, status: &str) {
    let answer = format!("HTTP/1.1 {status}\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n");
    client.write_all(answer.as_bytes()).await.unwrap();
}

async fn organisation() -> (Org, TcpListener) {
    let mut org = Org::new(WorldSpec::default(), Switches::unlimited()).await;
    org.sim.clock().advance(10 * 60 * 1000);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    org.set("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{}", listener.local_addr().unwrap()));
    org.set("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test");
    (org, listener)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_receives_what_the_run_did() {
    let (org, listener) = organisation().await;
    let (report, (head, body)) = tokio::join!(org.report(&["run"]), collect(&listener, "200 OK"));
    assert!(head.starts_with("post /v1/metrics ") && !head.contains("sim-token"), "{head}");
    std::fs::write(org.path("metrics"), body).unwrap();
    let mut decode = std::process::Command::new(installed("readers/bin/python"));
    let told = succeed(decode.arg("-B").arg(source("tests/otlp.py")).arg(org.path("metrics")));
    let told: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(told["resource"]["service.name"], "kustlake");
    assert_eq!(told["resource"]["deployment.environment"], "test");
    let metric = |name: &str, labels: Value| {
        let points = told["metrics"][name].as_array().unwrap_or_else(|| panic!("no {name} in {told}"));
        points.iter().find(|point| point["labels"] == labels).unwrap()["value"].as_f64().unwrap()
    };
    assert_eq!(metric("kustlake_run_exit_code", json!({})), 0.0);
    assert_eq!(metric("kustlake_entity_changed_rows", json!({"entity": "messages", "change": "inserted"})), 2_000.0);
    let requests = metric("kustlake_run_requests", json!({"kind": "all"}));
    assert_eq!(Some(requests), report["requests"]["total"].as_f64());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_refuses_changes_nothing_about_the_run() {
    let (org, listener) = organisation().await;
    let (ended, _) = tokio::join!(org.run(&["run"]), collect(&listener, "403 Forbidden"));
    assert_eq!(ended.code, 0, "{ended:#?}");
    assert!(ended.stderr.contains("the metrics did not reach the collector"), "{ended:#?}");
}
