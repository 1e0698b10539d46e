"""How torch's threads wait for each other. Read by the threading library when torch is loaded."""

from __future__ import annotations

WAITING = {"OMP_WAIT_POLICY": "PASSIVE"}
"""Environment in which threads that wait sleep. While they spin, as is the default, a second busy
process makes torch on two cores ten times slower and more. Part of every fingerprint."""
