"""The asyncio face of sessions."""

import asyncio

from opened import PROMPT, SHORT, ids, model_of
from tiny_models import tiny_tokenizer

from hf_duplex.runtime.aio import AsyncDuplexSession


def test_the_asyncio_face_is_the_same_session():
    model, tokenizer = model_of("validity"), tiny_tokenizer()

    async def talk():
        async with await AsyncDuplexSession.start(model, tokenizer, PROMPT, sampling=SHORT) as session:
            said = [token.id async for token in session]
            receipt = await session.settled(await session.send("x = 7"))
            assert receipt.status == "applied" and receipt.step == len(said)
            # Who waits and is cancelled takes no token with him.
            rest = [token async for token in session]
            waiting = asyncio.create_task(session.settled(await session.send("y = 1")))
            await waiting
            late = asyncio.create_task(session.read())
            await asyncio.sleep(0)
            late.cancel()
            rest += [token async for token in session]
            assert [token.step for token in rest][-1] == len(session.session.tokens) - 1
            assert len({token.step for token in rest}) >= len(rest) - 1
            refused = await session.send(b"\xff")
            assert refused.status == "refused"
            assert (await session.replay()).same
            await session.undo(receipt)
            return [token.id for token in session.session.tokens][: len(said)], said

    after, before = asyncio.run(talk())
    assert after == before


def test_many_sessions_in_one_event_loop(server):
    async def talk(number):
        session = await AsyncDuplexSession.open(server, PROMPT, sampling=SHORT)
        receipt = await session.settled(await session.send(f"x = {number}"))
        tokens = [token.id async for token in session]
        return receipt.status, tokens == ids(session.session)

    async def all_of_them():
        return await asyncio.gather(*(talk(number) for number in range(40)))

    assert asyncio.run(all_of_them()) == [("applied", True)] * 40
