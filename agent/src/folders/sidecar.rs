//! The sidecar of a file to be sent, `NAME.meta.json`: what the record is, where the configuration does not say it.
//!
//! Strict: a field that is unknown, of another folder's agreement, or more than a name is a mistake, and the file is put
//! aside; a guess would send personal information on the strength of a typing error.

use std::collections::BTreeSet;
use std::time::Duration;

use passerelle_pki::name::AgencyCode;
use passerelle_proto::exchange_id::ExchangeId;
use serde::Deserialize;

use super::refusal::Refusal;
use super::settings::FolderSettings;
use crate::landing::name::media_type;
use crate::records::SendRequest;

/// Bytes of a sidecar.
pub(super) const LIMIT: u64 = 64 << 10;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Sidecar {
    agreement: Option<String>,
    agreement_version: Option<u32>,
    to: Option<BTreeSet<AgencyCode>>,
    service: Option<String>,
    purpose: Option<String>,
    legal_basis: Option<String>,
    data_categories: Option<BTreeSet<String>>,
    case_reference: Option<String>,
    acting_user: Option<String>,
    subjects: Vec<String>,
    file_name: Option<String>,
    content_type: Option<String>,
    expires_in_s: Option<u64>,
    in_reply_to: Option<ExchangeId>,
    ordered: Option<bool>,
}

/// The request for a file of this name, with what its sidecar says.
pub(super) fn request(
    folder: &FolderSettings,
    name: &str,
    sidecar: Option<&[u8]>,
) -> Result<SendRequest, Refusal> {
    let said = match sidecar {
        None => Sidecar::default(),
        // An array is taken for a structure otherwise.
        Some(bytes) if !bytes.trim_ascii_start().starts_with(b"{") => {
            return Err(Refusal::sidecar_invalid("not a JSON object"));
        }
        Some(bytes) => {
            serde_json::from_slice(bytes).map_err(|error| Refusal::sidecar_invalid(&error.to_string()))?
        }
    };
    if let Some(other) = said.agreement.as_deref().filter(|number| *number != folder.agreement) {
        return Err(Refusal::sidecar_contradicts("agreement", other, &folder.agreement));
    }
    let defaults = &folder.defaults;
    let outside =
        |agency: &&AgencyCode| !defaults.recipients.is_empty() && !defaults.recipients.contains(*agency);
    if let Some(other) = said.to.as_ref().and_then(|to| to.iter().find(outside)) {
        let ours: Vec<&str> = defaults.recipients.iter().map(AgencyCode::as_str).collect();
        return Err(Refusal::sidecar_contradicts("to", other.as_str(), &ours.join(", ")));
    }
    if said.ordered == Some(true) && !defaults.ordered {
        return Err(Refusal::sidecar_contradicts("ordered", "true", "false"));
    }
    let file_name = said.file_name.unwrap_or_else(|| name.to_owned());
    if !is_plain(&file_name) {
        return Err(Refusal::file_name(&file_name));
    }
    let given = |said: Option<String>, default: &Option<String>| said.or_else(|| default.clone());
    Ok(SendRequest {
        agreement: folder.agreement.clone(),
        version: said.agreement_version,
        recipients: said.to.unwrap_or_else(|| defaults.recipients.clone()),
        service: given(said.service, &defaults.service),
        purpose: given(said.purpose, &defaults.purpose),
        legal_basis: said.legal_basis,
        data_categories: said.data_categories.unwrap_or_else(|| defaults.data_categories.clone()),
        case_reference: given(said.case_reference, &defaults.case_reference),
        acting_user: given(said.acting_user, &defaults.acting_user),
        subjects: said.subjects,
        content_type: Some(said.content_type.unwrap_or_else(|| media_type(file_name.as_ref()).to_owned())),
        file_name: Some(file_name),
        expires_in: said.expires_in_s.map(Duration::from_secs),
        in_reply_to: said.in_reply_to,
        ordered: said.ordered.unwrap_or(defaults.ordered),
        ..SendRequest::default()
    })
}

/// A name of one file, not a path.
fn is_plain(name: &str) -> bool {
    let moves = |letter: char| matches!(letter, '/' | '\\') || letter.is_control();
    !name.is_empty() && name.len() <= 255 && name != "." && name != ".." && !name.contains(moves)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn folder() -> FolderSettings {
        FolderSettings {
            name: "avis".to_owned(),
            path: PathBuf::new(),
            agreement: "ENT-2026-001".to_owned(),
            outbox: true,
            inbox: false,
            sidecar_required: false,
            remove_delivered: false,
            settle: Duration::from_secs(2),
            defaults: SendRequest { purpose: Some("QC-F".to_owned()), ..SendRequest::default() },
        }
    }

    fn read(sidecar: &str) -> Result<SendRequest, &'static str> {
        request(&folder(), "avis.pdf", Some(sidecar.as_bytes())).map_err(|refusal| refusal.code())
    }

    #[test]
    fn what_the_sidecar_leaves_open_comes_from_the_configuration() {
        let bare = request(&folder(), "avis.pdf", None).unwrap();
        assert_eq!((bare.purpose.as_deref(), bare.file_name.as_deref()), (Some("QC-F"), Some("avis.pdf")));
        assert_eq!(bare.content_type.as_deref(), Some("application/pdf"));
        let said = read(
            r#"{"agreement": "ENT-2026-001", "purpose": "QC-A", "to": ["saaq"], "subjects": ["TREM 1234"],
                "case_reference": "D-1", "file_name": "été.txt", "expires_in_s": 60}"#,
        )
        .unwrap();
        assert_eq!(said.purpose.as_deref(), Some("QC-A"));
        assert_eq!(said.recipients.iter().map(AgencyCode::as_str).collect::<Vec<_>>(), ["saaq"]);
        assert_eq!((said.subjects, said.case_reference.as_deref()), (vec!["TREM 1234".into()], Some("D-1")));
        assert_eq!(said.content_type.as_deref(), Some("text/plain"));
        assert_eq!(said.expires_in, Some(Duration::from_secs(60)));
    }

    #[test]
    fn what_is_not_understood_is_a_mistake() {
        for (sidecar, code) in [
            ("", "SIDECAR_INVALID"),
            ("[]", "SIDECAR_INVALID"),
            (r#"{"purpos": "QC-F"}"#, "SIDECAR_INVALID"),
            (r#"{"from": "saaq"}"#, "SIDECAR_INVALID"),
            (r#"{"to": ["SAAQ !"]}"#, "SIDECAR_INVALID"),
            (r#"{"purpose": "QC-F", "purpose": "QC-A"}"#, "SIDECAR_INVALID"),
            (r#"{"purpose": "QC-F"} {}"#, "SIDECAR_INVALID"),
            (r#"{"ordered": true}"#, "SIDECAR_CONTRADICTS_FOLDER"),
            (r#"{"agreement": "ENT-2026-002"}"#, "SIDECAR_CONTRADICTS_FOLDER"),
            (r#"{"file_name": "../../etc/passwd"}"#, "FILE_NAME_NOT_PLAIN"),
            (r#"{"file_name": "a\\b"}"#, "FILE_NAME_NOT_PLAIN"),
            (r#"{"file_name": ".."}"#, "FILE_NAME_NOT_PLAIN"),
            (r#"{"file_name": "a\nb"}"#, "FILE_NAME_NOT_PLAIN"),
        ] {
            assert_eq!(read(sidecar), Err(code), "{sidecar}");
        }
    }

    #[test]
    fn a_sidecar_names_no_agency_beside_those_of_the_configuration() {
        let mut folder = folder();
        folder.defaults.recipients = BTreeSet::from(["saaq".parse().unwrap()]);
        let asked = |to: &str| request(&folder, "a", Some(format!(r#"{{"to": ["{to}"]}}"#).as_bytes()));
        assert!(asked("saaq").is_ok());
        assert_eq!(asked("ramq").unwrap_err().code(), "SIDECAR_CONTRADICTS_FOLDER");
    }
}
