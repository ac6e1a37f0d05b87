"""The fields of the counters are read as the scripts write them."""

from aitrain.domain.counting import BOUNDS_SECONDS, read_counters, read_standing


def test_each_kind_of_field_has_its_place() -> None:
    counters = read_counters(
        {
            "move/DONE/JOB_DONE": "3", "wait/v100s/1": "2", "wait/v100s/inf": "1", "wait/v100s/ms": "1500",
            "step/run/60": "4", "copy/pull/bytes": "12345678901", "minutes/red/v100s": "70",
        }
    )  # fmt: skip
    assert counters.moves == {("DONE", "JOB_DONE"): 3}
    waits = counters.waits["v100s"]
    assert (waits.count, waits.sum_s, waits.classes[0], waits.classes[-1]) == (3, 1.5, 2, 1)
    assert counters.steps["run"].classes[BOUNDS_SECONDS.index(60)] == 4
    assert counters.copied == {("pull", "bytes"): 12345678901}
    assert counters.unit_minutes == {("red", "v100s"): 70}


def test_classes_are_cumulated_as_prometheus_wants_them() -> None:
    told = read_counters({"step/run/2": "4", "step/run/10": "1", "step/run/inf": "2"}).steps["run"].cumulated()
    assert [told[0], told[1], told[3], told[-1]] == [("1.0", 0), ("2.0", 4), ("10.0", 5), ("+Inf", 7)]
    assert [float(bound) for bound, _ in told] == [*BOUNDS_SECONDS, float("inf")]


def test_what_other_versions_count_is_no_trouble() -> None:
    """A bound that was given up goes to the class that holds it; a field of tomorrow is left alone."""
    counters = read_counters({"wait/cpu/45": "1", "pull/x/y/z": "1", "new": "7", "wait/cpu/median": "3"})
    assert counters.waits["cpu"].classes[BOUNDS_SECONDS.index(60)] == 1
    assert counters.waits["cpu"].count == 1


def test_standing_is_read_by_project_and_state() -> None:
    assert list(read_standing({"red/QUEUED": "2", "blue/DONE": "0"})) == [("red", "QUEUED", 2), ("blue", "DONE", 0)]
