"""A client that knows nothing of Dvor but the stubs protoc made from `proto/`.

    client.py HOST:PORT    writes what it saw as JSON.

It runs by itself, outside this project: nothing of Dvor may be imported here.
"""

# pyright: reportAttributeAccessIssue=false, reportCallIssue=false, reportArgumentType=false

import json
import sys
import uuid

import grpc
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from dvor import catalog_pb2, catalog_pb2_grpc, identity_pb2, identity_pb2_grpc


def services(channel: grpc.Channel) -> list[str]:
    """What reflection lists."""
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    asked = reflection_pb2.ServerReflectionRequest(list_services="")
    answer = next(stub.ServerReflectionInfo(iter([asked]), timeout=5))
    return [service.name for service in answer.list_services_response.service]


def refusal(call, request, **options) -> dict:
    """How a call was refused."""
    try:
        call(request, timeout=5, **options)
    except grpc.RpcError as error:
        trailers = dict(error.trailing_metadata())
        status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
        info = error_details_pb2.ErrorInfo()
        status.details[0].Unpack(info)
        return {
            "status": error.code().name,
            "message": status.message,
            "reason": info.reason,
            "domain": info.domain,
            "details": {name: json.loads(value) for name, value in info.metadata.items()},
        }
    raise AssertionError(f"{request} was not refused")


def main(address: str) -> dict:
    """Sign up, sell something, be refused."""
    channel = grpc.insecure_channel(address)
    identity = identity_pb2_grpc.IdentityStub(channel)
    catalog = catalog_pb2_grpc.CatalogStub(channel)
    health = health_pb2_grpc.HealthStub(channel).Check(
        health_pb2.HealthCheckRequest(service="dvor.catalog.v1.Catalog"), timeout=5
    )
    registration = identity_pb2.Registration(
        email="foreign@example.org", password="a rare phrase 8462", name="Гость", seller=True
    )
    user = identity.Register(identity_pb2.RegisterRequest(registration=registration), timeout=10)
    tokens = identity.IssueTokens(
        identity_pb2.IssueTokensRequest(
            credentials=identity_pb2.Credentials(
                email=registration.email, password=registration.password
            ),
            client="a foreign client",
        ),
        timeout=10,
    )
    mine = (("authorization", f"Bearer {tokens.access_token}"),)
    me = identity.Me(identity_pb2.MeRequest(), metadata=mine, timeout=5)
    categories = catalog.Categories(catalog_pb2.CategoriesRequest(), timeout=5).items
    draft = catalog_pb2.ListingDraft(
        kind=catalog_pb2.KIND_PRODUCT,
        category=next(c.slug for c in categories if c.kind == catalog_pb2.KIND_PRODUCT),
        title=catalog_pb2.Text(ru="Лампа", en="Lamp"),
        attributes={"colour": "red"},
        offers=[catalog_pb2.OfferDraft(name=catalog_pb2.Text(en="One"), price=12_300)],
    )
    create = catalog_pb2.CreateRequest(draft=draft)
    listing = catalog.Create(
        create, metadata=(*mine, ("idempotency-key", str(uuid.uuid4()))), timeout=5
    )
    catalog.Publish(catalog_pb2.PublishRequest(listing_id=listing.id), metadata=mine, timeout=5)
    shown = catalog.Listing(catalog_pb2.ListingRequest(listing_id=listing.id), timeout=5)
    nowhere = str(uuid.uuid4())
    line = catalog_pb2.QuoteLine(offer_id=nowhere, quantity=1)
    short = identity_pb2.Registration(email="nobody", password="short", name="")
    return {
        "services": services(channel),
        "health": health.status,
        "user": user.id,
        "me": me.id,
        "seller": listing.seller_id,
        "nowhere": nowhere,
        "shown": {
            "title": shown.title.ru,
            "status": catalog_pb2.ListingStatus.Name(shown.status),
            "price": [shown.offers[0].price.amount, shown.offers[0].price.currency],
            "attributes": dict(shown.attributes),
            "created": shown.created_at.ToJsonString(),
        },
        "unknown": refusal(catalog.Listing, catalog_pb2.ListingRequest(listing_id=nowhere)),
        "no_offer": refusal(catalog.Quote, catalog_pb2.QuoteRequest(lines=[line])),
        "stranger": refusal(catalog.Create, create),
        "forbidden": refusal(
            identity.Contacts, identity_pb2.ContactsRequest(user_ids=[user.id]), metadata=mine
        ),
        "invalid": refusal(identity.Register, identity_pb2.RegisterRequest(registration=short)),
    }


if __name__ == "__main__":
    json.dump(main(sys.argv[1]), sys.stdout)
