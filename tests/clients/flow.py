"""The quick start's flow with a client that openapi-python-client made of the API's document: `tests/clients/main.rs` runs it.

It says what came of it as one line of JSON.
"""

import json
import os
from datetime import UTC, datetime

from synchub.api.deliveries import list_deliveries
from synchub.api.destinations import change_destination, create_destination, recover_destination
from synchub.api.event_types import list_event_types
from synchub.api.events import publish_event
from synchub.api.ledger import read_ledger
from synchub.api.subscriptions import create_subscription
from synchub.client import AuthenticatedClient
from synchub.models import (
    Condition,
    CustomHeaders,
    DeliveryStatus,
    DestinationChanges,
    EventTypeFilter,
    NewDestination,
    NewEvent,
    NewRecovery,
    NewSubscription,
    Problem,
    RecoveryJob,
)

api = AuthenticatedClient(base_url=os.environ["API_URL"], token=os.environ["API_KEY"], raise_on_unexpected_status=True)

types = list_event_types.sync(client=api)

# The same twice under a key: one destination, and its secret both times.
wanted = NewDestination(name="Everything (py)", url="https://example.com/hooks")
destination = create_destination.sync(client=api, body=wanted, idempotency_key="flow-py")
again = create_destination.sync(client=api, body=wanted, idempotency_key="flow-py")

subscription = create_subscription.sync(
    client=api,
    body=NewSubscription(
        name="Everything (py)",
        destination_id=destination.id,
        event_types=[EventTypeFilter("*")],
        scope="*",
        condition=Condition.from_dict({"status": ["succeeded"]}),
    ),
)
changed = change_destination.sync(
    destination.id,
    client=api,
    body=DestinationChanges(timeout_seconds=20, headers=CustomHeaders.from_dict({"x-team": "data"})),
)

event = NewEvent.from_dict(json.loads(os.environ["EVENT"]) | {"id": "evt-py"})
published = publish_event.sync(client=api, body=event)
deliveries = list_deliveries.sync(client=api, event_id=published.id, status=DeliveryStatus.DELIVERED, limit=10)
ledger = read_ledger.sync(client=api)
job = recover_destination.sync(destination.id, client=api, body=NewRecovery(since=datetime(2026, 11, 20, tzinfo=UTC)))
taken = create_destination.sync(client=api, body=NewDestination(name="Everything (py)", url="https://example.com/"))

print(
    json.dumps(
        {
            "types": len(types.data),
            "same_secret": isinstance(destination.secret, str) and destination.secret == again.secret,
            "condition": subscription.condition.to_dict(),
            "timeout_seconds": changed.timeout_seconds,
            "delivered": [delivery.event_type.value for delivery in deliveries.data],
            "attempts": deliveries.data[0].attempt_count,
            "closes": ledger.closes,
            "job": isinstance(job, RecoveryJob) and job.destination_id == destination.id and job.kind.value,
            "problem": isinstance(taken, Problem) and taken.code.value,
        }
    )
)
