//! The bench's call series does what it says on both roads: every answer is compared, and what is missing is told as missing.

use passerelle_tests::bench::calls::measure;
use passerelle_tests::network::process::Program;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a network and two nginx for a figure: ./tests/run heavy"]
async fn both_roads_are_measured_or_said_not_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::new(env!("CARGO_BIN_EXE_sandbox").into());
    let series = measure(folder.path(), program, 1, 20).await.unwrap();
    assert_eq!((series.passerelle.sequential.calls, series.passerelle.eight_callers.calls), (20, 80));
    let has_nginx = std::process::Command::new("nginx").arg("-v").output().is_ok();
    assert_eq!(series.nginx.is_some(), has_nginx);
    let json = serde_json::to_value(series).unwrap();
    assert!(json.get("nginx").is_some(), "null when not measured, never left out");
    println!("{json}");
}
