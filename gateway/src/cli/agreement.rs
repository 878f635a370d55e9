//! `agreement …`.

use std::path::Path;

use passerelle_pki::clock::SharedClock;
use passerelle_pki::files;
use passerelle_proto::agreement::{DOCUMENT_LIMIT, Document, Standing, in_force_from, in_force_until};
use passerelle_proto::wire::{self, AgreementState};
use serde_json::{Value, json};

use super::arguments::{AgreementAction, ClientOptions, DatedStep, Step};
use super::client::administration;
use super::failure::Failure;

pub(super) async fn run(action: AgreementAction, clock: SharedClock) -> Result<(), Failure> {
    match action {
        AgreementAction::Propose { document, client } => propose(&document, &client, &clock).await,
        AgreementAction::List { client } => {
            let records = all(&client, &clock).await?;
            let rows: Vec<Value> = records.iter().filter_map(row).collect();
            if client.json {
                println!("{}", json!({ "agreements": rows }));
            } else {
                rows.iter().for_each(print_row);
            }
            Ok(())
        }
        AgreementAction::Show(step) => show(&step, &clock).await,
        AgreementAction::Activate(step) => take(StepKind::Activate, step, "", &clock).await,
        AgreementAction::Reject(step) => take(StepKind::Reject, step, "", &clock).await,
        AgreementAction::Suspend(step) => take(StepKind::Suspend, step, "", &clock).await,
        AgreementAction::Resume(step) => take(StepKind::Resume, step, "", &clock).await,
        AgreementAction::Revoke(step) => take(StepKind::Revoke, step, "", &clock).await,
        AgreementAction::SentToCai(DatedStep { on, step }) => {
            take(StepKind::SentToCai, step, &on, &clock).await
        }
        AgreementAction::ReceivedByCai(DatedStep { on, step }) => {
            take(StepKind::ReceivedByCai, step, &on, &clock).await
        }
    }
}

enum StepKind {
    Activate,
    Reject,
    SentToCai,
    ReceivedByCai,
    Suspend,
    Resume,
    Revoke,
}

async fn propose(path: &Path, client: &ClientOptions, clock: &SharedClock) -> Result<(), Failure> {
    let bytes =
        files::read_limited(path, DOCUMENT_LIMIT as u64).map_err(|error| Failure::file(path, &error))?;
    // Told before anything is sent: every mistake of the form.
    if let Err(mistakes) = Document::parse(bytes.clone()) {
        let lines: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        let count = mistakes.len();
        return Err(Failure::new(
            &format!("{} : {count} erreur(s) à corriger", path.display()),
            &format!("{count} mistake(s) to correct\n{}", lines.join("\n")),
        ));
    }
    let request = wire::ProposeAgreementRequest { document: bytes.into() };
    let reply = administration(client, clock).await?.propose_agreement(request).await?.into_inner();
    print(client, &reply);
    Ok(())
}

async fn take(kind: StepKind, step: Step, on: &str, clock: &SharedClock) -> Result<(), Failure> {
    let mut administration = administration(&step.client, clock).await?;
    let request = wire::AgreementStep {
        number: step.number,
        version: step.version,
        note: step.note,
        on: on.to_owned(),
    };
    let reply = match kind {
        StepKind::Activate => administration.activate_agreement(request).await?,
        StepKind::Reject => administration.reject_agreement(request).await?,
        StepKind::SentToCai => administration.record_sent_to_cai(request).await?,
        StepKind::ReceivedByCai => administration.record_received_by_cai(request).await?,
        StepKind::Suspend => administration.suspend_agreement(request).await?,
        StepKind::Resume => administration.resume_agreement(request).await?,
        StepKind::Revoke => administration.revoke_agreement(request).await?,
    };
    print(&step.client, &reply.into_inner());
    Ok(())
}

async fn all(client: &ClientOptions, clock: &SharedClock) -> Result<Vec<wire::AgreementRecord>, Failure> {
    let request = wire::ListAllAgreementsRequest {};
    let reply = administration(client, clock).await?.list_agreements(request).await?;
    Ok(reply.into_inner().agreements)
}

async fn show(step: &Step, clock: &SharedClock) -> Result<(), Failure> {
    let wanted = |record: &&wire::AgreementRecord| {
        Document::parse(record.document.clone()).is_ok_and(|document| {
            let terms = document.agreement();
            terms.number == step.number && terms.version == step.version
        })
    };
    let records = all(&step.client, clock).await?;
    let record = records.iter().find(wanted).ok_or_else(|| {
        Failure::new(
            "aucune entente de ce numéro et de cette version.",
            "no agreement with this number and version.",
        )
    })?;
    println!("{}", String::from_utf8_lossy(&record.document));
    Ok(())
}

fn print(client: &ClientOptions, reply: &wire::AgreementReply) {
    let Some(mut row) = reply.agreement.as_ref().and_then(row) else { return };
    if client.json {
        row["leaf_index"] = json!(reply.leaf_index);
        println!("{row}");
    } else {
        print_row(&row);
    }
}

/// What a line says of a version.
fn row(record: &wire::AgreementRecord) -> Option<Value> {
    let document = Document::parse(record.document.clone()).ok()?;
    let terms = document.agreement();
    let wire_standing = record.standing.as_ref()?;
    let from = Standing::try_from(wire_standing).ok().and_then(|standing| in_force_from(terms, &standing));
    let parties: Vec<&str> = terms.parties().map(|party| party.agency.as_str()).collect();
    let signed: Vec<&str> = record.signatures.iter().map(|signature| signature.agency.as_str()).collect();
    Some(json!({
        "number": terms.number,
        "version": terms.version,
        "digest": hex::encode(document.digest()),
        "state": wire_standing.state().as_str_name(),
        "state_fr": french(wire_standing.state()),
        "title_fr": terms.title.fr,
        "parties": parties,
        "signed_by": signed,
        "in_force_from": from.map(|from| from.to_string()),
        "in_force_until": in_force_until(terms).to_string(),
        "note": wire_standing.note,
    }))
}

fn print_row(row: &Value) {
    let text = |name: &str| row[name].as_str().unwrap_or("–").to_owned();
    let list = |name: &str| {
        let parts = row[name].as_array().into_iter().flatten().filter_map(Value::as_str);
        parts.collect::<Vec<_>>().join(", ")
    };
    println!("{} v{}  {}  {}", text("number"), row["version"], text("state_fr"), text("title_fr"));
    println!("    parties: {}   signatures: {}", list("parties"), list("signed_by"));
    println!("    en vigueur / in force: {} → {}", text("in_force_from"), text("in_force_until"));
}

fn french(state: AgreementState) -> &'static str {
    match state {
        AgreementState::Proposed => "proposée",
        AgreementState::Signed => "signée",
        AgreementState::Active => "active",
        AgreementState::Suspended => "suspendue",
        AgreementState::Revoked => "révoquée",
        AgreementState::Replaced => "remplacée",
        AgreementState::Rejected => "rejetée",
        AgreementState::Unspecified => "?",
    }
}
