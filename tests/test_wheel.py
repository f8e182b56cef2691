"""The wheel: what is in it, and that it runs in an environment of its own, away from the repository."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], check=True, cwd=ROOT)
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_the_package_its_data_and_nothing_else(wheel):
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    wanted = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "igmsweep").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert held == wanted | {f"igmsweep/search_spaces/{path.name}" for path in (ROOT / "search_spaces").glob("*.yaml")}


@pytest.mark.slow
def test_the_demo_runs_from_the_wheel_alone(wheel, tmp_path):
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", wheel], check=True)
    # the dependencies of this environment, without the igmsweep that its own .pth files name
    place = tmp_path / "env" / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    (place / "dependencies.pth").write_text(
        "\n".join(path for path in sys.path if path.endswith("site-packages")) + "\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(*command: str | Path) -> str:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=900, cwd=tmp_path, env=environment, check=True
        )
        return done.stdout.strip()

    assert Path(run(python, "-c", "import igmsweep; print(igmsweep.__file__)")).is_relative_to(place)
    igmsweep = tmp_path / "env" / "bin" / "igmsweep"
    assert run(igmsweep, "space", "show").split() == sorted(
        path.stem for path in (ROOT / "search_spaces").glob("*.yaml")
    )
    report = Path(run(igmsweep, "demo", "--trials", "2", "--local", "--quiet").splitlines()[-1])
    assert report.name == "report.html"
    assert (report.parent / "best_config.yaml").is_file()
