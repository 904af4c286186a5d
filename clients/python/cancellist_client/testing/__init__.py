"""For tests of programs that use the client: a fake in memory, and the real thing on this machine (`plugin`)."""

from cancellist_client._async.fake import FakeAsyncClient
from cancellist_client._memory.server import FakeServer
from cancellist_client._sync.fake import FakeClient
from cancellist_client.testing.real import RealStack, real_stack

__all__ = ["FakeAsyncClient", "FakeClient", "FakeServer", "RealStack", "real_stack"]
