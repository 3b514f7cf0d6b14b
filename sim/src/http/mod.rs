//! HTTP on loopback: the API under `/v1/`, the control under `/_sim/`.

mod api;
pub(crate) mod audit;
pub(crate) mod auth;
mod body;
pub(crate) mod budget;
mod control;
mod directory;
mod faults;
mod listing;
mod offspring;
mod params;
mod records;
mod reply;
mod route;
mod search;
mod server;
mod shelf;

pub(crate) use self::api::answer as api_answer;
pub(crate) use self::route::Route;
pub(crate) use self::server::serve;
