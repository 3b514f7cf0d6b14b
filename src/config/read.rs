//! From the tree to a [`Config`]: which keys there are, what they mean, and what each may be.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use secrecy::SecretString;
use url::{Host, Url};

use super::organisations::{self, Organisation};
use super::problem::ConfigError;
use super::section::{Found, Reader, Section};
use super::tree::{self, Value};
use super::{
    API_KEY_VARIABLE, Addressing, Commits, Config, Destination, Keys, Reconcile, RequestLimit, Rescan, S3, Source,
    pipelines,
};
use crate::catalog::Catalog;

const MINUTE: Duration = Duration::from_secs(60);
const COMMITS: [(&str, Commits); 2] = [("create_only", Commits::CreateOnly), ("lease", Commits::Lease)];
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// More requests a minute than any organisation is granted; the documented limits are 300 to 2,000.
const MOST_REQUESTS: u32 = 10_000_000;

pub(super) fn configs(
    file: &str,
    text: &str,
    (environment, keys): (&BTreeMap<String, String>, Keys),
    catalog: &Catalog,
) -> Result<Vec<Config>, ConfigError> {
    let reader = Reader::new(environment, keys);
    let root = match tree::parse(text) {
        Ok(root) => root,
        Err(error) => {
            reader.problem(error.line, "", format!("this is not YAML: {}", error.told));
            return Err(ConfigError::new(file, reader.into_problems()));
        }
    };
    let organisations = organisations::split(&reader, root);
    organisations::refuse_shared_places(&reader, &organisations);
    let configs: Vec<_> = organisations.iter().map(|one| config(&reader, one, catalog)).collect();
    let secret_variables = reader.secret_variables();
    let problems = reader.into_problems();
    match configs.into_iter().collect::<Option<Vec<_>>>() {
        Some(mut configs) if problems.is_empty() => {
            configs.iter_mut().for_each(|config| config.secret_variables.clone_from(&secret_variables));
            Ok(configs)
        }
        _ => Err(ConfigError::new(file, problems)),
    }
}

fn config(reader: &Reader<'_>, organisation: &Organisation, catalog: &Catalog) -> Option<Config> {
    let name = organisation.name.as_deref();
    let root = Section::new(reader, "", &organisation.root);
    version(&root);
    let key = organisations::key_variable(API_KEY_VARIABLE, name);
    let source = required(&root, "source", "add `source:` with `org:`").and_then(|section| source(section, &key));
    let destination = required(&root, "destination", "add `destination:` with `url:`").and_then(destination);
    let state_url = root.section("state").and_then(|section| {
        let url = section.text("url");
        section.finish(&["url"]);
        url
    });
    let (pipelines, hash_key) = pipelines::read(&root, catalog);
    root.finish(&["version", "source", "destination", "state", "defaults", "pipelines", "organisations"]);
    let (source, destination) = (source?, destination?);
    let organisation = name.map(str::to_owned);
    let secret_variables = BTreeSet::new();
    Some(Config { organisation, source, destination, state_url, hash_key, secret_variables, pipelines })
}

fn version(root: &Section<'_, '_, '_>) {
    match root.find("version") {
        None | Some(Found { value: Value::Integer(1), .. }) => {}
        Some(found) => {
            root.reader.problem(found.line, found.key, "this version of kustlake reads configurations of version 1");
        }
    }
}

fn required<'r, 'n, 'e>(root: &Section<'r, 'n, 'e>, name: &str, hint: &str) -> Option<Section<'r, 'n, 'e>> {
    let section = root.section(name);
    if section.is_none() {
        root.reader.problem(1, name, format!("is missing; {hint}"));
    }
    section
}

fn source(section: Section<'_, '_, '_>, key_variable: &str) -> Option<Source> {
    let (base_url, api_key) = (base_url(&section), api_key(&section, key_variable));
    let start = section.instant("start_date");
    let requests_per_minute = request_limit(&section);
    let rate_share = section.share("rate_share").unwrap_or(0.5);
    let search_requests_per_minute = section.integer("search_requests_per_minute", 1, MOST_REQUESTS).unwrap_or(80);
    let concurrency =
        section.integer("concurrency", 1, 64).and_then(|number| usize::try_from(number).ok()).unwrap_or(4);
    let settle = section.duration("settle").unwrap_or(5 * MINUTE);
    let overlap = section.duration("overlap").unwrap_or(30 * MINUTE);
    let (rescan, reconcile) = (rescan(&section), reconcile(&section));
    finish_source(section);
    Some(Source {
        base_url: base_url?,
        api_key: api_key?,
        start,
        requests_per_minute,
        rate_share,
        search_requests_per_minute,
        concurrency,
        settle,
        overlap,
        rescan,
        reconcile,
    })
}

fn rescan(section: &Section<'_, '_, '_>) -> Rescan {
    let usual = Rescan { every: DAY, reach: 7 * DAY };
    section.section("rescan").map_or(usual, |inner| {
        let every = inner.duration("every").unwrap_or(usual.every);
        let reach = inner.duration("reach").unwrap_or(usual.reach);
        inner.finish(&["every", "reach"]);
        Rescan { every, reach }
    })
}

fn reconcile(section: &Section<'_, '_, '_>) -> Reconcile {
    let usual = Reconcile { every: DAY, max_deletes: 0.05 };
    section.section("reconcile").map_or(usual, |inner| {
        let every = inner.duration("every").unwrap_or(usual.every);
        let max_deletes = inner.share("max_deletes").unwrap_or(usual.max_deletes);
        inner.finish(&["every", "max_deletes"]);
        Reconcile { every, max_deletes }
    })
}

fn finish_source(section: Section<'_, '_, '_>) {
    section.finish(&[
        "org",
        "base_url",
        "api_key",
        "start_date",
        "requests_per_minute",
        "rate_share",
        "search_requests_per_minute",
        "concurrency",
        "settle",
        "overlap",
        "rescan",
        "reconcile",
    ]);
}

/// The origin of the API: `org` and `base_url` say the same thing in two ways (API reference, section 2).
fn base_url(section: &Section<'_, '_, '_>) -> Option<Url> {
    let org = section.parsed("org", |org| {
        let good = !org.is_empty() && org.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !good {
            return Err("expected the name before .kustomerapp.com in your browser, like acme".to_owned());
        }
        Url::parse(&format!("https://{org}.api.kustomerapp.com")).map_err(|error| error.to_string())
    });
    let base = section.parsed("base_url", |text| {
        let url = Url::parse(text).map_err(|error| format!("not a URL: {error}"))?;
        if !matches!(url.path(), "" | "/") || url.query().is_some() || !url.username().is_empty() {
            return Err("expected scheme and host only, like https://api.prod2.kustomerapp.com".to_owned());
        }
        encrypted_or_loopback(url)
    });
    match (section.find("org"), section.find("base_url")) {
        (None, None) => {
            let told = "is missing: the name before .kustomerapp.com in your browser";
            section.reader.problem(section.line, section.key("org"), told);
            None
        }
        (Some(_), Some(found)) => {
            section.reader.problem(found.line, found.key, "give either org or base_url, not both");
            None
        }
        _ => org.or(base),
    }
}

/// Plain http would send the key in the clear; only a server on this machine may be spoken to that way.
fn encrypted_or_loopback(url: Url) -> Result<Url, String> {
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => return Err("the URL has no host".to_owned()),
    };
    match url.scheme() {
        "https" => Ok(url),
        "http" if loopback => Ok(url),
        "http" => Err("plain http is accepted for this machine only; write https".to_owned()),
        _ => Err("expected a URL that begins with https".to_owned()),
    }
}

fn api_key(section: &Section<'_, '_, '_>, variable: &str) -> Option<SecretString> {
    if section.find("api_key").is_some() {
        return section.secret("api_key", variable);
    }
    let key = section.reader.secret(variable);
    if key.is_none() {
        let told = format!("the environment variable {variable} is not set; export the API key in it");
        section.reader.problem(section.line, section.key("api_key"), told);
    }
    key
}

fn request_limit(section: &Section<'_, '_, '_>) -> RequestLimit {
    match section.find("requests_per_minute") {
        Some(Found { value: Value::Text(word), .. }) if word == "auto" => RequestLimit::Auto,
        Some(Found { value: Value::Integer(_), .. }) => {
            section.integer("requests_per_minute", 1, MOST_REQUESTS).map_or(RequestLimit::Auto, RequestLimit::Fixed)
        }
        Some(found) => {
            section.reader.problem(found.line, found.key, "expected auto or a whole number of requests");
            RequestLimit::Auto
        }
        None => RequestLimit::Auto,
    }
}

fn destination(section: Section<'_, '_, '_>) -> Option<Destination> {
    let url = section.parsed("url", |text| match text.split_once("://") {
        Some(("s3", rest)) if !rest.trim_start_matches('/').is_empty() => Ok(text.trim_end_matches('/').to_owned()),
        Some(("file", path)) if path.starts_with('/') => Ok(path.to_owned()),
        None if !text.is_empty() => Ok(text.to_owned()),
        _ => Err("expected s3://bucket/prefix or a folder like ./lake".to_owned()),
    });
    if section.find("url").is_none() {
        let told = "is missing; write s3://bucket/prefix or a folder like ./lake";
        section.reader.problem(section.line, section.key("url"), told);
    }
    let s3 = section.section("s3").map(s3).unwrap_or_default();
    let aws = section.reader.environment.iter().filter(|(name, _)| name.starts_with("AWS_"));
    let aws = aws.map(|(name, value)| (name.clone(), SecretString::from(value.as_str()))).collect();
    let commits = section.choice("commits", &COMMITS).unwrap_or(Commits::CreateOnly);
    section.finish(&["url", "commits", "s3"]);
    Some(Destination { url: url?, commits, s3, aws })
}

fn s3(section: Section<'_, '_, '_>) -> S3 {
    let endpoint = section.parsed("endpoint", |text| {
        Url::parse(text).map_err(|error| format!("not a URL: {error}")).and_then(encrypted_or_loopback)
    });
    let allow_http = section.boolean("allow_http").unwrap_or(false);
    if endpoint.as_ref().is_some_and(|url| url.scheme() == "http") && !allow_http {
        let told = "plain http must be allowed expressly: add `allow_http: true`";
        section.reader.problem(section.line, section.key("endpoint"), told);
    }
    let addressing =
        section.boolean("path_style").map(|path| if path { Addressing::Path } else { Addressing::VirtualHost });
    let region = section.text("region");
    section.finish(&["endpoint", "region", "path_style", "allow_http"]);
    S3 { endpoint, region, addressing }
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
