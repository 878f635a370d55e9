#!/usr/bin/env python3
"""Transmet un fichier, ou reçoit et confirme ce qui attend. / Sends a file, or receives and confirms what waits.

    PASSERELLE_API=http://127.0.0.1:7450 PASSERELLE_TOKEN_FILE=/var/lib/passerelle-agent/local.token \\
      ./exchange.py send avis.pdf ENT-2026-001
    … ./exchange.py receive /srv/recus

Demande / needs: requests.
"""

import hashlib
import os
import pathlib
import sys
from urllib.parse import quote

import requests

API = os.environ.get("PASSERELLE_API", "http://127.0.0.1:7450")
FINAL = {"delivered", "denied", "refused", "expired"}


class Refused(Exception):
    """Ce que l'agent a refusé, et quoi faire. / What the agent refused, and what to do."""


def session():
    token = pathlib.Path(os.environ["PASSERELLE_TOKEN_FILE"]).read_text().strip()
    session = requests.Session()
    # Ni mandataire ni .netrc pour ce qui est sur cette machine. / No proxy and no .netrc for what is on this machine.
    session.trust_env = False
    session.headers["Authorization"] = f"Bearer {token}"
    return session


def checked(answer):
    if answer.ok:
        return answer
    if answer.headers.get("Content-Type") == "application/problem+json":
        problem = answer.json()
        raise Refused(f"{problem['code']}: {problem['detail']} / {problem['detail_en']}")
    raise Refused(f"HTTP {answer.status_code}")


def send(session, path, agreement):
    path = pathlib.Path(path)
    digest = hashlib.sha256(agreement.encode())
    with path.open("rb") as content:
        while chunk := content.read(1 << 16):
            digest.update(chunk)
        content.seek(0)
        headers = {
            "Content-Type": "application/octet-stream",
            "Passerelle-Agreement": agreement,
            "Passerelle-Data-Categories": "identification",
            # Les valeurs sont de l'UTF-8 encodé en pourcentage. / Values are percent-encoded UTF-8.
            "Passerelle-File-Name": quote(path.name),
            # La même clé, la même demande : rien n'est transmis deux fois. / The same key: nothing is sent twice.
            "Idempotency-Key": digest.hexdigest(),
        }
        # Un fichier ouvert est lu au fur et à mesure. / An open file is read as it goes.
        answer = checked(session.post(f"{API}/v1/records", data=content, headers=headers, timeout=150))
    record = answer.json()
    for _ in range(20):
        if record["state"] in FINAL:
            break
        url = f"{API}/v1/records/{record['exchange_id']}"
        record = checked(session.get(url, params={"wait": 30}, timeout=60)).json()
    print(record["exchange_id"], record["state"])
    return record["state"] == "delivered"


def receive(session, folder):
    folder = pathlib.Path(folder)
    page = checked(session.get(f"{API}/v1/inbox", params={"wait": 30, "limit": 100}, timeout=60)).json()
    for record in page["records"]:
        # L'identifiant, jamais le nom que l'expéditeur a choisi. / The id, never the name that the sender chose.
        name = record["exchange_id"]
        part, url = folder / f"{name}.part", f"{API}/v1/inbox/{name}"
        written = 0
        with checked(session.get(f"{url}/content", stream=True, timeout=150)) as answer, part.open("wb") as file:
            for chunk in answer.iter_content(1 << 16):
                written += file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        # Plus court qu'annoncé : non vérifié. / Shorter than announced: not verified.
        if written != record["length"]:
            raise Refused(f"{name}: {written} / {record['length']}")
        part.rename(folder / name)
        checked(session.post(f"{url}/confirm", timeout=60))
        print(name)
    return True


def main():
    commands = {"send": (send, 2), "receive": (receive, 1)}
    command, count = commands.get(sys.argv[1] if len(sys.argv) > 1 else "", (None, 0))
    if command is None or len(sys.argv) != 2 + count:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        return 0 if command(session(), *sys.argv[2:]) else 1
    except (Refused, requests.RequestException, OSError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
