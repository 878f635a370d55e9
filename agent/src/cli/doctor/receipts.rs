//! Whether the log honours the receipts that the gateway gave.

use super::report::Report;
use crate::local::model::Receipts;

const NAME: &str = "receipts";

/// What is missing is named, with what was found instead.
pub(super) fn check(report: &mut Report, receipts: &Receipts) {
    let keep = (
        "conservez le dossier receipts de l'agent, c'est une preuve; avertissez votre responsable et l'administrateur de la passerelle",
        "keep the agent's folder receipts, it is proof; tell your officer and the gateway's administrator",
    );
    let missing = receipts.named.iter().map(|missing| {
        let (id, index, why) = (missing.exchange_id, missing.leaf_index, missing.reason.message());
        format!("{id} (entrée / entry {index}) : {why}")
    });
    let mut alarms: Vec<String> = receipts.log_alarm.iter().cloned().chain(missing).collect();
    let named = u64::try_from(receipts.named.len()).unwrap_or(u64::MAX);
    if receipts.missing > named {
        alarms.push(format!("et / and {} de plus / more", receipts.missing - named));
    }
    if !alarms.is_empty() {
        report.failed(NAME, alarms.join("\n"), keep);
    } else if receipts.left_out > 0 {
        report.failed(
            NAME,
            format!("{} non gardés / not kept", receipts.left_out),
            (
                "le journal n'est plus vu : corrigez la connexion à l'écoute publique, puis redémarrez l'agent",
                "the log is not seen any more: correct the connection to the public listener, then restart the agent",
            ),
        );
    } else {
        let (found, unchecked) = (receipts.found, receipts.unchecked);
        report.ok(NAME, format!("{found} trouvés / found, {unchecked} à vérifier / to check"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_exchange_is_named_with_what_to_do() {
        let text = r#"{"unchecked":1,"found":7,"missing":1,"left_out":0,"named":[{"exchange_id":
            "0190163d-8694-739b-aea5-966c26f8ad91","side":"sent","leaf_index":12,"since":"2026-01-15T12:00:00Z",
            "reason":"other_entry"}]}"#;
        let receipts: Receipts = serde_json::from_str(text).unwrap();
        let mut report = Report::default();
        check(&mut report, &receipts);
        let text = report.text();
        assert!(text.contains("0190163d-8694-739b-aea5-966c26f8ad91 (entrée / entry 12)"), "{text}");
        assert!(text.contains("another entry stands at its place") && text.contains("it is proof"), "{text}");
        let mut report = Report::default();
        check(&mut report, &Receipts { missing: 0, named: Vec::new(), ..receipts });
        assert_eq!(report.failures(), 0, "{}", report.text());
    }
}
