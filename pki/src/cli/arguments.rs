//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::authority::Reason;
use crate::certificate::Usage;
use crate::name::{Identity, TrustDomain};

const EXAMPLES: &str = "\
Exemples / Examples:
  passerelle-pki root create --dir racine --trust-domain qc.example --passphrase-file racine.txt
  passerelle-pki issuing create --dir emission --root racine --root-passphrase-file racine.txt \\
      --passphrase-file emission.txt
  passerelle-pki request --new-key agent.key.pem --as ramq/agent-1 --trust-domain qc.example --out agent.csr
  passerelle-pki sign --dir emission --request agent.csr --as ramq/agent-1 --usage tls --out agent.pem
  passerelle-pki sign --dir emission --request gw.csr --as gateway:principale --usage tls \\
      --host passerelle.qc.example --out gw.pem
  passerelle-pki renew --dir emission --request nouveau.csr --certificate agent.pem --out nouveau.pem
  passerelle-pki revoke --dir emission --certificate agent.pem --reason key-compromise
  passerelle-pki crl --dir emission --out liste.pem
  passerelle-pki show agent.pem --root racine/root.cert.pem

Phrase de passe / Passphrase: --passphrase-file, puis / then PASSERELLE_PASSPHRASE, puis / then le terminal.";

/// L'autorité de certification de Passerelle / Passerelle's certification authority
#[derive(Debug, Parser)]
#[command(name = "passerelle-pki", version, after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// La racine / The root
    #[command(subcommand)]
    Root(AuthorityAction<CreateRoot>),
    /// L'autorité d'émission / The issuing authority
    #[command(subcommand)]
    Issuing(AuthorityAction<CreateIssuing>),
    /// Faire une demande de certificat / Make a certification request
    Request(Request),
    /// Signer une demande / Sign a request
    Sign(Sign),
    /// Émettre le certificat suivant d'un détenteur / Issue a holder's next certificate
    Renew(Renew),
    /// Révoquer des certificats et publier la liste / Revoke certificates and publish the list
    Revoke(Revoke),
    /// Publier une liste de révocation fraîche / Publish a fresh revocation list
    Crl(Crl),
    /// Montrer un certificat, une demande ou une liste / Show a certificate, a request or a list
    Show(Show),
}

#[derive(Debug, Subcommand)]
pub(super) enum AuthorityAction<T: Args> {
    /// Créer, dans un dossier neuf / Create, in a new folder
    Create(T),
}

#[derive(Debug, Args)]
pub(super) struct CreateRoot {
    /// Dossier neuf ou vide / New or empty folder
    #[arg(long)]
    pub(super) dir: PathBuf,
    /// Domaine de confiance, p. ex. qc.example / Trust domain
    #[arg(long)]
    pub(super) trust_domain: TrustDomain,
    #[command(flatten)]
    pub(super) passphrase: PassphraseOption,
}

#[derive(Debug, Args)]
pub(super) struct CreateIssuing {
    /// Dossier neuf ou vide / New or empty folder
    #[arg(long)]
    pub(super) dir: PathBuf,
    /// Dossier de la racine / The root's folder
    #[arg(long)]
    pub(super) root: PathBuf,
    /// Fichier de la phrase de passe de la racine (ou PASSERELLE_ROOT_PASSPHRASE) / File of the root's passphrase
    #[arg(long)]
    pub(super) root_passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) passphrase: PassphraseOption,
}

#[derive(Debug, Args)]
pub(super) struct PassphraseOption {
    /// Fichier dont la première ligne est la phrase de passe / File whose first line is the passphrase
    #[arg(long)]
    pub(super) passphrase_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[group(id = "request_key", required = true, multiple = false)]
pub(super) struct RequestKeyOption {
    /// Clé privée existante, PEM / Existing private key
    #[arg(long, group = "request_key")]
    pub(super) key: Option<PathBuf>,
    /// Créer une clé privée dans ce fichier (0600, sans phrase de passe) / Create a private key in this file
    #[arg(long, group = "request_key")]
    pub(super) new_key: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Request {
    #[command(flatten)]
    pub(super) key: RequestKeyOption,
    /// organisme/agent, gateway:nom ou operator:nom
    #[arg(long = "as", value_name = "IDENTITY")]
    pub(super) identity: Identity,
    /// Domaine de confiance / Trust domain
    #[arg(long)]
    pub(super) trust_domain: TrustDomain,
    /// Fichier neuf ; sinon la sortie standard / New file; else the standard output
    #[arg(long)]
    pub(super) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Sign {
    /// Dossier de l'autorité d'émission / The issuing authority's folder
    #[arg(long)]
    pub(super) dir: PathBuf,
    /// Demande PKCS#10, PEM ou DER / Request
    #[arg(long)]
    pub(super) request: PathBuf,
    /// Pour qui, tel que vous l'avez établi / For whom, as you have established it
    #[arg(long = "as", value_name = "IDENTITY")]
    pub(super) identity: Identity,
    /// tls ou signing / tls or signing
    #[arg(long)]
    pub(super) usage: Usage,
    /// Jours de validité / Days of validity
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u16).range(1..=397))]
    pub(super) days: u16,
    /// Nom d'hôte ou adresse, passerelles seulement (répétable) / Host name or address, gateways only (repeatable)
    #[arg(long = "host")]
    pub(super) hosts: Vec<String>,
    /// Fichier neuf pour la chaîne ; sinon la sortie standard / New file for the chain; else the standard output
    #[arg(long)]
    pub(super) out: Option<PathBuf>,
    #[command(flatten)]
    pub(super) passphrase: PassphraseOption,
}

#[derive(Debug, Args)]
pub(super) struct Renew {
    /// Dossier de l'autorité d'émission / The issuing authority's folder
    #[arg(long)]
    pub(super) dir: PathBuf,
    /// Demande PKCS#10, PEM ou DER / Request
    #[arg(long)]
    pub(super) request: PathBuf,
    /// Chaîne en vigueur, PEM / The chain in force
    #[arg(long)]
    pub(super) certificate: PathBuf,
    /// Jours de validité / Days of validity
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u16).range(1..=397))]
    pub(super) days: u16,
    /// Fichier neuf pour la chaîne ; sinon la sortie standard / New file for the chain; else the standard output
    #[arg(long)]
    pub(super) out: Option<PathBuf>,
    #[command(flatten)]
    pub(super) passphrase: PassphraseOption,
}

#[derive(Debug, Args)]
#[group(id = "revoke_what", required = true, multiple = false)]
pub(super) struct RevokeWhat {
    /// Numéro de série, hexadécimal / Serial number, hexadecimal
    #[arg(long, group = "revoke_what")]
    pub(super) serial: Option<String>,
    /// Certificat ou chaîne, PEM / Certificate or chain
    #[arg(long, group = "revoke_what")]
    pub(super) certificate: Option<PathBuf>,
    /// Tous les certificats de cette identité / Every certificate of this identity
    #[arg(long = "as", value_name = "IDENTITY", group = "revoke_what")]
    pub(super) identity: Option<Identity>,
}

#[derive(Debug, Args)]
pub(super) struct Revoke {
    /// Dossier de l'autorité / The authority's folder
    #[arg(long)]
    pub(super) dir: PathBuf,
    #[command(flatten)]
    pub(super) what: RevokeWhat,
    /// unspecified, key-compromise, affiliation-changed, superseded, cessation-of-operation, privilege-withdrawn
    #[arg(long, default_value = "unspecified")]
    pub(super) reason: Reason,
    #[command(flatten)]
    pub(super) passphrase: PassphraseOption,
}

#[derive(Debug, Args)]
pub(super) struct Crl {
    /// Dossier de l'autorité / The authority's folder
    #[arg(long)]
    pub(super) dir: PathBuf,
    /// Copie de la liste, fichier neuf, PEM / A copy of the list, new file
    #[arg(long)]
    pub(super) out: Option<PathBuf>,
    #[command(flatten)]
    pub(super) passphrase: PassphraseOption,
}

#[derive(Debug, Args)]
pub(super) struct Show {
    /// Certificat, chaîne, demande ou liste, PEM ou DER / Certificate, chain, request or list
    pub(super) file: PathBuf,
    /// Racine de confiance : la chaîne est alors vérifiée / Trusted root: the chain is then verified
    #[arg(long)]
    pub(super) root: Option<PathBuf>,
}
