//! The allow-list: every RPC, and through which door it can be called. A path without a line here is for nobody.

/// A listener.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Door {
    /// Mutual TLS; the caller is an agent.
    Agents,
    /// Server TLS; the caller shows a token, or needs none.
    Public,
}

/// What proves that the caller may call.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// A client certificate of an agent.
    AgentCertificate,
    /// A one-time enrolment token in the request.
    EnrolmentToken,
    /// An operator's token, whose roles [`crate::operators::allow`] lists.
    OperatorToken,
    /// Nothing.
    None,
}

/// One RPC of `passerelle.v1`: service, method, the only door, the credential.
const TABLE: &[(&str, &str, Door, Credential)] = &[
    ("Exchange", "Submit", Door::Agents, Credential::AgentCertificate),
    ("Exchange", "Upload", Door::Agents, Credential::AgentCertificate),
    ("Exchange", "Collect", Door::Agents, Credential::AgentCertificate),
    ("Exchange", "Download", Door::Agents, Credential::AgentCertificate),
    ("Exchange", "State", Door::Agents, Credential::AgentCertificate),
    ("ExchangeEvidence", "Assemble", Door::Agents, Credential::AgentCertificate),
    ("Directory", "Lookup", Door::Agents, Credential::AgentCertificate),
    ("Directory", "PublishKeyBundle", Door::Agents, Credential::AgentCertificate),
    ("Catalogue", "Publish", Door::Agents, Credential::AgentCertificate),
    ("Catalogue", "List", Door::Agents, Credential::AgentCertificate),
    ("Catalogue", "Document", Door::Agents, Credential::AgentCertificate),
    ("Calls", "Call", Door::Agents, Credential::AgentCertificate),
    ("Calls", "Serve", Door::Agents, Credential::AgentCertificate),
    ("Calls", "TakeBody", Door::Agents, Credential::AgentCertificate),
    ("Calls", "GiveBody", Door::Agents, Credential::AgentCertificate),
    ("Agreements", "List", Door::Agents, Credential::AgentCertificate),
    ("Agreements", "Sign", Door::Agents, Credential::AgentCertificate),
    ("Agreements", "Watch", Door::Agents, Credential::AgentCertificate),
    ("Renewal", "Renew", Door::Agents, Credential::AgentCertificate),
    ("Enrolment", "Enrol", Door::Public, Credential::EnrolmentToken),
    ("Administration", "RegisterAgency", Door::Public, Credential::OperatorToken),
    ("Administration", "ApproveAgency", Door::Public, Credential::OperatorToken),
    ("Administration", "SuspendAgency", Door::Public, Credential::OperatorToken),
    ("Administration", "ListAgencies", Door::Public, Credential::OperatorToken),
    ("Administration", "IssueEnrolmentToken", Door::Public, Credential::OperatorToken),
    ("Administration", "RevokeAgent", Door::Public, Credential::OperatorToken),
    ("Administration", "ProposeAgreement", Door::Public, Credential::OperatorToken),
    ("Administration", "ActivateAgreement", Door::Public, Credential::OperatorToken),
    ("Administration", "RejectAgreement", Door::Public, Credential::OperatorToken),
    ("Administration", "RecordSentToCai", Door::Public, Credential::OperatorToken),
    ("Administration", "RecordReceivedByCai", Door::Public, Credential::OperatorToken),
    ("Administration", "SuspendAgreement", Door::Public, Credential::OperatorToken),
    ("Administration", "ResumeAgreement", Door::Public, Credential::OperatorToken),
    ("Administration", "RevokeAgreement", Door::Public, Credential::OperatorToken),
    ("Administration", "ListAgreements", Door::Public, Credential::OperatorToken),
    ("Audit", "Query", Door::Public, Credential::OperatorToken),
    ("Audit", "OpenReading", Door::Public, Credential::OperatorToken),
    ("Audit", "ProveExchange", Door::Public, Credential::OperatorToken),
];

/// What proves that a caller at `door` may call `path` (`/package.Service/Method`, or a path of HTTP); `None` when
/// nobody may.
#[must_use]
pub fn credential(door: Door, path: &str) -> Option<Credential> {
    if path.starts_with("/grpc.health.v1.Health/") {
        return Some(Credential::None);
    }
    if door == Door::Public {
        let published = path == "/checkpoint" || path.starts_with("/tile/");
        if published || path.starts_with("/grpc.reflection.v1.ServerReflection/") {
            return Some(Credential::None);
        }
    }
    let (service, method) = path.strip_prefix("/passerelle.v1.")?.split_once('/')?;
    let line = TABLE.iter().find(|line| line.0 == service && line.1 == method)?;
    (line.2 == door).then_some(line.3)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use prost::Message;

    use super::*;

    #[test]
    fn the_table_has_every_method_of_the_schema_and_no_other() {
        let set =
            prost_types::FileDescriptorSet::decode(passerelle_proto::wire::FILE_DESCRIPTOR_SET).unwrap();
        let schema: BTreeSet<(String, String)> = set
            .file
            .iter()
            .filter(|file| file.package() == "passerelle.v1")
            .flat_map(|file| &file.service)
            .flat_map(|service| {
                service.method.iter().map(|method| (service.name().to_owned(), method.name().to_owned()))
            })
            .collect();
        let table: BTreeSet<_> = TABLE.iter().map(|line| (line.0.to_owned(), line.1.to_owned())).collect();
        assert_eq!(table, schema);
        assert_eq!(TABLE.len(), schema.len(), "no line stands twice");
    }

    #[test]
    fn an_rpc_has_one_door() {
        for (service, method, door, credential_kind) in TABLE {
            let path = format!("/passerelle.v1.{service}/{method}");
            let other = if *door == Door::Agents { Door::Public } else { Door::Agents };
            assert_eq!(credential(*door, &path), Some(*credential_kind));
            assert_eq!(credential(other, &path), None, "{path}");
        }
    }

    #[test]
    fn what_is_not_listed_is_for_nobody() {
        for path in [
            "",
            "/",
            "/passerelle.v1.Exchange/",
            "/passerelle.v1.Exchange/Submit/",
            "/x.Exchange/Submit",
            "/tile",
            "/checkpoint/x",
        ] {
            assert_eq!(
                (credential(Door::Public, path), credential(Door::Agents, path)),
                (None, None),
                "{path}"
            );
        }
        assert_eq!(credential(Door::Agents, "/checkpoint"), None);
    }
}
