//! What `uvx mcplink` and `pip install mcplink` take: a wheel whose only content is the program.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Release, binary, files, legal, packaging, readme, template};
use crate::Problems;
use crate::shell::{command, run};

pub(super) fn package(release: &Release) -> Result<PathBuf, Problems> {
    let platform = platform(release)?;
    let name = format!("mcplink-{}", release.version);
    let info = format!("{name}.dist-info");
    let wheel = release.out.join(format!("{name}-py3-none-{platform}.whl"));
    let stage = release.stage.join("wheel");
    let readme = files::read(&readme())?;
    let metadata = template::fill(release, "python/METADATA", &[("README", &readme)])?;
    let tag = template::fill(release, "python/WHEEL", &[("PLATFORM", &platform)])?;
    let entry = |name: String, file: &Path, mode: u32| json!({"name": name, "file": file, "mode": mode});
    let mut entries: Vec<Value> =
        vec![entry(format!("{name}.data/scripts/{}", binary::FILE), &release.binary, 0o755)];
    for (file, text) in [("METADATA", metadata), ("WHEEL", tag)] {
        entries.push(entry(format!("{info}/{file}"), &files::write(&stage.join(file), &text)?, 0o644));
    }
    for (file, path) in legal() {
        entries.push(entry(format!("{info}/licenses/{file}"), &path, 0o644));
    }
    let spec = json!({"wheel": wheel, "dist_info": info, "epoch": release.epoch, "files": entries});
    let spec = files::write(&stage.join("wheel.json"), &spec.to_string())?;
    run(command("python3", &[]).arg(packaging("python/wheel.py")).arg(spec))?;
    Ok(wheel)
}

/// The platform tag (PEP 425, PEP 600).
fn platform(release: &Release) -> Result<String, Problems> {
    let architecture = release.architecture();
    match release.target.as_str() {
        target if target.contains("linux") => Ok(release.glibc.manylinux(architecture)),
        "aarch64-apple-darwin" => Ok("macosx_11_0_arm64".to_owned()),
        "x86_64-apple-darwin" => Ok("macosx_10_12_x86_64".to_owned()),
        "x86_64-pc-windows-msvc" => Ok("win_amd64".to_owned()),
        target => Err(vec![format!("Python has no platform tag for {target}")]),
    }
}
