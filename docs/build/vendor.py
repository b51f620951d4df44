"""Brings the editor and the result view of YASGUI, which the workbench ships, from the npm registry.

python docs/build/vendor.py

Each package is fetched at the version named here and held against its digest. Of its files those named here are kept,
with a list of what they are (kb_tools/serve/static/vendor/vendor.json) and the licences of what is built into them.
Needs npm. To move to another version, write it here with its digest (`npm view @zazuko/yasqe dist.integrity`), run
this, and then the tests in a browser.
"""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

VENDOR = Path(__file__).parents[2] / "kb_tools/serve/static/vendor"
# Each package with its version, the digest of its archive, and the files that are shipped.
PACKAGES = {
    "@zazuko/yasqe": (
        "4.6.2",
        "sha512-83iCLuBIgU04KBIaibxZTjKvrXD6sEe/+aqsHxLb4+ZVD4eaUwh5hFJEetuWkiKBY6WxTjVOmhKXvh2AAOR14g==",
        ("build/yasqe.min.js", "build/yasqe.min.css"),
    ),
    "@zazuko/yasr": (
        "4.6.2",
        "sha512-eiMaX6Uhc/yI42uMZin7RqgYAPZ8vGwyMRIAceO/RW7B6JuKA8KvvlgCrgag9AoGU8SC4Z9gQwQZ9SDUT6XUZA==",
        ("build/yasr.min.js", "build/yasr.min.css"),
    ),
}


def integrity(content: bytes) -> str:
    """The digest of a file, as the npm registry writes it."""
    return f"sha512-{base64.b64encode(hashlib.sha512(content).digest()).decode()}"


def fetched(name: str, version: str, digest: str, folder: Path) -> Path:
    """The archive of a package.

    Raises:
        SystemExit: it is not the one that the digest is of.
    """
    done = subprocess.run(
        ["npm", "pack", f"{name}@{version}", "--json"], cwd=folder, capture_output=True, text=True, check=True
    )
    archive = folder / str(json.loads(done.stdout)[0]["filename"])
    if (found := integrity(archive.read_bytes())) != digest:
        sys.exit(f"{name} {version}: the archive is {found}, and not {digest}")
    return archive


def licences(folder: Path) -> str:
    """The licences of the packages and of all that is built into them."""
    named = [f"{name}@{version}" for name, (version, _, _) in PACKAGES.items()]
    subprocess.run(
        ["npm", "install", "--ignore-scripts", "--omit=dev", "--no-save", *named],
        cwd=folder,
        capture_output=True,
        check=True,
    )
    parts = []
    for path in sorted(folder.glob("node_modules/**/package.json")):
        about = json.loads(path.read_text(encoding="utf-8"))
        texts = sorted(file for file in path.parent.iterdir() if file.name.lower().startswith(("license", "licence")))
        # Folders within a package have such a file, too, without a version.
        if "version" in about and "license" in about:
            heading = f"{about['name']}, {about['license']}"
            text = texts[0].read_text(encoding="utf-8", errors="replace") if texts else f"By {about.get('author')}."
            parts.append(f"{heading}\n{'-' * len(heading)}\n\n{text.strip()}".strip())
    return "\n\n\n".join(dict.fromkeys(parts)).replace("\r\n", "\n") + "\n"


def main() -> None:
    """Replace the files, and say what they are."""
    VENDOR.mkdir(exist_ok=True)
    for path in VENDOR.iterdir():
        path.unlink()
    described = []
    for name, (version, digest, files) in PACKAGES.items():
        with tempfile.TemporaryDirectory() as folder, tarfile.open(fetched(name, version, digest, Path(folder))) as tar:
            kept = {}
            for file in ("package.json", *files):
                member = tar.extractfile(f"package/{file}")
                assert member is not None
                kept[file] = member.read()
        about = json.loads(kept.pop("package.json"))
        for file, content in kept.items():
            # Without the address of a map of the sources, which is not shipped.
            lines = [line for line in content.splitlines(keepends=True) if not line.startswith(_MAPS)]
            (VENDOR / Path(file).name).write_bytes(b"".join(lines))
        described.append(
            {
                "package": name,
                "version": version,
                "licence": about["license"],
                "source": f"https://registry.npmjs.org/{name}/-/{name.rpartition('/')[2]}-{version}.tgz",
                "integrity": digest,
                "files": {Path(file).name: integrity((VENDOR / Path(file).name).read_bytes()) for file in files},
            }
        )
    with tempfile.TemporaryDirectory() as folder:
        (VENDOR / "LICENSES.txt").write_text(licences(Path(folder)), encoding="utf-8")
    (VENDOR / "vendor.json").write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")


_MAPS = (b"//# sourceMappingURL=", b"/*# sourceMappingURL=")

if __name__ == "__main__":
    main()
