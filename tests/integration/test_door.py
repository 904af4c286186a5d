"""The stand-in for `cancellist` on the PATH of scripts: nothing keeps a command's streams open but the command."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support import ROOT

FIRST = """
import os, subprocess, sys
from pathlib import Path
from tests.support.door import door

with door(Path(sys.argv[1])) as copies:
    own = {**os.environ, "PATH": f"{copies}:{os.environ['PATH']}"}
    sys.exit(subprocess.run(["sh", "-c", "said=$(cancellist --version); echo $said"], env=own, timeout=60).returncode)
"""


def test_the_first_command_of_a_process_of_tests_ends_what_a_shell_reads_of_it(tmp_path: Path) -> None:
    own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", FIRST, tmp_path / "door"], cwd=ROOT, env=own, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.split()[:1]) == (0, ["cancellist"]), done.stderr
