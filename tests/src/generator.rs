//! Records that look like those of Québec's public bodies and can match no real person.
//!
//! Seeded: the same seed gives the same records on every machine. Every identifier is deliberately invalid: a social
//! insurance number starts with 0 (never issued to a person), a health insurance number has a day from 32 to 39, a
//! driver's licence number has the month 00, and a permanent code of the ministère de l'Éducation has the month 13.

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;
use serde_json::{Value, json};

const FAMILY_NAMES: [&str; 12] = [
    "Tremblay",
    "Gagnon",
    "Côté",
    "Bouchard",
    "Gauthier",
    "Morin",
    "Lévesque",
    "Bélanger",
    "Pelletier",
    "Fortin",
    "Kistabish",
    "Nguyên",
];
const GIVEN_NAMES: [&str; 12] = [
    "Zoé",
    "Maëlle",
    "Océane",
    "Éloïse",
    "Noémie",
    "Anaïs",
    "Jérôme",
    "Loïc",
    "Étienne",
    "Raphaël",
    "François",
    "Siméon",
];
const TOWNS: [&str; 8] = [
    "Québec",
    "Montréal",
    "Trois-Rivières",
    "Sept-Îles",
    "Rouyn-Noranda",
    "Gaspé",
    "Saint-Félicien",
    "Chibougamau",
];

/// One of the four shapes of record that the generator knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Régie de l'assurance maladie du Québec: eligibility for the health insurance plan.
    HealthEligibility,
    /// Société de l'assurance automobile du Québec: status of a driver's licence.
    LicenceStatus,
    /// Revenu Québec: confirmation of an income.
    IncomeConfirmation,
    /// Ministère de l'Éducation: enrolment in a school.
    SchoolEnrolment,
}

impl Kind {
    /// Every kind, in the order of the sandbox's tour.
    pub const ALL: [Self; 4] =
        [Self::HealthEligibility, Self::LicenceStatus, Self::IncomeConfirmation, Self::SchoolEnrolment];
}

/// A record and the identifier of the person it is about.
#[derive(Clone, Debug)]
pub struct Record {
    /// UTF-8 JSON, as an agency's system would post it.
    pub body: Vec<u8>,
    /// Identifier of the person concerned; the agent turns it into a keyed pseudonym before anything leaves.
    pub subject: String,
    /// Case reference, such as "DOS-2026-004217".
    pub case_reference: String,
}

/// A seeded source of records.
#[derive(Debug)]
pub struct Generator {
    random: ChaCha20Rng,
}

impl Generator {
    /// A generator that gives the same records for the same seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { random: ChaCha20Rng::seed_from_u64(seed) }
    }

    /// The next record of the given kind.
    pub fn record(&mut self, kind: Kind) -> Record {
        let (subject, content) = match kind {
            Kind::HealthEligibility => self.health_eligibility(),
            Kind::LicenceStatus => self.licence_status(),
            Kind::IncomeConfirmation => self.income_confirmation(),
            Kind::SchoolEnrolment => self.school_enrolment(),
        };
        let case_reference = format!("DOS-2026-{:06}", self.random.random_range(1..1_000_000));
        Record { body: content.to_string().into_bytes(), subject, case_reference }
    }

    fn health_eligibility(&mut self) -> (String, Value) {
        let number = self.health_number();
        let content = json!({
            "type": "admissibilite-assurance-maladie",
            "numero_assurance_maladie": number,
            "nom": self.pick(&FAMILY_NAMES),
            "prenom": self.pick(&GIVEN_NAMES),
            "municipalite": self.pick(&TOWNS),
            "admissible": self.random.random_bool(0.9),
            "debut": self.date(2010, 2024),
            "fin": self.date(2027, 2030),
        });
        (number, content)
    }

    fn licence_status(&mut self) -> (String, Value) {
        let number = self.licence_number();
        let content = json!({
            "type": "statut-permis-conduire",
            "numero_permis": number,
            "classe": self.pick(&["5", "5", "6A", "3", "1"]),
            "statut": self.pick(&["valide", "valide", "suspendu", "expiré"]),
            "points_inaptitude": self.random.random_range(0..16),
            "echeance": self.date(2026, 2032),
        });
        (number, content)
    }

    fn income_confirmation(&mut self) -> (String, Value) {
        let number = self.social_insurance_number();
        let content = json!({
            "type": "confirmation-revenu",
            "numero_assurance_sociale": number,
            "annee_imposition": self.random.random_range(2022..2026),
            "revenu_net_cents": self.random.random_range(0..15_000_000_u32),
            "etat_civil": self.pick(&["célibataire", "marié", "conjoint de fait", "séparé", "veuf"]),
        });
        (number, content)
    }

    fn school_enrolment(&mut self) -> (String, Value) {
        let code = self.permanent_code();
        let content = json!({
            "type": "inscription-scolaire",
            "code_permanent": code,
            "annee_scolaire": "2026-2027",
            "niveau": self.pick(&["primaire-3", "primaire-6", "secondaire-1", "secondaire-5"]),
            "ecole": format!("École {} de {}", self.pick(&GIVEN_NAMES), self.pick(&TOWNS)),
            "frequentation": self.pick(&["temps plein", "temps partiel"]),
        });
        (code, content)
    }

    fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices.choose(&mut self.random).copied().unwrap_or_default()
    }

    fn date(&mut self, first_year: u32, last_year: u32) -> String {
        let year = self.random.random_range(first_year..=last_year);
        format!("{year}-{:02}-{:02}", self.random.random_range(1..=12), self.random.random_range(1..=28))
    }

    fn letters(&mut self, count: usize) -> String {
        (0..count).map(|_| char::from(self.random.random_range(b'A'..=b'Z'))).collect()
    }

    /// Four letters, year, month (+50 for a woman), a day from 32 to 39 that no month has, two more digits.
    fn health_number(&mut self) -> String {
        let month = self.random.random_range(1..=12) + if self.random.random_bool(0.5) { 50 } else { 0 };
        let (year, day, rest) = (
            self.random.random_range(0..100),
            self.random.random_range(32..40),
            self.random.random_range(0..100),
        );
        format!("{}{year:02}{month:02}{day:02}{rest:02}", self.letters(4))
    }

    /// A letter and twelve digits in the shape of a licence number, with the birth month 00.
    fn licence_number(&mut self) -> String {
        let (head, tail) = (self.random.random_range(0..10_000), self.random.random_range(0..10_000));
        format!("{}{head:04}-{:02}00{:02}-{tail:02}", self.letters(1), head % 100, tail % 100)
    }

    /// Nine digits of which the first is 0.
    fn social_insurance_number(&mut self) -> String {
        format!("0{:08}", self.random.random_range(0..100_000_000))
    }

    /// Four letters, a day, the month 13, a year and two digits.
    fn permanent_code(&mut self) -> String {
        let (day, year, rest) = (
            self.random.random_range(1..=28),
            self.random.random_range(5..20),
            self.random.random_range(0..100),
        );
        format!("{}{day:02}13{year:02}{rest:02}", self.letters(4))
    }
}

#[cfg(test)]
mod tests {
    use super::{Generator, Kind};

    #[test]
    fn the_same_seed_gives_the_same_records() {
        let bodies = |seed| {
            let mut generator = Generator::new(seed);
            Kind::ALL.map(|kind| generator.record(kind).body)
        };
        assert_eq!(bodies(7), bodies(7));
        assert_ne!(bodies(7), bodies(8));
    }

    #[test]
    fn no_identifier_can_be_a_real_one() {
        let mut generator = Generator::new(1);
        for _ in 0..2_000 {
            let health = generator.record(Kind::HealthEligibility).subject;
            let day: u32 = health[8..10].parse().expect("the day of birth in a health insurance number");
            assert!((32..=61).contains(&day), "{health} has a possible day");
            let income = generator.record(Kind::IncomeConfirmation).subject;
            assert!(income.starts_with('0'), "{income} could be issued");
            let pupil = generator.record(Kind::SchoolEnrolment).subject;
            assert_eq!(&pupil[6..8], "13", "{pupil} has a possible month");
            let driver = generator.record(Kind::LicenceStatus).subject;
            assert_eq!(&driver[8..10], "00", "{driver} has a possible month");
        }
    }

    #[test]
    fn records_are_json_and_name_their_subject() {
        let mut generator = Generator::new(3);
        for kind in Kind::ALL {
            let record = generator.record(kind);
            let text = String::from_utf8(record.body).expect("UTF-8");
            assert!(text.contains(&record.subject));
            serde_json::from_str::<serde_json::Value>(&text).expect("JSON");
        }
    }
}
