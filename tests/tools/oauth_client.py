"""A client of another make: oauthlib forms the requests of RFC 7662 and RFC 7009, requests sends them.

Usage: oauth_client.py BASE ORGANISATION OWNER-TOKEN-FILE TOKEN-FILE
"""

import sys

import requests
from oauthlib.oauth2 import BackendApplicationClient
from requests_oauthlib import OAuth2Session


def main() -> None:
    base, organisation, owner_file, asked_file = sys.argv[1:]
    with open(owner_file, encoding="ascii") as owner, open(asked_file, encoding="ascii") as asked:
        owner_token, token = owner.read().strip(), asked.read().strip()

    session = OAuth2Session(token={"access_token": owner_token, "token_type": "Bearer"})

    def introspect() -> dict:
        form = {"token": token, "token_type_hint": "access_token"}
        answer = session.post(f"{base}/oauth/introspect", data=form, timeout=10)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/json", answer.headers
        return answer.json()

    told = introspect()
    assert told["active"] is True and told["organisations"] == [organisation], told
    assert told["scope"] == "events:write" and told["token_type"] == "Bearer", told

    check = {"scope": "events:write", "organisation": organisation, "project": "shop"}
    bearer = {"Authorization": f"Bearer {token}"}
    answer = requests.get(f"{base}/api/v1/check", params=check, headers=bearer, timeout=10)
    assert answer.status_code == 200 and answer.json()["allowed"] is True, answer.text

    client = BackendApplicationClient(client_id="another-make")
    url, headers, body = client.prepare_token_revocation_request(f"{base}/oauth/revoke", token)
    for _ in range(2):
        answer = requests.post(url, headers=headers, data=body, timeout=10)
        assert answer.status_code == 200, answer.text

    assert introspect() == {"active": False}
    answer = requests.get(f"{base}/api/v1/token", headers=bearer, timeout=10)
    assert answer.status_code == 401, answer.text
    assert answer.json() == {"error": "invalid_token", "error_description": "revoked"}, answer.text
    answer = requests.get(f"{base}/api/v1/check", params=check, headers=bearer, timeout=10)
    assert answer.status_code == 401, answer.text
    assert answer.headers["content-type"] == "application/problem+json", answer.headers
    print("introspected, checked, revoked twice, and refused from then on")


if __name__ == "__main__":
    main()
