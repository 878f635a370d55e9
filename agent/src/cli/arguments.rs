//! What can be typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, Parser, Subcommand};
use passerelle_pki::name::AgencyCode;
use passerelle_proto::exchange_id::ExchangeId;

use super::call::CallArguments;
use super::examples;
use super::failure::Failure;
use crate::client::LocalClient;
use crate::config::Config;

/// L'agent : scelle, transmet et reçoit les enregistrements d'un organisme. / The agent: seals, sends and receives an agency's records.
#[derive(Debug, Parser)]
#[command(name = "passerelle-agent", version, after_help = examples::ALL)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) config: ConfigOption,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Args)]
pub(super) struct ConfigOption {
    /// Fichier de configuration. / Configuration file.
    #[arg(long, global = true, default_value = "passerelle-agent.toml", env = "PASSERELLE_AGENT_CONFIG")]
    pub(super) config: PathBuf,
}

impl ConfigOption {
    pub(super) fn load(&self) -> Result<Config, Failure> {
        Ok(Config::load(&self.config)?)
    }

    /// The local interface of the agent that runs under this configuration.
    pub(super) fn client(&self) -> Result<LocalClient, Failure> {
        Ok(LocalClient::from_config(&self.load()?)?)
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Inscrit l'agent avec le jeton reçu. / Enrols the agent with the token received.
    Enrol(EnrolOptions),
    /// Démarre l'agent. / Starts the agent.
    #[command(after_help = examples::SERVE)]
    Serve,
    /// Transmet des fichiers. / Sends files.
    Send(Box<SendArguments>),
    /// Appelle un service d'un autre organisme. / Calls a service of another agency.
    Call(Box<CallArguments>),
    /// Énumère les enregistrements reçus. / Lists the records received.
    #[command(after_help = examples::INBOX)]
    Inbox {
        #[command(subcommand)]
        action: Option<InboxAction>,
        #[command(flatten)]
        list: ListOptions,
    },
    /// Dépose des enregistrements reçus dans un dossier, puis les confirme. / Puts records received into a folder, then confirms them.
    Take(TakeOptions),
    /// Dit comment l'agent se porte. / Tells how the agent is doing.
    #[command(after_help = examples::STATUS)]
    Status {
        #[command(flatten)]
        output: OutputOption,
    },
    /// Dit où en est un enregistrement transmis. / Tells where a record that was sent stands.
    Record(RecordOptions),
    /// Ce qui arrive à l'agent, au fil de l'eau. / What happens at the agent, as it happens.
    #[command(after_help = examples::EVENTS)]
    Events(EventsOptions),
    /// La preuve d'un échange, dans un fichier à vérifier hors ligne par un tiers. / The evidence of an exchange, in a file for a third party to check off-line.
    Evidence(EvidenceArguments),
    /// Les ententes de l'organisme. / The agency's agreements.
    #[command(subcommand, after_help = examples::AGREEMENT)]
    Agreement(AgreementAction),
    /// Les services à appeler : ceux des autres, et les nôtres. / Services to be called: those of others, and ours.
    #[command(subcommand, after_help = examples::SERVICE)]
    Service(ServiceAction),
    /// Vérifie tout, de la configuration aux ententes, et dit quoi faire. / Checks all, from configuration to agreements, and tells what to do.
    #[command(after_help = examples::DOCTOR)]
    Doctor {
        #[command(flatten)]
        output: OutputOption,
    },
    /// Ce que la passerelle voit d'une personne, pour chercher dans le journal. / What the gateway sees of a person, to search the log.
    #[command(subcommand, after_help = examples::PSEUDONYM)]
    Pseudonym(PseudonymAction),
    /// Les webhooks, et ce qu'ils ont abandonné. / The webhooks, and what they have given up.
    #[command(subcommand, after_help = examples::WEBHOOK)]
    Webhook(WebhookAction),
    /// La configuration. / The configuration.
    #[command(subcommand, after_help = examples::CONFIG)]
    Config(ConfigAction),
}

#[derive(Debug, Subcommand)]
pub(super) enum WebhookAction {
    /// Comment chacun se porte. / How each is doing.
    List {
        #[command(flatten)]
        output: OutputOption,
    },
    /// Les lettres mortes : ce qui a été abandonné, et reste dans la boîte de réception. / The dead letters: what was given up, and stays in the inbox.
    Dead {
        /// Nom du webhook. / Name of the webhook.
        name: String,
        #[command(flatten)]
        output: OutputOption,
    },
    /// Remet de nouveau ce qui a été abandonné : tout, ou ces enregistrements. / Posts again what was given up: all, or these records.
    Retry {
        /// Nom du webhook. / Name of the webhook.
        name: String,
        /// Identifiants d'échange. / Exchange ids.
        ids: Vec<ExchangeId>,
    },
}

#[derive(Clone, Debug, Args)]
pub(super) struct EventsOptions {
    /// Reprend après cet événement; sans lui, tout ce qui attend d'abord. / Goes on after this event; without it, first all that waits.
    #[arg(long, value_name = "ID")]
    pub(super) after: Option<String>,
    #[command(flatten)]
    pub(super) output: OutputOption,
}

#[derive(Copy, Clone, Debug, Args)]
pub(super) struct OutputOption {
    /// Réponse en JSON. / Answer in JSON.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Args)]
#[command(after_help = examples::ENROL, group = ArgGroup::new("jeton").required(true).args(["token", "token_file"]))]
pub(super) struct EnrolOptions {
    /// Fichier du jeton; « - » : l'entrée standard. / File of the token; "-": the standard input.
    #[arg(long, value_name = "FILE")]
    pub(super) token_file: Option<PathBuf>,
    /// Le jeton lui-même; d'autres utilisateurs de la machine peuvent le voir : préférez --token-file. / The token itself; other users of the machine may see it: prefer --token-file.
    #[arg(long)]
    pub(super) token: Option<String>,
    /// Remplace les certificats d'un agent déjà inscrit. / Replaces the certificates of an agent that is enrolled already.
    #[arg(long)]
    pub(super) again: bool,
    #[command(flatten)]
    pub(super) output: OutputOption,
}

/// Without the token.
impl std::fmt::Debug for EnrolOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EnrolOptions").field("again", &self.again).finish_non_exhaustive()
    }
}

#[derive(Debug, Args)]
#[command(after_help = examples::SEND)]
pub(super) struct SendArguments {
    /// Fichiers; chacun est un enregistrement. / Files; each is a record.
    #[arg(required = true, value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    /// Numéro de l'entente. / Number of the agreement.
    #[arg(long, value_name = "NUMBER")]
    pub(super) agreement: String,
    /// Version de l'entente (défaut : celle en vigueur). / Version of the agreement (default: the one in force).
    #[arg(long, value_name = "VERSION")]
    pub(super) agreement_version: Option<u32>,
    /// Destinataires (défaut : tous ceux de l'entente). / Recipients (default: all of the agreement).
    #[arg(long, value_delimiter = ',', value_name = "CODE")]
    pub(super) to: Vec<AgencyCode>,
    /// Service (défaut : celui de l'entente, s'il est seul). / Service (default: the agreement's, when it has one).
    #[arg(long)]
    pub(super) service: Option<String>,
    /// Finalité (défaut : celle de l'entente, si elle est seule). / Purpose (default: the agreement's, when it has one).
    #[arg(long)]
    pub(super) purpose: Option<String>,
    /// Catégories de renseignements (défaut : celle de l'entente, si elle est seule). / Data categories (default: the agreement's, when it has one).
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
    /// Type de contenu (défaut : selon l'extension). / Media type (default: by the extension).
    #[arg(long, value_name = "TYPE")]
    pub(super) content_type: Option<String>,
    /// Clé d'idempotence : la même demande n'est transmise qu'une fois; un seul fichier. / Idempotency key: the same request is sent once; one file only.
    #[arg(long, value_name = "KEY")]
    pub(super) idempotency_key: Option<String>,
    /// Échange auquel ceci répond. / The exchange that this answers.
    #[arg(long, value_name = "ID")]
    pub(super) in_reply_to: Option<ExchangeId>,
    /// À remettre après les précédents transmis ainsi aux mêmes destinataires, dans l'ordre donné. / To be delivered after the earlier ones sent so to the same recipients, in the order given.
    #[arg(long)]
    pub(super) ordered: bool,
    /// Délai, en secondes, au plus 31 jours. / Time, in seconds, at most 31 days.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=2_678_400))]
    pub(super) expires_in: Option<u64>,
    /// Attend l'issue, au plus tant de secondes pour chacun. / Waits for the outcome, at most so many seconds for each.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "60", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(super) wait: Option<u64>,
    #[command(flatten)]
    pub(super) output: OutputOption,
}

#[derive(Debug, Subcommand)]
pub(super) enum InboxAction {
    /// Énumère (le défaut). / Lists (the default).
    List(ListOptions),
}

#[derive(Debug, Args)]
pub(super) struct ListOptions {
    /// Lignes au plus, de 1 à 1000. / Lines at most.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub(super) limit: u16,
    /// Seulement ceux reçus après celui-ci. / Only those received after this one.
    #[arg(long, value_name = "ID")]
    pub(super) after: Option<ExchangeId>,
    /// Attend qu'il y en ait, au plus tant de secondes. / Waits until there are some, at most so many seconds.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(super) wait: Option<u64>,
    #[command(flatten)]
    pub(super) output: OutputOption,
}

#[derive(Debug, Args)]
#[command(after_help = examples::TAKE, group = ArgGroup::new("lesquels").required(true).args(["ids", "all"]))]
pub(super) struct TakeOptions {
    /// Identifiants d'échange. / Exchange ids.
    #[arg(value_name = "ID")]
    pub(super) ids: Vec<ExchangeId>,
    /// Tous. / All of them.
    #[arg(long)]
    pub(super) all: bool,
    /// Dossier où déposer; il doit exister. / Folder to put them in; it must exist.
    #[arg(long, value_name = "DIR")]
    pub(super) into: PathBuf,
    /// Ne confirme pas : les enregistrements restent dans la boîte de réception. / Does not confirm: the records stay in the inbox.
    #[arg(long)]
    pub(super) keep: bool,
    #[command(flatten)]
    pub(super) output: OutputOption,
}

#[derive(Debug, Args)]
#[command(after_help = examples::RECORD)]
pub(super) struct RecordOptions {
    /// Identifiant d'échange. / Exchange id.
    pub(super) id: ExchangeId,
    /// Attend l'issue, au plus tant de secondes. / Waits for the outcome, at most so many seconds.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "60", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(super) wait: Option<u64>,
    #[command(flatten)]
    pub(super) output: OutputOption,
}

#[derive(Debug, Args)]
#[command(after_help = examples::EVIDENCE)]
pub(super) struct EvidenceArguments {
    /// Identifiant d'échange. / Exchange id.
    pub(super) id: ExchangeId,
    /// Fichier à écrire; EXCHANGE.evidence sans lui. / File to write; EXCHANGE.evidence without.
    #[arg(long = "output", short, value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
    /// Sans le corps scellé : l'en-tête signé en garde la racine. / Without the sealed body: the signed header has its root.
    #[arg(long)]
    pub(super) without_body: bool,
    /// Avec la clé du contenu : qui a le fichier lit l'enregistrement et ses attributs. / With the content key: who has the file reads the record and its attributes.
    #[arg(long)]
    pub(super) disclose_key: bool,
    #[command(flatten)]
    pub(super) output: OutputOption,
}

#[derive(Debug, Subcommand)]
pub(super) enum AgreementAction {
    /// Énumère les ententes. / Lists agreements.
    List {
        #[command(flatten)]
        output: OutputOption,
    },
    /// Montre une version, ou en dépose le document. / Shows a version, or writes its document.
    Show {
        #[command(flatten)]
        which: WhichAgreement,
        /// Dépose le document exact dans ce nouveau fichier. / Writes the exact document to this new file.
        #[arg(long, value_name = "FILE")]
        document: Option<PathBuf>,
        #[command(flatten)]
        output: OutputOption,
    },
    /// Signe une version pour l'organisme. / Signs a version for the agency.
    Sign {
        #[command(flatten)]
        which: WhichAgreement,
        /// Sans demander de confirmation. / Without asking for confirmation.
        #[arg(long)]
        yes: bool,
        /// Empreinte SHA-256 du document lu : rien d'autre ne sera signé. / SHA-256 of the document read: nothing else will be signed.
        #[arg(long, value_name = "HEX", value_parser = digest)]
        digest: Option<[u8; 32]>,
        #[command(flatten)]
        output: OutputOption,
    },
}

#[derive(Clone, Debug, Args)]
pub(super) struct WhichAgreement {
    /// Numéro. / Number.
    pub(super) number: String,
    /// Version.
    pub(super) version: u32,
}

#[derive(Debug, Subcommand)]
pub(super) enum PseudonymAction {
    /// De personnes concernées; les identifiants sont lus, un par ligne, jamais donnés ici. / Of persons concerned; identifiers are read, one a line, never given here.
    Subject,
    /// De personnes qui agissent. / Of persons who act.
    ActingUser,
    /// Fait une clé commune aux agents de l'organisme. / Makes a key for the agency's agents to share.
    Key {
        /// Nouveau fichier. / New file.
        file: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum ServiceAction {
    /// Publie un service de l'organisme; un nouveau est désactivé. / Publishes a service of the agency; a new one is turned off.
    Publish(PublishOptions),
    /// Active un service de l'organisme. / Turns a service of the agency on.
    Enable {
        /// Nom. / Name.
        name: String,
        #[command(flatten)]
        output: OutputOption,
    },
    /// Désactive un service de l'organisme. / Turns a service of the agency off.
    Disable {
        /// Nom. / Name.
        name: String,
        #[command(flatten)]
        output: OutputOption,
    },
    /// Énumère les services, avec leur version. / Lists services, with their version.
    List {
        #[command(flatten)]
        output: OutputOption,
    },
    /// Montre un service et ses opérations, ou son document OpenAPI. / Shows a service and its operations, or its OpenAPI document.
    Show {
        /// Organisme. / Agency.
        agency: AgencyCode,
        /// Nom. / Name.
        name: String,
        /// Le document exact, sur la sortie standard. / The exact document, on the standard output.
        #[arg(long)]
        openapi: bool,
        #[command(flatten)]
        output: OutputOption,
    },
}

#[derive(Debug, Args)]
pub(super) struct PublishOptions {
    /// Document OpenAPI 3.0 ou 3.1, YAML ou JSON. / OpenAPI 3.0 or 3.1 document, YAML or JSON.
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    /// Nom du service, tel que les ententes le nomment. / Name of the service, as agreements name it.
    #[arg(long)]
    pub(super) name: String,
    /// Catégories de renseignements; peut être répété. / Data categories; can be repeated.
    #[arg(long, value_delimiter = ',', value_name = "CODE", required = true)]
    pub(super) category: Vec<String>,
    /// Code de classification de l'organisme. / The agency's code of classification.
    #[arg(long, value_name = "CODE")]
    pub(super) classification: String,
    /// Titre en anglais (défaut : celui du document). / Title in English (default: the document's).
    #[arg(long, value_name = "TITLE")]
    pub(super) title_en: Option<String>,
    #[command(flatten)]
    pub(super) output: OutputOption,
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigAction {
    /// Vérifie le fichier; dit toutes les erreurs. / Checks the file; tells all mistakes.
    Check,
}

/// Seconds as typed.
pub(super) fn seconds(typed: Option<u64>) -> Option<Duration> {
    typed.map(Duration::from_secs)
}

fn digest(text: &str) -> Result<[u8; 32], &'static str> {
    let mut digest = [0; 32];
    hex::decode_to_slice(text, &mut digest)
        .map_err(|_| "64 chiffres hexadécimaux / 64 hexadecimal digits")?;
    Ok(digest)
}
