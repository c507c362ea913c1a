"""What the property-based tester of the HTTP API cannot know by itself: where the local AWS is, and how the operator signs.

It deliberately changes no request and no answer otherwise.
"""

import os
import socket

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import requests
import schemathesis

resolve = socket.getaddrinfo


def getaddrinfo(host, *arguments, **named):
    """Names below `localhost` are this machine (RFC 6761), which not every resolver knows."""
    return resolve("127.0.0.1" if str(host).endswith(".localhost") else host, *arguments, **named)


socket.getaddrinfo = getaddrinfo


class Signature(requests.auth.AuthBase):
    """AWS Signature Version 4, as the operator of the platform signs."""

    def __call__(self, request):
        credentials = botocore.credentials.Credentials(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
        signed = botocore.awsrequest.AWSRequest(request.method, request.url, data=request.body)
        botocore.auth.SigV4Auth(credentials, "execute-api", os.environ["AWS_REGION"]).add_auth(signed)
        request.headers.update(dict(signed.headers.items()))
        return request


@schemathesis.hook
def after_load_schema(context, schema):
    """Signs the operator's operations; all others take the accounts' keys, which the configuration names."""
    schema.auth.set_from_requests(Signature()).apply_to(path_regex="^/admin/")
    # The first that fits is taken, and the keys fit everything.
    schema.auth.providers.insert(0, schema.auth.providers.pop())
