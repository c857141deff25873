//! Servers of one project in the own file, and secrets of clients that stand in none.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::setting::Setting;

const OWN: &str = ".config/mcplink/mcp.json";

fn own(setting: &Setting) -> PathBuf {
    setting.home.home().join(OWN)
}

fn read(path: &PathBuf) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn f048_a_server_of_one_project_is_met_by_no_other_and_every_command_knows_it() {
    let setting = Setting::new();
    let folder = setting.home.project().canonicalize().unwrap().display().to_string();
    setting.run(&["add", "db", "--no-check", "--", "run", "everywhere"], 0);
    let added = setting.run(&["add", "db", "--only-here", "--no-check", "--", "run", "here"], 0);
    assert!(added.stdout.starts_with(&format!("added db (mcplink, only in {folder}) ")), "{added}");
    let of_project = |file: &Value| file["projects"][&folder]["mcpServers"]["db"]["args"].clone();
    assert_eq!(of_project(&read(&own(&setting))), json!(["here"]));
    assert!(setting.run(&["get", "db"], 0).stdout.contains("args[0]     here"));
    let elsewhere = setting.home.home().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let elsewhere = elsewhere.display().to_string();
    assert!(
        setting.run(&["get", "db", "--project", &elsewhere], 0).stdout.contains("args[0]     everywhere")
    );
    // A second one of the name is refused, and told with what is there.
    let refused = setting.run(&["add", "db", "--only-here", "--no-check", "--", "x"], 2);
    assert!(refused.stderr.contains("db is there already"), "{refused}");
    // One of every project is switched off here and nowhere else.
    setting.run(&["add", "all", "--no-check", "--", "run"], 0);
    setting.run(&["disable", "all", "--only-here"], 0);
    let is_off = |project: &str| {
        let status = setting.mcplink(&["status", "all", "--offline", "--project", project]).run();
        status.stdout.contains("switched off")
    };
    assert!(is_off(&folder) && !is_off(&elsewhere));
    let file = read(&own(&setting));
    assert_eq!(file["projects"][&folder]["overrides"]["all"]["disabled"], true, "{file:#}");
    assert_eq!(file["mcpServers"]["all"].get("disabled"), None, "{file:#}");
    setting.run(&["enable", "all", "--only-here"], 0);
    assert!(!is_off(&folder));
    // And the other way round.
    setting.run(&["disable", "all"], 0);
    setting.run(&["enable", "all", "--only-here"], 0);
    let file = read(&own(&setting));
    assert_eq!(file["mcpServers"]["all"]["disabled"], true, "{file:#}");
    assert_eq!(file["projects"][&folder]["overrides"]["all"]["disabled"], false, "{file:#}");
    assert!(!is_off(&folder) && is_off(&elsewhere));
    // What is taken out is that of the project; the other one stays.
    setting.run(&["remove", "db", "--only-here"], 0);
    let refused = setting.run(&["remove", "db", "--only-here"], 2);
    assert!(refused.stderr.contains("db"), "{refused}");
    let file = read(&own(&setting));
    assert_eq!(file["mcpServers"]["db"]["args"], json!(["everywhere"]), "{file:#}");
    // In the files of others it means nothing.
    let refused = setting.run(&["add", "x", "--only-here", "-s", "user", "--no-check", "--", "run"], 2);
    assert!(refused.stderr.contains("--only-here") && refused.stderr.contains("every project"), "{refused}");
}

#[test]
fn f048_the_secret_of_a_client_is_typed_unseen_and_stands_in_no_file_of_servers() {
    let setting = Setting::new();
    let secret = setting.home.secret("of a client");
    let line = ["add", "x", "http://127.0.0.1:9/mcp", "--client-id", "abc", "--client-secret", "--no-check"];
    let Some(add) = setting.on_a_terminal(&line) else { return };
    let mut running = add.may_hold_secrets("state").start();
    running.wait_for_stdout("the question", |shown| shown.contains("Secret of the client abc"));
    running.write(format!("{secret}\n")).unwrap();
    let added = running.wait().expect_code(0);
    assert!(added.stdout.contains("kept with the sign-ins"), "{added}");
    assert!(!added.to_string().contains(&secret), "nothing of it is shown");
    let written = fs::read_to_string(own(&setting)).unwrap();
    assert!(written.contains("abc") && !written.contains(&secret), "{written}");
    let kept = setting.home.state_dir();
    let mut found = 0;
    for file in files_below(&kept) {
        found += usize::from(fs::read_to_string(&file).is_ok_and(|text| text.contains(&secret)));
    }
    assert_eq!(found, 1);
    // It goes with the server.
    drop(setting.mcplink(&["remove", "x"]).may_hold_secrets("state").run().expect_code(0));
    assert!(
        !files_below(&kept)
            .iter()
            .any(|file| fs::read_to_string(file).is_ok_and(|text| text.contains(&secret)))
    );
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files
}
