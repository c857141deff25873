use super::*;

#[track_caller]
fn pointed_at(line: &[&str]) -> Option<String> {
    let (command, args) = line.split_first().unwrap();
    target(command, args, &|command| command == "/opt/own/renamed")
}

#[test]
fn s_b2_every_way_to_start_a_bridge_to_a_name_is_a_pointer() {
    let forms: &[&[&str]] = &[
        // By name and by path.
        &["mcplink", "bridge", "internal"],
        &["mcplink", "serve", "internal"],
        &["/usr/local/bin/mcplink", "bridge", "internal"],
        &["./target/debug/mcplink", "bridge", "internal"],
        &["~/.cargo/bin/mcplink", "bridge", "internal"],
        &["mcplink.exe", "bridge", "internal"],
        &["C:\\Tools\\MCPLINK.EXE", "bridge", "internal"],
        &["mcplink.cmd", "bridge", "internal"],
        &["/opt/own/renamed", "bridge", "internal"],
        // With options, wherever they stand.
        &["mcplink", "-v", "bridge", "--shared", "internal"],
        &["mcplink", "--mcp-config", "servers.json", "--strict-mcp-config", "bridge", "internal"],
        &["mcplink", "--mcp-config=servers.json", "bridge", "internal", "-vv"],
        &["mcplink", "--project", "/app", "bridge", "--account", "work", "internal"],
        &["mcplink", "--scope", "user", "-q", "bridge", "-H", "X-Team: a", "--", "internal"],
        &["mcplink", "bridge", "--interactive-login", "internal", "--timeout", "5s"],
        // Through what fetches and runs a package.
        &["npx", "mcplink", "bridge", "internal"],
        &["npx", "-y", "mcplink@latest", "bridge", "internal"],
        &["npx", "--yes", "-p", "mcplink", "mcplink", "bridge", "internal"],
        &["npx", "--package=mcplink", "--", "mcplink", "bridge", "internal"],
        &["npx", "-c", "mcplink bridge internal"],
        &["npx.cmd", "-y", "mcplink", "bridge", "internal"],
        &["npm", "exec", "--yes", "--", "mcplink", "bridge", "internal"],
        &["pnpm", "dlx", "mcplink", "bridge", "internal"],
        &["yarn", "dlx", "-q", "mcplink", "bridge", "internal"],
        &["bunx", "mcplink", "bridge", "internal"],
        &["bun", "x", "mcplink", "bridge", "internal"],
        &["deno", "run", "-A", "npm:mcplink@1", "bridge", "internal"],
        &["uvx", "mcplink==1.0", "bridge", "internal"],
        &["uvx", "--from", "mcplink-tools", "mcplink", "bridge", "internal"],
        &["uv", "tool", "run", "mcplink", "bridge", "internal"],
        &["uv", "run", "--with", "mcplink", "mcplink", "bridge", "internal"],
        &["pipx", "run", "--spec", "x", "mcplink", "bridge", "internal"],
        &["python3", "-m", "mcplink", "bridge", "internal"],
        &["py", "-3", "-m", "mcplink", "bridge", "internal"],
        &["python3", "-m", "pipx", "run", "mcplink", "bridge", "internal"],
        &["pnpm", "mcplink", "bridge", "internal"],
        &["yarn", "mcplink", "bridge", "internal"],
        &["pixi", "exec", "mcplink", "bridge", "internal"],
        &["node", "/app/node_modules/mcplink/bin.js", "bridge", "internal"],
        // From the source.
        &["cargo", "run", "-p", "mcp-cli", "--", "bridge", "internal"],
        &["cargo", "run", "-q", "--release", "--bin", "mcplink", "--", "-v", "bridge", "internal"],
        &["cargo", "+nightly", "run", "--package=mcplink", "bridge", "internal"],
        &["cargo", "-q", "run", "--manifest-path", "/src/mcplink/Cargo.toml", "--", "bridge", "internal"],
        &["cargo", "run", "-p", "path+file:///src/crates/mcp-cli#0.1.0", "--", "serve", "internal"]
            as &[&str],
        // Through other commands.
        &["env", "A=B", "PATH=/x", "mcplink", "bridge", "internal"],
        &["/usr/bin/env", "-i", "-u", "X", "mcplink", "bridge", "internal"],
        &["env", "-S", "A=1 mcplink bridge", "internal"],
        &["nice", "-n", "10", "mcplink", "bridge", "internal"],
        &["timeout", "-k", "5", "1h", "mcplink", "bridge", "internal"],
        &["sudo", "-u", "ann", "mcplink", "bridge", "internal"],
        &["op", "run", "--env-file", ".env", "--", "mcplink", "bridge", "internal"],
        &["direnv", "exec", "/app", "mcplink", "bridge", "internal"],
        &["mise", "exec", "node@22", "--", "npx", "mcplink", "bridge", "internal"],
        &["nix", "run", "nixpkgs#mcplink", "--", "bridge", "internal"],
        &[
            "nix",
            "--extra-experimental-features",
            "nix-command",
            "run",
            "github:mcplink/mcplink",
            "bridge",
            "internal",
        ],
        &["nix", "run", ".#mcplink", "bridge", "internal"],
        &["nix", "shell", "nixpkgs#mcplink", "-c", "mcplink", "bridge", "internal"],
        &["nix-shell", "-p", "mcplink", "--run", "mcplink bridge internal"],
        &["wsl", "mcplink", "bridge", "internal"],
        &["wsl.exe", "-d", "Ubuntu", "--", "mcplink", "bridge", "internal"],
        &["wsl.exe", "-u", "ann", "-e", "bash", "-lc", "mcplink bridge internal"],
        &["xargs", "-n", "1", "mcplink", "bridge", "internal"],
        &["strace", "-f", "-o", "/tmp/t", "mcplink", "bridge", "internal"],
        &["ltrace", "-e", "open", "mcplink", "bridge", "internal"],
        &["doas", "-u", "ann", "mcplink", "bridge", "internal"],
        &["su", "ann", "-c", "mcplink bridge internal"],
        &["su", "-", "ann", "--command=mcplink bridge internal"],
        &["setsid", "-w", "nohup", "stdbuf", "-oL", "mcplink", "bridge", "internal"],
        &["script", "-qec", "mcplink bridge internal", "/dev/null"],
        &["script", "-q", "/dev/null", "mcplink", "bridge", "internal"],
        &["flock", "/tmp/lock", "mcplink", "bridge", "internal"],
        &["env", "--split-string=mcplink bridge internal"],
        &["/lib64/ld-linux-x86-64.so.2", "/opt/bin/mcplink", "bridge", "internal"],
        &["mise", "exec", "--", "mcplink", "bridge", "internal"],
        &["volta", "run", "--node", "22", "mcplink", "bridge", "internal"],
        &["flatpak", "run", "--command=mcplink", "org.example.Tools", "bridge", "internal"],
        &["flatpak", "run", "io.github.mcplink.mcplink", "bridge", "internal"],
        &["flatpak-spawn", "--host", "mcplink", "bridge", "internal"],
        &["toolbox", "run", "-c", "dev", "mcplink", "bridge", "internal"],
        &["distrobox", "enter", "dev", "--", "mcplink", "bridge", "internal"],
        &["rustup", "run", "nightly", "cargo", "run", "-p", "mcp-cli", "--", "bridge", "internal"],
        // In a container.
        &["docker", "run", "-i", "--rm", "ghcr.io/mcplink/mcplink:1.2", "bridge", "internal"],
        &["docker", "run", "-i", "mcplink", "mcplink", "bridge", "internal"],
        &["docker", "run", "--rm", "-i", "-v", "/h:/h", "--name=x", "tools", "mcplink", "bridge", "internal"],
        &["docker", "run", "-i", "--entrypoint", "mcplink", "tools:latest", "bridge", "internal"],
        &["docker", "exec", "-i", "-e", "A=1", "dev", "sh", "-c", "mcplink bridge internal"],
        &["docker", "compose", "-f", "c.yml", "run", "--rm", "-T", "dev", "mcplink", "bridge", "internal"],
        &["podman", "run", "-i", "localhost/mcplink@sha256:00", "bridge", "internal"],
        // The whole line as one word.
        &["mcplink bridge internal"],
        &["npx -y mcplink bridge internal"],
        &["mcplink bridge", "--shared", "internal"],
        &["C:\\Tools\\mcplink.exe bridge internal"],
        &["\"C:\\My Tools\\mcplink.exe\" bridge internal"],
        &["docker run -i mcplink bridge internal"],
        // By a path that is written otherwise.
        &["$HOME/bin/mcplink", "bridge", "internal"],
        &["${HOME}/bin/mcplink", "bridge", "internal"],
        &["/home/my user/mcplink", "bridge", "internal"],
        &["%USERPROFILE%\\bin\\mcplink.exe", "bridge", "internal"],
        // Through a shell.
        &["sh", "-c", "mcplink bridge internal"],
        &["/bin/bash", "-lc", "exec mcplink bridge internal"],
        &["zsh", "-l", "-c", ". ~/.profile; A=1 nice mcplink bridge 'internal' 2>/tmp/log"],
        &["sh", "-c", "cd /app && exec npx -y mcplink bridge internal"],
        &["sh", "-c", "exec \"$0\" \"$@\"", "mcplink", "bridge", "internal"],
        &["sh", "-ec", "sh -c 'mcplink bridge internal'"],
        &["cmd", "/c", "npx", "-y", "mcplink", "bridge", "internal"],
        &["cmd.exe", "/d", "/s", "/C", "C:\\Tools\\mcplink.exe bridge internal"],
        &["powershell.exe", "-NoProfile", "-Command", "& C:\\Tools\\mcplink.exe bridge internal"],
    ];
    for line in forms {
        assert_eq!(pointed_at(line).as_deref(), Some("internal"), "{line:?}");
    }
}

#[test]
fn s_b2_a_server_is_never_taken_for_a_pointer() {
    let nested: Vec<String> = vec!["nice".to_owned(); 40];
    let mut nested: Vec<&str> = nested.iter().map(String::as_str).collect();
    nested.extend(["mcplink", "bridge", "internal"]);
    let servers: &[&[&str]] = &[
        // A bridge to a URL is a server of its own.
        &["mcplink", "bridge", "https://internal.example/mcp"],
        &["npx", "mcplink", "bridge", "--shared", "HTTP://127.0.0.1:1/mcp"],
        // Something else that this program does.
        &["mcplink"],
        &["mcplink", "bridge"],
        &["mcplink", "demo"],
        &["mcplink", "call", "bridge", "internal"],
        &["mcplink", "--mcp-config", "bridge", "internal"],
        // Another author's program.
        &["mcplinkd", "bridge", "internal"],
        &["not-mcplink", "bridge", "internal"],
        &["/opt/mcplink/server", "bridge", "internal"],
        &["npx", "-y", "mcp-remote", "mcplink", "bridge"],
        &["npx", "@other/mcplink", "bridge", "internal"],
        &["npx", "-y", "server", "--name", "mcplink", "bridge", "internal"],
        &["python3", "server.py", "mcplink", "bridge", "internal"],
        &["node", "/app/mcplink/server.js", "bridge", "internal"],
        &["cargo", "run", "--", "bridge", "internal"],
        &["cargo", "run", "-p", "other", "--", "bridge", "internal"],
        &["cargo", "test", "-p", "mcp-cli", "--", "bridge", "internal"],
        // On another machine, or in a container with another program in it.
        &["ssh", "host", "mcplink", "bridge", "internal"],
        &["kubectl", "exec", "-i", "pod", "--", "mcplink", "bridge", "internal"],
        &["docker", "run", "-i", "mcplink-tools", "bridge", "internal"],
        &["docker", "run", "-i", "acme/mcplink", "serve-files", "/data"],
        &["docker", "build", "mcplink", "bridge", "internal"],
        &["nix", "run", "nixpkgs#other", "--", "bridge", "internal"],
        &["nix", "run", "nixpkgs#mcplink", "--", "bridge", "https://internal.example/mcp"],
        &["flatpak", "run", "org.example.Tools", "bridge", "internal"],
        &["yarn", "start", "mcplink", "bridge", "internal"],
        &["python3", "-m", "server", "mcplink", "bridge", "internal"],
        // A whole line that is something else.
        &["other-server --upstream 'mcplink bridge internal'"],
        &["mcplink bridge https://internal.example/mcp"],
        &["/opt/my tools/server", "bridge", "internal"],
        // A program that speaks for itself, with a bridge behind it.
        &["mcp-filter", "--", "mcplink", "bridge", "internal"],
        &["sh", "-c", "mcplink bridge internal | filter"],
        &["sh", "-c", "echo mcplink bridge internal"],
        &["sh", "-c", "mcplink bridge internal; other-server"],
        &["sh", "mcplink", "bridge", "internal"],
        &["env"],
        &["sh", "-c"],
        &["cargo"],
        &nested,
    ];
    for line in servers {
        assert_eq!(pointed_at(line), None, "{line:?}");
    }
}
