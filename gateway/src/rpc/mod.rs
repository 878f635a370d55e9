//! The door: listeners, who calls, what they may call, and the connections that are open.
//!
//! Two listeners: `agents` (mutual TLS) and `public` (server TLS). A connection's caller is read from its certificate
//! once and put into every request ([`caller`]); the allow-list ([`allow`]) decides on every path before it is routed;
//! and a connection ends when its certificate is revoked or expires, or its agency is suspended ([`connections`]).

pub mod allow;
pub mod caller;
pub mod connections;
mod gate;
mod listener;
pub mod publication;
pub mod status;

pub use gate::gated;
pub use listener::{Listener, ListenerLimits};
