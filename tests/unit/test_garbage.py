"""Garbage collection stops the service only for moments."""

import gc

from jobindex.service import COLLECTED_OBJECTS


def test_a_collection_looks_at_few_objects() -> None:
    """A young collection examines some ten thousand objects, however many objects a batch creates."""
    looked_at: list[int] = []

    def note(phase: str, details: dict[str, int]) -> None:
        if phase == "start" and details["generation"] < 2:
            looked_at.append(sum(len(gc.get_objects(young)) for young in range(details["generation"] + 1)))

    former = gc.get_threshold()
    gc.collect()
    gc.callbacks.append(note)
    try:
        gc.set_threshold(*COLLECTED_OBJECTS)
        made = [[number] for number in range(200_000)]
    finally:
        gc.set_threshold(*former)
        gc.callbacks.remove(note)
    assert len(made) == 200_000
    assert looked_at
    assert max(looked_at) <= 15_000
