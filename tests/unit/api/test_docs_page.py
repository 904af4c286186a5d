"""The description is made once, and nobody waits for it but who asks for it."""

import asyncio
import threading
from types import SimpleNamespace
from typing import Any

from cancellist.api import docs_page


async def test_others_are_answered_while_the_description_is_made_and_it_is_made_once(monkeypatch) -> None:
    answered, made = threading.Event(), list[str]()

    def slowly(_app: Any, prefix: str) -> dict[str, Any]:
        made.append(prefix)
        assert answered.wait(20), "nobody else was answered meanwhile"
        return {"openapi": "3.1.0"}

    monkeypatch.setattr(docs_page, "describe", slowly)
    request: Any = SimpleNamespace(app=SimpleNamespace(state=SimpleNamespace()))
    context: Any = SimpleNamespace(options=SimpleNamespace(proxies=SimpleNamespace(prefix="/x")))
    left, *both = [asyncio.create_task(docs_page.described(request, context)) for _ in range(3)]
    await asyncio.sleep(0)
    left.cancel()  # who asked first leaves
    await asyncio.sleep(0)
    answered.set()
    assert await asyncio.gather(*both) == [{"openapi": "3.1.0"}] * 2
    assert made == ["/x"]
