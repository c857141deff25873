//! The programs that start a program, as tables: what stands between them and the command that they run.

/// A command that runs the command behind its own options.
pub(super) struct Launcher {
    pub(super) name: &'static str,
    /// Subcommands, one of which must come first; none where there is none. `""` is one that may be left out.
    pub(super) verbs: &'static [&'static str],
    /// Options that a value follows.
    pub(super) valued: &'static [&'static str],
    /// Options that a whole command line follows, as one word.
    pub(super) lines: &'static [&'static str],
    /// Arguments of its own before the command.
    pub(super) own: usize,
    /// It gives the command more than the line says: variables, rights, arguments, another system.
    pub(super) adds: bool,
}

const fn plain(name: &'static str) -> Launcher {
    Launcher { name, verbs: &[], valued: &[], lines: &[], own: 0, adds: false }
}

impl Launcher {
    const fn verbs(self, verbs: &'static [&'static str]) -> Self {
        Self { verbs, ..self }
    }

    const fn valued(self, valued: &'static [&'static str]) -> Self {
        Self { valued, ..self }
    }

    const fn lines(self, lines: &'static [&'static str]) -> Self {
        Self { lines, ..self }
    }

    const fn own(self, own: usize) -> Self {
        Self { own, ..self }
    }

    const fn adds(self) -> Self {
        Self { adds: true, ..self }
    }
}

/// The loader of programs, called by hand.
pub(super) const LOADER: Launcher = plain("ld.so").valued(&["--library-path", "--preload", "--argv0"]);

/// Options of launchers of packages from npm.
const NPM_VALUED: &[&str] = &["-p", "--package", "-w", "--workspace", "--prefix", "--registry"];
const UV_VALUED: &[&str] = &[
    "--from",
    "--with",
    "-p",
    "--python",
    "--index-url",
    "--index",
    "--directory",
    "--project",
    "--env-file",
    "--extra",
    "--group",
];

/// Launchers by name. `env` and `sudo` also take assignments, so all of them do.
pub(super) const LAUNCHERS: &[Launcher] = &[
    // How the process runs.
    plain("env")
        .valued(&["-u", "--unset", "-C", "--chdir", "-a", "--argv0"])
        .lines(&["-S", "--split-string"]),
    plain("exec").valued(&["-a"]),
    plain("command"),
    plain("builtin"),
    plain("call"),
    plain("nice").valued(&["-n", "--adjustment"]),
    plain("ionice").valued(&["-c", "-n", "--class", "--classdata"]),
    plain("chrt").own(1),
    plain("taskset").own(1),
    plain("numactl").valued(&["-N", "-m", "-C"]),
    plain("prlimit"),
    plain("nohup"),
    plain("time").valued(&["-f", "-o"]),
    plain("gtime").valued(&["-f", "-o"]),
    plain("timeout").adds().valued(&["-s", "--signal", "-k", "--kill-after"]).own(1),
    plain("gtimeout").adds().valued(&["-s", "--signal", "-k", "--kill-after"]).own(1),
    plain("stdbuf").valued(&["-i", "-o", "-e", "--input", "--output", "--error"]),
    plain("gstdbuf").valued(&["-i", "-o", "-e"]),
    plain("unbuffer"),
    plain("setsid"),
    plain("setarch").own(1),
    plain("linux64"),
    plain("arch").valued(&["-arch"]),
    plain("caffeinate").valued(&["-t", "-w"]),
    plain("systemd-run").adds().valued(&["-u", "--unit", "-p", "--property", "-E", "--setenv", "--slice"]),
    plain("systemd-inhibit"),
    plain("systemd-cat").valued(&["-t", "-p"]),
    plain("dbus-run-session"),
    plain("xvfb-run").valued(&["-n", "-s", "-e", "-f"]),
    plain("flock").adds().valued(&["-w", "--timeout", "-E"]).lines(&["-c", "--command"]).own(1),
    plain("xargs").adds().valued(&["-a", "--arg-file", "-d", "-E", "-I", "-L", "-n", "-P", "-s"]),
    plain("script").lines(&["-c", "--command"]).own(1),
    plain("rlwrap"),
    plain("winpty"),
    plain("tini").valued(&["-p", "-e"]),
    plain("dumb-init"),
    plain("catatonit"),
    plain("busybox"),
    plain("toybox"),
    // Who watches it.
    plain("strace").valued(&["-e", "-o", "-s", "-u", "-E", "-P", "-S", "-O", "-X", "-a", "-b", "-I", "-U"]),
    plain("ltrace").valued(&["-e", "-o", "-s", "-u", "-l", "-n", "-a", "-x", "-D", "-F", "-A"]),
    plain("valgrind"),
    plain("heaptrack"),
    plain("perf").verbs(&["record", "stat", "trace"]).valued(&["-o", "-e", "-F", "-c"]),
    plain("gdb").valued(&["-ex", "-x"]),
    plain("rr").verbs(&["record"]),
    // As whom, and with which rights.
    plain("sudo").adds().valued(&["-u", "-g", "-h", "-p", "-C", "-D", "-R", "-T", "-r", "-t", "-U"]),
    plain("doas").adds().valued(&["-u", "-C"]),
    plain("run0").adds().valued(&["-u", "--user", "-g", "--group", "-D", "--chdir"]),
    plain("pkexec").adds().valued(&["--user"]),
    plain("su").adds().lines(&["-c", "--command"]).own(1),
    plain("runuser").adds().valued(&["-u", "-g", "-G"]).lines(&["-c", "--command"]),
    plain("gosu").adds().own(1),
    plain("su-exec").adds().own(1),
    plain("setpriv").adds().valued(&["--reuid", "--regid", "--groups"]),
    plain("fakeroot").adds(),
    plain("firejail").adds(),
    plain("unshare").adds(),
    plain("chroot").adds().own(1),
    // Where: another system on this machine, with the same person.
    plain("wsl").valued(&["-d", "--distribution", "-u", "--user", "--cd", "--shell-type"]),
    plain("flatpak-spawn").adds(),
    plain("host-spawn").adds(),
    plain("distrobox-host-exec").adds(),
    plain("toolbox").adds().verbs(&["run"]).valued(&[
        "-c",
        "--container",
        "-d",
        "--distro",
        "-r",
        "--release",
    ]),
    plain("distrobox").adds().verbs(&["enter"]).valued(&["-n", "--name", "-a"]).own(1),
    plain("snap").verbs(&["run"]),
    plain("wine"),
    plain("wine64"),
    plain("box64"),
    plain("qemu-x86_64"),
    plain("qemu-aarch64"),
    // What fetches and runs a package.
    plain("npx").valued(NPM_VALUED).lines(&["-c", "--call"]),
    plain("npm").verbs(&["exec", "x"]).valued(NPM_VALUED).lines(&["-c", "--call"]),
    plain("pnpx").valued(&["--package"]),
    plain("pnpm").verbs(&["dlx", "exec", ""]).valued(&["--package", "--filter", "-F", "-C", "--dir"]),
    plain("yarn").verbs(&["dlx", "exec", "run", ""]).valued(&["-p", "--package", "--cwd"]),
    plain("bunx").valued(&["-p", "--package"]),
    plain("bun").verbs(&["x"]).valued(&["-p", "--package"]),
    plain("deno").verbs(&["run", "x"]).valued(&["-c", "--config", "--import-map"]),
    plain("corepack"),
    plain("uvx").valued(UV_VALUED),
    plain("uv").verbs(&["tool", "run"]).valued(UV_VALUED),
    plain("pipx").verbs(&["run"]).valued(&["--spec", "--python", "--index-url", "--pip-args", "--with"]),
    plain("pipenv").verbs(&["run"]),
    plain("poetry").verbs(&["run"]).valued(&["-C", "--directory", "-P", "--project"]),
    plain("pdm").verbs(&["run"]).valued(&["-p", "--project"]),
    plain("hatch").verbs(&["run"]).valued(&["-e", "--env"]),
    plain("rye").verbs(&["run"]),
    plain("pixi").verbs(&["run", "exec", "x"]).valued(&[
        "-e",
        "--environment",
        "-s",
        "--spec",
        "--manifest-path",
    ]),
    plain("conda").verbs(&["run"]).valued(&["-n", "--name", "-p", "--prefix", "--cwd"]),
    plain("mamba").verbs(&["run"]).valued(&["-n", "--name", "-p", "--prefix", "--cwd"]),
    plain("micromamba").verbs(&["run"]).valued(&["-n", "--name", "-p", "--prefix", "--cwd"]),
    plain("pkgx"),
    // What chooses versions and brings variables along.
    plain("mise").adds().verbs(&["exec", "x"]).valued(&["-c", "-C", "--cd", "-E", "--env"]),
    plain("rtx").adds().verbs(&["exec", "x"]).valued(&["-c", "-C"]),
    plain("asdf").verbs(&["exec"]),
    plain("volta").verbs(&["run"]).valued(&["--node", "--npm", "--pnpm", "--yarn"]),
    plain("fnm").verbs(&["exec"]).valued(&["--using"]),
    plain("nvm").verbs(&["exec", "run"]).own(1),
    plain("rustup").verbs(&["run"]).own(1),
    plain("direnv").adds().verbs(&["exec"]).own(1),
    plain("devbox").adds().verbs(&["run"]).valued(&["-c", "--config", "-e", "--env"]),
    plain("op").adds().verbs(&["run"]).valued(&["--env-file", "--account"]),
    plain("doppler")
        .adds()
        .verbs(&["run"])
        .valued(&["-p", "--project", "-c", "--config"])
        .lines(&["--command"]),
    plain("infisical")
        .adds()
        .verbs(&["run"])
        .valued(&["--env", "--path", "--projectId"])
        .lines(&["--command"]),
    plain("teller").adds().verbs(&["run"]),
    plain("dotenvx").adds().verbs(&["run"]).valued(&["-f", "--env-file", "-e", "--env"]),
    plain("dotenv").adds().valued(&["-e", "-c", "-v", "-p"]),
    plain("env-cmd").adds().valued(&["-f", "--file", "-e", "--environments"]),
    plain("cross-env"),
    plain("aws-vault").adds().verbs(&["exec"]).valued(&["-d", "--duration", "--region"]).own(1),
    plain("chamber").adds().verbs(&["exec"]).own(1),
    plain("envchain").adds().own(1),
];
