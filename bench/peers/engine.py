"""A Python library as an engine: the commands of protocol.ts, one JSON text a line on stdin and stdout.

python engine.py faiss '{"factory": "IVF1024,SQ8"}'
"""
import importlib
import json
import os
import sys

replies = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)  # what a library prints is no reply

from engines.common import Refused  # noqa: E402

COMMANDS = ("build", "prepare", "run", "open", "cluster")


def follow(engine, line):
    try:
        command = json.loads(line)
    except ValueError as error:
        raise Refused("BAD_COMMAND", f"not JSON: {error}") from error
    if not isinstance(command, dict) or len(command) != 1:
        raise Refused("BAD_COMMAND", "a command is an object with one key, its name")
    [(name, arguments)] = command.items()
    if name not in COMMANDS or not hasattr(engine, name):
        raise Refused("BAD_COMMAND", f"no command '{name}'; there are {', '.join(COMMANDS)}")
    return getattr(engine, name)(**arguments)


def main(name, config):
    engine = importlib.import_module(f"engines.{name}").ENGINE(**json.loads(config))
    for line in sys.stdin:
        try:
            reply = {"ok": follow(engine, line)}
        except Refused as error:
            reply = {"error": {"code": error.code, "message": str(error)}}
        except Exception as error:  # a library's failure is an answer, and the engine goes on
            reply = {"error": {"code": "FAILED", "message": f"{type(error).__name__}: {error}"}}
        replies.write(json.dumps(reply) + "\n")


main(*sys.argv[1:])
