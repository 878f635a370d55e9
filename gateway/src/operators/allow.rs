//! Who may call what: the whole table. An RPC without a line here is for nobody.
//!
//! A role opens the door of an RPC; what it reaches behind it (one's own agency, not one's own draft) is decided with
//! the state, in the module that does the work.

use super::Role;

macro_rules! rpcs {
    ($($rpc:ident = $path:literal for [$($role:ident),+ $(,)?];)+) => {
        /// An RPC that operators call.
        #[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rpc {
            $(#[doc = concat!("`", $path, "`.")] $rpc,)+
        }

        impl Rpc {
            /// Every RPC of the table.
            pub const ALL: &[Self] = &[$(Self::$rpc),+];

            /// `Service/Method`, without the package.
            #[must_use]
            pub const fn path(self) -> &'static str {
                match self { $(Self::$rpc => $path,)+ }
            }

            /// The roles that may call it.
            #[must_use]
            pub const fn roles(self) -> &'static [Role] {
                match self { $(Self::$rpc => &[$(Role::$role),+],)+ }
            }
        }
    };
}

rpcs! {
    RegisterAgency = "Administration/RegisterAgency" for [PlatformAdmin];
    ApproveAgency = "Administration/ApproveAgency" for [PlatformAdmin];
    SuspendAgency = "Administration/SuspendAgency" for [SecurityOperator];
    ListAgencies = "Administration/ListAgencies" for [
        PlatformAdmin, AgencyAdmin, AgreementOfficer, SigningAuthority, PrivacyOfficer, Auditor, SecurityOperator,
    ];
    IssueEnrolmentToken = "Administration/IssueEnrolmentToken" for [PlatformAdmin, AgencyAdmin];
    RevokeAgent = "Administration/RevokeAgent" for [SecurityOperator];
    ProposeAgreement = "Administration/ProposeAgreement" for [AgreementOfficer];
    ActivateAgreement = "Administration/ActivateAgreement" for [SigningAuthority];
    RejectAgreement = "Administration/RejectAgreement" for [SigningAuthority];
    RecordSentToCai = "Administration/RecordSentToCai" for [PrivacyOfficer];
    RecordReceivedByCai = "Administration/RecordReceivedByCai" for [PrivacyOfficer];
    SuspendAgreement = "Administration/SuspendAgreement" for [SecurityOperator, PrivacyOfficer];
    ResumeAgreement = "Administration/ResumeAgreement" for [SecurityOperator, PrivacyOfficer];
    RevokeAgreement = "Administration/RevokeAgreement" for [SigningAuthority];
    ListAgreements = "Administration/ListAgreements" for [
        AgreementOfficer, SigningAuthority, PrivacyOfficer, Auditor, SecurityOperator,
    ];
    Query = "Audit/Query" for [Auditor, PrivacyOfficer];
    OpenReading = "Audit/OpenReading" for [Auditor];
    ProveExchange = "Audit/ProveExchange" for [Auditor, PrivacyOfficer];
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use prost::Message;

    use super::*;

    #[test]
    fn the_table_has_every_method_of_both_services_and_no_other() {
        let set =
            prost_types::FileDescriptorSet::decode(passerelle_proto::wire::FILE_DESCRIPTOR_SET).unwrap();
        let methods: BTreeSet<String> = set
            .file
            .iter()
            .flat_map(|file| &file.service)
            .filter(|service| ["Administration", "Audit"].contains(&service.name()))
            .flat_map(|service| {
                service.method.iter().map(move |method| format!("{}/{}", service.name(), method.name()))
            })
            .collect();
        let table: BTreeSet<String> = Rpc::ALL.iter().map(|rpc| rpc.path().to_owned()).collect();
        assert_eq!(table, methods);
        assert_eq!((table.len(), Rpc::ALL.len()), (18, 18));
    }

    #[test]
    fn no_role_drafts_and_activates() {
        let both = |role: &Role| {
            Rpc::ProposeAgreement.roles().contains(role) && Rpc::ActivateAgreement.roles().contains(role)
        };
        assert!(!Role::ALL.iter().any(both));
    }

    #[test]
    fn who_registers_agencies_cannot_read_the_log() {
        assert!(!Rpc::Query.roles().contains(&Role::PlatformAdmin));
        assert!(!Rpc::OpenReading.roles().contains(&Role::PlatformAdmin));
    }
}
