//! `call`: asks another agency's service, and gives its answer.

use std::io::{IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use bytes::Bytes;
use clap::Args;
use futures_util::{Stream, StreamExt, TryStreamExt};
use http::Method;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use passerelle_pki::name::AgencyCode;
use tokio::fs::File;
use tokio_util::io::ReaderStream;

use super::arguments::seconds;
use super::examples;
use super::failure::Failure;
use super::text::harmless;
use crate::client::{CallAnswer, CallOptions, LocalClient};

/// Bytes read from a file at a time.
const CHUNK: usize = 64 * 1024;
/// Bytes that are shown on a terminal.
const SHOWN_MAX: usize = 1 << 20;

#[derive(Args)]
#[command(after_help = examples::CALL)]
pub(super) struct CallArguments {
    /// Organisme fournisseur. / Providing agency.
    pub(super) agency: AgencyCode,
    /// Son service. / Its service.
    pub(super) service: String,
    /// Chemin chez le service, avec ses paramètres. / Path at the service, with its query.
    #[arg(value_name = "PATH")]
    pub(super) path: String,
    /// Méthode (défaut : GET, ou POST avec --data). / Method (default: GET, or POST with --data).
    #[arg(long, value_name = "METHOD", value_parser = method)]
    pub(super) method: Option<Method>,
    /// Contenu : du texte, « @fichier », ou « @- » pour l'entrée standard. / Content: text, "@file", or "@-" for the standard input.
    #[arg(long, value_name = "CONTENT")]
    pub(super) data: Option<String>,
    /// Type du contenu. / Media type of the content.
    #[arg(long, value_name = "TYPE")]
    pub(super) content_type: Option<String>,
    /// Autre en-tête pour le service; peut être répété. / Another header for the service; can be repeated.
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = header)]
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// Numéro de l'entente (défaut : la seule qui prévoit ce service). / Number of the agreement (default: the only one that covers this service).
    #[arg(long, value_name = "NUMBER")]
    pub(super) agreement: Option<String>,
    /// Finalité (défaut : celle de l'entente, si elle est seule). / Purpose (default: the agreement's, when it has one).
    #[arg(long)]
    pub(super) purpose: Option<String>,
    /// Catégories de renseignements (défaut : celles du service). / Data categories (default: the service's).
    #[arg(long, value_delimiter = ',', value_name = "CODE")]
    pub(super) data_categories: Vec<String>,
    /// Référence de dossier. / Case reference.
    #[arg(long)]
    pub(super) case_reference: Option<String>,
    /// La personne qui agit. / The person who acts.
    #[arg(long)]
    pub(super) acting_user: Option<String>,
    /// Personne concernée; peut être répétée. / Person concerned; can be repeated.
    #[arg(long = "subject", value_name = "SUBJECT")]
    pub(super) subjects: Vec<String>,
    /// Délai, en secondes. / Time, in seconds.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=300))]
    pub(super) deadline: Option<u64>,
    /// Dépose le contenu de la réponse dans ce nouveau fichier. / Puts the answer's content into this new file.
    #[arg(long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Écrit d'abord statut et en-têtes, sur la sortie d'erreur. / First writes status and headers, to the standard error.
    #[arg(long)]
    pub(super) include: bool,
}

/// Without what is for the provider only.
impl std::fmt::Debug for CallArguments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallArguments")
            .field("agency", &self.agency)
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}

fn method(text: &str) -> Result<Method, &'static str> {
    let upper = text.to_ascii_uppercase();
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"].contains(&upper.as_str());
    let method = known.then(|| Method::from_str(&upper).ok()).flatten();
    method.ok_or("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), &'static str> {
    let wrong = "écrire « Nom: valeur » / write \"Name: value\"";
    let (name, value) = text.split_once(':').ok_or(wrong)?;
    let name = HeaderName::from_str(name.trim()).map_err(|_| wrong)?;
    Ok((name, HeaderValue::from_str(value.trim()).map_err(|_| wrong)?))
}

type Body = std::pin::Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send>>;

/// Calls; the exit status tells whether the service said yes.
pub(super) async fn run(arguments: &CallArguments, client: &LocalClient) -> Result<(), Failure> {
    let body = match &arguments.data {
        None => None,
        Some(data) => Some(content(data).await?),
    };
    let called = (&arguments.agency, arguments.service.as_str());
    let answer = client.call(called, &options(arguments), body).await?;
    if arguments.include {
        include(&answer);
    }
    let status = answer.status;
    match &arguments.output {
        Some(path) => into_file(answer, path).await?,
        None => to_stdout(answer).await?,
    }
    if status.is_client_error() || status.is_server_error() {
        return Err(Failure::new(
            &format!("le service a répondu {status}."),
            &format!("the service answered {status}."),
        ));
    }
    Ok(())
}

fn options(arguments: &CallArguments) -> CallOptions {
    let default = if arguments.data.is_some() { Method::POST } else { Method::GET };
    let mut headers = HeaderMap::new();
    for (name, value) in &arguments.headers {
        headers.append(name.clone(), value.clone());
    }
    CallOptions {
        agreement: arguments.agreement.clone(),
        purpose: arguments.purpose.clone(),
        data_categories: arguments.data_categories.clone(),
        case_reference: arguments.case_reference.clone(),
        acting_user: arguments.acting_user.clone(),
        subjects: arguments.subjects.clone(),
        deadline: seconds(arguments.deadline),
        content_type: arguments.content_type.clone(),
        headers,
        ..CallOptions::at(arguments.method.clone().unwrap_or(default), arguments.path.clone())
    }
}

/// What is sent, and how long it is when that is known.
async fn content(data: &str) -> Result<(Body, Option<u64>), Failure> {
    let Some(name) = data.strip_prefix('@') else {
        let bytes = Bytes::copy_from_slice(data.as_bytes());
        let length = Some(bytes.len() as u64);
        return Ok((Box::pin(futures_util::stream::iter([Ok(bytes)])), length));
    };
    if name == "-" {
        let input = std::io::stdin().as_fd().try_clone_to_owned().map_err(|error| Failure::of(&error))?;
        let input = File::from_std(std::fs::File::from(input));
        return Ok((Box::pin(ReaderStream::with_capacity(input, CHUNK)), None));
    }
    let path = Path::new(name);
    let fault = |error: std::io::Error| Failure::file(path, &error);
    let file = File::open(path).await.map_err(fault)?;
    let metadata = file.metadata().await.map_err(fault)?;
    let length = metadata.is_file().then_some(metadata.len());
    Ok((Box::pin(ReaderStream::with_capacity(file, CHUNK)), length))
}

fn include(answer: &CallAnswer) {
    eprintln!("{}", answer.status);
    for (name, value) in &answer.headers {
        eprintln!("{name}: {}", harmless(&String::from_utf8_lossy(value.as_bytes())));
    }
    eprintln!();
}

/// A new file, whole or not there.
async fn into_file(answer: CallAnswer, path: &Path) -> Result<(), Failure> {
    let fault = |error: std::io::Error| Failure::file(path, &error);
    let mut file = File::create_new(path).await.map_err(fault)?;
    let mut reader = tokio_util::io::StreamReader::new(answer.content.map_err(std::io::Error::other));
    let copied = tokio::io::copy(&mut reader, &mut file).await;
    let copied = match copied {
        Ok(_) => file.sync_all().await,
        Err(error) => Err(error),
    };
    if copied.is_err() {
        // What is not whole is not kept; what cannot be removed is told by the failure itself.
        tokio::fs::remove_file(path).await.ok();
    }
    copied.map_err(fault)
}

/// As it is; on a terminal, only text, and nothing that commands it.
async fn to_stdout(mut answer: CallAnswer) -> Result<(), Failure> {
    let fault = |error: std::io::Error| Failure::of(&error);
    let mut out = std::io::stdout().lock();
    if !out.is_terminal() {
        while let Some(bytes) = answer.content.next().await {
            out.write_all(&bytes?).map_err(fault)?;
        }
        return out.flush().map_err(fault);
    }
    let mut shown = Vec::new();
    while let Some(bytes) = answer.content.next().await {
        shown.extend_from_slice(&bytes?);
        if shown.len() > SHOWN_MAX {
            break;
        }
    }
    match String::from_utf8(shown) {
        Ok(text) if text.len() <= SHOWN_MAX => {
            for line in text.lines() {
                writeln!(out, "{}", harmless(line)).map_err(fault)?;
            }
            Ok(())
        }
        _ => Err(Failure::new(
            "la réponse n'est pas du texte, ou est trop longue pour un terminal : donnez --output.",
            "the answer is no text, or too long for a terminal: give --output.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::arguments::{Arguments, Command};
    use super::*;

    fn typed(line: &str) -> Result<CallOptions, clap::Error> {
        let words =
            ["passerelle-agent", "call", "ramq", "dossiers"].into_iter().chain(line.split_whitespace());
        let Command::Call(arguments) = Arguments::try_parse_from(words)?.command else { panic!("not call") };
        Ok(options(&arguments))
    }

    #[test]
    fn the_method_follows_from_the_content_unless_it_is_given() {
        assert_eq!(typed("/dossiers/7").unwrap().method, Method::GET);
        assert_eq!(typed("/dossiers/7 --data x").unwrap().method, Method::POST);
        assert_eq!(typed("/dossiers/7 --data x --method put").unwrap().method, Method::PUT);
        assert!(typed("/dossiers/7 --method CONNECT").is_err());
        assert!(typed("/dossiers/7 --header sans-valeur").is_err());
        assert!(typed("/dossiers/7 --deadline 301").is_err());
        let headers = typed("/dossiers/7 --header X-Deux:1 --header X-Deux:2").unwrap().headers;
        assert_eq!(headers.get_all("x-deux").iter().count(), 2);
    }
}
