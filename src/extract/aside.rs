//! What the way to a record tells of it, beside the record itself.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::api::{Record, entries, text_at, value_at};

/// What the way to a record tells of it.
#[derive(Debug, Clone)]
pub struct Aside {
    /// Attributes that it has by being in this list, unless it says otherwise.
    pub implies: Arc<BTreeMap<String, String>>,
    /// Resources that the answer brought along for it, as received.
    pub included: Vec<Bytes>,
}

/// The included resources by the record that they belong to: one list a record.
///
/// Which end names the other is not the same everywhere: an SLA lists its versions, a holiday names its schedule
/// (API reference, section 5.2). What names no record of the page is given to the first, rather than lost.
pub(super) fn parts(records: &[Record], included: &[Bytes]) -> Vec<Vec<Bytes>> {
    let mut parts = vec![Vec::new(); records.len()];
    if included.is_empty() {
        return parts;
    }
    // By id, the first record that has it, and the first that names it: pages may be made to be large.
    let (mut owners, mut naming) = (HashMap::new(), HashMap::new());
    for (at, record) in records.iter().enumerate() {
        if let Some(id) = &record.id {
            owners.entry(id.as_str()).or_insert(at);
        }
        for id in related(&record.resource).1 {
            naming.entry(id).or_insert(at);
        }
    }
    for resource in included {
        let (id, names) = related(resource);
        let named_by = id.and_then(|id| naming.get(&id).copied());
        let named = names.iter().filter_map(|name| owners.get(name.as_str()).copied());
        let at = named.chain(named_by).min().unwrap_or_default();
        if let Some(part) = parts.get_mut(at) {
            part.push(resource.clone());
        }
    }
    parts
}

/// The id of a resource, and the ids that its relationships name. Text that is no resource names nothing.
fn related(json: &Bytes) -> (Option<String>, HashSet<String>) {
    let id = |resource: &RawValue| text_at(resource.get().as_bytes(), &["id"]);
    let relationships = value_at(json, &["relationships"]).map(entries).unwrap_or_default();
    let data = relationships.values().filter_map(|one| value_at(one.get().as_bytes(), &["data"]));
    let named = data.flat_map(|data| match serde_json::from_str::<Vec<&RawValue>>(data.get()) {
        Ok(several) => several.into_iter().filter_map(id).collect::<Vec<_>>(),
        Err(_) => id(data).into_iter().collect(),
    });
    (text_at(json, &["id"]), named.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::RecordId;

    #[test]
    fn parts_are_found_whichever_end_names_the_other() {
        let record = |id: &str, json: &'static str| Record {
            id: Some(RecordId::new(id)),
            updated_at: None,
            created_at: None,
            rev: None,
            deleted: false,
            resource: Bytes::from_static(json.as_bytes()).into(),
        };
        let records = [
            record("s1", r#"{"id": "s1", "relationships": {"versions": {"data": [{"type": "v", "id": "v1"}]}}}"#),
            record("s2", r#"{"id": "s2"}"#),
        ];
        let included = [
            Bytes::from_static(br#"{"id": "v1"}"#),
            Bytes::from_static(br#"{"id": "v2", "relationships": {"sla": {"data": {"type": "sla", "id": "s2"}}}}"#),
            Bytes::from_static(br#"{"id": "v3"}"#),
        ];
        let parts = parts(&records, &included);
        assert_eq!(parts, [vec![included[0].clone(), included[2].clone()], vec![included[1].clone()]]);
    }

    #[test]
    fn parts_of_a_page_of_any_size_are_found_in_time() {
        let text = |id: usize| {
            Bytes::from(format!(r#"{{"id": "{id}", "relationships": {{"x": {{"data": {{"id": "{id}"}}}}}}}}"#))
        };
        let record = |id: usize| Record {
            id: Some(RecordId::new(&id.to_string())),
            updated_at: None,
            created_at: None,
            rev: None,
            deleted: false,
            resource: text(id).into(),
        };
        const MANY: usize = 200_000;
        let (records, included): (Vec<_>, Vec<_>) = (0..MANY).map(|id| (record(id), text(MANY - 1 - id))).unzip();
        let parts = parts(&records, &included);
        assert!((0..MANY).all(|at| parts[at] == [text(at)]));
    }

    #[test]
    fn a_part_is_found_whatever_else_stands_in_it() {
        let record = |id: &str| Record {
            id: Some(RecordId::new(id)),
            updated_at: None,
            created_at: None,
            rev: None,
            deleted: false,
            resource: Bytes::from(format!(r#"{{"id": "{id}"}}"#)).into(),
        };
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        let names_its_record = r#""relationships": {"sla": {"data": {"id": "s2"}}}"#;
        let included = [r#""\ud800""#, "1e999", &deep]
            .map(|odd| Bytes::from(format!(r#"{{"id": "v", "attributes": {{"x": {odd}}}, {names_its_record}}}"#)));
        assert_eq!(parts(&[record("s1"), record("s2")], &included), [Vec::new(), included.to_vec()]);
    }
}
