"""What Prometheus sees. Labels are few and bounded: systems, states, outcomes."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Metrics:
    """One registry for each service object, so that several can live in one process (tests)."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.received = Counter("fixit_events_received_total", "New events stored", ["source"], registry=self.registry)
        self.refused = Counter(
            "fixit_requests_refused_total", "Requests that failed the sender check", ["source"], registry=self.registry
        )
        self.handled = Counter(
            "fixit_events_handled_total", "Events handled, by how they ended", ["source", "state"],
            registry=self.registry,
        )  # fmt: skip
        self.turn_seconds = Histogram(
            "fixit_turn_seconds", "From the receipt of an event to the commit of its turn",
            buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 15, 60, 300), registry=self.registry,
        )  # fmt: skip
        self.sends = Counter(
            "fixit_sends_total", "Attempts to carry out an effect", ["system", "outcome"], registry=self.registry
        )
        self.waiting = Gauge("fixit_events_waiting", "Events that wait", ["source"], registry=self.registry)
        self.dead = Gauge("fixit_events_dead", "Dead events", ["source"], registry=self.registry)
        self.oldest = Gauge("fixit_oldest_waiting_seconds", "Age of the oldest waiting event", registry=self.registry)
        self.stuck = Gauge("fixit_stuck_deliveries", "Open deliveries older than 10 minutes", registry=self.registry)
        self.window_misses = Counter(
            "fixit_window_misses_total", "Messages that met a closed 24-hour window", ["channel"],
            registry=self.registry,
        )  # fmt: skip
