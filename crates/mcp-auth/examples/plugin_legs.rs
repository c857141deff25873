//! A plug-in in Rust: a negotiation of several legs, as SPNEGO has them. Each refusal brings a number, and the next request answers it.

use std::io::{self, BufRead as _, Write as _};

use serde_json::{Value, json};

fn main() -> io::Result<()> {
    let mut output = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let question: Value = serde_json::from_str(&line?).unwrap_or_default();
        let answer = match answered(&question["method"], &question["params"]) {
            Ok(result) => json!({ "id": question["id"], "result": result }),
            Err(why) => json!({ "id": question["id"], "error": { "message": why } }),
        };
        writeln!(output, "{answer}")?;
        output.flush()?;
    }
    Ok(())
}

fn answered(method: &Value, params: &Value) -> Result<Value, String> {
    match method.as_str() {
        // Up to three refusals of one request are a part of one negotiation.
        Some("hello") => Ok(json!({ "protocol": 1, "legs": 3 })),
        Some("get") => Ok(json!({ "headers": { "Authorization": "Negotiate 0" } })),
        Some("rejected") => {
            let challenges = params["challenges"].as_array().map(Vec::as_slice).unwrap_or_default();
            let mut numbers = challenges.iter().filter_map(Value::as_str);
            let number =
                numbers.find_map(|challenge| challenge.strip_prefix("Negotiate ")?.parse::<u32>().ok());
            let number = number.ok_or("the server does not negotiate")?;
            Ok(json!({ "headers": { "Authorization": format!("Negotiate {}", number + 1) } }))
        }
        _ => Err("there is no such method".to_owned()),
    }
}
