use super::super::{Config, ConfigError, Treatment};
use super::*;

const HASH_KEY: &str = "invented-hash-key-of-some-length";

fn parse_with(variables: &[(&str, &str)], rest: &str) -> Result<Config, ConfigError> {
    let mut environment = BTreeMap::from([("KUSTOMER_API_KEY".to_owned(), "invented-key-0123456789".to_owned())]);
    environment.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let text = format!("source: {{org: acme}}\ndestination: {{url: ./lake}}\n{rest}");
    Config::parse("pipelines.yaml", &text, &environment, &Catalog::embedded().unwrap()).map(|mut all| all.remove(0))
}

fn parse(rest: &str) -> Result<Config, ConfigError> {
    parse_with(&[(HASH_KEY_VARIABLE, HASH_KEY)], rest)
}

#[track_caller]
fn refused(rest: &str) -> String {
    parse(rest).unwrap_err().to_string()
}

fn of<'c>(config: &'c Config, name: &str) -> &'c Pipeline {
    config.pipelines.iter().find(|one| one.entity.as_str() == name).unwrap()
}

#[test]
fn an_entity_is_loaded_with_the_one_that_leads_to_it() {
    for (text, told) in [
        (
            "pipelines:\n  customer_emails: {}\n",
            "pipelines.yaml:4: pipelines.customer_emails: add customers: its records hold these rows",
        ),
        (
            "pipelines:\n  conversation_events: {}\n",
            "pipelines.yaml:4: pipelines.conversation_events: add conversations: its table tells which to read",
        ),
        ("pipelines:\n  slas: {}\n  slas_criteria: {}\n", "pipelines.slas_criteria: add slas_versions: its records"),
    ] {
        let error = refused(text);
        assert!(error.contains(told), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    assert!(parse("pipelines: {customer_emails: {}, customers: {}}").is_ok(), "in any order");
}

#[test]
fn elements_are_loaded_in_the_mode_of_their_parent() {
    let config = parse("pipelines: {team_queues: {}, team_routing_settings: {mode: update}}").unwrap();
    assert_eq!(of(&config, "team_queues").mode, Mode::Update);
    let error = refused("pipelines:\n  team_routing_settings: {}\n  team_queues: {mode: update}\n");
    let told = "pipelines.yaml:5: pipelines.team_queues.mode: team_queues is part of team_routing_settings, \
                and loaded in its mode: replace";
    assert_eq!(error, told);
    let error = refused("pipelines: {slas: {}, slas_versions: {}, slas_criteria: {mode: append}}");
    assert!(error.contains("slas_criteria cannot be loaded in mode append; it has replace"), "{error}");
}

#[test]
fn a_start_that_nothing_would_honour_is_refused() {
    for (text, told) in [
        ("tags: {start_date: 2026-01-01}", "pipelines.tags.start_date: tags is always read whole"),
        ("custom_attribute_metadata: {start_date: 2026-01-01}", "is always read whole"),
        (
            "customers: {}, customer_phones: {start_date: 2026-01-01}",
            "pipelines.customer_phones.start_date: customer_phones comes with customers",
        ),
    ] {
        let error = refused(&format!("pipelines: {{{text}}}"));
        assert!(error.contains(told), "{error}");
    }
    let config = parse("pipelines: {audit_logs: {start_date: 2026-09-01}, kobjects: {start_date: 2026-09-01}}");
    assert!(config.unwrap().pipelines.iter().all(|one| one.start.is_some()));
}

#[test]
fn only_kobjects_have_klasses_and_each_once() {
    let config = parse("pipelines: {kobjects: {klasses: [order, subscription]}, customers: {}}").unwrap();
    assert_eq!(of(&config, "kobjects").klasses.as_deref(), Some(&["order".to_owned(), "subscription".to_owned()][..]));
    assert_eq!(of(&config, "customers").klasses, None);
    assert_eq!(of(&parse("").unwrap(), "kobjects").klasses, None);
    for (text, told) in [
        ("customers: {klasses: [order]}", "pipelines.customers.klasses: only kobjects have klasses"),
        ("kobjects: {klasses: [order, order]}", "pipelines.kobjects.klasses: order stands here twice"),
        ("kobjects: {klasses: []}", "name at least one"),
        ("kobjects: {klasses: order}", "expected a list of names like [one, two], found text"),
        ("kobjects: {klasses: [[order]]}", "expected names, found a list"),
    ] {
        let error = refused(&format!("pipelines: {{{text}}}"));
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn columns_are_treated_as_their_names_say() {
    let text =
        "pipelines:\n  customers:\n    columns: {exclude: [birthday_at, _extra, custom_ageNum], hash: [name, tags]}\n";
    let config = parse(text).unwrap();
    let expected = BTreeMap::from([
        ("_extra".to_owned(), Treatment::Exclude),
        ("birthday_at".to_owned(), Treatment::Exclude),
        ("custom_ageNum".to_owned(), Treatment::Exclude),
        ("name".to_owned(), Treatment::Hash),
        ("tags".to_owned(), Treatment::Hash),
    ]);
    assert_eq!(of(&config, "customers").columns.treated, expected);
    assert_eq!(config.hash_key.unwrap().expose_secret(), HASH_KEY);
}

#[test]
fn columns_are_treated_by_their_sensitivity_unless_the_file_names_them() {
    let text = "defaults: {columns: {personal: hash, content: exclude}}\npipelines:\n  conversations:\n  companies:\n  \
                company_locations: {columns: {keep: [country_code], hash: [custom_x], personal: exclude}}\n  customers: \
                {columns: {keep: [name, custom_shoeStr, _extra], exclude: [gender], personal: hash, content: keep}}\n";
    let error = refused(text);
    assert!(error.contains("company_locations has no column custom_x"), "no custom attributes there: {error}");
    let config = parse(&text.replace("hash: [custom_x], ", "")).unwrap();
    let conversations = &of(&config, "conversations").columns;
    assert_eq!(conversations.treated.get("external_id"), Some(&Treatment::Hash));
    assert_eq!(conversations.treated.get("preview"), Some(&Treatment::Exclude));
    assert_eq!(conversations.treated.get("_extra"), Some(&Treatment::Exclude), "it may hold anything");
    assert_eq!(conversations.treated.get("status"), None);
    let companies = &of(&config, "companies").columns;
    assert_eq!(companies.treated.get("emails"), Some(&Treatment::Hash));
    let locations = &of(&config, "company_locations").columns;
    assert_eq!(locations.treated.get("latitude"), Some(&Treatment::Exclude));
    assert_eq!(locations.treated.get("country_code"), None);
    let customers = &of(&config, "customers").columns;
    assert_eq!(customers.treated.get("name"), None);
    assert_eq!(customers.treated.get("gender"), Some(&Treatment::Exclude), "named ones come before marks");
    assert_eq!(customers.treated.get("first_name"), Some(&Treatment::Hash));
    assert_eq!(customers.treated.get("preview_text"), None);
    assert_eq!((customers.personal, customers.content), (Some(Treatment::Hash), None));
    let everything = parse("defaults: {columns: {personal: hash}}").unwrap();
    let locations = &of(&everything, "customer_locations").columns;
    assert_eq!(locations.treated.get("latitude"), Some(&Treatment::Exclude), "no text, and so no hash");
}

#[test]
fn no_mark_touches_what_a_table_needs() {
    let config = parse("defaults: {columns: {personal: exclude, content: exclude}}").unwrap();
    let catalog = Catalog::embedded().unwrap();
    for pipeline in &config.pipelines {
        let entity = catalog.get(pipeline.entity.as_str()).unwrap();
        for name in entity.key.iter().chain(&entity.cursor) {
            assert_eq!(pipeline.columns.treated.get(name), None, "{}: {name}", entity.name);
        }
    }
}

#[test]
fn columns_that_cannot_be_treated_so_are_refused_all_at_once() {
    let text = "pipelines:
  team_routing_settings:
    columns: {hash: [team_id]}
  conversation_events: {columns: {exclude: [_parent_id]}}
  conversations:
    columns:
      exclude: [sla_id, updated_at, rev, deleted, deleted_at, _deleted, id, externl_id, status, status]
      hash: [message_count, _extra, name]
      keep: [name, nothing]
      personal: perhaps
      both: 1
  customers: {columns: {exclude: [name], hash: [name]}}
";
    let error = refused(text);
    for told in [
        "pipelines.yaml:5: pipelines.team_routing_settings.columns.hash: team_id must stay as it is: it tells what to read",
        "conversation_events.columns.exclude: _parent_id must stay as it is: it tells which rows belong together",
        "pipelines.yaml:9: pipelines.conversations.columns.exclude: sla_id must stay as it is",
        "updated_at must stay as it is: it is the cursor",
        "rev must stay as it is",
        "deleted must stay as it is",
        "deleted_at must stay as it is",
        "_deleted must stay as it is: every table has it",
        "id must stay as it is: rows are identified by it",
        "conversations has no column externl_id; did you mean external_id?",
        "status stands here twice",
        "pipelines.yaml:10: pipelines.conversations.columns.hash: message_count is no text",
        "_extra is no text",
        "pipelines.yaml:11: pipelines.conversations.columns.keep: name is kept, and excluded or hashed at once",
        "conversations has no column nothing",
        "columns.personal: expected one of keep, exclude, hash",
        "columns.both: unknown key",
        "pipelines.yaml:14: pipelines.customers.columns.hash: name is excluded and hashed at once",
    ] {
        assert!(error.contains(told), "missing {told:?} in:\n{error}");
    }
    let error = refused("defaults: {columns: {exclude: [name]}}\n");
    assert!(error.contains("defaults.columns.exclude: columns are named per pipeline"), "{error}");
}

#[test]
fn a_hash_needs_a_key_that_nobody_guesses() {
    let hashes = "pipelines: {customers: {columns: {hash: [name]}}}";
    let error = parse_with(&[], hashes).unwrap_err().to_string();
    assert!(error.starts_with("pipelines.yaml:3: pipelines.customers.columns.hash: a hash needs a key"), "{error}");
    assert!(error.contains("openssl rand -hex 32") && error.contains("export it as KUSTLAKE_HASH_KEY"), "{error}");
    let error = parse_with(&[], "defaults: {columns: {content: hash}}").unwrap_err().to_string();
    assert!(error.contains("defaults.columns.content: a hash needs a key"), "{error}");
    let short = [(HASH_KEY_VARIABLE, "123456789012345")];
    let error = parse_with(&short, hashes).unwrap_err().to_string();
    assert!(error.contains("fewer than 16 characters") && !error.contains("12345678"), "{error}");
    assert!(parse_with(&short, "").is_ok(), "nothing is hashed");

    let own = format!("defaults: {{hash_key: '${{OWN}}'}}\n{hashes}");
    let config = parse_with(&[("OWN", HASH_KEY)], &own).unwrap();
    assert_eq!(config.hash_key.as_ref().unwrap().expose_secret(), HASH_KEY);
    assert!(!format!("{config:?}").contains(HASH_KEY));
    assert!(parse_with(&[], &own).unwrap_err().to_string().contains("OWN is not set"));
    let error = refused(&format!("defaults: {{hash_key: written-out-hash-key}}\n{hashes}"));
    assert!(error.contains("defaults.hash_key: a secret must not stand in the file; write ${KUSTLAKE_HASH_KEY}"));
    assert!(!error.contains("written-out"), "{error}");
}
