"""Clients that come and go all the time, while a test does what they should not notice."""
import threading


class Traffic:
    """Threads that call turn(number) again and again for as long as the block runs."""

    def __init__(self, threads):
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self.work, args=(n,), daemon=True) for n in range(threads)]

    def work(self, number):
        while not self.stop.is_set():
            self.turn(number)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join(30)
