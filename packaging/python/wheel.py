"""Writes a wheel that holds a program: the layout of maturin's `bindings = "bin"` (PEP 427, `*.data/scripts`).

usage: wheel.py SPECIFICATION.json

The same input gives the same bytes: entries are sorted and carry the date of the specification.
"""

import base64
import hashlib
import json
import sys
import time
import zipfile


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        spec = json.load(file)
    entries = [(entry["name"], open(entry["file"], "rb").read(), entry["mode"]) for entry in spec["files"]]
    info = spec["dist_info"]
    record = "".join(f"{name},sha256={digest(data)},{len(data)}\n" for name, data, _ in entries)
    entries.append((f"{info}/RECORD", f"{record}{info}/RECORD,,\n".encode(), 0o644))
    date = time.gmtime(max(spec["epoch"], 315532800))[:6]  # A ZIP file knows no date before 1980.
    with zipfile.ZipFile(spec["wheel"], "w", zipfile.ZIP_DEFLATED, compresslevel=9) as wheel:
        for name, data, mode in entries:
            entry = zipfile.ZipInfo(name, date)
            entry.external_attr = (0o100000 | mode) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            wheel.writestr(entry, data)


def digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


main()
