//! Two nginx hops with mutual TLS between them: what agencies would put between two systems without Passerelle.
//!
//! client → nginx (client's certificate) → nginx (asks for it) → service. One worker each, kept-alive connections, TLS 1.3, no
//! access log; certificates of our own authority on both sides. Not measured when nginx is not on the machine.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use passerelle_pki::authority::Authority;
use passerelle_pki::certificate::Usage;
use passerelle_pki::clock::Timestamp;
use passerelle_pki::key::Ed25519Key;
use passerelle_pki::name::Identity;
use passerelle_pki::request;

use crate::network::free_address;

/// How long nginx may take to listen.
const PATIENCE: Duration = Duration::from_secs(10);

/// Both hops, running. Killed when dropped.
#[derive(Debug)]
pub struct Hops {
    /// Where a client enters, without TLS.
    pub entrance: SocketAddr,
    processes: Vec<Child>,
}

impl Hops {
    /// Starts both before `service`; `None` when there is no nginx.
    ///
    /// # Errors
    /// When it does not listen, with the end of its log.
    pub fn start(
        folder: &Path,
        issuing: &Authority,
        now: Timestamp,
        service: SocketAddr,
    ) -> anyhow::Result<Option<Self>> {
        if Command::new("nginx").arg("-v").stderr(Stdio::null()).status().is_err() {
            return Ok(None);
        }
        fs::create_dir_all(folder)?;
        fs::write(folder.join("root.pem"), issuing.trust_anchor().to_pem())?;
        certify(folder, issuing, "server", "gateway:nginx", now)?;
        certify(folder, issuing, "client", "saaq/nginx", now)?;
        let (entrance, middle) = (free_address()?, free_address()?);
        let port = middle.port();
        let server = format!(
            "listen {middle} ssl; ssl_certificate server.pem; ssl_certificate_key server.key; ssl_protocols TLSv1.3;\n\
             ssl_client_certificate root.pem; ssl_verify_client on; ssl_verify_depth 3;\n\
             location / {{ proxy_pass http://upstream; proxy_http_version 1.1; proxy_set_header Connection \"\"; }}"
        );
        let client = format!(
            "listen {entrance};\nlocation / {{ proxy_pass https://upstream; proxy_http_version 1.1;\n\
             proxy_set_header Connection \"\"; proxy_ssl_protocols TLSv1.3; proxy_ssl_certificate client.pem;\n\
             proxy_ssl_certificate_key client.key; proxy_ssl_trusted_certificate root.pem; proxy_ssl_verify on;\n\
             proxy_ssl_verify_depth 3; proxy_ssl_name localhost; proxy_ssl_server_name on; }}"
        );
        let mut hops = Self { entrance, processes: Vec::new() };
        hops.hop(folder, "b", (&server, &service.to_string(), middle))?;
        hops.hop(folder, "a", (&client, &format!("127.0.0.1:{port}"), entrance))?;
        Ok(Some(hops))
    }

    fn hop(
        &mut self,
        folder: &Path,
        name: &str,
        (server, upstream, listens): (&str, &str, SocketAddr),
    ) -> anyhow::Result<()> {
        let log = folder.join(format!("{name}.log"));
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {name}-{kind};\n"))
            .concat();
        let text = format!(
            "daemon off; master_process off; worker_processes 1; pid {name}.pid; error_log {} warn;\n\
             events {{ worker_connections 512; }}\nhttp {{ access_log off; keepalive_requests 1000000;\n{temporary}\
             upstream upstream {{ server {upstream}; keepalive 64; keepalive_requests 1000000; }}\n\
             server {{ {server} }} }}\n",
            log.display()
        );
        let file = folder.join(format!("{name}.conf"));
        fs::write(&file, text)?;
        let mut command = Command::new("nginx");
        command
            .arg("-p")
            .arg(folder)
            .arg("-c")
            .arg(&file)
            .stderr(fs::File::create(folder.join(format!("{name}.err")))?)
            .stdin(Stdio::null());
        self.processes.push(command.spawn().context("nginx")?);
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect(listens).is_err() {
            let said = || fs::read_to_string(folder.join(format!("{name}.err"))).unwrap_or_default();
            ensure!(Instant::now() < until, "nginx does not listen: {}", said());
            sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

impl Drop for Hops {
    fn drop(&mut self) {
        for process in &mut self.processes {
            // Nothing more can be done for a process that does not even die.
            drop(process.kill().and_then(|()| process.wait()));
        }
    }
}

/// The key as OpenSSL reads it: PKCS#8 version 1 (RFC 5208), without the public half that ours holds (RFC 5958).
fn for_openssl(key: &Ed25519Key) -> anyhow::Result<String> {
    let ours = key.to_pkcs8();
    let seed = ours.get(16..48).context("a seed")?;
    let prefix = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
    let text = STANDARD.encode([prefix, seed].concat());
    Ok(format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n"))
}

fn certify(folder: &Path, issuing: &Authority, file: &str, name: &str, now: Timestamp) -> anyhow::Result<()> {
    let (key, identity): (_, Identity) = (Ed25519Key::generate()?, name.parse()?);
    let asked = request::create(&key, &identity, issuing.trust_anchor().domain())?;
    let hosts = if identity.agent().is_some() { Vec::new() } else { vec!["localhost".to_owned()] };
    let day = Duration::from_secs(86_400);
    let chain = issuing.issue(&asked, &identity, Usage::Tls, day, now, &hosts)?;
    fs::write(folder.join(format!("{file}.key")), for_openssl(&key)?)?;
    Ok(fs::write(folder.join(format!("{file}.pem")), chain.to_pem())?)
}
