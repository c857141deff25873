//! What is inside the binary, as CycloneDX 1.6 has it (ECMA-424): every crate that is linked or runs while it is built.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::{Value, json};

use super::{Release, files};
use crate::Problems;
use crate::shell::{command, output};

pub(super) fn write(release: &Release) -> Result<PathBuf, Problems> {
    let arguments = ["metadata", "--locked", "--format-version", "1", "--filter-platform"];
    let text = output(command("cargo", &arguments).arg(&release.target))?;
    let metadata: Value =
        serde_json::from_str(&text).map_err(|error| vec![format!("cargo metadata: {error}")])?;
    let document = document(&metadata, &release.version)?;
    let text = serde_json::to_string_pretty(&document).map_err(|error| vec![error.to_string()])?;
    files::write(&release.out.join(format!("mcplink-{}.cdx.json", release.version)), &(text + "\n"))
}

fn document(metadata: &Value, version: &str) -> Result<Value, Problems> {
    let listed = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let packages: BTreeMap<String, Value> =
        listed(&metadata["packages"]).into_iter().map(|package| (id(&package["id"]), package)).collect();
    let nodes: BTreeMap<String, Value> =
        listed(&metadata["resolve"]["nodes"]).into_iter().map(|node| (id(&node["id"]), node)).collect();
    let is_program = |package: &&Value| {
        listed(&package["targets"])
            .iter()
            .any(|target| target["name"] == "mcplink" && target["kind"][0] == "bin")
    };
    let root =
        packages.values().find(is_program).ok_or_else(|| vec!["no package has the binary".to_owned()])?;
    let root = id(&root["id"]);
    let (mut seen, mut open) = (BTreeSet::new(), vec![root.clone()]);
    let mut relations = Vec::new();
    while let Some(package) = open.pop() {
        if !seen.insert(package.clone()) {
            continue;
        }
        let needed: BTreeSet<String> = nodes
            .get(&package)
            .into_iter()
            .flat_map(|node| listed(&node["deps"]))
            .filter(|dependency| listed(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"] != "dev"))
            .map(|dependency| id(&dependency["pkg"]))
            .collect();
        relations.push((
            reference(&packages[&package]),
            needed.iter().map(|id| reference(&packages[id])).collect::<Vec<_>>(),
        ));
        open.extend(needed);
    }
    relations.sort();
    let components =
        seen.iter().filter(|package| **package != root).map(|id| component(&packages[id], "library"));
    let mut components: Vec<Value> = components.collect();
    components.sort_by_key(|component| component["bom-ref"].to_string());
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {
            "type": "application",
            "bom-ref": reference(&packages[&root]),
            "name": "mcplink",
            "version": version,
            "purl": reference(&packages[&root]),
        }},
        "components": components,
        "dependencies": relations
            .into_iter()
            .map(|(of, on)| json!({"ref": of, "dependsOn": on}))
            .collect::<Vec<_>>(),
    }))
}

fn component(package: &Value, kind: &str) -> Value {
    let mut component = json!({
        "type": kind,
        "bom-ref": reference(package),
        "name": package["name"],
        "version": package["version"],
        "purl": reference(package),
    });
    if let Some(license) = package["license"].as_str() {
        // Crates of old separate alternatives by a slash.
        component["licenses"] = json!([{"expression": license.replace('/', " OR ")}]);
    }
    component
}

/// The package URL (purl), which is unique in one tree.
fn reference(package: &Value) -> String {
    let text = |name: &str| package[name].as_str().unwrap_or_default();
    format!("pkg:cargo/{}@{}", text("name"), text("version"))
}

fn id(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_linked_is_listed_and_what_only_tests_use_is_not() {
        let package = |id: &str, bin: bool| {
            let targets = json!([{"name": if bin { "mcplink" } else { id }, "kind": [if bin { "bin" } else { "lib" }]}]);
            json!({"id": id, "name": id, "version": "1.0.0", "license": "MIT/Apache-2.0", "targets": targets})
        };
        let on = |pkg: &str, kind: Value| json!({"pkg": pkg, "dep_kinds": [{"kind": kind}]});
        let metadata = json!({
            "packages": [package("cli", true), package("a", false), package("b", false), package("t", false)],
            "resolve": {"nodes": [
                {"id": "cli", "deps": [on("a", Value::Null), on("t", json!("dev"))]},
                {"id": "a", "deps": [on("b", json!("build"))]},
                {"id": "b", "deps": [on("a", json!("dev"))]},
                {"id": "t", "deps": []},
            ]},
        });
        let document = document(&metadata, "1.0.0").unwrap();
        let names: Vec<_> =
            document["components"].as_array().unwrap().iter().map(|c| c["name"].clone()).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(document["components"][0]["licenses"][0]["expression"], "MIT OR Apache-2.0");
        assert_eq!(
            document["dependencies"][2],
            json!({"ref": "pkg:cargo/cli@1.0.0", "dependsOn": ["pkg:cargo/a@1.0.0"]})
        );
    }
}
