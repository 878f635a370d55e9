//! What may be typed, and what it comes to.

use clap::{CommandFactory, Parser};

use super::*;

fn parsed(line: &str) -> Result<Arguments, clap::Error> {
    Arguments::try_parse_from(std::iter::once("passerelle-agent").chain(line.split_whitespace()))
}

#[test]
fn the_whole_command_is_well_formed_and_every_help_has_an_example() {
    let mut command = Arguments::command();
    command.clone().debug_assert();
    command.build();
    let examples = |command: &clap::Command| {
        command.get_after_help().is_some_and(|help| help.to_string().contains("Exemples / Examples:"))
    };
    assert!(examples(&command));
    for subcommand in command.get_subcommands().filter(|command| command.get_name() != "help") {
        assert!(examples(subcommand), "{} has no example", subcommand.get_name());
    }
}

#[test]
fn every_example_parses() {
    let all = [
        examples::ALL,
        examples::ENROL,
        examples::SERVE,
        examples::EVIDENCE,
        examples::SEND,
        examples::CALL,
        examples::INBOX,
        examples::TAKE,
        examples::STATUS,
        examples::RECORD,
        examples::AGREEMENT,
        examples::SERVICE,
        examples::DOCTOR,
        examples::CONFIG,
        examples::PSEUDONYM,
    ];
    let mut count = 0;
    for line in all.iter().flat_map(|text| text.lines()) {
        let line = line.trim().trim_start_matches("cat jeton.txt | ");
        let Some(line) = line.strip_prefix("passerelle-agent ") else { continue };
        let line = line.replace("<HEX>", &"ab".repeat(32));
        assert!(parsed(&line).is_ok(), "{line}: {:?}", parsed(&line).err());
        count += 1;
    }
    assert!(count > 25, "{count} examples");
}

#[test]
fn what_is_mistyped_is_refused() {
    let digest = "ab".repeat(31);
    let mistyped = [
        "",
        "enrol",
        "enrol --token a --token-file b",
        "send --agreement ENT-1",
        "send a.pdf",
        "send a.pdf --agreement ENT-1 --to SAAQ",
        "send a.pdf --agreement ENT-1 --expires-in 0",
        "send a.pdf --agreement ENT-1 --expires-in 2678401",
        "take --into .",
        "take --all",
        "take 01890a5d-ac96-774b-bcce-b302099a8057 --all --into .",
        "take 01890a5d --into .",
        "record pas-un-identifiant",
        "inbox --limit 1001",
        "agreement sign ENT-1",
        &format!("agreement sign ENT-1 1 --digest {digest}"),
    ];
    for line in mistyped {
        assert!(parsed(line).is_err(), "« {line} »");
    }
}

#[test]
fn waiting_may_have_a_number() {
    let wait = |line: &str| match parsed(line).unwrap().command {
        Command::Record(options) => options.wait,
        _ => None,
    };
    let id = "01890a5d-ac96-774b-bcce-b302099a8057";
    assert_eq!(wait(&format!("record {id}")), None);
    assert_eq!(wait(&format!("record {id} --wait")), Some(60));
    assert_eq!(wait(&format!("record {id} --wait 5")), Some(5));
    assert_eq!(wait(&format!("record {id} --wait=5")), Some(5));
}

#[test]
fn a_token_is_not_shown() {
    let arguments = parsed("enrol --token jeton-secret").unwrap();
    assert!(!format!("{arguments:?}").contains("jeton-secret"));
}

#[test]
fn the_configuration_may_stand_before_or_after_the_command() {
    for line in ["--config a.toml status", "status --config a.toml"] {
        assert_eq!(parsed(line).unwrap().config.config, std::path::Path::new("a.toml"));
    }
}

#[test]
fn the_exit_status_tells_mistyped_from_failed() {
    let status = |words: &[&str]| {
        let words = std::iter::once(&"passerelle-agent").chain(words);
        format!("{:?}", run(words.map(OsString::from)))
    };
    let code = |code: u8| format!("{:?}", ExitCode::from(code));
    assert_eq!(status(&["--version"]), code(0));
    assert_eq!(status(&["envoie"]), code(2));
    assert_eq!(status(&["--config", "/nulle/part.toml", "config", "check"]), code(1));
}
