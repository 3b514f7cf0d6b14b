//! What a key may ask about itself.

use serde_json::json;

use super::api::Call;
use super::reply::Reply;
use crate::context::Context;
use crate::timestamp;

impl Call<'_> {
    /// The machine user behind the key.
    pub(super) fn current_user(&self) -> Reply {
        let id = self.shared.world().store(Context::User).id(1).to_string();
        self.by_id(Context::User, &id)
    }

    /// What a key may know about itself, whatever its roles (API reference, section 3).
    pub(super) fn current_token(&self) -> Reply {
        let world = self.shared.world();
        let last: String = self.token.token.chars().rev().take(4).collect::<Vec<_>>().into_iter().rev().collect();
        let (org, user) = (world.directory.org.to_string(), world.store(Context::User).id(1).to_string());
        let body = json!({"data": {
            "type": "token",
            "id": world.directory.token.to_string(),
            "attributes": {
                "name": "Extractor",
                "roles": self.token.roles,
                "lastTokenChars": last,
                "ipAddress": "127.0.0.1",
                "lastAccessedAt": timestamp::text(self.now),
            },
            "relationships": {
                "org": {"links": {"self": format!("/v1/orgs/{org}")}, "data": {"type": "org", "id": org}},
                "user": {"links": {"self": format!("/v1/users/{user}")}, "data": {"type": "user", "id": user}},
            },
            "links": {"self": "/v1/auth/tokens/current"},
        }});
        Reply::one(body.to_string().into_bytes())
    }
}
