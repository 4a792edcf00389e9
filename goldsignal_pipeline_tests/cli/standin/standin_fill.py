"""First data of two kinds: none, and a run of five minutes in the filling process."""

from goldsignal_pipeline.cli.services.runs import process_tags


def no_fill(settings, say):
    say("Nothing to fill")
    return {"candles": 0}


def slow_fill(settings, say):
    import dagster as dg
    from standin_definitions import slow

    with dg.DagsterInstance.get() as instance:
        slow.execute_in_process(instance=instance, tags=process_tags())
    return {}
