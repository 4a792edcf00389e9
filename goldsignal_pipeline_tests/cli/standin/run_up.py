"""`goldsignal up` with stand-in definitions and no data: run_up.py MODULE [--once]."""

import sys

from goldsignal_pipeline.cli import session, up
from goldsignal_pipeline.cli.output import Output
from goldsignal_pipeline.cli.services import Stack
from goldsignal_pipeline.cli.services.stack import StackOptions
from goldsignal_pipeline.errors import GoldSignalError

if __name__ == "__main__":
    settings = session.start()
    output = Output(as_json=False)
    teller = up._Teller(output, __import__("time").monotonic())
    stack = Stack(settings, say=teller.say, options=StackOptions(module=sys.argv[1]))
    try:
        up.run(settings, fill=lambda *_: {}, once="--once" in sys.argv, output=output, stack=stack)
    except GoldSignalError as error:
        print(f"{type(error).__name__}: {error}", flush=True)
        sys.exit(error.exit_code)
