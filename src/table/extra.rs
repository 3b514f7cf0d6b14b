//! The column `_extra`: everything of a record that no other column holds, as one JSON object.
//!
//! | Member of `_extra` | Holds |
//! | --- | --- |
//! | any other key | the attribute of that name, at its place: `{"newAttr": 1, "firstDone": {"unknownLeaf": 2}}` |
//! | `_relationships` | the `data` of relationships without a column, or whose data does not fit it |
//! | `_record` | members of the record itself that are not as JSON:API has them, such as another `type` |
//! | `_attributes` | attributes whose own name is one of these three |
//!
//! The rule: keys and values are the source's own text, unchanged; members are sorted by key within
//! each object that is taken apart, so that the same record always gives the same text.

use super::json::{JsonText, Member};
use super::plan::{ATTRIBUTES, Node, Object, Plan};

/// Holds what is no attribute: members of the record.
pub(super) const RECORD: &str = "_record";
/// Holds the data of relationships.
pub(super) const RELATIONSHIPS: &str = "_relationships";
/// Holds attributes whose name is one of these three.
pub(super) const CLASHING: &str = "_attributes";

/// What one record leaves for `_extra`.
#[derive(Debug, Default)]
pub(super) struct Extra<'a> {
    pub(super) attributes: Vec<(Node, Member<'a>)>,
    /// Names of relationships and their `data`.
    pub(super) relationships: Vec<Member<'a>>,
    /// Members of `relationships` that are no objects.
    pub(super) odd_relationships: Vec<Member<'a>>,
    pub(super) record: Vec<Member<'a>>,
}

/// Which keys of `attributes` are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Names {
    Plain,
    Clashing,
}

impl Extra<'_> {
    /// The JSON text; none if nothing is left over.
    pub(super) fn text(&mut self, plan: &Plan) -> Option<String> {
        let Self { attributes, relationships, odd_relationships, record } = self;
        if attributes.is_empty() && relationships.is_empty() && odd_relationships.is_empty() && record.is_empty() {
            return None;
        }
        attributes.sort_by_key(|(node, member)| (*node, member.key));
        for members in [relationships, odd_relationships, record] {
            members.sort_by_key(|member| member.key);
        }
        let inhabited = self.inhabited(plan);
        let mut json = JsonText::object();
        self.attributes(plan, &inhabited, Names::Plain, &mut json);
        if self.has_clashing(plan, &inhabited) {
            json.open_named(CLASHING);
            self.attributes(plan, &inhabited, Names::Clashing, &mut json);
            json.close();
        }
        if !self.relationships.is_empty() {
            json.open_named(RELATIONSHIPS);
            json.members(&self.relationships);
            json.close();
        }
        if !(self.record.is_empty() && self.odd_relationships.is_empty()) {
            json.open_named(RECORD);
            json.members(&self.record);
            if !self.odd_relationships.is_empty() {
                json.open_named("relationships");
                json.members(&self.odd_relationships);
                json.close();
            }
            json.close();
        }
        Some(json.end())
    }

    /// For each object of the plan, whether anything left over stands in it or below it.
    fn inhabited(&self, plan: &Plan) -> Vec<Node> {
        let mut nodes: Vec<Node> = Vec::new();
        for (node, _) in &self.attributes {
            let mut above = Some(*node);
            while let Some(node) = above.filter(|node| !nodes.contains(node)) {
                nodes.push(node);
                above = plan.object(node).and_then(|object| object.parent);
            }
        }
        nodes
    }

    fn attributes(&self, plan: &Plan, inhabited: &[Node], names: Names, json: &mut JsonText) {
        for member in self.members_of(ATTRIBUTES).filter(|member| names_of(member.name().as_deref()) == names) {
            json.member(member);
        }
        for (node, object) in plan.children(ATTRIBUTES).filter(|(node, _)| inhabited.contains(node)) {
            if names_of(Some(&object.path)) == names {
                self.object(plan, inhabited, (node, object), json);
            }
        }
    }

    fn object(&self, plan: &Plan, inhabited: &[Node], (node, object): (Node, &Object), json: &mut JsonText) {
        json.open(&object.key);
        for member in self.members_of(node) {
            json.member(member);
        }
        for child in plan.children(node).filter(|(node, _)| inhabited.contains(node)) {
            self.object(plan, inhabited, child, json);
        }
        json.close();
    }

    fn has_clashing(&self, plan: &Plan, inhabited: &[Node]) -> bool {
        self.members_of(ATTRIBUTES).any(|member| names_of(member.name().as_deref()) == Names::Clashing)
            || plan
                .children(ATTRIBUTES)
                .any(|(node, object)| inhabited.contains(&node) && names_of(Some(&object.path)) == Names::Clashing)
    }

    fn members_of(&self, node: Node) -> impl Iterator<Item = &Member<'_>> {
        self.attributes.iter().filter(move |(at, _)| *at == node).map(|(_, member)| member)
    }
}

fn names_of(name: Option<&str>) -> Names {
    match name {
        Some(RECORD | RELATIONSHIPS | CLASHING) => Names::Clashing,
        Some(_) | None => Names::Plain,
    }
}
