"""A sample of what tests/benchmarks/fuzz.py does at length."""

from __future__ import annotations

from tests.function_process import function_process
from tests.image.hostile import post
from tests.image.mutations import corpus, mutant, mutants
from tests.image.structures import BUILDERS, structure, structures

COUNT = 1000
BUILT = 280


def test_no_spoilt_picture_is_answered_with_a_5xx_or_ends_the_process() -> None:
    originals = corpus()
    assert {original.kind for original in originals} == {"AVIF", "BMP", "GIF", "HEIF", "JPEG", "PNG", "TIFF", "WEBP"}
    statuses = set()
    with function_process() as function:
        for number, name, data in mutants(originals, COUNT):
            status = function.invoke(post(data)).answer["statusCode"]
            assert status in (200, 400, 413), f"{number} ({name})"
            statuses.add(status)
            if number == COUNT // 2:
                half = function.memory
        assert function.memory < half + 30
    assert statuses == {200, 400, 413}


def test_no_picture_that_was_built_to_do_harm_does_any() -> None:
    statuses, kinds = set(), set()
    with function_process() as function:
        for number, name, data in structures(BUILT):
            outcome = function.invoke(post(data))
            status = outcome.answer["statusCode"]
            assert status in (200, 400, 413), f"{number} ({name})"
            assert outcome.seconds < 2, f"{number} ({name})"
            assert outcome.megabytes < 300, f"{number} ({name})"
            statuses.add(status)
            kinds.add(name)
    assert statuses == {200, 400, 413}
    assert len(kinds) == len(BUILDERS)


def test_a_picture_that_was_built_comes_again_from_its_number() -> None:
    for number in range(len(BUILDERS)):
        assert structure(number) == structure(number) != structure(number + len(BUILDERS))


def test_a_spoilt_picture_comes_again_from_its_number() -> None:
    originals = corpus()
    assert mutant(originals, 5) == mutant(originals, 5) != mutant(originals, 5 + len(originals))
