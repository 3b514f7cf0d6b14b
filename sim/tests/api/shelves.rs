//! The small lists, companies, KObjects and metadata: their endpoints, their shapes, and who may read them.

use kustlake_sim::{Context, TokenSpec, WorldSpec};
use serde_json::{Value, json};

use crate::client::{Sim, id_set, ids, records, start, start_with};

/// Collection and path of every list that gives its whole collection.
const LISTS: [(&str, &str); 15] = [
    ("brands", "/v1/brands"),
    ("schedules", "/v1/schedules"),
    ("cards", "/v1/cards"),
    ("notifications", "/v1/notifications"),
    ("outbound_accounts", "/v1/outboundAccounts"),
    ("queues", "/v1/routing/queues?all=true"),
    ("slas", "/v1/slas"),
    ("satisfactions", "/v1/satisfaction"),
    ("shortcuts", "/v1/shortcuts?deleted=all"),
    ("snoozes", "/v1/snoozes"),
    ("spam_senders", "/v1/spam/senders?includeDeleted=true"),
    ("tags", "/v1/tags"),
    ("routing_settings", "/v1/routing/settings"),
    ("kobject_order", "/v1/klasses/order"),
    ("kobject_größe 2", "/v1/klasses/gr%C3%B6%C3%9Fe%202"),
];

fn sorted(mut values: Vec<Value>) -> Vec<String> {
    values.sort_by_key(ToString::to_string);
    values.into_iter().map(|value| value.to_string()).collect()
}

fn paged(path: &str) -> String {
    format!("{path}{}pageSize=7", if path.contains('?') { '&' } else { '?' })
}

#[test]
fn lists_hold_what_the_handle_tells() {
    let sim = start();
    for (name, path) in LISTS {
        let truth = sim.handle.shelf(name);
        assert!(truth.len() > 2, "{name}");
        assert_eq!(sorted(sim.follow(&paged(path))), sorted(truth), "{name}");
    }
    let teams = [sim.follow("/v1/teams"), sim.follow("/v1/teams?deleted=true")];
    assert!(teams.iter().all(|list| !list.is_empty()));
    assert_eq!(sorted(teams.concat()), sorted(sim.handle.shelf("teams")));
    let klasses = ["enabled", "existing_only", "disabled"].map(|status| {
        let found = sim.follow(&format!("/v1/klasses?status={status}"));
        assert!(!found.is_empty() && found.iter().all(|klass| klass["attributes"]["status"] == status));
        found
    });
    assert_eq!(sim.follow("/v1/klasses"), klasses[0]);
    assert_eq!(sorted(klasses.concat()), sorted(sim.handle.shelf("klasses")));
    let snoozes = ["conversation", "kobject"].map(|kind| sim.follow(&format!("/v1/snoozes?resource={kind}")));
    assert!(snoozes.iter().all(|list| !list.is_empty()));
    assert_eq!(sorted(snoozes.concat()), sorted(sim.handle.shelf("snoozes")));
    for bad in ["/v1/klasses?status=x", "/v1/shortcuts?deleted=x", "/v1/snoozes?resource=x", "/v1/tags?pageSize=101"] {
        assert_eq!(sim.get(bad).status, 400, "{bad}");
    }
}

#[test]
fn soft_deletes_show_where_the_reference_says() {
    let sim = start();
    let deleted = |path: &str| {
        let found = sim.follow(path);
        (found.len(), found.iter().filter(|one| one["attributes"]["deleted"] == true).count())
    };
    assert_eq!((deleted("/v1/shortcuts").1, deleted("/v1/schedules").1, deleted("/v1/companies").1), (0, 0, 0));
    let (all, gone) = deleted("/v1/shortcuts?deleted=true");
    assert!(all == gone && gone > 0);
    assert!(deleted("/v1/spam/senders?includeDeleted=true").0 > deleted("/v1/spam/senders").0);
    assert!(deleted("/v1/tags").1 > 0);
    sim.switch(json!({"deleted_in_lists": "shown"}));
    assert!(deleted("/v1/schedules").1 > 0 && deleted("/v1/companies").1 > 0);
}

#[test]
fn shapes_the_reference_warns_of() {
    let sim = start();
    for account in sim.follow("/v1/outboundAccounts") {
        assert!(account.get("id").is_none() && account["attributes"]["channel"].is_string());
    }
    let accounts = sim.get("/v1/outboundAccounts").json();
    assert_eq!((&accounts["meta"], &accounts["links"]), (&json!({}), &json!({"self": "/v1/outboundAccounts"})));
    assert!(sim.follow("/v1/spam/senders").iter().all(|sender| sender.get("links").is_none()));
    let queue = sim.follow("/v1/routing/queues?all=true")[0].clone();
    assert!(queue["attributes"]["createdAt"].is_number());
    let by_id = sim.get(&format!("/v1/routing/queues/{}", queue["id"].as_str().unwrap())).json();
    assert!(by_id["data"]["attributes"]["createdAt"].is_string());
    let values: Vec<Value> = sim.follow("/v1/snoozes").iter().map(|one| one["attributes"]["value"].clone()).collect();
    assert!(values.iter().any(Value::is_number) && values.iter().any(Value::is_object));
    assert!(values.iter().any(Value::is_string));
    let order = sim.follow("/v1/klasses/order")[0].clone();
    assert_eq!(order["type"], "kobject.order");
    assert_eq!(order["relationships"]["klass"]["link"]["self"], "/v1/klasses/order");
    let notifications = sim.get("/v1/notifications?pageSize=3").json();
    let meta = &notifications["meta"];
    assert!(meta["total"].as_u64() > Some(3) && meta["totalPages"].as_u64() > Some(1) && meta["unread"].is_u64());
    let created = |one: &Value| one["attributes"]["createdAt"].as_str().unwrap().to_owned();
    assert!(sim.follow("/v1/notifications").iter().rev().is_sorted_by_key(created));
    let unlisted = |name: &str| {
        sim.handle.shelf(name).iter().filter(|one| one["attributes"].get("experimentVariant").is_some()).count()
    };
    assert!(unlisted("brands") > 0 && unlisted("companies") > 0 && unlisted("kobject_order") > 0);
}

#[test]
fn notifications_last_a_week() {
    let sim = start();
    let before = sim.handle.shelf("notifications").len();
    sim.handle.clock().advance(3 * 86_400_000);
    let after = sim.handle.shelf("notifications").len();
    assert!(0 < after && after < before);
    assert_eq!(sim.get("/v1/notifications").json()["meta"]["total"], after);
    sim.handle.clock().advance(7 * 86_400_000);
    assert!(sim.handle.shelf("notifications").is_empty());
}

#[test]
fn holidays_and_versions_are_included_on_request() {
    let sim = start();
    let included = |path: &str| sim.get(path).json()["included"].clone();
    assert_eq!(included("/v1/schedules"), json!([]));
    let holidays = included("/v1/schedules?include=holidays");
    assert_eq!(sorted(holidays.as_array().unwrap().clone()), sorted(sim.handle.shelf("holidays")));
    let schedules = ids(&sim.follow("/v1/schedules"));
    for holiday in holidays.as_array().unwrap() {
        let schedule = holiday["relationships"]["schedule"]["data"]["id"].as_str().unwrap();
        assert!(schedules.contains(&schedule.to_owned()));
    }
    let versions = included("/v1/slas?versions=all");
    assert_eq!(sorted(versions.as_array().unwrap().clone()), sorted(sim.handle.shelf("sla_versions")));
    for sla in sim.follow("/v1/slas") {
        let id = sla["id"].as_str().unwrap();
        let own = included(&format!("/v1/slas/{id}?versions=all"));
        let own = own.as_array().unwrap();
        let newest = own.iter().map(|version| version["attributes"]["version"].as_u64()).max().unwrap();
        assert_eq!(sla["attributes"]["currentVersion"].as_u64(), newest);
        assert_eq!(id_set(own), id_set(sla["relationships"]["versions"]["data"].as_array().unwrap()));
        assert!(own.iter().all(|version| version["relationships"]["sla"]["data"]["id"] == id));
    }
}

#[test]
fn a_single_included_version_may_be_an_object_and_the_list_of_slas_missing() {
    let sim = start();
    sim.switch(json!({"included_one": "object", "sla_list": "not_found"}));
    assert_eq!(sim.get("/v1/slas").status, 404);
    let included: Vec<Value> = sim
        .handle
        .shelf("slas")
        .iter()
        .map(|sla| {
            sim.get(&format!("/v1/slas/{}?versions=all", sla["id"].as_str().unwrap())).json()["included"].clone()
        })
        .collect();
    assert!(included.iter().any(Value::is_object) && included.iter().any(Value::is_array));
    let named = sim
        .follow("/v1/conversations")
        .iter()
        .filter_map(|one| one["relationships"]["sla"]["data"]["id"].as_str().map(str::to_owned))
        .collect::<Vec<_>>();
    assert!(!named.is_empty());
    assert!(named.iter().all(|id| sim.get(&format!("/v1/slas/{id}")).status == 200));
}

#[test]
fn each_list_needs_its_role() {
    let sim = start();
    sim.handle.add_token(TokenSpec { token: "bare".into(), roles: vec!["org.user.none".into()], expires_at: None });
    for path in ["/v1/tags", "/v1/notifications"] {
        assert_eq!(sim.get_as("bare", path).status, 200, "{path}");
    }
    let free = ["tags", "notifications"];
    let guarded = LISTS.iter().filter(|(name, _)| !free.contains(name)).map(|(_, path)| *path);
    for path in guarded.chain(["/v1/teams", "/v1/companies", "/v1/klasses", "/v1/metadata/note", "/v1/klasses/order/x"])
    {
        assert_eq!(sim.get_as("bare", path).status, 403, "{path}");
    }
    let may = |role: &str, path: &str| {
        sim.handle.add_token(TokenSpec { token: "one".into(), roles: vec![role.into()], expires_at: None });
        sim.get_as("one", path).status
    };
    assert_eq!(may("org.user.routing.read", "/v1/routing/queues"), 200);
    assert_eq!(may("org.admin.spam.read", "/v1/spam/senders"), 200);
    assert_eq!(may("org.permission.apps.read", "/v1/outboundAccounts"), 200);
    let order = sim.handle.shelf("kobject_order")[0]["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/klasses/order/{order}");
    assert_eq!(may("org.permission.kobject.kobject_order.read", &path), 200);
    assert_eq!(may("org.permission.kobject.kobject_wishlist.read", &path), 403);
}

/// The custom attributes of every record by the name of its metadata.
fn carried(sim: &Sim) -> Vec<(String, Vec<Value>)> {
    let mut all: Vec<(String, Vec<Value>)> = Context::ALL
        .into_iter()
        .map(|context| {
            let lines = sim.handle.records(context);
            let records = serde_json::Deserializer::from_slice(&lines).into_iter().map(Result::unwrap).collect();
            (context.name().to_owned(), records)
        })
        .collect();
    all.push(("company".into(), sim.handle.shelf("companies")));
    for klass in sim.handle.shelf("klasses") {
        let klass = klass["attributes"]["name"].as_str().unwrap().to_owned();
        all.push((format!("kobject.{klass}"), sim.handle.shelf(&format!("kobject_{klass}"))));
    }
    all
}

#[test]
fn records_carry_what_the_metadata_lists() {
    let sim = start();
    let metadata = sim.handle.metadata();
    let all = carried(&sim);
    assert_eq!(metadata.len(), all.len());
    for (resource, records) in all {
        let path = format!("/v1/metadata/{}", resource.replace("größe 2", "gr%C3%B6%C3%9Fe%202"));
        let served = sim.get(&path).json()["data"].clone();
        assert_eq!(served, metadata[&resource]);
        let properties = served["attributes"]["properties"].as_object().unwrap();
        assert!(properties.values().any(|property| property["deletedAt"].is_string()));
        let names: Vec<&String> = records
            .iter()
            .filter_map(|record| record["attributes"]["custom"].as_object())
            .flat_map(|custom| custom.keys())
            .collect();
        assert!(names.iter().all(|name| properties.contains_key(*name) || *name == "legacyCodeStr"), "{resource}");
        assert!(properties.keys().any(|name| !names.contains(&name)));
    }
    let names = |resource: &str| metadata[resource]["attributes"]["properties"].as_object().unwrap().keys();
    for suffix in ["Str", "Txt", "Num", "At", "Bool", "Url", "Id", "Tree"] {
        assert!(names("customer").clone().any(|name| name.ends_with(suffix)), "{suffix}");
    }
    assert_eq!(names("customer").filter(|name| name.eq_ignore_ascii_case("orderidstr")).count(), 2);
    assert_eq!(sim.get("/v1/metadata/widget").status, 404);
    sim.switch(json!({"metadata_access": "not_of_notes"}));
    assert_eq!((sim.get("/v1/metadata/note").status, sim.get("/v1/metadata/user").status), (403, 200));
}

#[test]
fn child_lists_of_companies_and_customers_vary() {
    let sim = start();
    let lines = sim.handle.records(Context::Customer);
    let customers: Vec<Value> = serde_json::Deserializer::from_slice(&lines).into_iter().map(Result::unwrap).collect();
    let companies = sim.handle.shelf("companies");
    let lists = [
        (&companies, ["emails", "phones", "whatsapps", "socials", "urls", "domains", "locations", "emails"]),
        (
            &customers,
            ["emails", "phones", "socials", "urls", "locations", "externalIds", "sharedEmails", "sharedPhones"],
        ),
    ];
    for (parents, names) in lists {
        for name in names {
            let lengths: Vec<usize> =
                parents.iter().map(|one| one["attributes"][name].as_array().unwrap().len()).collect();
            assert_eq!((lengths.iter().min(), lengths.iter().max()), (Some(&0), Some(&4)), "{name}");
            let elements = || parents.iter().flat_map(|one| one["attributes"][name].as_array().unwrap());
            assert!(elements().any(|element| element.get("id").is_none()));
            assert!(elements().any(|element| element.get("id").is_some_and(Value::is_string)));
        }
    }
    let emails = companies.iter().flat_map(|one| one["attributes"]["emails"].as_array().unwrap());
    assert!(emails.clone().any(Value::is_string) && emails.clone().any(Value::is_object));
}

#[test]
fn switches_of_lists_hold_for_the_shelves() {
    let sim = start();
    let tags = ids(&sim.follow("/v1/tags?pageSize=100"));
    assert!(tags.len() > 100);
    sim.switch(json!({"shelf_order": "random"}));
    assert_ne!(ids(&records(&sim.get("/v1/tags").json())), ids(&records(&sim.get("/v1/tags").json())));
    sim.switch(json!({"shelf_order": "stable", "unset": "absent", "mask_every": 2, "next_links": "endless"}));
    let brands = sim.get("/v1/brands").json();
    assert!(brands["links"]["next"].is_string());
    assert!(
        records(&brands)
            .iter()
            .all(|brand| { brand["attributes"].as_object().unwrap().values().all(|value| !value.is_null()) })
    );
    assert!(sim.handle.shelf("companies").iter().any(|one| one["attributes"]["name"]["isMasked"] == true));
}

#[test]
fn an_empty_world_has_settings_and_no_companies() {
    let sim = start_with(WorldSpec::empty(), kustlake_sim::Switches::unlimited());
    assert!(sim.handle.shelf("companies").is_empty() && sim.handle.shelf("kobject_order").is_empty());
    assert!(sim.handle.shelf("tags").len() > 100);
    assert_eq!(sim.get("/v1/klasses/order").json()["data"], json!([]));
    assert_eq!(sim.get("/v1/klasses/unheard").status, 404);
}
