//! The guard of a service for operators: token, role, and the event that a refusal leaves.

use std::num::NonZeroU32;
use std::sync::Arc;

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use passerelle_pki::clock::SharedClock;
use passerelle_pki::name::AgencyCode;
use passerelle_proto::wire::{self, EventKind, event::Detail};
use tonic::{Request, Status};

use super::{Operator, Operators, Rpc};
use crate::ledger::{Ledger, NewEvent};

/// Refusals of one person, or of nobody known, that are logged in a minute; the rest is refused without an event, so
/// that nobody can fill the log.
const LOGGED_PER_MINUTE: NonZeroU32 = NonZeroU32::MIN.saturating_add(59);

/// Lets operators through.
#[derive(Clone, Debug)]
pub struct Guard {
    operators: Arc<Operators>,
    ledger: Ledger,
    clock: SharedClock,
    logged: Arc<DefaultKeyedRateLimiter<String>>,
}

impl Guard {
    /// Believes the tokens of `operators`.
    #[must_use]
    pub fn new(operators: Arc<Operators>, ledger: Ledger, clock: SharedClock) -> Self {
        let logged = Arc::new(RateLimiter::keyed(Quota::per_minute(LOGGED_PER_MINUTE)));
        Self { operators, ledger, clock, logged }
    }

    /// The operator who makes this request, when a role of theirs is listed for `rpc`.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` without a token that is believed, `PERMISSION_DENIED` without a role.
    pub async fn admit<T>(&self, request: &Request<T>, rpc: Rpc) -> Result<Operator, Status> {
        let token = request.metadata().get("authorization").and_then(|value| value.to_str().ok());
        let Some(token) = token.and_then(|value| value.strip_prefix("Bearer ")) else {
            return Err(Status::unauthenticated(
                "Un jeton d'opérateur est requis. / An operator's token is required.",
            ));
        };
        let operator = match self.operators.authenticate(token, self.clock.now()) {
            Ok(operator) => operator,
            Err(error) => {
                self.log(wire::Actor::nobody(), rpc, &error.to_string()).await;
                return Err(Status::unauthenticated(format!(
                    "Le jeton n'est pas valide : demandez-en un autre. / The token is not valid: ask for another. ({error})"
                )));
            }
        };
        if rpc.roles().iter().any(|role| operator.roles().contains(role)) {
            Ok(operator)
        } else {
            Err(self.refuse(&operator, rpc).await)
        }
    }

    /// Demands that the operator's role reaches one of `agencies`.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`.
    pub async fn reach(&self, operator: &Operator, rpc: Rpc, agencies: &[&AgencyCode]) -> Result<(), Status> {
        if operator.reaches(rpc.roles(), agencies) { Ok(()) } else { Err(self.refuse(operator, rpc).await) }
    }

    async fn refuse(&self, operator: &Operator, rpc: Rpc) -> Status {
        self.log(operator.actor(), rpc, "role").await;
        let roles: Vec<&str> = rpc.roles().iter().map(|role| role.as_str()).collect();
        let roles = roles.join(", ");
        Status::permission_denied(format!(
            "Votre rôle ne le permet pas; il faut, pour l'organisme visé : {roles}. / \
             Your role does not allow this; it takes, for the agency concerned: {roles}."
        ))
    }

    async fn log(&self, actor: wire::Actor, rpc: Rpc, why: &str) {
        let name = format!("{actor:?}");
        if self.logged.check_key(&name).is_err() {
            return;
        }
        let detail = wire::AccessDetail {
            rpc: rpc.path().to_owned(),
            reason: why.chars().take(200).collect(),
            ..wire::AccessDetail::default()
        };
        let event = NewEvent { kind: EventKind::OperatorDenied, actor, detail: Detail::Access(detail) };
        if let Err(error) = self.ledger.decide(move |_state, _now| Ok(event)).await {
            tracing::error!(%error, "a refused operator could not be logged");
        }
    }
}

/// An actor whom nobody vouches for.
trait Nobody {
    fn nobody() -> Self;
}

impl Nobody for wire::Actor {
    fn nobody() -> Self {
        Self {
            actor: Some(wire::actor::Actor::Operator("?".to_owned())),
            tls_certificate: bytes::Bytes::new(),
            roles: Vec::new(),
        }
    }
}
