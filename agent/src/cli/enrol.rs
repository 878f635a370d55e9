//! `enrol`.

use std::io::Read;
use std::path::Path;

use passerelle_pki::clock::SharedClock;
use passerelle_pki::files;
use serde_json::json;
use zeroize::Zeroizing;

use super::arguments::EnrolOptions;
use super::failure::Failure;
use crate::config::Config;
use crate::enrol::enrol;

/// Bytes that a token may have.
const TOKEN_LIMIT: u64 = 16 * 1024;

/// Makes the keys, spends the token, and says who the agent is now.
pub(super) async fn run(options: &EnrolOptions, config: &Config, clock: &SharedClock) -> Result<(), Failure> {
    let token = token(options)?;
    make_folder(&config.data_dir)?;
    let settings = config.enrol_settings(options.again)?;
    let identity = enrol(&settings, &token, clock).await.map_err(|error| Failure::of(&error))?;
    let summary = identity.summary();
    if options.output.json {
        let told = json!({
            "agent": summary.agent,
            "trust_domain": summary.trust_domain.to_string(),
            "tls_until": summary.tls_until.to_string(),
            "signing_until": summary.signing_until.to_string(),
            "log_vkey": summary.log_vkey,
        });
        println!("{told}");
    } else {
        println!("Agent inscrit / Agent enrolled: {} ({})", summary.agent, summary.trust_domain);
        println!("Certificats jusqu'au / Certificates until: {}", summary.tls_until);
        println!("Clé de vérification du journal / Verifier key of the log:\n  {}", summary.log_vkey);
        println!("Ensuite / Next:\n  passerelle-agent serve --config {}", config.path.display());
    }
    Ok(())
}

fn token(options: &EnrolOptions) -> Result<Zeroizing<String>, Failure> {
    let text = match (&options.token, &options.token_file) {
        (Some(token), _) => Zeroizing::new(token.clone()),
        (None, Some(path)) if path == Path::new("-") => {
            let mut text = Zeroizing::new(String::new());
            let read = std::io::stdin().lock().take(TOKEN_LIMIT).read_to_string(&mut text);
            read.map_err(|error| Failure::file(path, &error))?;
            text
        }
        (None, Some(path)) => {
            let bytes = files::read_limited(path, TOKEN_LIMIT).map(Zeroizing::new);
            let bytes = bytes.map_err(|error| Failure::file(path, &error))?;
            Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned())
        }
        (None, None) => Zeroizing::default(),
    };
    let text = Zeroizing::new(text.trim().to_owned());
    if text.is_empty() {
        return Err(Failure::new(
            "le jeton est vide. Demandez-en un à l'administrateur de la passerelle.",
            "the token is empty. Ask the gateway's administrator for one.",
        ));
    }
    Ok(text)
}

/// The data folder, for its owner alone, when it is not there.
fn make_folder(path: &Path) -> Result<(), Failure> {
    match files::create_private_directory(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map_err(|error| Failure::file(path, &error)),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::arguments::{Arguments, Command};
    use super::*;

    fn given(words: &[&str]) -> Result<String, Failure> {
        let words = ["passerelle-agent", "enrol"].iter().chain(words);
        let Command::Enrol(options) = Arguments::try_parse_from(words).unwrap().command else {
            panic!("not enrol")
        };
        token(&options).map(|token| token.to_string())
    }

    #[test]
    fn a_token_is_read_without_the_line_end_that_editors_add() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jeton");
        std::fs::write(&path, " eyJ0.eyJq.x_-9 \r\n").unwrap();
        let path = path.to_str().unwrap();
        assert_eq!(given(&["--token-file", path]).unwrap(), "eyJ0.eyJq.x_-9");
        assert_eq!(given(&["--token", "abc"]).unwrap(), "abc");
    }

    #[test]
    fn an_empty_an_absent_and_an_endless_token_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jeton");
        let words = ["--token-file", path.to_str().unwrap()];
        assert!(given(&words).unwrap_err().to_string().contains("jeton"));
        std::fs::write(&path, " \n").unwrap();
        assert!(given(&words).unwrap_err().to_string().contains("the token is empty"));
        std::fs::write(&path, vec![b'a'; 20_000]).unwrap();
        assert!(given(&words).is_err());
    }

    #[test]
    fn a_folder_is_made_for_its_owner_alone_and_one_that_exists_stays() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        make_folder(&data).unwrap();
        assert_eq!(std::fs::metadata(&data).unwrap().permissions().mode() & 0o777, 0o700);
        std::fs::write(data.join("identite"), "x").unwrap();
        make_folder(&data).unwrap();
        assert!(data.join("identite").exists());
    }
}
