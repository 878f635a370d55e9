//! What each listener offers.

use axum::Router;
use passerelle_pki::clock::SharedClock;
use passerelle_proto::catalogue::OPENAPI_LIMIT;
use passerelle_proto::wire;
use passerelle_proto::wire::administration_server::AdministrationServer;
use passerelle_proto::wire::agreements_server::AgreementsServer;
use passerelle_proto::wire::audit_server::AuditServer;
use passerelle_proto::wire::calls_server::CallsServer;
use passerelle_proto::wire::catalogue_server::CatalogueServer;
use passerelle_proto::wire::directory_server::DirectoryServer;
use passerelle_proto::wire::enrolment_server::EnrolmentServer;
use passerelle_proto::wire::exchange_evidence_server::ExchangeEvidenceServer;
use passerelle_proto::wire::exchange_server::ExchangeServer;
use passerelle_proto::wire::renewal_server::RenewalServer;
use std::sync::Arc;
use std::time::Duration;
use tonic::service::Routes;

use super::Parts;
use crate::administration::AdministrationService;
use crate::agreements::AgreementsService;
use crate::audit::{self, AuditService};
use crate::calls::{self, CallLimits, CallsService};
use crate::catalogue::CatalogueService;
use crate::directory::DirectoryService;
use crate::enrolment::{Certifier, EnrolmentService, RenewalService};
use crate::evidence::{EvidenceService, Sources};
use crate::exchange::{self, ExchangeLimits, ExchangeService};
use crate::operators::guard::Guard;
use crate::rpc::allow::Door;
use crate::rpc::{gated, publication};

/// Bytes of a submission: header, inline body and its tags, with room.
const FRAME_MAX: usize = 2 << 20;
/// Bytes of every other request.
const REQUEST_MAX: usize = 256 * 1024;
/// Bytes of the publication of a service: its document, the statement, with room.
const PUBLICATION_MAX: usize = OPENAPI_LIMIT + 128 * 1024;

/// The routes of a listener, behind its allow-list.
pub(super) async fn routes(door: Door, parts: &Parts) -> Router {
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_service_status("", tonic_health::ServingStatus::Serving).await;
    let routes = Routes::new(health);
    match door {
        Door::Agents => gated(door, agents(routes, parts).into_axum_router()),
        Door::Public => {
            let folder = parts.ledger.entries().folder().clone();
            let opens = audit::opens(&parts.keys.enrolment, issuer(parts), SharedClock::clone(&parts.clock));
            let published = publication::routes(folder, opens);
            gated(door, public(routes, parts).into_axum_router().merge(published))
        }
    }
}

fn agents(routes: Routes, parts: &Parts) -> Routes {
    let clock = || SharedClock::clone(&parts.clock);
    let limits = &parts.config.limits;
    let exchange = ExchangeService::new(exchange::Parts {
        ledger: parts.ledger.clone(),
        bodies: parts.bodies.clone(),
        clock: clock(),
        limits: ExchangeLimits {
            record_bytes: limits.record_bytes_max,
            per_second_per_agency: limits.exchanges_per_second_per_agency,
            burst_per_agency: limits.burst_per_agency,
            skew: Duration::from_secs(limits.header_skew_max_s),
            time_to_live: Duration::from_secs(limits.time_to_live_max_s),
            uploads_per_agency: limits.uploads_per_agency as usize,
            spool_bytes_per_agency: limits.spool_bytes_per_agency,
        },
        stop: parts.stop.clone(),
    });
    let calls = CallsService::new(calls::Parts {
        exchange: exchange.clone(),
        ledger: parts.ledger.clone(),
        clock: clock(),
        limits: CallLimits {
            deadline: Duration::from_secs(limits.call_deadline_max_s),
            per_agency: limits.calls_per_agency as usize,
        },
        gateway: parts.config.name.to_string(),
        stop: parts.stop.clone(),
    });
    let issuer = parts.authority.issuer().key_id();
    let directory = DirectoryService::new(
        parts.ledger.clone(),
        clock(),
        parts.revocations.clone(),
        (issuer, parts.keys.signing_chain.clone()),
    );
    let agreements = AgreementsService::new(parts.ledger.clone(), clock(), parts.stop.clone());
    let catalogue = CatalogueService::new(parts.ledger.clone(), parts.documents.clone(), clock());
    let renewal = RenewalService { ledger: parts.ledger.clone(), certifier: certifier(parts) };
    routes
        .add_service(ExchangeServer::new(exchange).max_decoding_message_size(FRAME_MAX))
        .add_service(CallsServer::new(calls).max_decoding_message_size(FRAME_MAX))
        .add_service(DirectoryServer::new(directory).max_decoding_message_size(REQUEST_MAX))
        .add_service(AgreementsServer::new(agreements).max_decoding_message_size(REQUEST_MAX))
        .add_service(CatalogueServer::new(catalogue).max_decoding_message_size(PUBLICATION_MAX))
        .add_service(RenewalServer::new(renewal).max_decoding_message_size(REQUEST_MAX))
        .add_service(
            ExchangeEvidenceServer::new(EvidenceService::new(sources(parts)))
                .max_decoding_message_size(REQUEST_MAX),
        )
}

fn public(routes: Routes, parts: &Parts) -> Routes {
    let clock = || SharedClock::clone(&parts.clock);
    let guard = Guard::new(Arc::clone(&parts.operators), parts.ledger.clone(), clock());
    let administration = AdministrationService {
        guard: guard.clone(),
        ledger: parts.ledger.clone(),
        authority: Arc::clone(&parts.authority),
        revocations: parts.revocations.clone(),
        token_key: Arc::clone(&parts.keys.enrolment),
        token_issuer: issuer(parts),
        clock: clock(),
    };
    let audit = AuditService {
        guard,
        ledger: parts.ledger.clone(),
        token_key: Arc::clone(&parts.keys.enrolment),
        token_issuer: issuer(parts),
        evidence: sources(parts),
        clock: clock(),
    };
    let enrolment = EnrolmentService {
        ledger: parts.ledger.clone(),
        certifier: certifier(parts),
        token_key: Arc::clone(&parts.keys.enrolment),
        token_issuer: issuer(parts),
        log_vkey: parts.keys.log_vkey(&parts.config.log_origin).unwrap_or_default(),
        trust_domain: parts.config.trust_domain.to_string(),
        clock: clock(),
    };
    let routes = routes
        .add_service(AdministrationServer::new(administration).max_decoding_message_size(REQUEST_MAX))
        .add_service(AuditServer::new(audit).max_decoding_message_size(REQUEST_MAX))
        .add_service(EnrolmentServer::new(enrolment).max_decoding_message_size(REQUEST_MAX));
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(wire::FILE_DESCRIPTOR_SET)
        .build_v1();
    match reflection {
        Ok(reflection) => routes.add_service(reflection),
        Err(error) => {
            tracing::error!(%error, "no reflection");
            routes
        }
    }
}

/// What evidence is made from.
fn sources(parts: &Parts) -> Sources {
    Sources {
        ledger: parts.ledger.clone(),
        revocations: parts.revocations.clone(),
        issuer: parts.authority.issuer().key_id(),
    }
}

fn certifier(parts: &Parts) -> Certifier {
    let lifetime = parts.config.pki.agent_certificate_lifetime;
    Certifier::new(Arc::clone(&parts.authority), lifetime, SharedClock::clone(&parts.clock))
}

/// `iss` and `aud` of the tokens that the gateway gives for itself.
fn issuer(parts: &Parts) -> String {
    format!("passerelle:{}:{}", parts.config.trust_domain, parts.config.name)
}
