//! What is logged when a function panics. Alone in its process, because the hook for panics is the process's.

#![expect(clippy::expect_used, reason = "helpers of tests may fail them")]

use std::io::Write;
use std::panic::catch_unwind;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use runtime::telemetry;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("nobody panicked").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_panic_is_json_at_error() {
    let log = Log::default();
    let writer = log.clone();
    let lines = tracing_subscriber::fmt().json().flatten_event(true).with_writer(move || writer.clone()).finish();
    let _logging = tracing::subscriber::set_default(lines);
    let ended = telemetry::run(async {
        catch_unwind(|| panic!("row {} is odd", 7)).expect_err("it panics");
        Err("there is no table".into())
    });
    assert_eq!(ended.await, ExitCode::FAILURE);
    let text = String::from_utf8(log.0.lock().expect("nobody panicked").clone()).expect("text");
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(lines.iter().all(|line| line.starts_with('{') && line.contains(r#""level":"ERROR""#)), "{text}");
    assert!(lines[0].contains("row 7 is odd") && lines[0].contains("panics.rs:"), "{text}");
    assert!(lines[1].contains("there is no table"), "{text}");
}
