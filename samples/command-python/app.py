"""Prints its arguments and the number of variables in its environment. `--stdin` copies standard input to standard
output, `--stderr TEXT` writes to standard error, `--read PATH` prints a file, `--exit CODE` ends with a code,
`--raise` ends badly."""

import shutil
import sys
from pathlib import Path

from wit_world import exports
from wit_world.imports import environment, exit


class Run(exports.Run):
    def run(self) -> None:
        arguments = environment.get_arguments()[1:]
        print("Hello from Python!")
        print("arguments:", *arguments)
        print("variables:", len(environment.get_environment()), flush=True)

        for at, argument in enumerate(arguments):
            value = arguments[at + 1] if at + 1 < len(arguments) else ""
            match argument:
                case "--stdin":
                    shutil.copyfileobj(sys.stdin, sys.stdout)
                case "--stderr":
                    print(value, file=sys.stderr, flush=True)
                case "--read":
                    sys.stdout.write(Path(value).read_text())
                case "--exit":
                    sys.stdout.flush()
                    exit.exit_with_code(int(value))
                case "--raise":
                    raise RuntimeError("asked to")
        sys.stdout.flush()
