"""Which prefix of each prompt a provider still holds, and for how long it holds tokens in all."""

from typing import NamedTuple

import numpy as np

from tokenpnl_analytics.whatif.caching.kernel import Flags, Integers, compiled


class Prompts(NamedTuple):
    """Prompts as runs of blocks.

    Attributes:
        starts: where the blocks of each prompt begin; one entry more than there are prompts.
        blocks: numbered from 0; the same block means the same prompt up to its end, in the same cache.
        tokens: of each block.
        times: of each prompt, in microseconds, never falling.
        written: whether the prompt writes (and renews) what it holds.
    """

    starts: Integers
    blocks: Integers
    tokens: Integers
    times: Integers
    written: Flags


@compiled
def held_prefixes(prompts: Prompts, n_blocks: int, ttl: int) -> tuple[Integers, Integers]:
    """Return tokens of each prompt's prefix that is held when it comes, and token-seconds of storage it begins.

    A block is held for `ttl` microseconds after its last use, that age included; blocks behind the first missing one
    do not count, because a prefix is read from its beginning.
    """
    n = len(prompts.times)
    ends, found, stored = np.full(n_blocks, np.int64(-(2**62))), np.zeros(n, np.int64), np.zeros(n, np.int64)
    for prompt in range(n):
        unbroken, now = True, prompts.times[prompt]
        for place in range(prompts.starts[prompt], prompts.starts[prompt + 1]):
            block, tokens = prompts.blocks[place], prompts.tokens[place]
            held = now <= ends[block]
            unbroken = unbroken and held
            if unbroken:
                found[prompt] += tokens
            if prompts.written[prompt]:
                added = now + ttl - ends[block] if held else ttl
                stored[prompt] += tokens * (added // 1_000_000)
                ends[block] = now + ttl
    return found, stored
