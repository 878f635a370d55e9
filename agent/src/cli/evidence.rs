//! `evidence`: what shows an exchange to a third party, in one file.

use std::path::PathBuf;

use passerelle_pki::files;
use serde_json::json;

use super::arguments::EvidenceArguments;
use super::failure::Failure;
use crate::client::LocalClient;

pub(super) async fn run(arguments: &EvidenceArguments, client: &LocalClient) -> Result<(), Failure> {
    let file = client.evidence(&arguments.id, arguments.without_body, arguments.disclose_key).await?;
    let default = || PathBuf::from(format!("{}.evidence", arguments.id));
    let path = arguments.file.clone().unwrap_or_else(default);
    files::replace(&path, &file, files::PRIVATE).map_err(|error| Failure::file(&path, &error))?;
    if arguments.output.json {
        println!("{}", json!({ "file": path, "bytes": file.len() }));
        return Ok(());
    }
    println!(
        "{} ({} octets / bytes); à vérifier par / to be checked by: passerelle-verify evidence {0} --policy …",
        path.display(),
        file.len()
    );
    if arguments.disclose_key {
        println!(
            "Ce fichier donne à lire le contenu : ne le remettez qu'à qui y a droit. / This file lets the content be read: give it only to who is entitled to it."
        );
    }
    Ok(())
}
