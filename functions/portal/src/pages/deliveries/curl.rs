//! A request as a command line that can be pasted into any POSIX shell.

/// The body of a request: its text, or the name of a file with it if it is too long for a command line.
#[derive(Debug, Clone, Copy)]
pub enum Body<'a> {
    Text(&'a str),
    File(&'a str),
}

/// The curl command that sends the request.
pub fn command(url: &str, headers: &[(String, String)], body: Body<'_>) -> String {
    // Without -g, curl treats brackets and braces in a URL as patterns.
    let mut command = format!("curl -g -X POST {}", quote(url));
    for (name, value) in headers {
        command.push_str(" \\\n  -H ");
        command.push_str(&quote(&format!("{name}: {value}")));
    }
    let body = match body {
        Body::Text(text) => format!("--data-raw {}", quote(text)),
        Body::File(name) => format!("--data-binary {}", quote(&format!("@{name}"))),
    };
    format!("{command} \\\n  {body}")
}

/// Quotes a text so that a shell reads it as one word.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::*;

    /// Runs a script in which `curl` prints its arguments, each followed by a zero byte, and returns these arguments.
    fn words(script: &str) -> Vec<String> {
        let mut shell = Command::new("sh");
        let mut shell =
            shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a POSIX shell: install `sh`");
        let script = format!("curl() {{ printf '%s\\0' \"$@\"; }}\n{script}\n");
        let mut input = shell.stdin.take().expect("an input");
        let writing = std::thread::spawn(move || input.write_all(script.as_bytes()));
        let output = shell.wait_with_output().expect("an output");
        writing.join().expect("written").expect("written");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        text.split_terminator('\0').map(str::to_owned).collect()
    }

    #[test]
    fn every_text_is_one_word_that_the_shell_leaves_as_it_is() {
        let alphabet = ["'", "\\", "\"", "$", "`", "!", " ", "\n", "é", "a"];
        // Every text of up to four of these.
        let mut texts = vec![String::new()];
        let mut before = texts.clone();
        for _ in 0..4 {
            before = before.iter().flat_map(|text| alphabet.map(|next| format!("{text}{next}"))).collect();
            texts.extend(before.iter().cloned());
        }
        let others = ["$(id)", "*?[a]{b,c}~", "a;b&c|d>e<f#g", "\t\u{7f}\r\n", "-n", "%s%n"].map(str::to_owned);
        texts.extend(others);
        for some in texts.chunks(1_000) {
            let quoted: Vec<String> = some.iter().map(|text| quote(text)).collect();
            assert_eq!(words(&format!("curl {}", quoted.join(" "))), some);
        }
    }

    #[test]
    fn a_command_hands_curl_the_request_and_nothing_else() {
        let url = "https://example.com/it's?[1-9]={a,b}&c=$HOME";
        let header = ("x-note".to_owned(), "it's `id` \"$(id)\" \\".to_owned());
        let body = "{\"a\":\"it's\\n$HOME\",\n \"b\":\"`id`\"}";
        let expected = ["-g", "-X", "POST", url, "-H", "x-note: it's `id` \"$(id)\" \\", "--data-raw", body];
        assert_eq!(words(&command(url, std::slice::from_ref(&header), Body::Text(body))), expected);
        let expected = ["-g", "-X", "POST", url, "--data-binary", "@event-evt-1.json"];
        assert_eq!(words(&command(url, &[], Body::File("event-evt-1.json"))), expected);
    }
}
