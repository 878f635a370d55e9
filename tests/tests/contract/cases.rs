//! The questions, in their order. A new route needs a line here; `{name}` is what an earlier case kept.

use super::case::{Case, case};

const NOBODY: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

/// Operations that this scene cannot bring to succeed: no service of the catalogue is behind either agent, and events have no
/// end (`tests/events.rs` listens to them).
pub(crate) const REFUSED_ONLY: [&str; 8] =
    ["callGet", "callHead", "callPost", "callPut", "callPatch", "callDelete", "callOptions", "listenEvents"];
const CALLS: [&str; 7] =
    ["callGet", "callHead", "callPost", "callPut", "callPatch", "callDelete", "callOptions"];

/// Asked while the gateway runs.
pub(crate) fn all() -> Vec<Case> {
    [general(), agreements(), services(), sending(), receiving(), calling()].concat()
}

fn calling() -> Vec<Case> {
    let call = |operation, status| {
        case(operation, status)
            .path("agency", "saaq")
            .path("service", "dossiers")
            .path("path", "dossiers/12")
            .header("passerelle-agreement", "ENT-2026-001")
    };
    let refused = CALLS.into_iter().map(|operation| call(operation, 403).by("rien.jeton"));
    let mistaken = [call("callGet", 400).header("passerelle-deadline", "demain")];
    refused.chain(mistaken).collect()
}

/// Asked once it does not run any more.
pub(crate) fn without_a_gateway() -> Vec<Case> {
    let sign = |status| {
        case("signAgreement", status)
            .by("donnees/local.token")
            .path("number", "ENT-2026-002")
            .path("version", "1")
            .header("content-type", "application/json")
    };
    vec![
        sign(503).body(r#"{"digest":"{digest2}"}"#),
        service("enableService", 503),
        service("getService", 200),
        case("getStatus", 200),
    ]
}

fn general() -> Vec<Case> {
    vec![
        case("getMetrics", 200),
        case("getStatus", 200),
        case("getStatus", 200).by("rien.jeton"),
        case("getEvidence", 400).path("id", "pas-un-id"),
        case("getEvidence", 404).path("id", NOBODY),
        case("getContract", 200),
        case("listenEvents", 400).header("last-event-id", "hier"),
    ]
}

fn agreements() -> Vec<Case> {
    let agreement = |status, number| case("getAgreement", status).path("number", number).path("version", "1");
    let sign = |status, token| {
        case("signAgreement", status)
            .by(token)
            .path("number", "ENT-2026-002")
            .path("version", "1")
            .header("content-type", "application/json")
    };
    const LOCAL: &str = "donnees/local.token";
    vec![
        case("listAgreements", 200),
        case("listAgreements", 200).by(LOCAL).keep("number2", "/agreements/1/number").tries(50),
        agreement(200, "ENT-2026-001"),
        agreement(404, "ENT-2026-009"),
        agreement(404, "ENT-2026-002"),
        agreement(200, "ENT-2026-002").by(LOCAL).keep("digest2", "/digest"),
        sign(403, "rien.jeton").body("{}"),
        sign(404, "guichet.jeton").body(r#"{"digest":"{digest2}"}"#),
        sign(400, LOCAL).body("{}"),
        sign(400, LOCAL).body(r#"{"digest":"zz"}"#),
        sign(409, LOCAL).body(format!(r#"{{"digest":"{}"}}"#, "00".repeat(32))),
        sign(200, LOCAL).body(r#"{"digest":"{digest2}"}"#),
        sign(409, LOCAL).body(r#"{"digest":"{digest2}"}"#),
    ]
}

fn service(operation: &'static str, status: u16) -> Case {
    case(operation, status).path("agency", "ramq").path("service", "essai")
}

fn services() -> Vec<Case> {
    const DOCUMENT: &str = include_str!("../../../docs/samples/dossiers.openapi.yaml");
    let publish = |status| {
        service("publishService", status)
            .query("categories=identification&classification=protege-b&title_en=Trial")
            .header("content-type", "application/yaml")
    };
    let foreign = case("publishService", 403).path("agency", "saaq").path("service", "essai");
    vec![
        publish(200).body(DOCUMENT),
        publish(400).body("openapi: ["),
        publish(403).by("rien.jeton").body(DOCUMENT),
        service("publishService", 400).query("classification=protege-b").body(DOCUMENT),
        foreign.query("categories=identification&classification=protege-b").body(DOCUMENT),
        service("enableService", 200),
        service("enableService", 403).by("rien.jeton"),
        service("disableService", 200),
        service("disableService", 403).by("rien.jeton"),
        case("enableService", 404).path("agency", "ramq").path("service", "autre"),
        service("getService", 200),
        service("getServiceDocument", 200),
        case("getService", 404).path("agency", "PAS_BON").path("service", "essai"),
        case("getServiceDocument", 404).path("agency", "ramq").path("service", "autre"),
        service("getService", 404).at_saaq(),
        case("listServices", 200),
        case("listServices", 200).at_saaq(),
    ]
}

fn sending() -> Vec<Case> {
    let send = |status| {
        case("sendRecord", status)
            .header("passerelle-agreement", "ENT-2026-001")
            .header("passerelle-data-categories", "identification")
    };
    let full = send(202)
        .header("passerelle-agreement-version", "1")
        .header("passerelle-to", "saaq")
        .header("passerelle-service", "dossiers")
        .header("passerelle-purpose", "QC-F")
        .header("passerelle-legal-basis", "A-2.1%20s.67")
        .header("passerelle-case-reference", "D-1042")
        .header("passerelle-acting-user", "m.roy")
        .header("passerelle-subject", "TREM%201234")
        .header("passerelle-file-name", "relev%C3%A9.pdf")
        .header("passerelle-expires-in", "3600")
        .header("passerelle-in-reply-to", NOBODY)
        .header("idempotency-key", "lot-17")
        .header("content-type", "application/pdf");
    vec![
        full.clone().body("un").keep("sent", "/exchange_id"),
        full.clone().body("un"),
        Case { status: 409, ..full.body("deux") },
        send(403).header("passerelle-purpose", "QC-G").body("un"),
        send(403).by("rien.jeton").body("un"),
        case("sendRecord", 403).header("passerelle-agreement", "ENT-2026-009").body("un"),
        case("sendRecord", 400).body("un"),
        send(400).header("passerelle-expires-in", "demain").body("un"),
        send(413).body("x".repeat((1 << 20) + 1)),
        case("getRecord", 200)
            .path("id", "{sent}")
            .query("wait=30")
            .keep("receipt", "/receipt/leaf_index")
            .tries(20),
        case("getEvidence", 200).path("id", "{sent}").query("body=false"),
        case("getEvidence", 409).path("id", "{sent}").query("disclose_key=true"),
        case("getEvidence", 400).path("id", "{sent}").query("body=oui"),
        case("getEvidence", 404).path("id", "{sent}").by("rien.jeton"),
        case("getRecord", 404).path("id", "{sent}").by("rien.jeton"),
        case("getRecord", 404).path("id", NOBODY),
        case("getRecord", 400).path("id", "pas-un-id"),
        case("listRecords", 200).query("state=denied"),
        case("listRecords", 200).query("limit=10&after={sent}"),
        case("listRecords", 200).keep("sent", "/records/0/exchange_id"),
        case("listRecords", 400).query("state=perdu"),
        case("listRecords", 400).query("limite=10"),
    ]
}

fn receiving() -> Vec<Case> {
    let record = |operation, status| case(operation, status).at_saaq().path("id", "{received}");
    // Nobody listens where it posts: every record is given up at once, and stays in the inbox.
    let dead = |operation, status| case(operation, status).at_saaq().path("name", "personne");
    vec![
        case("listInbox", 200)
            .at_saaq()
            .query("wait=30")
            .keep("received", "/records/0/exchange_id")
            .tries(10),
        case("listInbox", 200).at_saaq().query("limit=5&after={received}"),
        case("listInbox", 400).at_saaq().query("limit=beaucoup"),
        case("listInbox", 403).at_saaq().by("rien.jeton"),
        case("listWebhooks", 200).at_saaq().keep("webhook", "/webhooks/0/name"),
        case("listDeadLetters", 200).at_saaq().path("name", "{webhook}"),
        case("listWebhooks", 403).at_saaq().by("rien.jeton"),
        dead("listDeadLetters", 200).keep("dead", "/records/0/exchange_id").tries(50),
        dead("listDeadLetters", 403).by("rien.jeton"),
        case("listDeadLetters", 404).at_saaq().path("name", "inconnu"),
        // A webhook of agreements that the system is not bound to is not there for it.
        case("listDeadLetters", 404).at_saaq().path("name", "dossiers"),
        case("retryDeadLetter", 404).at_saaq().path("name", "dossiers").path("id", "{dead}"),
        dead("retryDeadLetter", 204).path("id", "{dead}"),
        dead("retryDeadLetter", 403).path("id", "{dead}").by("rien.jeton"),
        dead("retryDeadLetter", 404).path("id", NOBODY),
        dead("retryDeadLetter", 400).path("id", "pas-un-id"),
        case("retryDeadLetter", 404).at_saaq().path("name", "inconnu").path("id", "{dead}"),
        case("listIncoming", 200).at_saaq(),
        case("listIncoming", 403).at_saaq().by("rien.jeton"),
        record("getInboxRecord", 200),
        record("getInboxRecord", 403).by("rien.jeton"),
        case("getInboxRecord", 404).at_saaq().path("id", NOBODY),
        case("getInboxRecord", 400).at_saaq().path("id", "pas-un-id"),
        record("getContent", 200),
        case("getContent", 400).at_saaq().path("id", "pas-un-id"),
        case("confirmRecord", 400).at_saaq().path("id", "pas-un-id"),
        record("getContent", 403).by("rien.jeton"),
        case("getContent", 404).at_saaq().path("id", NOBODY),
        record("confirmRecord", 403).by("rien.jeton"),
        record("confirmRecord", 204),
        record("confirmRecord", 204),
        case("confirmRecord", 404).at_saaq().path("id", NOBODY),
        record("getContent", 404),
    ]
}
