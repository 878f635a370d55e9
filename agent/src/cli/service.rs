//! `service …`: what agencies offer to be called, and what ours does.

use std::io::Write;

use passerelle_pki::files;
use passerelle_pki::name::AgencyCode;
use passerelle_proto::catalogue::OPENAPI_LIMIT;
use serde_json::json;

use super::arguments::{OutputOption, PublishOptions, ServiceAction};
use super::failure::Failure;
use super::record::to_json;
use super::text::{harmless, table};
use crate::client::{LocalClient, ServiceOptions};
use crate::local::model::{Service, ServiceDetail};

pub(super) async fn run(action: ServiceAction, client: &LocalClient) -> Result<(), Failure> {
    match action {
        ServiceAction::Publish(options) => publish(&options, client).await,
        ServiceAction::Enable { name, output } => turn(&name, true, output, client).await,
        ServiceAction::Disable { name, output } => turn(&name, false, output, client).await,
        ServiceAction::List { output } => list(output, client).await,
        ServiceAction::Show { agency, name, openapi, output } => {
            show((&agency, &name), openapi, output, client).await
        }
    }
}

async fn publish(options: &PublishOptions, client: &LocalClient) -> Result<(), Failure> {
    let document = files::read_limited(&options.file, OPENAPI_LIMIT as u64)
        .map_err(|error| Failure::file(&options.file, &error))?;
    let agency = client.status().await?.agent.agency;
    let said = ServiceOptions {
        categories: options.category.clone(),
        classification: options.classification.clone(),
        title_en: options.title_en.clone(),
    };
    let published = client.publish_service((&agency, &options.name), &said, document).await?;
    told(&published, options.output)
}

async fn turn(name: &str, enabled: bool, output: OutputOption, client: &LocalClient) -> Result<(), Failure> {
    let agency = client.status().await?.agent.agency;
    told(&client.turn_service((&agency, name), enabled).await?, output)
}

fn told(service: &ServiceDetail, output: OutputOption) -> Result<(), Failure> {
    if output.json {
        println!("{}", to_json(service)?);
        return Ok(());
    }
    print!("{}", text(service));
    if !service.summary.enabled {
        let name = harmless(&service.summary.service);
        println!("Désactivé; l'activer : passerelle-agent service enable {name}");
        println!("Turned off; turn it on: passerelle-agent service enable {name}");
    }
    Ok(())
}

async fn list(output: OutputOption, client: &LocalClient) -> Result<(), Failure> {
    let services = client.services().await?;
    if output.json {
        println!("{}", json!({ "services": services }));
        return Ok(());
    }
    if services.is_empty() {
        println!("Aucun service. / No service.");
        return Ok(());
    }
    let rows: Vec<Vec<String>> = services.iter().map(row).collect();
    let heading = ["service", "version", "depuis / since", "état / state", "titre / title"];
    print!("{}", table(&heading, &rows));
    Ok(())
}

fn row(service: &Service) -> Vec<String> {
    vec![
        format!("{}/{}", service.agency, service.service),
        service.version.clone(),
        service.version_since.strftime("%Y-%m-%d").to_string(),
        state(service).to_owned(),
        service.title_fr.clone(),
    ]
}

fn state(service: &Service) -> &'static str {
    if service.enabled { "activé / on" } else { "désactivé / off" }
}

async fn show(
    (agency, name): (&AgencyCode, &str),
    openapi: bool,
    output: OutputOption,
    client: &LocalClient,
) -> Result<(), Failure> {
    if openapi {
        // The exact bytes, for a file or another program.
        let document = client.service_document(agency, name).await?;
        return std::io::stdout().lock().write_all(&document).map_err(|error| Failure::of(&error));
    }
    let service = client.service(agency, name).await?;
    if output.json {
        println!("{}", to_json(&service)?);
    } else {
        print!("{}", text(&service));
    }
    Ok(())
}

fn text(detail: &ServiceDetail) -> String {
    let service = &detail.summary;
    let mut lines = vec![
        format!("{}/{}  {}", service.agency, service.service, state(service)),
        format!("    {}", service.title_fr),
        format!("    {}", service.title_en),
        format!("    version: {} (depuis / since {})", service.version, service.version_since),
        format!("    catégories / categories: {}", service.data_categories.join(", ")),
        format!("    classification: {}", service.classification),
        format!("    OpenAPI: {} octets / bytes, SHA-256 {}", service.openapi_length, service.openapi_digest),
    ];
    lines.extend(
        detail.operations.iter().map(|found| format!("    {}: {} {}", found.name, found.method, found.path)),
    );
    let lines: Vec<String> = lines.iter().map(|line| harmless(line)).collect();
    lines.join("\n") + "\n"
}
