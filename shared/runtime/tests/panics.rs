//! What is logged when a function panics. Alone in its process, because the hook for panics is the process's.

use std::panic::catch_unwind;
use std::process::ExitCode;

use runtime::telemetry;
use testing::Log;

#[tokio::test]
async fn a_panic_is_json_at_error() {
    let log = Log::default();
    let _logging = log.start();
    let ended = telemetry::run(async {
        catch_unwind(|| panic!("row {} is odd", 7)).expect_err("it panics");
        Err("there is no table".into())
    });
    assert_eq!(ended.await, ExitCode::FAILURE);
    let lines = log.lines();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines.iter().all(|line| line["level"] == "ERROR"), "{lines:?}");
    let text = lines[0].to_string();
    assert!(text.contains("row 7 is odd") && text.contains("panics.rs:"), "{text}");
    assert!(lines[1].to_string().contains("there is no table"), "{lines:?}");
}
