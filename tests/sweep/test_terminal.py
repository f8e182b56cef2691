"""What a person sees on a terminal, and what a sweep opens on the network."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent.parent


@pytest.mark.slow
def test_the_live_table_of_a_local_sweep_stays_on_the_terminal(tmp_path, small_avdigits):
    """A trial's own output is redirected to its log in the same process; the table's must not be."""
    (tmp_path / "space.yaml").write_text("params: {method.tau: {type: float, low: 0.1, high: 0.4}}\n")
    primary, secondary = pty.openpty()
    process = subprocess.Popen(
        [
            *(sys.executable, "-c"),
            "from pathlib import Path\nfrom igmsweep.sweep import SweepRequest, run_sweep, trial\n"
            f"trial.TRAINABLE = {str(REPOSITORY / 'tests/trainables.py') + ':pause'!r}\n"
            f"run_sweep(SweepRequest(data='avdigits', space=Path({str(tmp_path / 'space.yaml')!r}), trials=2, name='s', "
            f"out=Path({str(tmp_path)!r}), local=True, "
            f"overrides={{'data.root': {str(small_avdigits)!r}, 'data.cache': {str(tmp_path / 'cache')!r}}}))",
        ],
        stderr=secondary,
        stdout=subprocess.DEVNULL,
        cwd=REPOSITORY,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(secondary)
    shown = b""
    while True:
        try:
            part = os.read(primary, 4096)
        except OSError:
            break
        if not part:
            break
        shown += part
    assert process.wait() == 0, shown[-2000:].decode(errors="replace")
    assert shown.count(b"running") >= 3  # the table was drawn again while trials ran
    for log in (tmp_path / "s").glob("trials/*/stdout.log"):
        assert "running" not in log.read_text()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs /proc/net/tcp")
def test_ray_listens_on_loopback_alone():
    script = """
import os
os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # as run_sweep does before it imports Ray
import ray
from igmsweep.sweep.ray_runner import connect
connect(None)

def listening():
    sockets = {}
    for table in ("tcp", "tcp6"):
        for line in open(f"/proc/net/{table}").read().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A":
                sockets[fields[9]] = fields[1]
    return sockets

def sockets_of(pid):
    found = set()
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            target = os.readlink(f"/proc/{pid}/fd/{name}")
            if target.startswith("socket:["):
                found.add(target[8:-1])
    except OSError:
        pass
    return found

session = ray._private.worker._global_node.get_session_dir_path()
def ours(pid):
    try:
        return session.encode() in open(f"/proc/{pid}/cmdline", "rb").read() or int(pid) == os.getpid()
    except OSError:
        return False

sockets = listening()
mine = set().union(*(sockets_of(pid) for pid in os.listdir("/proc") if pid.isdigit() and ours(pid)))
addresses = {sockets[inode].split(":")[0] for inode in mine if inode in sockets}
assert addresses, "nothing listens"
print("ADDRESSES", *sorted(addresses))
ray.shutdown()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, cwd=REPOSITORY)
    line = next((line for line in done.stdout.splitlines() if line.startswith("ADDRESSES")), done.stderr)
    loopback = {"0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F"}
    assert set(line.split()[1:]) <= loopback, line
