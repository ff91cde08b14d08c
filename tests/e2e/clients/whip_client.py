"""What the publishers in Python share: requests, the way through a relay, and their JSON lines."""

import json
import os
import re
import urllib.error
import urllib.request

HTTP_SECONDS = 10


def say(event, **more):
    print(json.dumps({"event": event, **more}), flush=True)


def rerouted(answer):
    """With MEDIA_PORT set the answer's UDP candidates get that port, and there are no others."""
    port = os.environ.get("MEDIA_PORT")
    if not port:
        return answer
    udp = re.sub(r"a=candidate:\S+ \d+ tcp .*\r\n", "", answer)
    return re.sub(r"\d+ typ host", f"{port} typ host", udp)


def ask(method, url, token, body=None):
    """One request: (status, headers, text)."""
    headers = {"Authorization": f"Bearer {token}"}
    if body is not None:
        headers["Content-Type"] = "application/sdp"
    data = None if body is None else body.encode()
    request = urllib.request.Request(url, data=data, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=HTTP_SECONDS) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.headers, refused.read().decode()
