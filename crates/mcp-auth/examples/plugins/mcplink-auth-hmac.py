#!/usr/bin/env python3
"""A plug-in in Python: signs each request with a key that both sides have. `settings` of the entry names the key."""
import hashlib
import hmac
import json
import os
import sys

settings = {}


def hello(params):
    settings.update(params.get("settings") or {})
    return {"protocol": 1}


def get(params):
    return {"signs": True}


def sign(params):
    key = os.environ.get("HMAC_KEY")
    if not key:
        raise RuntimeError("HMAC_KEY is not set")
    text = "\n".join([params["method"], params["url"], params["body"]["sha256"]])
    mac = hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()
    return {"headers": {"X-Signature": f"{settings.get('keyId', 'main')} {mac}"}}


METHODS = {"hello": hello, "get": get, "rejected": get, "sign": sign}

for line in sys.stdin:
    question = json.loads(line)
    answer = {"id": question["id"]}
    try:
        method = METHODS.get(question["method"])
        if method is None:
            raise RuntimeError("there is no such method")
        answer["result"] = method(question.get("params", {}))
    except Exception as error:
        answer["error"] = {"message": str(error)}
    print(json.dumps(answer), flush=True)
