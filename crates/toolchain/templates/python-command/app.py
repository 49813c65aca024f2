"""Greets whoever is named."""

from wit_world import exports
from wit_world.imports import environment


class Run(exports.Run):
    def run(self) -> None:
        arguments = environment.get_arguments()[1:]
        name = arguments[0] if arguments else "world"
        print(f"Hello, {name}!", flush=True)
