"""Makes one launcher of the npm packages that several machines have built: it names every platform that there is.

usage: merge.py FOLDER

The platform packages `mcplink-OS-CPU-VERSION.tgz` stay as they are; `mcplink-VERSION.tgz` is written.
"""

import io
import json
import pathlib
import sys
import tarfile


def manifest(package: pathlib.Path) -> dict:
    with tarfile.open(package) as archive:
        return json.load(archive.extractfile("package/package.json"))


def main() -> None:
    packages = {path: manifest(path) for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.tgz"))}
    launchers = [path for path, content in packages.items() if content["name"] == "mcplink"]
    if not launchers:
        sys.exit(f"{sys.argv[1]} holds no launcher")
    launcher = packages[launchers[0]]
    platforms = {content["name"]: content["version"] for content in packages.values() if "os" in content}
    versions = {launcher["version"], *platforms.values()}
    if len(versions) != 1:
        sys.exit(f"these are no packages of one release: {sorted(versions)}")
    launcher["optionalDependencies"] = dict(sorted(platforms.items()))
    with tarfile.open(launchers[0]) as archive:
        entries = [(entry, archive.extractfile(entry).read()) for entry in archive if entry.isfile()]
    with tarfile.open(launchers[0], "w:gz") as archive:
        for entry, data in entries:
            if entry.name == "package/package.json":
                data = (json.dumps(launcher, indent=2) + "\n").encode()
                entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    print(f"{launchers[0]}: {', '.join(sorted(platforms))}")


main()
