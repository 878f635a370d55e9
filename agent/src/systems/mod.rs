//! The agency's systems: the programs that call the local interface, by what each is known, and what each may use.
//!
//! - [`Caller`]: who asks, as every handler sees it; `register`: from a token, a certificate or a Unix user to a caller;
//! - `token`: the files of tokens; [`Desk`]: the agent as one caller may use it.
//!
//! Without `[systems]` in the configuration there is one caller, the agency itself, who may do everything.

mod caller;
mod desk;
mod error;
mod register;
#[cfg(test)]
mod tests;
mod token;

pub use caller::{Action, Caller, Rights, Scope};
pub use desk::{Desk, ServiceChangeError};
pub use error::{CallerError, SystemsError, Unidentified};
pub(crate) use register::is_name;
pub use register::{Peer, SystemSettings, Systems};
pub use token::TokenError;
