#!/usr/bin/env python3
"""moto as AWS on a free port of loopback, with calls that are authenticated: prints its port and its keys, then serves.

moto checks signatures and policies, and lets a key that was switched off pass; AWS does not, so that much is added here.
"""

import json
import os
import re

os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "0"
os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"

from moto.iam.models import iam_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

ACCOUNT = "123456789012"
iam = iam_backends[ACCOUNT]["aws"]

EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
NOTHING_OF_IAM = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
REFUSED = b"""<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <Error><Type>Sender</Type><Code>InvalidClientTokenId</Code>
  <Message>The security token included in the request is invalid.</Message></Error>
  <RequestId>6f2c0000-0000-0000-0000-000000000000</RequestId></ErrorResponse>"""


def user(name, policy):
    iam.create_user("us-east-1", name)
    iam.put_user_policy(name, "own", json.dumps(policy))
    key = iam.create_access_key(name)
    return {"id": key.access_key_id, "secret": key.secret_access_key}


def statuses():
    return {key.access_key_id: key.status for one in iam.users.values() for key in one.access_keys}


def application(inner):
    def serve(environ, start_response):
        if environ["PATH_INFO"] == "/statuses":
            start_response("200 OK", [("Content-Type", "application/json")])
            return [json.dumps(statuses()).encode()]
        used = re.search(r"Credential=(\w+)/", environ.get("HTTP_AUTHORIZATION", ""))
        if used and statuses().get(used[1]) == "Inactive":
            start_response("403 Forbidden", [("Content-Type", "text/xml")])
            return [REFUSED]
        return inner(environ, start_response)

    return serve


keys = {"admin": user("admin", EVERYTHING), "ci": user("ci", NOTHING_OF_IAM), "own": user("own", EVERYTHING)}
iam.attach_user_policy("arn:aws:iam::aws:policy/AdministratorAccess", "admin")
server = make_server("127.0.0.1", 0, application(DomainDispatcherApplication(create_backend_app)), threaded=True)
print(json.dumps({"port": server.port, "keys": keys}), flush=True)
server.serve_forever()
