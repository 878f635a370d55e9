//! A log behind HTTP or HTTPS, on threads of the test.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::Log;

/// What a server serves, and how often each path was asked for.
struct Served {
    root: PathBuf,
    failures: u32,
    asked: Mutex<BTreeMap<String, u32>>,
}

/// Serves a folder: entries only with the token, the rest only without; each path fails `failures` times first.
pub fn serve(log: &Log, failures: u32) -> String {
    format!("http://{}/", start(log, failures, None))
}

/// As [`serve`], over TLS and without failures; the port.
pub fn serve_tls(log: &Log, tls: Arc<ServerConfig>) -> u16 {
    start(log, 0, Some(tls)).port()
}

fn start(log: &Log, failures: u32, tls: Option<Arc<ServerConfig>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let served = Arc::new(Served { root: log.path(""), failures, asked: Mutex::default() });
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (served, tls, stream) = (Arc::clone(&served), tls.clone(), stream.unwrap());
            thread::spawn(move || match tls {
                None => answer(stream, &served),
                Some(tls) => {
                    answer(StreamOwned::new(ServerConnection::new(tls).unwrap(), stream), &served);
                }
            });
        }
    });
    address
}

fn answer(stream: impl Read + Write, served: &Served) {
    let mut stream = BufReader::new(stream);
    let mut lines = stream.by_ref().lines().map_while(Result::ok);
    let first = lines.next().unwrap_or_default();
    let headers: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
    let path = first.split(' ').nth(1).unwrap_or_default().trim_start_matches('/').to_owned();
    let times = {
        let mut asked = served.asked.lock().unwrap();
        let times = asked.entry(path.clone()).or_default();
        *times += 1;
        *times
    };
    let token = headers.iter().any(|line| line.eq_ignore_ascii_case("authorization: bearer jeton"));
    let entries = path.starts_with("tile/entries/");
    let (status, body) = match std::fs::read(served.root.join(&path)) {
        _ if times <= served.failures => ("503 Service Unavailable", Vec::new()),
        _ if entries != token => ("403 Forbidden", Vec::new()),
        Ok(body) => ("200 OK", body),
        Err(_) => ("404 Not Found", Vec::new()),
    };
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    let stream = stream.get_mut();
    // The client may have gone.
    let _sent = stream
        .write_all(head.as_bytes())
        .and_then(|()| stream.write_all(&body))
        .and_then(|()| stream.flush());
}
