"""How fast `focus json` is: beside `python -c "import Pyro4"`, which no Pyro client can undercut.

    .venv/bin/python bench/startup.py [ROUNDS]

Serves a made-up status on the port of `localhost_test5`, runs both commands in turn, and prints the fastest run of
each, and their ratio beside its limit. The fastest: that is what the machine takes when nothing disturbs it.
Ends with 1 where the ratio exceeds the limit.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import Pyro4
from rockit.common import daemons

LIMIT = 1.5
ROUNDS = 20
DAEMON = "localhost_test5"

REPORT = {
    "date": "2026-11-22T20:00:00Z",
    "status": 1,
    "status_label": "IDLE",
    "state": "idle",
    "moving": False,
    "current_mm": 2.0,
    "target_mm": 2.0,
    "current_steps": 10176,
    "reading_age_s": 0.2,
}


class Focuser:
    """Answers status calls, and nothing else."""

    def report_status(self) -> dict[str, object]:
        return REPORT


Pyro4.expose(Focuser)


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    registered = getattr(daemons, DAEMON)
    try:
        server = Pyro4.Daemon(host=registered.host, port=registered.port)
    except OSError as error:
        print(f"{registered.host}:{registered.port} is needed, and cannot be had: {error}", file=sys.stderr)
        return 1
    server.register(Focuser(), registered.name)
    serving = threading.Thread(target=server.requestLoop)
    serving.start()
    try:
        with tempfile.TemporaryDirectory() as directory:
            config = Path(directory) / "bench.json"
            config.write_text(json.dumps({"daemon": DAEMON}))
            baseline_s, focus_s = _fastest_s(config, rounds)
    finally:
        server.shutdown()
        serving.join()
    ratio = focus_s / baseline_s
    print(f'python -c "import Pyro4"   {baseline_s * 1000:6.1f} ms')
    print(f"focus json                 {focus_s * 1000:6.1f} ms")
    print(f"ratio                      {ratio:6.2f}     limit {LIMIT}")
    return 0 if ratio <= LIMIT else 1


def _fastest_s(config: Path, rounds: int) -> tuple[float, float]:
    """The fastest runs of both commands, run in turn so that a busy machine slows both down."""
    baseline = [sys.executable, "-c", "import Pyro4"]
    focus = [str(Path(sys.executable).parent / "focus"), "json"]
    environment = {
        **os.environ,
        "FOCUSD_CONFIG_PATH": str(config),
        # Compiled once, as installed packages are, by the first round, which is not counted.
        "PYTHONPYCACHEPREFIX": str(config.parent / "compiled"),
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    times_s = [(_time_s(baseline, environment), _time_s(focus, environment)) for _ in range(rounds + 1)][1:]
    baseline_s, focus_s = zip(*times_s)
    return min(baseline_s), min(focus_s)


def _time_s(command: list[str], environment: dict[str, str]) -> float:
    began_s = time.perf_counter()
    # Without a timeout, for which subprocess would look only every 50 ms; focus has its own, of 5 s.
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began_s


if __name__ == "__main__":
    sys.exit(main())
