"""Readable names for jobs that were given none."""

from __future__ import annotations

from random import Random

ADJECTIVES = (
    "amber agile azure bold brave brisk bright calm candid clever crisp deft eager early fair fleet fond "
    "gentle glad golden hardy honest humble ivory jolly keen kind light lively lucid mellow merry mild modest "
    "neat nimble noble patient placid polite proud quick quiet rapid ready rosy sharp silver smart snug solid "
    "spry steady still sunny swift tidy tough true vivid warm wise witty young zesty "
).split()
NOUNS = (
    "alder aspen badger beacon birch bison brook canyon cedar cliff comet condor coral crane delta dune eagle "
    "ember falcon fern finch fjord forest fox garnet geyser glacier grove harbor hazel heron ibis island "
    "jaguar juniper kestrel lagoon lark lynx maple marlin meadow mesa moth nebula oak orca osprey otter pebble "
    "pine plover quartz raven reef ridge river robin sequoia sparrow summit swan thistle tundra walrus willow "
    "wren "
).split()


def readable_name(random: Random) -> str:
    """An adjective, a noun and two digits, as in "brisk-otter-42"."""
    # One number for all three: the system's own take a call of the kernel each.
    rest, number = divmod(random.randrange(len(ADJECTIVES) * len(NOUNS) * 90), 90)
    adjective, noun = divmod(rest, len(NOUNS))
    return f"{ADJECTIVES[adjective]}-{NOUNS[noun]}-{number + 10}"
