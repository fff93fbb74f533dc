"""`indi_ok3z_focus`: the focuser for KStars, Ekos, CCDciel and every other client of INDI.

One more client of the daemon: nobody below knows of it. `main` is the program; `stream` cuts and reads what clients
send, `vectors` writes what they get; `device` is the focuser as INDI has it, without I/O; `driver` has its threads and
calls; `outlet` writes to a stdout that nobody may be reading. Described in docs/indi.md.
"""
