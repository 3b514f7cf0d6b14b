//! Keys, roles, and what is not reading.

use kustlake_sim::TokenSpec;
use serde_json::json;

use crate::client::{ids, send, start};

fn key(token: &str, roles: &[&str]) -> TokenSpec {
    TokenSpec { token: token.into(), roles: roles.iter().map(|role| (*role).into()).collect(), expires_at: None }
}

#[test]
fn without_a_key_there_is_nothing() {
    let sim = start();
    let ask = |token| send(sim.handle.addr(), "GET", "/v1/messages", token, "").unwrap();
    for answer in [ask(None), ask(Some("wrong"))] {
        assert_eq!((answer.status, answer.json()["errors"][0]["code"].as_str()), (401, Some("unauthorized")));
    }
    assert_eq!(ask(Some("sim-token")).status, 200);
}

#[test]
fn a_key_expires_in_simulated_time() {
    let sim = start();
    let at = sim.handle.clock().now() + 60_000;
    sim.handle.add_token(TokenSpec { expires_at: Some(at), ..key("short", &["org.user.message.read"]) });
    assert_eq!(sim.get_as("short", "/v1/messages").status, 200);
    sim.handle.clock().advance(60_000);
    let expired = sim.get_as("short", "/v1/messages");
    assert_eq!(expired.status, 401);
    assert!(expired.json().to_string().contains("Expired token"));
}

#[test]
fn each_resource_needs_its_role() {
    let sim = start();
    sim.handle.add_token(key("notes", &["org.permission.note.read", "org.user.search.read"]));
    assert_eq!(sim.get_as("notes", "/v1/notes").status, 200);
    assert_eq!(sim.get_as("notes", "/v1/tags").status, 200);
    for path in ["/v1/messages", "/v1/users", "/v1/customers", "/v1/teams", "/v1/klasses", "/v1/shortcuts"] {
        assert_eq!(sim.get_as("notes", path).status, 403, "{path}");
    }
    let search = |context: &str| {
        let body = json!({"queryContext": context}).to_string();
        send(sim.handle.addr(), "POST", "/v1/customers/search", Some("notes"), &body).unwrap().status
    };
    assert_eq!((search("note"), search("message")), (200, 403));
    sim.switch(json!({"search_roles": "search_only"}));
    assert_eq!(search("message"), 200);
    sim.handle.add_token(key("notes", &["org.permission.note.read"]));
    assert_eq!(search("note"), 403);
}

#[test]
fn what_is_read_per_parent_needs_roles_of_its_own() {
    let sim = start();
    let conversation = ids(&sim.follow("/v1/conversations?pageSize=1"))[0].clone();
    let customer = ids(&sim.follow("/v1/customers?pageSize=1"))[0].clone();
    for (role, paths) in [
        ("org.permission.event.read", vec![format!("conversations/{conversation}/events")]),
        (
            "org.user.draft.read",
            vec![format!("conversations/{conversation}/forwards"), format!("customers/{customer}/drafts")],
        ),
        ("org.permission.attachment.read", vec![format!("conversations/{conversation}/attachments")]),
        ("org.user.conversation.read", vec![format!("conversations/{conversation}/times")]),
        ("org.admin.customer.merge.read", vec![format!("customers/{customer}/merges")]),
        ("org.admin.audit_logs.read", vec!["audit-logs".to_owned()]),
    ] {
        sim.handle.add_token(key("with", &[role]));
        sim.handle.add_token(key("without", &["org.permission.note.read"]));
        for path in paths {
            assert_eq!(sim.get_as("with", &format!("/v1/{path}")).status, 200, "{role} {path}");
            assert_eq!(sim.get_as("without", &format!("/v1/{path}")).status, 403, "{path}");
        }
    }
}

#[test]
fn a_key_can_always_ask_about_itself() {
    let sim = start();
    sim.handle.add_token(key("abcd-efgh", &["org.user.note.read"]));
    let own = sim.get_as("abcd-efgh", "/v1/auth/tokens/current").json();
    assert_eq!(own["data"]["attributes"]["roles"], json!(["org.user.note.read"]));
    assert_eq!(own["data"]["attributes"]["lastTokenChars"], "efgh");
    let user = sim.get_as("abcd-efgh", "/v1/users/current/").json();
    assert_eq!(user["data"]["id"], own["data"]["relationships"]["user"]["data"]["id"]);
    assert_eq!(user["data"]["attributes"]["userType"], "machine");
}

#[test]
fn the_wrong_pod_knows_no_token() {
    let sim = start();
    sim.switch(json!({"pod": "wrong"}));
    let answer = sim.get("/v1/auth/tokens/current");
    assert_eq!(answer.status, 401);
    assert!(answer.json()["errors"][0]["message"].as_str().unwrap().contains("pod"));
}

#[test]
fn writing_is_refused_and_remembered() {
    let sim = start();
    for (method, path) in [
        ("DELETE", "/v1/messages/x"),
        ("PUT", "/v1/notes/x"),
        ("POST", "/v1/customers"),
        ("PATCH", "/v1/customers/search"),
    ] {
        assert_eq!(
            send(sim.handle.addr(), method, path, Some("sim-token"), "").unwrap().status,
            405,
            "{method} {path}"
        );
    }
    assert_eq!(sim.handle.stats().violations, 4);
    assert_eq!(sim.get("/v1/unheard/of").status, 404);
    assert_eq!(sim.handle.stats().violations, 4);
}
