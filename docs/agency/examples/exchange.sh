#!/usr/bin/env bash
# Transmet un fichier, puis reçoit et confirme ce qui attend, avec curl. / Sends a file, then receives and confirms what waits, with curl.
#
#   PASSERELLE_API=http://127.0.0.1:7450 PASSERELLE_TOKEN_FILE=/var/lib/passerelle-agent/local.token \
#     ./exchange.sh send avis.pdf ENT-2026-001
#   … ./exchange.sh receive /srv/recus
set -euo pipefail

api="${PASSERELLE_API:-http://127.0.0.1:7450}"
# Le jeton passe par un fichier : un argument se lirait dans la liste des processus.
# The token goes by a file: an argument could be read in the list of processes.
headers="$(mktemp)"
trap 'rm -f "$headers"' EXIT
printf 'Authorization: Bearer %s\n' "$(cat "${PASSERELLE_TOKEN_FILE:?}")" > "$headers"

ask() { curl --silent --show-error --fail-with-body --header "@$headers" "$@"; }

# Le corps d'une erreur dit quoi faire. / The body of an error says what to do.
fail() { echo "$1" >&2; exit 1; }

# La valeur d'un champ de JSON simple. / The value of a field of plain JSON.
field() { grep -o "\"$1\":\"[^\"]*\"" | head -n 1 | cut -d '"' -f 4; }

send() { # FICHIER ENTENTE / FILE AGREEMENT
  # La même clé, la même demande : rien n'est transmis deux fois. / The same key, the same request: nothing is sent twice.
  key="$(printf '%s' "$2" | cat - "$1" | sha256sum | cut -c 1-64)"
  answer="$(ask --request POST --upload-file "$1" \
    --header 'Content-Type: application/octet-stream' \
    --header "Passerelle-Agreement: $2" \
    --header 'Passerelle-Data-Categories: identification' \
    --header "Idempotency-Key: $key" \
    "$api/v1/records")" || fail "$answer"
  id="$(printf '%s' "$answer" | field exchange_id)"
  for _ in $(seq 20); do
    state="$(ask "$api/v1/records/$id?wait=30" | field state)"
    case "$state" in
      delivered) echo "$id $state"; return 0 ;;
      denied | refused | expired) fail "$id $state" ;;
    esac
  done
  fail "$id $state"
}

receive() { # DOSSIER / FOLDER
  page="$(ask "$api/v1/inbox?wait=30&limit=100")" || fail "$page"
  ids="$(printf '%s' "$page" | { grep -o '"exchange_id":"[^"]*"' || true; } | cut -d '"' -f 4)"
  for id in $ids; do
    # Entier sur le disque d'abord, confirmé ensuite. / Whole on the disk first, confirmed then.
    ask --output "$1/$id.part" "$api/v1/inbox/$id/content"
    sync "$1/$id.part"
    mv "$1/$id.part" "$1/$id"
    ask --request POST "$api/v1/inbox/$id/confirm"
    echo "$id"
  done
}

"$@"
