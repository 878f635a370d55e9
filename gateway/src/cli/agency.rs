//! `agency …`.

use passerelle_pki::clock::SharedClock;
use passerelle_proto::wire::{self, agency::State};
use serde_json::json;

use super::arguments::{AgencyAction, ClientOptions};
use super::client::administration;
use super::failure::Failure;

pub(super) async fn run(action: AgencyAction, clock: SharedClock) -> Result<(), Failure> {
    match action {
        AgencyAction::Register { code, name_fr, name_en, jurisdiction, client } => {
            let agency = wire::Agency { code, name_fr, name_en, jurisdiction, ..wire::Agency::default() };
            let request = wire::RegisterAgencyRequest { agency: Some(agency) };
            let done = administration(&client, &clock).await?.register_agency(request).await?.into_inner();
            finished(
                &client,
                &done,
                "enregistré; une autre personne l'approuve avec `agency approve`",
                "registered; another person approves it with `agency approve`",
            );
        }
        AgencyAction::Approve { code, client } => {
            let request = wire::ApproveAgencyRequest { code };
            let done = administration(&client, &clock).await?.approve_agency(request).await?.into_inner();
            finished(&client, &done, "approuvé", "approved");
        }
        AgencyAction::Suspend { code, note, client } => {
            let request = wire::SuspendAgencyRequest { code, note };
            let done = administration(&client, &clock).await?.suspend_agency(request).await?.into_inner();
            finished(&client, &done, "suspendu", "suspended");
        }
        AgencyAction::List { client } => {
            let reply =
                administration(&client, &clock).await?.list_agencies(wire::ListAgenciesRequest {}).await?;
            list(&client, &reply.into_inner().agencies);
        }
        AgencyAction::Token { agency, agent, lifetime, client } => {
            let request = wire::IssueEnrolmentTokenRequest { agency, agent, lifetime_s: lifetime };
            let reply =
                administration(&client, &clock).await?.issue_enrolment_token(request).await?.into_inner();
            if client.json {
                println!("{}", json!({ "token": reply.token, "expires_ms": reply.expires_ms }));
            } else {
                println!("{}", reply.token);
            }
        }
        AgencyAction::RevokeAgent { agency, agent, reason, client } => {
            let request = wire::RevokeAgentRequest { agency, agent, reason };
            let reply = administration(&client, &clock).await?.revoke_agent(request).await?.into_inner();
            let serials: Vec<String> = reply.serials.iter().map(hex::encode).collect();
            if client.json {
                println!("{}", json!({ "serials": serials }));
            } else {
                println!("certificats révoqués / certificates revoked: {}", serials.join(", "));
            }
        }
    }
    Ok(())
}

fn finished(client: &ClientOptions, done: &wire::Done, fr: &str, en: &str) {
    if client.json {
        println!("{}", json!({ "leaf_index": done.leaf_index }));
    } else {
        println!("{fr} / {en} (journal / log: {})", done.leaf_index);
    }
}

fn list(client: &ClientOptions, agencies: &[wire::Agency]) {
    let state = |agency: &wire::Agency| match agency.state() {
        State::Registered => "enregistré / registered",
        State::Active => "actif / active",
        State::Suspended => "suspendu / suspended",
        State::Unspecified => "?",
    };
    if client.json {
        let rows: Vec<_> = agencies
            .iter()
            .map(|agency| {
                json!({
                    "code": agency.code, "name_fr": agency.name_fr, "name_en": agency.name_en,
                    "jurisdiction": agency.jurisdiction, "state": agency.state().as_str_name(),
                    "agents": agency.agents,
                })
            })
            .collect();
        println!("{}", json!({ "agencies": rows }));
        return;
    }
    for agency in agencies {
        let agents = agency.agents.join(", ");
        println!("{:<20} {:<24} {} [{agents}]", agency.code, state(agency), agency.name_fr);
    }
}
