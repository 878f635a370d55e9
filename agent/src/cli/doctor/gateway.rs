//! What can be seen of the gateway from here: name, address, TLS, and its clock.

use std::sync::Arc;
use std::time::Duration;

use jiff::fmt::rfc2822::DateTimeParser;
use passerelle_pki::certificate::TrustAnchor;
use passerelle_pki::clock::{SharedClock, Timestamp};
use passerelle_pki::tls::{ClientSettings, ClientTls};
use tokio::time::timeout;
use tower::{Service, ServiceExt};

use super::presented;
use super::report::Report;
use crate::link::{GatewayAddress, Line, LinkError, chain, dial};

const PATIENCE: Duration = Duration::from_secs(10);
/// Difference from which headers may soon be refused: a gateway allows 60 s unless it is told otherwise.
const SKEW: Duration = Duration::from_secs(30);

/// Reaches a listener as far as TLS. The agents' listener asks for our certificate after that, which the running agent's
/// connection proves.
pub(super) async fn listener(
    report: &mut Report,
    name: &'static str,
    address: &GatewayAddress,
    anchor: &TrustAnchor,
    clock: &SharedClock,
) -> Option<Line> {
    let found = timeout(PATIENCE, tokio::net::lookup_host((address.host(), address.port()))).await;
    let addresses: Vec<_> = match found {
        Ok(Ok(addresses)) => addresses.map(|address| address.ip().to_string()).take(4).collect(),
        failed => {
            let why = match failed {
                Ok(Err(error)) => error.to_string(),
                _ => "délai dépassé / timed out".to_owned(),
            };
            report.failed(
                name,
                format!("DNS : {} : {why}", address.host()),
                (
                    "vérifiez le nom dans la configuration et le DNS de cette machine",
                    "check the name in the configuration and this machine's DNS",
                ),
            );
            return None;
        }
    };
    let tls = ClientTls::new(ClientSettings {
        credential: None,
        anchor: anchor.clone(),
        revocations: None,
        alpn: vec![b"h2".to_vec()],
        clock: Arc::clone(clock),
    });
    let dialled = match &tls {
        Ok(tls) => dial(address, tls, |_| true).await,
        Err(error) => {
            let advice = ("vérifiez le certificat racine", "check the root certificate");
            report.failed(name, chain(error), advice);
            return None;
        }
    };
    match dialled {
        Ok(line) => {
            report.ok(name, format!("{address} ({}) : {}", addresses.join(", "), line.peer().identity));
            Some(line)
        }
        Err(error) => {
            let mut found = vec![chain(&error)];
            if matches!(error, LinkError::Tls { .. }) {
                found.extend(presented::chain(address, anchor).await);
            }
            report.failed(name, found.join("\n"), advice(&error));
            None
        }
    }
}

fn advice(error: &LinkError) -> (&'static str, &'static str) {
    match error {
        LinkError::Unreachable { .. } => (
            "vérifiez que la passerelle est démarrée, l'adresse et le port, et que le pare-feu laisse sortir",
            "check that the gateway runs, address and port, and that the firewall lets it out",
        ),
        LinkError::Tls { .. } => (
            "la passerelle n'est pas reconnue sous votre racine : vérifiez le certificat racine, le nom d'hôte, l'horloge, et qu'aucun intermédiaire n'intercepte TLS",
            "the gateway is not believed under your root: check the root certificate, the host name, the clock, and that nothing in between intercepts TLS",
        ),
        _ => (
            "autre chose qu'une passerelle répond là : vérifiez l'adresse, le port et les mandataires",
            "something else than a gateway answers there: check address, port and proxies",
        ),
    }
}

/// Compares our clock with the date that the gateway puts on its answers.
pub(super) async fn clock(report: &mut Report, line: &Line, clock: &SharedClock) {
    const NAME: &str = "clock";
    let Some(theirs) = date(line).await else {
        report.skipped(NAME, "la passerelle n'a pas donné l'heure / the gateway gave no date");
        return;
    };
    compare(report, clock.now(), theirs);
}

pub(super) fn compare(report: &mut Report, ours: Timestamp, theirs: Timestamp) {
    let skew = ours.since(theirs).max(theirs.since(ours));
    let found = format!("{ours}, passerelle / gateway {theirs} (± {} s)", skew.as_secs());
    if skew > SKEW {
        report.failed(
            "clock",
            found,
            (
                "synchronisez l'horloge (timedatectl, chrony) : au-delà d'une minute, tout est refusé (CLOCK_SKEW)",
                "synchronise the clock (timedatectl, chrony): beyond a minute everything is refused (CLOCK_SKEW)",
            ),
        );
    } else {
        report.ok("clock", found);
    }
}

async fn date(line: &Line) -> Option<Timestamp> {
    let request = http::Request::builder().uri("/checkpoint").body(tonic::body::Body::empty()).ok()?;
    let mut channel = line.channel();
    let answer = async { channel.ready().await.ok()?.call(request).await.ok() };
    let answer = timeout(PATIENCE, answer).await.ok()??;
    let date = answer.headers().get(http::header::DATE)?.to_str().ok()?;
    let date = DateTimeParser::new().parse_timestamp(date).ok()?;
    u64::try_from(date.as_millisecond()).ok().map(Timestamp::from_millis)
}
