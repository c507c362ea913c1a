//! Lists the files of the catalogue of event types, with their texts, for `src/event/catalogue.rs`. So adding an event
//! type means adding a file. It removes the white space between JSON tokens and deliberately reads nothing else.

use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let out = std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?;
    let mut paths: Vec<_> = fs::read_dir("catalogue")?.map(|file| file.map(|f| f.path())).collect::<Result<_, _>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let mut list = String::from("[\n");
    for path in paths {
        let name =
            path.file_stem().and_then(|stem| stem.to_str()).ok_or("the name of a catalogue file is not UTF-8")?;
        writeln!(list, "    ({name:?}, {:?}),", without_white_space(&fs::read_to_string(&path)?))?;
    }
    list.push(']');
    fs::write(Path::new(&out).join("catalogue.rs"), list)?;
    println!("cargo::rerun-if-changed=catalogue");
    Ok(())
}

/// JSON without the white space between its tokens: samples become bodies, and bodies are not indented.
fn without_white_space(json: &str) -> String {
    let (mut in_string, mut escaped) = (false, false);
    let keep = |c: &char| {
        let keep = in_string || !c.is_ascii_whitespace();
        if *c == '"' && !escaped {
            in_string = !in_string;
        }
        escaped = *c == '\\' && !escaped;
        keep
    };
    json.chars().filter(keep).collect()
}
