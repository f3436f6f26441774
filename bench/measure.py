"""What the suite costs and what it yields, measured on this machine as it is now.

Only the ratios say something elsewhere: both sides of each come from the same run.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Callable

REPO = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(REPO / "harness"), str(REPO / "harness" / "tests")]

import echo_speed  # noqa: E402
import file_speed  # noqa: E402
import grading_cost  # noqa: E402
import labcap_speed  # noqa: E402
import live_speed  # noqa: E402
import lossy_cost  # noqa: E402
import show_speed  # noqa: E402
import udp_speed  # noqa: E402
from labkit.feedback import HarnessError, Mismatch  # noqa: E402


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/run", description=__doc__)
    parser.add_argument("part", nargs="?", choices=PARTS,
                        help="only what grading costs, only what each test on a lossy network "
                             "costs, only the speed of lab 01's servers, of lab 03's, of one half "
                             "of lab 04's programs, of the ladders, of labcap on large traces, or "
                             "what recording live costs and loses")
    parser.add_argument("--table", action="store_true",
                        help="print the echo servers' speed as lab 01's handout shows it")
    parser.add_argument("--rounds", type=positive, default=30,
                        help="rounds of the grading part (%(default)s)")
    parser.add_argument("--seconds", type=positive, default=4,
                        help="how long each server is asked; of the echo part with 1, with 50 "
                             "and with 1,000 clients (%(default)s)")
    parser.add_argument("--transfers", type=positive, default=9,
                        help="how often each way of the ftp and tftp parts, and each command of "
                             "the show and labcap parts, is measured; the live part takes half as "
                             "many rounds (%(default)s)")
    parser.add_argument("--programs", type=Path, default=echo_speed.LAB_PROGRAMS,
                        metavar="FOLDER", help="lab 01's programs, where they are not in labs/")
    return parser.parse_args()


def measure_echo(options: argparse.Namespace) -> echo_speed.Results:
    return echo_speed.measure(options.seconds, options.programs.resolve())


PARTS: dict[str, Callable[[argparse.Namespace], None]] = {
    "grading": lambda options: grading_cost.report(options.rounds),
    "lossy": lambda options: lossy_cost.report(),
    "echo": lambda options: echo_speed.print_report(measure_echo(options)),
    "udp": lambda options: udp_speed.print_report(udp_speed.measure(options.seconds)),
    "ftp": lambda options: file_speed.report_ftp(options.transfers),
    "tftp": lambda options: file_speed.report_tftp(options.transfers),
    "show": lambda options: show_speed.report(options.transfers),
    "labcap": lambda options: labcap_speed.report(options.transfers),
    "live": lambda options: live_speed.report((options.transfers + 1) // 2),
}


def main() -> int:
    options = arguments()
    try:
        if options.table:
            echo_speed.print_markdown(measure_echo(options))
            return 0
        parts = [options.part] if options.part else list(PARTS)
        for part in parts:
            if part != parts[0]:
                print()
            PARTS[part](options)
    except (HarnessError, Mismatch) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
