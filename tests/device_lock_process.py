"""A process that holds a lock until its standard input ends: `device_lock_process.py HOW DEVICE…`.

`exclusive` measures, `shared` trains: a trainer looks for measurers every few milliseconds. Prints
`held` once it holds the lock, and `again SECONDS` for each time a trainer gave way for long.
"""

from __future__ import annotations

import select
import sys
import time

from archdsl.device_lock import SharedDeviceLock, exclusive


def main(how: str, *devices: str) -> None:
    if how == "exclusive":
        with exclusive(devices[0]):
            print("held", flush=True)
            sys.stdin.read()
        return
    with SharedDeviceLock(devices, synchronize=lambda: print("synchronized", flush=True)) as lock:
        print("held", flush=True)
        waited = 0.0
        while not select.select([sys.stdin], [], [], 0.0)[0]:
            time.sleep(0.005)
            lock.yield_to_measurement()
            if lock.seconds_waited > waited + 0.1:
                print(f"again {lock.seconds_waited - waited:.3f}", flush=True)
                waited = lock.seconds_waited


if __name__ == "__main__":
    main(*sys.argv[1:])
