from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from spaces.outside import launch

ROOT = Path(__file__).parents[2]


def test_the_script_folder_and_the_current_folder_come_last_and_nothing_is_lost():
    path = [
        "",
        "/opt/keras-dev",
        "/usr/lib/python3.11",
        "/home/me/script",
        "/venv/site-packages",
        "/home/me/work",
        "lib",
    ]
    assert launch.module_path(path, "/home/me/script/night.py", "/home/me/work") == (
        "/opt/keras-dev", "/usr/lib/python3.11", "/venv/site-packages", "/home/me/work/lib",
        "/home/me/work", "/home/me/script",
    )  # fmt: skip
    assert launch.module_path(["/lib", "/lib"], None, "/here") == ("/lib",)


def test_our_modules_are_found_whatever_lies_in_the_current_folder(tmp_path):
    for name in ("spaces", "results", "search", "json", "argparse", "numpy"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('the user')\n")
    environment = {**os.environ, "PYTHONPATH": ""}
    done = subprocess.run(
        launch.command("results.exporting.verify", str(tmp_path)),
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    # It got as far as looking for what it is to verify, in the folder that its argument names.
    assert f"FileNotFoundError: [Errno 2] No such file or directory: '{tmp_path}/rows.npz'" in done.stderr


def test_the_command_in_the_background_is_ours_whatever_the_search_path_says(tmp_path):
    (tmp_path / "nightshift.py").write_text("raise RuntimeError('the user')\n")
    done = subprocess.run(
        launch.command("run_search", "--version"),
        env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.stdout[:11], done.stderr) == ("nightshift ", "")


def test_the_module_runs_in_a_folder_with_files_that_are_named_like_those_it_needs(tmp_path):
    for name in ("random", "numpy", "tempfile"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('the user')\n")
    done = subprocess.run(
        [sys.executable, "-m", "nightshift", "spaces", "digits"], env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_the_program_runs_as_a_script_beside_a_file_that_is_named_like_one_of_pythons(tmp_path):
    (tmp_path / "run_search.py").write_text((ROOT / "run_search.py").read_text())
    (tmp_path / "random.py").write_text("raise RuntimeError('the user')\n")
    for command in ([str(tmp_path / "run_search.py")], ["-P", str(tmp_path / "run_search.py")]):
        done = subprocess.run(
            [sys.executable, *command, "spaces"], env={**os.environ, "PYTHONPATH": str(ROOT)},
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
