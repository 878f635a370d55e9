//! What `--help` shows at its end: commands to copy.

pub(super) const ALL: &str = "\
Exemples / Examples:
  passerelle-agent config check
  passerelle-agent enrol --token-file jeton.txt
  passerelle-agent serve
  passerelle-agent doctor
  passerelle-agent agreement sign ENT-2026-001 1
  passerelle-agent send avis.pdf --agreement ENT-2026-001 --wait
  passerelle-agent call ramq dossiers /dossiers/1042
  passerelle-agent take --all --into /srv/recus

La configuration est lue de --config (défaut : passerelle-agent.toml).
The configuration is read from --config (default: passerelle-agent.toml).
Statut de sortie / Exit status: 0 fait / done, 1 échec / failed, 2 mal tapé / mistyped.";

pub(super) const ENROL: &str = "\
Exemples / Examples:
  passerelle-agent enrol --token-file jeton.txt
  cat jeton.txt | passerelle-agent enrol --token-file -
  passerelle-agent enrol --token-file jeton.txt --again

Le jeton vient de l'administrateur de la passerelle; il sert une fois et expire vite.
The token comes from the gateway's administrator; it serves once and expires soon.";

pub(super) const SERVE: &str = "\
Exemples / Examples:
  passerelle-agent serve
  passerelle-agent --config /etc/passerelle/agent.toml serve

Écrit une ligne quand il est prêt; s'arrête proprement sur SIGTERM ou Ctrl-C.
Writes one line when it is ready; stops cleanly on SIGTERM or Ctrl-C.";

pub(super) const SEND: &str = "\
Exemples / Examples:
  passerelle-agent send avis.pdf --agreement ENT-2026-001
  passerelle-agent send *.json --agreement ENT-2026-001 --to saaq --case-reference D-1042 --acting-user m.roy --wait 120
  passerelle-agent send lot.csv --agreement ENT-2026-001 --idempotency-key lot-2026-05 --json

Avec --json, une ligne par fichier. Sans --wait, « fait » veut dire : durable dans la boîte d'envoi.
With --json, one line per file. Without --wait, \"done\" means: durable in the outbox.";

pub(super) const CALL: &str = "\
Exemples / Examples:
  passerelle-agent call ramq dossiers /dossiers/1042
  passerelle-agent call ramq dossiers /dossiers?ville=Laval --purpose QC-F --case-reference D-1042 --include
  passerelle-agent call ramq dossiers /dossiers/1042/pieces --data @piece.pdf --content-type application/pdf --acting-user m.roy
  passerelle-agent call ramq dossiers /dossiers/1042/photo --output photo.jpg --deadline 60

La réponse va sur la sortie standard, inchangée. Statut 1 aussi quand le service répond 400 ou plus.
The answer goes to the standard output, unchanged. Status 1 also when the service answers 400 or more.";

pub(super) const INBOX: &str = "\
Exemples / Examples:
  passerelle-agent inbox
  passerelle-agent inbox list --limit 20
  passerelle-agent inbox --wait 60 --json";

pub(super) const TAKE: &str = "\
Exemples / Examples:
  passerelle-agent take --all --into /srv/recus
  passerelle-agent take 01890a5d-ac96-774b-bcce-b302099a8057 --into . --keep

Un fichier existant n'est jamais remplacé : le nouveau s'appelle « nom (2).ext ». Un enregistrement n'est confirmé
qu'une fois son fichier entier sur le disque.
An existing file is never replaced: the new one is called \"name (2).ext\". A record is confirmed only once its file
is whole on the disk.";

pub(super) const STATUS: &str = "\
Exemples / Examples:
  passerelle-agent status
  passerelle-agent status --json";

pub(super) const RECORD: &str = "\
Exemples / Examples:
  passerelle-agent record 01890a5d-ac96-774b-bcce-b302099a8057
  passerelle-agent record 01890a5d-ac96-774b-bcce-b302099a8057 --wait 300 --json

Statut 1 si l'enregistrement est refusé ou échu. / Status 1 when the record is denied, refused or expired.";

pub(super) const EVIDENCE: &str = "\
Exemples / Examples:
  passerelle-agent evidence 01890a5d-ac96-774b-bcce-b302099a8057
  passerelle-agent evidence 01890a5d-ac96-774b-bcce-b302099a8057 --output piece.evidence --without-body
  passerelle-agent evidence 01890a5d-ac96-774b-bcce-b302099a8057 --disclose-key

À vérifier hors ligne par passerelle-verify evidence. / To be checked off-line by passerelle-verify evidence.";

pub(super) const AGREEMENT: &str = "\
Exemples / Examples:
  passerelle-agent agreement list
  passerelle-agent agreement show ENT-2026-001 1
  passerelle-agent agreement show ENT-2026-001 1 --document entente.json
  passerelle-agent agreement sign ENT-2026-001 1
  passerelle-agent agreement sign ENT-2026-001 1 --digest <HEX>

Sans terminal, la signature exige --digest ou --yes.
Without a terminal, signing demands --digest or --yes.";

pub(super) const SERVICE: &str = "\
Exemples / Examples:
  passerelle-agent service publish dossiers.yaml --name dossiers --category identite,admissibilite --classification protege-b
  passerelle-agent service enable dossiers
  passerelle-agent service disable dossiers
  passerelle-agent service list
  passerelle-agent service show ramq dossiers --openapi

Publier de nouveau sous le même nom remplace le document; l'état activé ou non reste.
Publishing again under the same name replaces the document; whether it is on or off stays.";

pub(super) const DOCTOR: &str = "\
Exemples / Examples:
  passerelle-agent doctor
  passerelle-agent doctor --json

Statut 1 si une vérification échoue. Rien n'est modifié.
Status 1 when a check fails. Nothing is changed.";

pub(super) const CONFIG: &str = "\
Exemples / Examples:
  passerelle-agent config check
  passerelle-agent --config /etc/passerelle/agent.toml config check";

pub(super) const PSEUDONYM: &str = "\
Exemples / Examples:
  passerelle-agent pseudonym subject
  passerelle-agent pseudonym acting-user
  passerelle-agent pseudonym key /etc/passerelle/pseudonymes.cle

L'identifiant est demandé sans être affiché, ou lu de l'entrée standard : il ne reste pas dans l'historique.
The identifier is asked for without being shown, or read from the standard input: it does not stay in the history.";

pub(super) const EVENTS: &str = "\
Exemples / Examples:
  passerelle-agent events
  passerelle-agent events --json | jq -r 'select(.event == \"inbox\") | .data.exchange_id'
  passerelle-agent events --after 12.4031

Ctrl-C pour terminer. Avec --json, un événement par ligne, avec l'id à donner à --after.
Ctrl-C to end. With --json, one event a line, with the id to give to --after.";

pub(super) const WEBHOOK: &str = "\
Exemples / Examples:
  passerelle-agent webhook list
  passerelle-agent webhook dead dossiers --json
  passerelle-agent webhook retry dossiers
  passerelle-agent webhook retry dossiers 01890a5d-ac96-774b-bcce-b302099a8057

Ce qui a été abandonné reste dans la boîte de réception. / What was given up stays in the inbox.";
