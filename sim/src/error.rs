//! What can go wrong when the simulator is started or controlled; what its clients see are HTTP answers instead.

/// A refused control request or a failed start.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// The address could not be bound: choose another port.
    #[error("cannot listen on {addr}")]
    Listen {
        /// Where it should have listened.
        addr: std::net::SocketAddr,
        /// Why it could not.
        source: std::io::Error,
    },
    /// A control request that makes no sense: correct it.
    #[error("bad control request: {what}")]
    Control {
        /// What is wrong with it.
        what: String,
    },
    /// Control data that is not the JSON it should be: correct it.
    #[error("bad control data in {place}")]
    Json {
        /// The part that was read.
        place: &'static str,
        /// What the parser said.
        source: serde_json::Error,
    },
}

impl SimError {
    pub(crate) fn control(what: impl Into<String>) -> Self {
        Self::Control { what: what.into() }
    }
}
