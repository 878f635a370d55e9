//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use passerelle_pki::name::AgencyCode;

use super::failure::Failure;
use crate::config::Config;
use crate::operators::Role;

const EXAMPLES: &str = "\
Exemples / Examples:
  passerelle-gateway config check
  passerelle-gateway init
  passerelle-gateway serve
  passerelle-gateway operator token --subject amelie --role platform_admin > amelie.jwt
  passerelle-gateway agency register ramq --name-fr « RAMQ » --name-en RAMQ --token-file amelie.jwt
  passerelle-gateway agency token ramq agent-1 --token-file amelie.jwt
  passerelle-gateway agreement propose entente.json --token-file elise.jwt
  passerelle-gateway audit query --agency ramq --reason « Vérification annuelle » --token-file hugo.jwt

La configuration est lue de --config (défaut : passerelle-gateway.toml).
The configuration is read from --config (default: passerelle-gateway.toml).";

/// La passerelle : applique les ententes et tient le journal. / The gateway: enforces agreements and keeps the log.
#[derive(Debug, Parser)]
#[command(name = "passerelle-gateway", version, after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Crée les clés et les certificats de la passerelle. / Makes the gateway's keys and certificates.
    Init(ConfigOption),
    /// Démarre la passerelle. / Starts the gateway.
    Serve(ConfigOption),
    /// La configuration. / The configuration.
    #[command(subcommand)]
    Config(ConfigAction),
    /// Les jetons des opérateurs. / Operators' tokens.
    #[command(subcommand)]
    Operator(OperatorAction),
    /// Les organismes et leurs agents. / Agencies and their agents.
    #[command(subcommand)]
    Agency(AgencyAction),
    /// Les ententes. / Agreements.
    #[command(subcommand)]
    Agreement(AgreementAction),
    /// La consultation du journal. / Reading the log.
    #[command(subcommand)]
    Audit(AuditAction),
}

#[derive(Debug, Args)]
pub(super) struct ConfigOption {
    /// Fichier de configuration. / Configuration file.
    #[arg(long, default_value = "passerelle-gateway.toml")]
    pub(super) config: PathBuf,
}

impl ConfigOption {
    pub(super) fn load(&self) -> Result<Config, Failure> {
        Ok(Config::load(&self.config)?)
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigAction {
    /// Vérifie le fichier et ce qu'il nomme; dit toutes les erreurs. / Checks the file and what it names; tells all mistakes.
    Check(ConfigOption),
}

#[derive(Debug, Subcommand)]
pub(super) enum OperatorAction {
    /// Émet un jeton de l'émetteur local. / Issues a token of the local issuer.
    Token(TokenOptions),
}

#[derive(Debug, Args)]
pub(super) struct TokenOptions {
    #[command(flatten)]
    pub(super) config: ConfigOption,
    /// La personne. / The person.
    #[arg(long)]
    pub(super) subject: String,
    /// Rôle; peut être répété. / Role; can be repeated.
    #[arg(long = "role", required = true)]
    pub(super) roles: Vec<Role>,
    /// L'organisme de la personne. / The person's agency.
    #[arg(long)]
    pub(super) agency: Option<AgencyCode>,
    /// Durée, en secondes. / Lifetime, in seconds.
    #[arg(long, default_value_t = 28_800, value_parser = clap::value_parser!(u64).range(60..=86_400))]
    pub(super) lifetime: u64,
}

/// How a client command reaches the gateway.
#[derive(Debug, Args)]
pub(super) struct ClientOptions {
    #[command(flatten)]
    pub(super) config: ConfigOption,
    /// Hôte et port de l'écoute publique (défaut : la configuration). / Host and port of the public listener (default: the configuration).
    #[arg(long, requires = "ca")]
    pub(super) gateway: Option<String>,
    /// Certificat racine (défaut : la configuration). / Root certificate (default: the configuration).
    #[arg(long)]
    pub(super) ca: Option<PathBuf>,
    /// Fichier du jeton d'opérateur (défaut : la variable PASSERELLE_TOKEN). / File of the operator's token (default: the variable PASSERELLE_TOKEN).
    #[arg(long)]
    pub(super) token_file: Option<PathBuf>,
    /// Réponse en JSON. / Answer in JSON.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum AgencyAction {
    /// Enregistre un organisme (platform_admin). / Registers an agency.
    Register {
        /// Code : 2 à 40 lettres minuscules, chiffres, traits d'union. / Code.
        code: String,
        /// Nom français. / French name.
        #[arg(long)]
        name_fr: String,
        /// Nom anglais. / English name.
        #[arg(long)]
        name_en: String,
        /// QC, ou un code ISO 3166. / QC, or an ISO 3166 code.
        #[arg(long, default_value = "QC")]
        jurisdiction: String,
        #[command(flatten)]
        client: ClientOptions,
    },
    /// Approuve un organisme : une autre personne que celle qui l'a enregistré. / Approves: another person than who registered.
    Approve {
        code: String,
        #[command(flatten)]
        client: ClientOptions,
    },
    /// Suspend un organisme (security_operator). / Suspends an agency.
    Suspend {
        code: String,
        /// Motif. / Why.
        #[arg(long, default_value = "")]
        note: String,
        #[command(flatten)]
        client: ClientOptions,
    },
    /// Énumère les organismes. / Lists agencies.
    List {
        #[command(flatten)]
        client: ClientOptions,
    },
    /// Émet un jeton d'enrôlement à usage unique. / Issues a one-time enrolment token.
    Token {
        agency: String,
        agent: String,
        /// Durée, en secondes, au plus 3600. / Lifetime, in seconds, at most 3,600.
        #[arg(long, default_value_t = 900, value_parser = clap::value_parser!(u32).range(60..=3_600))]
        lifetime: u32,
        #[command(flatten)]
        client: ClientOptions,
    },
    /// Révoque les certificats d'un agent (security_operator). / Revokes an agent's certificates.
    RevokeAgent {
        agency: String,
        agent: String,
        /// Motif. / Why.
        #[arg(long, default_value = "")]
        reason: String,
        #[command(flatten)]
        client: ClientOptions,
    },
}

/// Which version of which agreement.
#[derive(Debug, Args)]
pub(super) struct Step {
    /// Numéro. / Number.
    pub(super) number: String,
    /// Version.
    #[arg(long, default_value_t = 1)]
    pub(super) version: u32,
    /// Motif. / Why.
    #[arg(long, default_value = "")]
    pub(super) note: String,
    #[command(flatten)]
    pub(super) client: ClientOptions,
}

/// The same, with the Commission's date.
#[derive(Debug, Args)]
pub(super) struct DatedStep {
    /// Date, AAAA-MM-JJ. / Date, YYYY-MM-DD.
    #[arg(long)]
    pub(super) on: String,
    #[command(flatten)]
    pub(super) step: Step,
}

#[derive(Debug, Subcommand)]
pub(super) enum AgreementAction {
    /// Propose une version (agreement_officer). / Proposes a version.
    Propose {
        /// Document JSON. / JSON document.
        document: PathBuf,
        #[command(flatten)]
        client: ClientOptions,
    },
    /// Active une version signée par toutes les parties (signing_authority). / Activates a version that every party signed.
    Activate(Step),
    /// Rejette une version avant son activation. / Rejects a version before its activation.
    Reject(Step),
    /// Inscrit l'envoi à la Commission d'accès à l'information (privacy_officer). / Records the sending to the Commission.
    SentToCai(DatedStep),
    /// Inscrit la réception par la Commission. / Records the receipt by the Commission.
    ReceivedByCai(DatedStep),
    /// Suspend. / Suspends.
    Suspend(Step),
    /// Rétablit : une autre personne que celle qui a suspendu. / Resumes: another person than who suspended.
    Resume(Step),
    /// Révoque. / Revokes.
    Revoke(Step),
    /// Énumère les ententes. / Lists agreements.
    List {
        #[command(flatten)]
        client: ClientOptions,
    },
    /// Montre le document d'une version. / Shows a version's document.
    Show(Step),
}

#[derive(Debug, Subcommand)]
pub(super) enum AuditAction {
    /// Interroge le journal; la consultation y est inscrite. / Queries the log; the reading is written to it.
    Query(QueryOptions),
    /// Ouvre une lecture de tout le journal (auditor) : donne un jeton de quelques minutes. / Opens a reading of the whole log: gives a token for a few minutes.
    Reading {
        /// Motif, inscrit au journal. / Why; written to the log.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        client: ClientOptions,
    },
    /// La preuve d'un échange, dans un fichier à vérifier hors ligne; la consultation est inscrite. / The evidence of an exchange, in a file to check off-line; the reading is logged.
    Evidence {
        /// Identifiant d'échange. / Exchange id.
        exchange: passerelle_proto::exchange_id::ExchangeId,
        /// Motif, inscrit au journal. / Why; written to the log.
        #[arg(long)]
        reason: String,
        /// Fichier à écrire; EXCHANGE.evidence sans lui. / File to write.
        #[arg(long, short)]
        output: Option<PathBuf>,
        #[command(flatten)]
        client: ClientOptions,
    },
}

#[derive(Debug, Args)]
pub(super) struct QueryOptions {
    /// Motif, inscrit au journal. / Why; written to the log.
    #[arg(long)]
    pub(super) reason: String,
    /// Organisme. / Agency.
    #[arg(long, default_value = "")]
    pub(super) agency: String,
    /// Numéro d'entente. / Agreement number.
    #[arg(long, default_value = "")]
    pub(super) agreement: String,
    /// Code de finalité. / Purpose code.
    #[arg(long, default_value = "")]
    pub(super) purpose: String,
    /// Depuis (RFC 3339). / From (RFC 3339).
    #[arg(long)]
    pub(super) from: Option<jiff::Timestamp>,
    /// Avant (RFC 3339). / Before (RFC 3339).
    #[arg(long)]
    pub(super) to: Option<jiff::Timestamp>,
    /// accepted ou / or denied.
    #[arg(long, value_parser = ["accepted", "denied"])]
    pub(super) outcome: Option<String>,
    /// Identifiant d'échange. / Exchange id.
    #[arg(long)]
    pub(super) exchange: Option<passerelle_proto::exchange_id::ExchangeId>,
    /// Lignes au plus, de 1 à 1000. / Lines at most.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(super) limit: u32,
    /// Page suivante : la valeur que la page précédente a donnée. / Next page: the value that the previous page gave.
    #[arg(long, default_value_t = 0)]
    pub(super) before: u64,
    #[command(flatten)]
    pub(super) client: ClientOptions,
}
