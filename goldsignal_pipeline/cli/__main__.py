"""`python -m goldsignal_pipeline.cli`: the command line without the console script."""

from goldsignal_pipeline.cli.app import main

main()
