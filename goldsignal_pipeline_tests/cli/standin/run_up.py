"""`goldsignal up` with stand-in definitions and data: run_up.py MODULE [--once] [--slow-fill]."""

import sys

import typer

from goldsignal_pipeline.cli import session, up
from goldsignal_pipeline.cli.output import Output
from goldsignal_pipeline.cli.services.stack import StackOptions
from goldsignal_pipeline.errors import GoldSignalError

if __name__ == "__main__":
    fill = "standin_fill:slow_fill" if "--slow-fill" in sys.argv else "standin_fill:no_fill"
    options = StackOptions(module=sys.argv[1], fill=fill)
    try:
        up.run(session.start(), once="--once" in sys.argv, output=Output(as_json=False), options=options)
    except GoldSignalError as error:
        print(f"{type(error).__name__}: {error}", flush=True)
        sys.exit(error.exit_code)
    except typer.Exit as ended:
        sys.exit(ended.exit_code)
