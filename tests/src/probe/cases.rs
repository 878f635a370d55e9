//! The agreements under which every refusal can be had, concluded between two probes.

use jiff::civil::Date;
use passerelle_proto::agreement::Document;
use passerelle_proto::agreement::draft::{Draft, DraftLimits, DraftSupersedes, Requires};
use passerelle_proto::wire;

use super::refusals::{Cases, TINY};
use super::{Probe, Terms};
use crate::network::Network;
use crate::network::agreements::{Body, RAMQ, SAAQ, codes, draft, shifted, today};
use crate::network::operators::Operator;

impl Terms {
    /// The terms of a document of the sandbox, as an honest header names them.
    #[must_use]
    pub fn of(document: &Document) -> Self {
        Self {
            agreement: document.reference(),
            service: codes::SERVICE.to_owned(),
            purpose: codes::PURPOSE.to_owned(),
            legal_basis: document.agreement().legal_basis.code().to_owned(),
            data_categories: vec![codes::IDENTITY.to_owned(), codes::ELIGIBILITY.to_owned()],
        }
    }

    /// The agreement that is named.
    #[must_use]
    pub fn reference(&self) -> &wire::AgreementRef {
        &self.agreement
    }
}

/// One party's pair of probes and the network in which they conclude agreements.
struct Office<'a> {
    network: &'a Network,
    ramq: &'a Probe,
    saaq: &'a Probe,
    today: Date,
}

impl Office<'_> {
    fn form(&self, number: u32) -> Draft {
        draft(&format!("ENT-2026-{number}"), RAMQ, &[SAAQ], self.today)
    }

    async fn conclude(&self, form: &Draft) -> anyhow::Result<Terms> {
        let document = self.network.conclude(form, &[self.ramq, self.saaq]).await?;
        Ok(Terms::of(&document))
    }

    async fn stopped(&self, number: u32, operator: Operator, step: &str) -> anyhow::Result<Terms> {
        let form = self.form(number);
        let terms = self.conclude(&form).await?;
        self.network.step(operator, step, &form)?;
        Ok(terms)
    }

    async fn replaced(&self, number: u32) -> anyhow::Result<Terms> {
        let first = self.form(number);
        let terms = self.conclude(&first).await?;
        let mut second = first.clone();
        second.version = 2;
        second.supersedes = Some(DraftSupersedes { number: first.number.clone(), version: first.version });
        self.conclude(&second).await?;
        Ok(terms)
    }
}

impl Cases {
    /// Concludes them all. `ramq` provides, `saaq` receives; both agencies must be registered.
    ///
    /// # Errors
    /// What the gateway refuses.
    pub async fn conclude(network: &Network, ramq: &Probe, saaq: &Probe) -> anyhow::Result<Self> {
        let office = Office { network, ramq, saaq, today: today(ramq.now()) };
        let provided_by = |body: Body, to: Body, number| draft(number, body, &[to], office.today);
        let mut not_yet = office.form(103);
        not_yet.valid_from = shifted(office.today, 1).to_string();
        let mut demanding = office.form(106);
        demanding.requires = Requires { case_reference: true, acting_user: true };
        let mut tiny = office.form(107);
        tiny.limits =
            DraftLimits { per_day: Some(1), max_record_bytes: Some(TINY), ..DraftLimits::default() };
        let mut expired = office.form(108);
        expired.valid_from = shifted(office.today, -30).to_string();
        expired.valid_to = shifted(office.today, -1).to_string();
        Ok(Self {
            in_force: office.conclude(&office.form(101)).await?,
            other_direction: office.conclude(&provided_by(SAAQ, RAMQ, "ENT-2026-102")).await?,
            not_yet: office.conclude(&not_yet).await?,
            suspended: office.stopped(104, Operator::Security, "suspend").await?,
            revoked: office.stopped(105, Operator::SigningAuthority, "revoke").await?,
            demanding: office.conclude(&demanding).await?,
            tiny: office.conclude(&tiny).await?,
            expired: office.conclude(&expired).await?,
            replaced: office.replaced(109).await?,
        })
    }
}
