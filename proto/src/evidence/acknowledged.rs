//! Did the recipients acknowledge it? Each by its own agent, over this header.

use std::collections::BTreeMap;

use passerelle_pki::clock::Timestamp;
use passerelle_pki::name::AgentId;
use prost::Message;

use super::case::Case;
use super::claim::{Answer, absent, fail, pass};
use crate::acknowledgement::{self, Acknowledged};
use crate::wire::{Acknowledgement, Statement};
use crate::{reason, statement};

pub(super) fn answer(case: &Case<'_>) -> Answer {
    let statements = case.acknowledgements();
    if statements.is_empty() {
        return absent(
            "aucun accusé de réception n'est dans le fichier",
            "no acknowledgement is in the file",
        );
    }
    let digest = case
        .header_digest
        .or_else(|| case.accepted().and_then(|(_, _, detail)| detail.header_digest[..].try_into().ok()));
    let (Some(terms), Some(digest)) = (case.terms(), digest) else {
        return absent(
            "sans l'enveloppe ni son inscription au journal, on ne sait pas de quoi l'accusé est celui",
            "without the envelope or its entry in the log nobody knows what was acknowledged",
        );
    };
    let mut found = BTreeMap::new();
    for (statement, logged) in statements {
        match one(case, statement, logged, &digest) {
            Ok((agent, _)) if !terms.recipients.contains(&agent.agency.to_string()) => {
                return fail(
                    format!("{agent} a signé un accusé, mais n'est pas destinataire"),
                    format!("{agent} signed an acknowledgement but is no recipient"),
                );
            }
            Ok((agent, acknowledged)) => drop(found.insert(agent.agency.to_string(), (agent, acknowledged))),
            Err(answer) => return answer,
        }
    }
    let missing: Vec<&str> =
        terms.recipients.iter().filter(|code| !found.contains_key(*code)).map(String::as_str).collect();
    if !missing.is_empty() {
        let missing = missing.join(", ");
        return absent(format!("sans accusé de {missing}"), format!("no acknowledgement by {missing}"));
    }
    let told = |(agent, acknowledged): &(AgentId, Acknowledged)| match acknowledged.refused {
        None => (format!("{agent} : reçu"), format!("{agent}: received")),
        Some(why) => {
            let code = reason::code(why);
            (format!("{agent} : refusé ({code})"), format!("{agent}: refused ({code})"))
        }
    };
    let (fr, en): (Vec<_>, Vec<_>) = found.values().map(told).unzip();
    pass(fr.join(" ; "), en.join("; "))
}

/// What one statement says of this exchange, verified.
fn one(
    case: &Case<'_>,
    signed: &Statement,
    logged: Option<Timestamp>,
    header_digest: &[u8; 32],
) -> Result<(AgentId, Acknowledged), Answer> {
    let unreadable = || fail("un accusé n'est pas lisible", "an acknowledgement cannot be read");
    let stated = Acknowledgement::decode(signed.payload.clone()).map_err(|_| unreadable())?;
    let at = logged.unwrap_or(Timestamp::from_millis(stated.received_ms));
    let key = statement::key_hint(signed).ok_or_else(unreadable)?;
    let certificate = case
        .signers
        .find(key, at)
        .map_err(|doubt| doubt.answer(("l'agent qui a accusé réception", "the acknowledging agent")))?;
    let Some(agent) = certificate.identity().agent() else {
        return Err(fail(
            format!("{} n'est pas un agent", certificate.identity()),
            format!("{} is no agent", certificate.identity()),
        ));
    };
    let verified = acknowledgement::verify(signed, certificate.public_key(), agent).map_err(|_| {
        fail(
            format!("la signature de l'accusé n'est pas celle de {agent}, ou il parle pour un autre"),
            format!("the acknowledgement's signature is not that of {agent}, or it speaks for another"),
        )
    })?;
    let ours = verified.exchanges().iter().find(|exchange| exchange.exchange_id == case.id);
    match ours {
        Some(exchange) if exchange.header_digest == *header_digest => Ok((agent.clone(), *exchange)),
        Some(_) => Err(fail(
            format!("{agent} a accusé réception d'une autre enveloppe sous cet identifiant"),
            format!("{agent} acknowledged another envelope under this id"),
        )),
        None => Err(fail(
            format!("l'accusé de {agent} est celui d'un autre échange"),
            format!("the acknowledgement by {agent} is another exchange's"),
        )),
    }
}
