"""How long `tagloom --help` takes, in a process of its own: `python benchmarks/startup.py`."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

RUNS = 20


def main() -> None:
    seconds = []
    for _ in range(RUNS):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "tagloom", "--help"], check=True, capture_output=True)
        seconds.append(time.perf_counter() - started)
    print(f"tagloom --help, {RUNS} runs: median {statistics.median(seconds):.3f} s, slowest {max(seconds):.3f} s")


if __name__ == "__main__":
    main()
