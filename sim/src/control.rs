//! What a test does to a running simulator; the library handle and the control over HTTP both come here.

use bytes::Bytes;
use serde_json::Value;

use crate::context::Context;
use crate::error::SimError;
use crate::http::audit::shown;
use crate::http::auth::TokenSpec;
use crate::render::{self, Style};
use crate::shared::Shared;
use crate::world::store::View;
use crate::world::{Mutation, Offspring};

/// Own output; the tests see to it that it is JSON.
fn parse(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_default()
}

impl Shared {
    pub(crate) fn mutate(&self, change: Mutation) -> Result<Vec<String>, SimError> {
        let (stamp, now) = (self.switches().delete_stamp, self.clock.now());
        self.world_mut().mutate(change, stamp, now)
    }

    pub(crate) fn tie(&self, context: Context, count: u32, at: i64) -> Vec<String> {
        let now = self.clock.now();
        self.world_mut().tie(context, count, at, now)
    }

    pub(crate) fn merge(&self, source: &str, target: &str) -> Result<(), SimError> {
        let now = self.clock.now();
        let mut world = self.world_mut();
        let find = |id| {
            let found = world.store(Context::Customer).find(id);
            found.ok_or_else(|| SimError::control("no such customer"))
        };
        let (source, target) = (find(source)?, find(target)?);
        if source == target {
            return Err(SimError::control("a customer cannot be merged with itself"));
        }
        world.merge(source, target, now);
        Ok(())
    }

    /// Stores one resource a line.
    pub(crate) fn insert_raw(&self, context: Context, lines: &[u8]) -> Result<Vec<String>, SimError> {
        let now = self.clock.now();
        let mut world = self.world_mut();
        lines
            .split(|byte| *byte == b'\n')
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
            .filter(|line| !line.is_empty())
            .map(|line| world.insert_raw(context, Bytes::copy_from_slice(line), now))
            .collect()
    }

    pub(crate) fn add_token(&self, token: TokenSpec) {
        let mut tokens = self.tokens();
        tokens.retain(|other| other.token != token.token);
        tokens.push(token);
    }

    /// Adds handling times to live conversations; tells which.
    pub(crate) fn add_times(&self, count: u32, seed: u64) -> Vec<String> {
        let now = self.clock.now();
        let stamp = self.switches().time_stamp;
        self.world_mut().add_times(count, seed, stamp, now)
    }

    /// Everything of a kind under every parent that exists, with the parent's id.
    pub(crate) fn offspring(&self, kind: Offspring) -> Vec<(String, Value)> {
        let switches = self.switches();
        let world = self.world();
        let store = world.store(kind.parent());
        let mut all = Vec::new();
        for (ord, _) in store.existing() {
            let id = store.id(ord).to_string();
            for resource in render::offspring(&world, kind, ord, &switches).unwrap_or_default() {
                all.push((id.clone(), parse(&resource.body)));
            }
        }
        all
    }

    /// The entries of the audit log that can be read now, newest first.
    pub(crate) fn audit_log(&self) -> Vec<Value> {
        let (switches, now) = (self.switches(), self.clock.now());
        let world = self.world();
        shown(&world, &switches, now)
            .map(|entry| {
                let mut out = Vec::new();
                render::audit(&mut out, &world, &entry, switches.unset);
                parse(&out)
            })
            .collect()
    }

    /// Every record of the primary store as it is served by id, one a line.
    pub(crate) fn records(&self, context: Context) -> Vec<u8> {
        let switches = self.switches();
        let style = Style { unset: switches.unset, mask_every: switches.mask_every };
        let world = self.world();
        let mut out = Vec::new();
        for (ord, _) in world.store(context).existing() {
            render::record(&mut out, &world, View::Primary, context, ord, style);
            out.push(b'\n');
        }
        out
    }
}
