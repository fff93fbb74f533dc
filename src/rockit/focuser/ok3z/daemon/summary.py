"""What a configuration stands for, before anything moves: the text of `focusd --check`."""

from __future__ import annotations

from ..config.model import AlpacaAddress, Config
from ..driver.adapter import latency_problem
from ..driver.homing import back_off_mm, second_approach_s
from ..driver.planning import Drive, Limits, mm_from_steps, move_deadline_s


def forecast(config: Config) -> str:
    """One fact a line: the Pyro object, the ports, the speeds after rounding, and the longest motions; what is wrong
    with the adapter, if it is plugged in."""
    drive = Drive.from_mm(config.speed_mm_sec, config.acceleration_mm_sec_sec)
    limits = Limits.from_mm(config.focus_range_mm, config.travel_mm, config.anti_backlash_mm)
    deadline_s = move_deadline_s(config.longest_move_s, config.move_timeout_s)
    homing_s = drive.homing_duration_s() + second_approach_s(drive, back_off_mm(config.anti_backlash_mm))
    machines = ", ".join(f"{name} ({ip})" for name, ip in zip(config.control_machines, config.control_ips))
    facts = (
        ("configuration", f"{config.path}, valid"),
        ("Pyro object", config.daemon.name),
        ("host", config.daemon.host),
        ("port", str(config.daemon.port)),
        ("may control", machines),
        ("Alpaca", _alpaca(config.alpaca)),
        ("metrics", _metrics(config)),
        ("serial port", f"{config.serial_port} at {config.serial_baud} baud"),
        ("range", f"0 to {mm_from_steps(limits.range_steps):.3f} mm"),
        ("overshoot goes to", f"{mm_from_steps(limits.travel_steps):.3f} mm at most"),
        ("speed", f"{drive.speed_mm_sec:.4f} mm/s (register {drive.speed_register})"),
        (
            "acceleration",
            f"{drive.acceleration_mm_sec_sec:.4f} mm/s^2 (register {drive.acceleration_register})",
        ),
        ("homing at worst", f"{homing_s:.1f} s (a run is given up after {drive.homing_deadline_s:.1f} s)"),
        ("initialize", _initialize(config)),
        ("after homing", "returns to the last position" if config.restore_on_init else "stays at 0 mm"),
        ("full-range move at worst", f"{config.longest_move_s:.1f} s (given up after {deadline_s:.1f} s)"),
    )
    problem = latency_problem(config.serial_port)
    warnings = (("warning", problem),) if problem else ()
    return "\n".join(f"{name + ':':<26}{value}" for name, value in (*facts, *warnings))


def _initialize(config: Config) -> str:
    if not config.resume_on_init:
        return "homes"
    return f"resumes if the last homing is {config.resume_max_age_h:g} h old at most, and homes otherwise"


def _alpaca(address: AlpacaAddress | None) -> str:
    if address is None:
        return "off"
    discovery = "answers" if address.discovery else "does not answer"
    return f"{address.name}, at {address.url} on {address.host} ({discovery} programs that look for devices)"


def _metrics(config: Config) -> str:
    if config.alpaca is None or config.metrics is None:
        return "off"
    process = "of focuser and process" if config.metrics.process else "of the focuser"
    return f"{process}, at {config.alpaca.url}metrics"
