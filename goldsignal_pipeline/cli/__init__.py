"""The command line `goldsignal`: one module per group of commands, registered in `app`."""

from goldsignal_pipeline.cli.app import main

__all__ = ["main"]
