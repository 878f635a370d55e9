//! The closed lists of codes that an agreement uses, with what each demands.
//!
//! Codes are stable: never renamed, never reused. The provisions are those of the *Act respecting Access to documents
//! held by public bodies* (A-2.1) and its neighbours; `docs/formats/agreement.md` gives the reading of each.

use std::fmt;

/// Declares an enum whose values are written as fixed codes.
macro_rules! codes {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $code:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$variant_meta])* $variant),+ }

        impl $name {
            /// Every value, in the order of the law.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The code as documents and headers write it.
            #[must_use]
            pub fn code(self) -> &'static str {
                match self { $(Self::$variant => $code),+ }
            }

            /// The value of a code, compared exactly.
            #[must_use]
            pub fn from_code(code: &str) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)+ _ => None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(self.code())
            }
        }
    };
}

codes! {
    /// The statute that governs the information exchanged.
    LegalRegime {
        /// Access Act.
        Access = "A-2.1",
        /// Act respecting health and social services information.
        HealthInformation = "R-22.1",
        /// Tax Administration Act.
        TaxAdministration = "A-6.002",
        /// Act respecting the governance and management of information resources (G-1.03).
        DigitalGovernance = "G-1.03",
    }
}

codes! {
    /// The provision that allows the exchange. Section 68.1 of is not offered: see [`REPEALED_BASIS`].
    LegalBasis {
        /// Collection on behalf of another public body; in force 30 days after the Commission's receipt.
        Section64 = "A-2.1 s.64",
        /// Identity information, to obtain information from a private body.
        Section66 = "A-2.1 s.66",
        /// Needed to apply an Act.
        Section67 = "A-2.1 s.67",
        /// Needed to apply labour instruments.
        Section67_1 = "A-2.1 s.67.1",
        /// Mandate or service contract.
        Section67_2 = "A-2.1 s.67.2",
        /// Study, research or statistics; in force 30 days after the Commission's receipt.
        Section67_2_1 = "A-2.1 s.67.2.1",
        /// The four cases of s. 68; in force 30 days after the Commission's receipt.
        Section68 = "A-2.1 s.68",
        /// Release outside Québec.
        Section70_1 = "A-2.1 s.70.1",
        /// Information of a tax file, to the bodies and for the ends that s. 69.1 lists.
        TaxFile69_1 = "A-6.002 s.69.1",
        /// Health and social services information.
        HealthInformation = "R-22.1",
        /// Official source of government digital data (ss. 12.14 to 12.17).
        OfficialSource = "G-1.03",
        /// No personal information at all.
        NonPersonal = "non-personal",
    }
}

/// The code of s. 68.1 (file matching): refused by name, since the lists of ss. 59 and 67.3 no longer hold it.
pub const REPEALED_BASIS: &str = "A-2.1 s.68.1";

impl LegalBasis {
    /// The regime that a document with this basis must name; `None` leaves it free.
    #[must_use]
    pub fn regime(self) -> Option<LegalRegime> {
        match self {
            Self::Section64
            | Self::Section66
            | Self::Section67
            | Self::Section67_1
            | Self::Section67_2
            | Self::Section67_2_1
            | Self::Section68
            | Self::Section70_1 => Some(LegalRegime::Access),
            Self::TaxFile69_1 => Some(LegalRegime::TaxAdministration),
            Self::HealthInformation => Some(LegalRegime::HealthInformation),
            Self::OfficialSource => Some(LegalRegime::DigitalGovernance),
            Self::NonPersonal => None,
        }
    }

    /// Whether the agreement comes into force 30 days after the Commission receives it (ss. 64, 67.2.3, 68).
    #[must_use]
    pub fn waits_for_commission(self) -> bool {
        matches!(self, Self::Section64 | Self::Section67_2_1 | Self::Section68)
    }

    /// The section that demands a privacy impact assessment (EFVP) before the exchange, where one does.
    #[must_use]
    pub fn assessment_section(self) -> Option<&'static str> {
        match self {
            Self::Section64 => Some("A-2.1, a. 64"),
            Self::Section67_2_1 => Some("A-2.1, a. 67.2.1"),
            Self::Section68 => Some("A-2.1, a. 68"),
            Self::OfficialSource => Some("G-1.03, a. 12.16"),
            Self::Section66
            | Self::Section67
            | Self::Section67_1
            | Self::Section67_2
            | Self::Section70_1
            | Self::TaxFile69_1
            | Self::HealthInformation
            | Self::NonPersonal => None,
        }
    }

    /// Whether the four conclusions of the assessment must all be stated and favourable (ss. 67.2.1, 68).
    #[must_use]
    pub fn needs_conclusions(self) -> bool {
        matches!(self, Self::Section67_2_1 | Self::Section68)
    }
}

codes! {
    /// Which case of s. 68 an agreement stands on.
    Section68Case {
        /// Needed for the recipient's attributions or for a programme that it manages.
        RecipientAttributions = "1",
        /// Clearly for the benefit of the person concerned. Exempt from s. 70.1.
        PersonBenefit = "1.1",
        /// Exceptional circumstances.
        ExceptionalCircumstances = "2",
        /// Needed for a service to the person concerned, for one to identify them.
        ServiceToPerson = "3",
    }
}

codes! {
    /// The statutory ends of G-1.03, s. 12.10, second paragraph, (a) to (g).
    PurposeCode {
        /// Optimise or simplify services to citizens and enterprises.
        A = "QC-A",
        /// Support State missions, common services or common missions.
        B = "QC-B",
        /// Carry out a mandate under an Act or a government-wide initiative.
        C = "QC-C",
        /// Plan, manage, evaluate or control resources, programmes or services.
        D = "QC-D",
        /// Inform ministerial or government decisions.
        E = "QC-E",
        /// Verify eligibility to a programme or measure.
        F = "QC-F",
        /// Research and development.
        G = "QC-G",
    }
}

codes! {
    /// How the information travels (4th of the seven items).
    Method {
        /// Records sent one by one.
        Record = "record",
        /// Request and response.
        Call = "call",
        /// Whole files.
        File = "file",
        /// Notices of something that happened.
        Event = "event",
    }
}

codes! {
    /// How often the information travels (6th of the seven items).
    IntervalKind {
        /// Whenever there is something to send.
        Continuous = "continuous",
        /// When the recipient asks.
        OnDemand = "on-demand",
        /// Every hour.
        Hourly = "hourly",
        /// Every day.
        Daily = "daily",
        /// Every week.
        Weekly = "weekly",
        /// Every month.
        Monthly = "monthly",
        /// Every three months.
        Quarterly = "quarterly",
        /// Every year.
        Annual = "annual",
        /// A single time.
        Once = "once",
    }
}

codes! {
    /// What becomes of fields that no rule of the agreement allows.
    Otherwise {
        /// They are removed before anything is sealed.
        Remove = "remove",
        /// Nothing is sent.
        Refuse = "refuse",
    }
}

codes! {
    /// The seven items that ss. 64 and 68 demand of every agreement, in the law's order.
    StatutoryItem {
        /// 1. Who releases and who collects.
        Parties = "parties",
        /// 2. The purposes of the release.
        Purposes = "purposes",
        /// 3. The nature of the information.
        Nature = "nature",
        /// 4. The method of transmission.
        Method = "method",
        /// 5. The security measures.
        SecurityMeasures = "security_measures",
        /// 6. The intervals.
        Interval = "interval",
        /// 7. The duration.
        Duration = "duration",
    }
}

impl StatutoryItem {
    /// Rank in the law's list, 1 to 7.
    #[must_use]
    pub fn rank(self) -> u8 {
        match self {
            Self::Parties => 1,
            Self::Purposes => 2,
            Self::Nature => 3,
            Self::Method => 4,
            Self::SecurityMeasures => 5,
            Self::Interval => 6,
            Self::Duration => 7,
        }
    }

    /// Where the item is demanded. Outside ss. 64 and 68 it is this format that demands it, on their model.
    #[must_use]
    pub fn section(self, basis: Option<LegalBasis>) -> String {
        let rank = self.rank();
        match basis {
            Some(LegalBasis::Section64) => format!("A-2.1, a. 64, mention {rank} de 7"),
            Some(LegalBasis::Section68) | None => format!("A-2.1, a. 68, mention {rank} de 7"),
            Some(_) => format!("{}, sur le modèle de A-2.1, a. 68, mention {rank} de 7", super::FORMAT),
        }
    }
}
