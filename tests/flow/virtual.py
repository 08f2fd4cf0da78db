"""Virtual time: a loop whose clock jumps to the next timer when nothing else is left to do. Hours pass in milliseconds."""

import asyncio
import selectors


class _JumpingSelector(selectors.SelectSelector):
    def __init__(self):
        super().__init__()
        self.now = 0.0

    def select(self, timeout=None):
        ready = super().select(0)
        if not ready and timeout:
            self.now += timeout
        if not ready and timeout is None:
            raise RuntimeError("deadlock: every task waits, and no timer is set")
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self):
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self):
        return self._jumping.now

    def run_in_executor(self, executor, func, *args):
        """At once: threads know nothing of virtual time."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - a future carries whatever was raised
            future.set_exception(error)
        return future


def run(coroutine):
    """Run in virtual time, and see that nothing is left running."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        result = runner.run(coroutine)
        left = [task for task in asyncio.all_tasks(runner.get_loop()) if not task.done()]
        assert not left, left
        return result
